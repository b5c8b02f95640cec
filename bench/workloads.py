"""What `bench/instructions.py` counts: it runs this file under callgrind.

    python bench/workloads.py [ROW ...]     one line of JSON about the environment, then one for each row

The package and `tests` must be importable. Each row does its work twice, with a small and a large number, inside
`counted`; what a packet costs is the difference.
"""

import ctypes
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import count, islice
from pathlib import Path

import numpy
from tests.codecs.streams import read
from tests.congestion.offers import Viewer, simulcast

from mediarouter import _srtp_crypto, capture, rtcp, rtp, srtp
from mediarouter._rtp_batch import parse_times as parse_rtp_times
from mediarouter._transport_feedback import parse_times as parse_feedback_times
from mediarouter.bench import _loops, _send_side_feed
from mediarouter.bench.stage import Stage, key_of
from mediarouter.codecs import _codec
from mediarouter.congestion.allocation import StreamClass, StreamWish, face_of
from mediarouter.srtp import Profile, SrtpSession

ROOT = Path(__file__).parents[1]
SMALL, LARGE = 500, 1500
SETTLE_US = 200_000
FRAME_US = 33_334
PACKET_SIZE = 1200
RTP = rtp.PacketKind.RTP
IPSEC_MB_CODE = ("none", "no AES-NI", "SSE", "AVX", "AVX2", "AVX-512")  # by IMB_ARCH of its header, 1.3


@dataclass(frozen=True)
class Work:
    """What is done.

    Attributes:
        run: does it so many times, or for so many microseconds; how many packets that were.
        small, large: the two numbers.
    """

    run: Callable[[int], int]
    small: int = SMALL
    large: int = LARGE


def captured_packets() -> list[bytes]:
    """As Chromium sends video: mid, abs-send-time, transport-cc and one more."""
    video = capture.read(ROOT / "tests" / "vectors" / "rtp_chromium_vp8sim.pcap")
    datagrams = [bytes(video.datagram(i)) for i in range(len(video))]
    return [data for data in datagrams if rtp.packet_kind(data) is RTP and len(rtp.parse(data).extensions) == 4]


def parse_in_c() -> Work:
    packet = captured_packets()[0]

    def run(times: int) -> int:
        assert parse_rtp_times(packet, times) == 4 * times
        return times

    return Work(run)


def parse_in_python() -> Work:
    packet = captured_packets()[0]

    def run(times: int) -> int:
        _loops.call_times(rtp.parse, packet, times)
        return times

    return Work(run)


def parse_batch() -> Work:
    packets = [packet[:300] for packet in captured_packets()]
    packets = (packets * (LARGE // len(packets) + 1))[:LARGE]
    buffer, offsets = b"".join(packets), numpy.cumsum([0] + [len(packet) for packet in packets])

    def run(times: int) -> int:
        assert len(rtp.parse_batch(buffer, offsets[: times + 1])) == times
        return times

    return Work(run)


def descriptor(mime_type: str, stream: str) -> Work:
    payloads = [packet.payload for packet in read(stream)[:100]]

    def run(times: int) -> int:
        return _codec.parse_many(mime_type, payloads, times)

    return Work(run, 5, 15)


def session(profile: Profile, backend: str) -> SrtpSession:
    return SrtpSession(profile, key_of(profile, 1), key_of(profile, 1), backend=backend)


def media(seq: int = 0) -> bytes:
    return rtp.build(payload_type=96, sequence_number=seq, timestamp=9, ssrc=9, payload=bytes(PACKET_SIZE - 12))


def protect(profile: Profile, backend: str) -> Work:
    sender, packet = session(profile, backend), media()
    numbers = count()

    def run(times: int) -> int:
        first = next(numbers) * LARGE  # what is sent again with an old number is refused
        assert _loops.protect_times(sender, packet, first, times) == times
        return times

    return Work(run)


def unprotect(profile: Profile, backend: str) -> Work:
    sender, receiver = session(profile, backend), session(profile, backend)
    packets = iter([sender.protect(media(seq)) for seq in range(2 * SMALL + LARGE)])
    # each packet can be taken once: for warming up, the small and the large number
    lists = [list(islice(packets, times)) for times in (SMALL, SMALL, LARGE)]
    turn = iter(lists)

    def run(times: int) -> int:
        assert _loops.unprotect_each(receiver, next(turn)) == times
        return times

    return Work(run)


def feedback_packet() -> bytes:
    """100 statuses, a packet a millisecond, each seventh lost."""
    return bytes(rtcp.Twcc(1, 2, 65_500, [None if i % 7 == 3 else i * 1000 for i in range(100)]))


def parse_feedback() -> Work:
    packet = feedback_packet()

    def run(times: int) -> int:
        assert parse_feedback_times(packet, times) == 100 * times
        return times

    return Work(run, 50, 150)


def compound_packet() -> bytes:
    """Sender report with a block, SDES, NACK of six, receiver report of four blocks, REMB."""
    blocks = [rtcp.ReportBlock(2 + i, 3, 5, 70_000 + i, 90, 0xAABBCCDD, 65_536) for i in range(4)]
    return rtcp.build(
        [
            rtcp.SenderReport(1, 0xE1E2E3E480000000, 90_000, 1000, 1_000_000, blocks[:1]),
            rtcp.Sdes([(1, [(rtcp.SdesType.CNAME, "{7c15a0fd-4c4b-4eb9}")])]),
            rtcp.Nack(1, 2, [100, 101, 103, 115, 500, 501]),
            rtcp.ReceiverReport(1, blocks),
            rtcp.Remb(1, 2_500_000, [2, 3]),
        ]
    )


def compound_in_c() -> Work:
    packet = compound_packet()

    def run(times: int) -> int:
        assert _loops.read_compound_times(packet, times) == (2 + 6 + 4 + 1) * times
        return times

    return Work(run)


def compound_in_python() -> Work:
    packet = compound_packet()

    def run(times: int) -> int:
        _loops.call_times(rtcp.parse, packet, times)
        return times

    return Work(run)


def reports_of(statuses: int, reports: int, interval_us: int) -> list[bytes]:
    """Of packets that came 25 ms later, some a little sooner or later."""
    made = []
    for base in range(0, statuses * reports, statuses):
        arrivals = [(base + i) * interval_us + 25_000 + (base + i) * 7919 % 1000 for i in range(statuses)]
        made.append(bytes(rtcp.Twcc(1, 2, base & 0xFFFF, arrivals)))
    return made


def feed_for(statuses: int, reports: int) -> _send_side_feed.SendSideFeed:
    """An estimator that has been told of 3,000 packets, and so many reports for it, 100 a second at most."""
    before, interval_us = -(-3000 // statuses), max(10_000 // statuses, 1000)
    every = reports_of(statuses, before + reports, interval_us)
    return _send_side_feed.SendSideFeed(every[:before], every[before:], statuses, interval_us)


def fed_back_statuses() -> Work:
    """Twenty reports, each of a few statuses and of thrice as many: what a report costs itself cancels out."""

    def run(statuses: int) -> int:
        assert feeds[statuses].feed(0, 20) == 20 * statuses
        feeds[statuses].reset()
        return 20 * statuses

    feeds = {statuses: feed_for(statuses, 20) for statuses in (50, 150)}
    return Work(run, 50, 150)


def reports_taken(statuses: int) -> Work:
    """From RTCP to the new target, matching and all."""
    feed = feed_for(statuses, 30)

    def run(times: int) -> int:
        feed.reset()
        assert feed.feed(0, times) == times * statuses
        return times

    return Work(run, 10, 30)


def packets_noted() -> Work:
    feed = feed_for(100, 1)

    def run(times: int) -> int:
        feed.send(times)
        return times

    return Work(run)


def budgets_shared_out() -> Work:
    """25 streams of nine layers each, that have run for ten seconds."""
    viewer = Viewer(
        StreamWish(simulcast(), stream_class=StreamClass.SPEAKER), *[StreamWish(simulcast()) for _ in range(24)]
    )
    viewer.run(10_000_000, 5_000_000, every_us=250_000)
    face = face_of(viewer.wishes)

    def run(times: int) -> int:
        assert face.allocate_many(10_000_000, 60_000_000, times) > 8_000_000
        return times

    return Work(run, 50, 150)


def forwarded(publishers: int, subscribers: int, seconds: int = 1) -> Work:
    """A meeting that has begun; per copy of a packet that leaves, with all that its clients' feedback costs."""
    stage = Stage(publishers, subscribers)
    small, large = FRAME_US, FRAME_US + seconds * 1_000_000
    stage.record(SETTLE_US + small + small + large)
    stage.play(SETTLE_US)
    return Work(lambda duration_us: stage.play(duration_us)["packets"], small, large)


GCM, CM = Profile.AEAD_AES_128_GCM, Profile.AES128_CM_SHA1_80
ROWS: dict[str, Callable[[], Work]] = {
    "rtp_parse": parse_in_c,
    "rtp.parse": parse_in_python,
    "rtp.parse_batch": parse_batch,
    "descriptor VP8": partial(descriptor, "video/VP8", "vp8_chromium_f"),
    "descriptor VP9": partial(descriptor, "video/VP9", "vp9_chromium_svc"),
    "descriptor H264": partial(descriptor, "video/H264", "h264_chromium"),
    "descriptor AV1": partial(descriptor, "video/AV1", "av1_chromium_svc"),
    "protect GCM ipsec-mb": partial(protect, GCM, "ipsec-mb"),
    "unprotect GCM ipsec-mb": partial(unprotect, GCM, "ipsec-mb"),
    "protect CM ipsec-mb": partial(protect, CM, "ipsec-mb"),
    "unprotect CM ipsec-mb": partial(unprotect, CM, "ipsec-mb"),
    "protect GCM libsrtp": partial(protect, GCM, "libsrtp"),
    "unprotect GCM libsrtp": partial(unprotect, GCM, "libsrtp"),
    "protect CM libsrtp": partial(protect, CM, "libsrtp"),
    "unprotect CM libsrtp": partial(unprotect, CM, "libsrtp"),
    "transport feedback of 100": parse_feedback,
    "compound": compound_in_c,
    "rtcp.parse": compound_in_python,
    "status fed back": fed_back_statuses,
    "report of 1 taken": partial(reports_taken, 1),
    "report of 100 taken": partial(reports_taken, 100),
    "packet noted as sent": packets_noted,
    "budget among 25 x 9": budgets_shared_out,
    "forwarded 1 x 1": partial(forwarded, 1, 1, 5),
    "forwarded 1 x 40": partial(forwarded, 1, 40, 2),
    "forwarded 1 x 100": partial(forwarded, 1, 100),
    "forwarded 1 x 1000": partial(forwarded, 1, 1000),
    "forwarded 20 x 100": partial(forwarded, 20, 100),
}


def ipsec_mb() -> str:
    """Version of the library, and which of its code it takes on the processor it sees."""
    if _srtp_crypto.problem:
        return _srtp_crypto.problem
    library = ctypes.CDLL("libIPSec_MB.so.1")
    library.alloc_mb_mgr.restype = ctypes.c_void_p
    manager = ctypes.c_void_p(library.alloc_mb_mgr(ctypes.c_uint64(0)))
    arch = ctypes.c_int(0)
    library.init_mb_mgr_auto(manager, ctypes.byref(arch))
    library.free_mb_mgr(manager)
    number = library.imb_get_version()
    return f"libIPSec_MB {number >> 16}.{number >> 8 & 255}.{number & 255}, {IPSEC_MB_CODE[arch.value]} code"


def environment() -> dict[str, str]:
    """What the counts depend on besides our sources and their compiler; as seen from inside."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return {
        "machine": platform.machine(),
        "processor": "AVX2" if "avx2" in flags else "no AVX2",  # valgrind shows programs no more than that
        "python": f"{platform.python_implementation()} {sys.version}",
        "libc": " ".join(platform.libc_ver()),
        "libsrtp": f"pylibsrtp {version('pylibsrtp')}",
        "ipsec-mb": ipsec_mb(),
        "numpy": numpy.__version__,
        "backend": srtp.backend,
    }


def missing(name: str) -> str:
    """Why a row cannot be counted here; nothing: it can."""
    needed = "ipsec-mb" in name or name.startswith("forwarded")
    return _srtp_crypto.problem if needed else ""


def main(names: list[str]) -> None:
    """Do the rows, by default all."""
    if unknown := set(names) - set(ROWS):
        sys.exit(f"no rows {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    print(json.dumps(environment()), flush=True)
    for name in names or ROWS:
        if why := missing(name):
            print(json.dumps({"row": name, "missing": why}), flush=True)
            continue
        work = ROWS[name]()
        work.run(work.small)
        done = [_loops.counted(work.run, times) for times in (work.small, work.large)]
        print(json.dumps({"row": name, "packets": done}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
