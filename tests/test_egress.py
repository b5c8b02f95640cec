"""Packets of a batch that differ by a few bytes leave as one run: the shorter ones are padded, and it costs little."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.virtual import Call, Peer, Source, nack, publish_audio, publish_video, vp8_payload, watch


def sizes_sent(sizes: list[int], *, viewers: int = 1) -> tuple[list[Peer], Call]:
    """Send a frame whose packets have payloads of these sizes."""
    call = Call(1000)
    publisher = call.peer()
    producer = publish_video(publisher, ())
    watching = [call.peer() for _ in range(viewers)]
    for index, viewer in enumerate(watching):
        watch(viewer, producer, ssrc=7000 + 10 * index)
    source = Source(publisher, 9)
    for i, size in enumerate(sizes):
        payload = vp8_payload(1, start=i == 0, key=True, body=bytes([i]) * (size - 7))
        publisher.send(source.packet(payload, marker=i == len(sizes) - 1))
    call.run(1000)
    return watching, call


def wire_sizes(viewer: Peer) -> list[int]:
    return [len(bytes(received.header)) for received in viewer.rtp]


@pytest.mark.parametrize(
    ("sizes", "padding"),
    [
        ([1100, 1099, 1100, 1099], [0, 1, 0, 0]),
        ([1100, 1100, 1095, 600], [0, 0, 5, 0]),
        ([1089, 1100, 1100], [11, 0, 0]),
        ([1088, 1100, 1100], [0, 0, 0]),
        ([600, 1100, 1099, 1100], [0, 0, 1, 0]),
        ([1100], [0]),
        ([1000, 990, 1000], [0, 10, 0]),
        ([300, 298, 300], [0, 2, 0]),
        ([300, 296, 300], [0, 0, 0]),
        ([50, 49, 50], [0, 0, 0]),
    ],
)
def test_only_what_makes_a_run_whole_is_padded_and_by_a_hundredth_at_most(sizes, padding):
    (viewer,), call = sizes_sent(sizes)
    assert [received.header.padding_size for received in viewer.rtp] == padding
    assert [received.header.payload_size for received in viewer.rtp] == sizes
    assert call.engine.counters()["rtp_packets_padded"] == sum(p > 0 for p in padding)


def test_every_viewer_gets_its_own_padding():
    watching, _ = sizes_sent([1100, 1097, 1100], viewers=3)
    for viewer in watching:
        assert [received.header.padding_size for received in viewer.rtp] == [0, 3, 0]


def test_audio_is_not_padded():
    call = Call(1000)
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_audio(publisher))
    source = Source(publisher, 5, payload_type=111, mid="a", clock_rate=48000)
    call.engine.handle_batch(
        [(publisher.srtp.protect(source.packet(bytes(size))), publisher.address) for size in (80, 79, 80)], call.now_us
    )
    call.collect()
    assert [received.header.padding_size for received in viewer.rtp] == [0, 0, 0]


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(40, 1200), min_size=1, max_size=20))
def test_whatever_the_sizes_payloads_are_kept_and_padding_is_bounded(sizes):
    (viewer,), _ = sizes_sent(sizes)
    assert [received.header.payload_size for received in viewer.rtp] == sizes
    for received in viewer.rtp:
        header = received.header
        assert header.payload[7:] == header.payload[7:8] * (header.payload_size - 7)
        assert header.padding_size <= min(12, len(bytes(header)) // 100)


def test_without_rtx_nothing_is_padded_since_it_may_be_asked_for_again():
    call = Call(1000)
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_video(publisher, ()), rtx=False)
    datagrams: list[bytes] = []
    viewer.take = lambda data: (datagrams.append(data), None)[1]  # type: ignore[method-assign]
    source = Source(publisher, 9)
    for i, size in enumerate([1100, 1097, 1100]):
        payload = vp8_payload(1, start=i == 0, key=True, body=bytes([i]) * (size - 7))
        publisher.send(source.packet(payload, marker=i == 2))
    call.run(200_000)
    first = [data for data in datagrams if data[1] & 0x7F == 120]
    nack(viewer, 7000, [500, 501, 502])
    again = [data for data in datagrams if data[1] & 0x7F == 120][3:]
    assert len({len(data) for data in first}) == 2
    assert again == first, "one SRTP index must not encrypt two different packets"
    assert call.engine.counters()["rtp_packets_padded"] == 0


def test_a_late_packet_fills_its_place_the_same_way_twice_without_rtx():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_video(publisher, ()), rtx=False, temporal=0)
    datagrams: list[bytes] = []
    viewer.take = lambda data: (datagrams.append(data), None)[1]  # type: ignore[method-assign]
    source = Source(publisher, 9)
    source.send_frame(key=True)
    (late,) = source.frame(tid=2)
    source.send_frame(tid=0)
    publisher.send(late)
    call.run(200_000)
    nack(viewer, 7000, [500, 501, 502])
    by_number: dict[bytes, set[bytes]] = {}
    for data in datagrams:
        if data[1] & 0x7F == 120:
            by_number.setdefault(data[2:4], set()).add(data)
    assert len(by_number) == 3
    assert all(len(made) == 1 for made in by_number.values()), "one SRTP index must not encrypt two different packets"
