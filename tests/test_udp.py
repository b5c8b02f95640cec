"""Sending by UDP: what one message takes, and what happens where the kernel refuses."""

import errno

from mediarouter._udp import UdpFace

CONTROL, AUDIO, VIDEO, ENHANCEMENT = range(4)
FULL = -errno.EAGAIN


def packet(receiver: int, number: int, size: int = 1000, kind: int = VIDEO) -> tuple[int, bytes, int]:
    return receiver, bytes((number,)) * size, kind


def cut(messages: list[tuple[int, bytes, bool]], size: int) -> dict[int, list[int]]:
    """The numbers each receiver got, of packets of one size."""
    found: dict[int, list[int]] = {}
    for receiver, data, _ in messages:
        found.setdefault(receiver, []).extend(data[::size])
    return found


def test_a_run_of_one_size_is_one_message_and_its_last_packet_may_be_shorter():
    face = UdpFace()
    sizes = [1000, 1000, 600, 600, 601, 600, 1000]
    sent = face.send([packet(1, n, size) for n, size in enumerate(sizes)], [])
    messages = [(len(data), is_cut) for _, data, is_cut in sent]
    assert messages == [(2600, True), (600, False), (1201, True), (1000, False)]
    assert b"".join(data for _, data, _ in sent) == b"".join(bytes((n,)) * size for n, size in enumerate(sizes))


def test_each_receiver_has_messages_of_its_own():
    face = UdpFace()
    sent = face.send([packet(r, n) for r in (1, 2, 3) for n in range(4)], [])
    assert [(receiver, len(data)) for receiver, data, _ in sent] == [(1, 4000), (2, 4000), (3, 4000)]
    assert face.figures["sent"] == 12


def test_a_message_holds_at_most_64_packets_and_65000_bytes():
    face = UdpFace()
    sent = face.send([packet(1, 0, 200)] * 130, [])
    assert [len(data) // 200 for _, data, _ in sent] == [64, 64, 2]
    sent = face.send([packet(1, 0, 1400)] * 60, [])
    assert [len(data) // 1400 for _, data, _ in sent] == [46, 14]


def test_what_finds_no_room_waits_and_what_comes_behind_it_too():
    face = UdpFace()
    assert cut(face.send([packet(r, n) for r in (1, 2, 3) for n in range(4)], [1, FULL]), 1000) == {1: [0, 1, 2, 3]}
    assert face.figures == {
        "sent": 4,
        "queued": 8,
        "blocked": 0,
        "failed": 0,
        "waiting": 2,
        "packets_waiting": 8,
        "gso": 1,
    }
    assert face.send([packet(1, 9), packet(2, 9)], []) == []
    assert cut(face.room(), 1000) == {1: [9], 2: [0, 1, 2, 3, 9], 3: [0, 1, 2, 3]}
    assert face.figures == {
        "sent": 14,
        "queued": 10,
        "blocked": 0,
        "failed": 0,
        "waiting": 0,
        "packets_waiting": 0,
        "gso": 1,
    }
    assert cut(face.send([packet(5, 1)], []), 1000) == {5: [1]}


def test_room_for_a_few_is_given_to_all_in_turn():
    face = UdpFace()
    face.send([packet(r, n, 1400) for r in (1, 2) for n in range(100)], [FULL])
    first = face.room([1, 1, FULL])
    assert [(receiver, len(data) // 1400) for receiver, data, _ in first] == [(1, 46), (2, 46)]
    assert cut(first + face.room([FULL]) + face.room(), 1400) == {r: list(range(100)) for r in (1, 2)}


def test_a_receiver_that_gets_too_much_loses_enhancement_first_and_never_audio():
    face = UdpFace()
    kinds = [VIDEO, ENHANCEMENT, AUDIO]
    face.send([packet(1, n % 3, 1000, kinds[n % 3]) for n in range(300)], [FULL])
    lost = face.figures["blocked"]
    assert lost == 300 - 262
    numbers = cut(face.room(), 1000)[1]
    assert [numbers.count(n) for n in range(3)] == [100, 100 - lost, 100]
    assert face.figures["sent"] == 262


def test_one_receivers_flood_costs_the_others_nothing():
    face = UdpFace()
    face.send([packet(1, 0)] * 400 + [packet(2, 1)] * 3, [FULL])
    assert face.figures["blocked"] == 400 - 262
    assert len(cut(face.room(), 1000)[2]) == 3


def test_where_the_kernel_does_not_cut_packets_leave_one_by_one():
    face = UdpFace()
    sent = face.send([packet(r, n) for r in (1, 2) for n in range(3)], [-errno.EIO, 1, 1, 1, -errno.EIO])
    assert [is_cut for _, _, is_cut in sent] == [False] * 6
    assert cut(sent, 1000) == {1: [0, 1, 2], 2: [0, 1, 2]}
    assert face.figures["gso"] == 0 and face.figures["sent"] == 6
    assert len(face.send([packet(1, n) for n in range(3)], [])) == 3


def test_a_destination_that_cannot_be_reached_costs_its_own_packets_only():
    face = UdpFace()
    sent = face.send([packet(r, n) for r in (1, 2, 3) for n in range(2)], [1, -errno.ENETUNREACH])
    assert cut(sent, 1000) == {1: [0, 1], 3: [0, 1]}
    assert face.figures["failed"] == 2 and face.figures["sent"] == 4
    face.send([packet(1, 0), packet(2, 0)], [FULL])
    assert cut(face.room([-errno.EPERM]), 1000) == {2: [0]}
    assert face.figures["failed"] == 3


def test_the_kernels_own_want_of_memory_is_no_reason_to_wait():
    face = UdpFace()
    sent = face.send([packet(r, n) for r in (1, 2) for n in range(2)], [-errno.ENOBUFS])
    assert cut(sent, 1000) == {2: [0, 1]}
    assert face.figures == {
        "sent": 2,
        "queued": 0,
        "blocked": 2,
        "failed": 0,
        "waiting": 0,
        "packets_waiting": 0,
        "gso": 1,
    }
