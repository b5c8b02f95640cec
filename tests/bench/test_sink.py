"""The benchmark's subscribers count what is right and nothing else: counting rubbish would be worse than no count."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor

from mediarouter import _rtcp, _stun, rtp
from mediarouter.bench._sink import Sink
from mediarouter.bench._source import Source
from mediarouter.srtp import Profile, SrtpSession
from mediarouter.testing.checks import binding_request

PROFILE = Profile.AEAD_AES_128_GCM
SEND, RECEIVE = bytes(range(28)), bytes(range(50, 78))
TRANSPORT_CC_ID = 3
SO_TIMESTAMPNS = 35
RECEIVER_REPORT, TRANSPORT_FEEDBACK = 201, 205


def sources(**changed) -> Source:
    options = {
        "vp8": True,
        "payload_type": 96,
        "payload_size": 1000,
        "packets_per_frame": 4,
        "frames_per_second": 500,
        "gap_us": 0,
        "clock_rate": 90000,
        "extensions": (4, 2, TRANSPORT_CC_ID),
    }
    return Source(**(options | changed))


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two UDP sockets that are connected to each other."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        for sock in (near, far):
            sock.bind(("127.0.0.1", 0))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        near.connect(far.getsockname())
        far.connect(near.getsockname())
        far.settimeout(5)
        yield near, far


def packets_of(source: Source, count: int) -> list[bytes]:
    """What a source sends, still encrypted."""
    with pair() as (near, far):
        source.add(near.fileno(), PROFILE, SEND, RECEIVE, b"check", 1000)
        thread = threading.Thread(target=source.run, daemon=True)
        thread.start()
        found: list[bytes] = []
        while len(found) < count:
            data = far.recv(2048)
            if data != b"check":
                found.append(data)
        source.stop()
        thread.join()
        assert source.figures()["sent"] >= count
        return found


SPOKEN = frozenset({RECEIVER_REPORT, TRANSPORT_FEEDBACK})


def counted(packets: list[bytes], *, vp8: bool = True, audio_payload_type: int = -1, spoken=SPOKEN) -> dict:
    """What the sink says of these packets."""
    sink = Sink(vp8=vp8, transport_cc_id=TRANSPORT_CC_ID, audio_payload_type=audio_payload_type)
    with pair() as (near, far):
        sink.add(near.fileno(), PROFILE, RECEIVE, SEND, b"check")
        for packet in packets:
            far.send(packet)
        thread = threading.Thread(target=sink.run, daemon=True)
        thread.start()
        session = SrtpSession(PROFILE, SEND, RECEIVE)
        heard: set[int] = set()
        checked = False
        # it speaks when its turn comes; by then it has read all that was there
        while not (checked and heard >= spoken):
            data = far.recv(2048)
            if data == b"check":
                checked = True
            else:
                heard |= {kind for kind, _, _ in _rtcp.walk(session.unprotect_rtcp(data))[0]}
        sink.stop()
        thread.join()
        return sink.figures()


def test_what_a_source_sends_is_counted_whole():
    packets = packets_of(sources(), 40)[:40]
    figures = counted(packets)
    assert (figures["packets"], figures["streams"]) == (40, 1)
    assert not any(figures[name] for name in ("lost", "disordered", "refused", "damaged", "other"))
    assert figures["latency_us"]["max"] > 0
    assert len({len(packet) for packet in packets}) == 2, "sizes differ by a byte, as browsers' do"


def test_frames_begin_as_a_decoder_expects():
    session = SrtpSession(PROFILE, RECEIVE, SEND)
    payloads = [bytes(rtp.parse(session.unprotect(packet)).payload) for packet in packets_of(sources(), 12)[:12]]
    found = [VpxPayloadDescriptor.parse(payload) for payload in payloads]
    assert [descriptor.partition_start for descriptor, _ in found] == [1, 0, 0, 0] * 3
    ids = [descriptor.picture_id for descriptor, _ in found]
    assert ids == [first + frame for frame in range(3) for first in [ids[0]] * 4] and ids[0] > 127
    tags = [int.from_bytes(data[:3], "little") for _, data in found[::4]]
    assert [tag & 1 for tag in tags] == [0, 1, 1], "a key frame, then others"
    assert found[0][1][3:10] == b"\x9d\x01\x2a" + struct.pack("<HH", 1280, 720)


def test_lost_and_disordered_packets_are_told():
    packets = packets_of(sources(), 40)[:40]
    late = packets.pop(10)
    del packets[20:23]
    figures = counted([*packets, late])
    assert (figures["packets"], figures["lost"], figures["disordered"]) == (37, 4, 1)


def test_damaged_and_foreign_packets_do_not_count():
    packets = packets_of(sources(), 12)[:12]
    flipped = bytearray(packets[5])
    flipped[500] ^= 1
    stranger = SrtpSession(PROFILE, RECEIVE, SEND).protect(bytes([0x80, 96, 0, 1]) + bytes(60))
    figures = counted([*packets[:5], bytes(flipped), *packets[6:], stranger, packets[0]])
    assert (figures["packets"], figures["refused"]) == (11, 3), "a flipped bit, another's key, a replay"
    session = SrtpSession(PROFILE, SEND, RECEIVE)
    unstamped = session.protect(bytes([0x80, 96, 9, 9, 0, 0, 0, 1, 0, 0, 3, 0xE8]) + bytes(800))
    figures = counted([*packets_of(sources(), 4)[:4], unstamped])
    assert (figures["packets"], figures["damaged"]) == (4, 1)


def test_audio_has_no_descriptor():
    figures = counted(packets_of(sources(vp8=False, payload_size=100, packets_per_frame=1), 20)[:20], vp8=False)
    assert figures["packets"] == 20


def test_audio_among_video_is_told_by_its_payload_type():
    video = packets_of(sources(), 8)[:8]
    audio = packets_of(sources(vp8=False, payload_type=111, payload_size=100, packets_per_frame=1), 5)[:5]
    other = [of_another_stream(packet) for packet in audio]
    figures = counted([*video, *other], audio_payload_type=111)
    assert (figures["packets"], figures["damaged"]) == (13, 0)
    assert (figures["video_us"]["count"], figures["audio_us"]["count"], figures["direct_us"]["count"]) == (8, 5, 0)
    assert counted([*video, *other])["damaged"] == 5, "without knowing, what has no descriptor is no payload"


def of_another_stream(packet: bytes) -> bytes:
    plain = bytearray(SrtpSession(PROFILE, RECEIVE, SEND).unprotect(packet))
    plain[8:12] = struct.pack("!I", 2000)
    return SrtpSession(PROFILE, SEND, RECEIVE).protect(bytes(plain))


def test_many_streams_are_counted_each_by_its_numbers():
    session = SrtpSession(PROFILE, SEND, RECEIVE)
    packets = [
        session.protect(struct.pack("!BBHII", 0x80, 96, number, 0, 1000 + 7 * stream) + bytes(50))
        for number in (5, 6, 9)
        for stream in range(300)
    ]
    figures = counted(packets, spoken={RECEIVER_REPORT})
    assert (figures["streams"], figures["flowing"], figures["lost"], figures["disordered"]) == (300, 300, 600, 0)


def test_what_comes_past_the_router_is_counted_apart():
    packets = packets_of(sources(), 8)[:8]
    sink = Sink(vp8=True, transport_cc_id=TRANSPORT_CC_ID)
    with pair() as (near, far), pair() as (speaker, listener):
        sink.add(near.fileno(), PROFILE, RECEIVE, SEND, b"check", direct=True)
        sink.add(speaker.fileno(), PROFILE, RECEIVE, SEND, b"check")
        for packet in packets:
            far.send(packet)
        thread = threading.Thread(target=sink.run, daemon=True)
        thread.start()
        while listener.recv(2048) == b"check":  # the other one reports, after all is read
            pass
        sink.stop()
        thread.join()
        far.setblocking(False)
        with pytest.raises(BlockingIOError):
            far.recv(2048)
        figures = sink.figures()
    assert (figures["packets"], figures["direct_us"]["count"], figures["latency_us"]["count"]) == (0, 8, 0)


def test_the_time_of_travel_ends_where_the_kernel_got_it():
    packets = packets_of(sources(), 8)[:8]
    sink = Sink(vp8=True, transport_cc_id=0)
    with pair() as (near, far):
        sink.add(near.fileno(), PROFILE, RECEIVE, SEND, b"check")
        wait_for_stamps()
        before_ns = time.time_ns()
        for packet in packets:
            far.send(packet)
        sent_us = (time.time_ns() - before_ns) // 1000
        travelled_us = (before_ns - sent_at(packets[0])) // 1000
        while time.time_ns() - before_ns < 30_000_000:  # whoever reads late adds nothing
            pass
        thread = threading.Thread(target=sink.run, daemon=True)
        thread.start()
        while far.recv(2048) == b"check":
            pass
        sink.stop()
        thread.join()
        assert sink.figures()["latency_us"]["count"] == 8
        assert sink.figures()["latency_us"]["max"] <= travelled_us + sent_us + 1000


def wait_for_stamps() -> None:
    """The kernel begins to stamp what arrives a little after it was asked; until then it stamps what is read."""
    with pair() as (near, far):
        near.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        waited_ns = 0
        while waited_ns < 1_000_000:
            far.send(b"now")
            sent_ns = time.time_ns()
            while time.time_ns() < sent_ns + 2_000_000:
                pass
            _, [(_, _, stamp)], _, _ = near.recvmsg(16, 64)
            seconds, nanoseconds = struct.unpack("=qq", stamp)
            waited_ns = time.time_ns() - (seconds * 1_000_000_000 + nanoseconds)


def sent_at(packet: bytes) -> int:
    """The stamp in a packet of `sources()`."""
    payload = rtp.parse(SrtpSession(PROFILE, RECEIVE, SEND).unprotect(packet)).payload
    return int.from_bytes(bytes(payload[15:23]), "little")


def order_of(source: Source, count: int, publishers: int) -> list[tuple[int, int]]:
    """(SSRC, number) of the first packets that these publishers send on one socket."""
    with pair() as (near, far):
        for index in range(publishers):
            source.add(near.fileno(), PROFILE, SEND, RECEIVE, b"check", 1000 + index)
        thread = threading.Thread(target=source.run, daemon=True)
        thread.start()
        found: list[tuple[int, int]] = []
        while len(found) < count:
            data = far.recv(2048)
            if data != b"check":
                found.append(struct.unpack("!2xH4xI", data[:12])[::-1])
        source.stop()
        thread.join()
        return found


def test_bursts_of_many_publishers_overlap():
    source = sources(frames_per_second=100, gap_us=1000)
    found = order_of(source, 40, 10)
    assert sorted(found) == [(1000 + index, number) for index in range(10) for number in range(4)]
    assert found != sorted(found, key=lambda one: one[0]), "frames 1 ms apart, packets 1 ms apart"
    for index in range(10):
        assert [number for ssrc, number in found if ssrc == 1000 + index] == [0, 1, 2, 3]


def test_frames_at_random_distances_come_in_the_same_order_each_time():
    orders = [[ssrc for ssrc, _ in order_of(sources(scattered=True), 40, 10)] for _ in range(2)]
    assert orders[0] == orders[1] != sorted(orders[0])


def test_some_publishers_can_be_silent():
    source = sources()
    with pair() as (near, far):
        for index in range(3):
            source.add(near.fileno(), PROFILE, SEND, RECEIVE, b"check", 1000 + index)
        source.limit(2)
        with pytest.raises(ValueError, match="4 of 3"):
            source.limit(4)
        thread = threading.Thread(target=source.run, daemon=True)
        thread.start()
        found = {int.from_bytes(data[8:12], "big") for data in (far.recv(2048) for _ in range(60)) if data != b"check"}
        source.stop()
        thread.join()
    assert found == {1000, 1001}


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"payload_size": 20}, "bytes"), ({"packets_per_frame": 0}, "frames"), ({"frames_per_second": 0}, "frames")],
)
def test_senseless_sizes_are_refused(changed, says):
    with pytest.raises(ValueError, match=says):
        sources(**changed)


def answers_to(worker: Sink | Source, far: socket.socket, checks: list[bytes]) -> list[bytes]:
    """What comes back for these checks; the last of them must be answered."""
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    for check in checks:
        far.send(check)
    found: list[bytes] = []
    while not found or found[-1][8:20] != checks[-1][8:20]:
        data = far.recv(2048)
        if data[0] == 1:
            found.append(data)
    worker.stop()
    thread.join()
    return found


@pytest.mark.parametrize("kind", ["sink", "source"])
def test_checks_of_full_agents_are_answered_and_no_others(kind):
    checks = [binding_request(b"us:them", b"a stranger's", priority=2), binding_request(b"us:them", b"our own")]
    with pair() as (near, far):
        if kind == "sink":
            worker: Sink | Source = Sink(vp8=True, transport_cc_id=0)
            worker.add(near.fileno(), PROFILE, RECEIVE, SEND, b"check", b"our own")
        else:
            worker = sources()
            worker.add(near.fileno(), PROFILE, SEND, RECEIVE, b"check", 1000, b"our own")
        indication = b"\0\x11" + checks[1][2:]
        answers = answers_to(worker, far, [b"\0\1", checks[0][:60], checks[0], indication, checks[1]])
        assert len(answers) == 1
        answer = _stun.parse(answers[0], b"our own")
        assert answer["message_type"] == 0x0101 and answer["integrity"]
        assert answers[0] == _stun.binding_response(checks[1], b"\x7f\0\0\1", far.getsockname()[1], b"our own")


def test_padding_is_told_apart():
    session = SrtpSession(PROFILE, SEND, RECEIVE)
    padding = session.protect(bytes([0xA0, 96, 9, 9, 0, 0, 0, 1, 0, 0, 3, 0xE8]) + bytes(9) + b"\x0a")
    figures = counted([*packets_of(sources(), 4)[:4], padding])
    assert (figures["packets"], figures["padding"], figures["damaged"]) == (4, 1, 0)

