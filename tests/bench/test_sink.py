"""The benchmark's subscribers count what is right and nothing else: counting rubbish would be worse than no count."""

import contextlib
import socket
import struct
import threading
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


def counted(packets: list[bytes], *, vp8: bool = True) -> dict:
    """What the sink says of these packets."""
    sink = Sink(vp8=vp8, transport_cc_id=TRANSPORT_CC_ID)
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
        while not (checked and heard >= {RECEIVER_REPORT, TRANSPORT_FEEDBACK}):
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


def test_senseless_sizes_are_refused():
    with pytest.raises(ValueError, match="bytes"):
        sources(payload_size=20)
