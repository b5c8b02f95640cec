"""What a received packet costs before it is forwarded: `python -m pytest bench/micro/test_bench_streams.py`."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tests.codecs.streams import read

from mediarouter._cache import PacketCacheFace
from mediarouter._recv_stream import RecvStreamFace
from mediarouter._timers import TimerWheelFace
from mediarouter.codecs import _codec

BATCH = 10_000
STREAMS = {
    "video/VP8": "vp8_chromium_f",
    "video/VP9": "vp9_chromium_svc",
    "video/H264": "h264_chromium",
    "video/AV1": "av1_chromium_svc",
}


def note(benchmark: BenchmarkFixture, packets: int, limit_ns: float) -> None:
    if benchmark.enabled:
        ns_per_packet = benchmark.stats.stats.min / packets * 1e9
        benchmark.extra_info["ns_per_packet"] = ns_per_packet
        assert ns_per_packet <= limit_ns


@pytest.mark.parametrize("mime_type", STREAMS)
def test_payload_descriptor(benchmark: BenchmarkFixture, mime_type: str) -> None:
    """Each packet of a browser's stream, a hundred times: at most 60 ns."""
    payloads = [packet.payload for packet in read(STREAMS[mime_type])]
    understood = benchmark(_codec.parse_many, mime_type, payloads, 100)
    assert understood == 100 * len(payloads)
    note(benchmark, understood, 60)


def test_slab_insert(benchmark: BenchmarkFixture) -> None:
    """1,100 bytes at a thousand packets a second, 2 s kept: the copy is most of it."""
    cache, seq = PacketCacheFace(2048, 2_000_000), 65_536
    payload = bytes(1100)

    def insert() -> int:
        nonlocal seq
        seq += BATCH
        return cache.insert_many(seq, payload, seq * 1000, BATCH, 1000)

    assert benchmark(insert) == BATCH
    note(benchmark, BATCH, 400)


def test_slab_find(benchmark: BenchmarkFixture) -> None:
    """What a NACK needs, and each received packet against duplicates."""
    cache = PacketCacheFace(2048, 2_000_000)
    cache.insert_many(65_536, bytes(1100), 0, 2048, 100)
    assert benchmark(cache.find_many, 65_536, 204_800, 2048) == 2048
    note(benchmark, 2048, 60)


@pytest.mark.parametrize("lose", [0, 20, 2])
def test_received_packet(benchmark: BenchmarkFixture, lose: int) -> None:
    """Place a packet, note what is missing: in order, one of twenty lost, every other one lost."""
    stream, seq = RecvStreamFace(0x1234, 90_000), 0

    def receive() -> int:
        nonlocal seq
        taken, seq = stream.handle_many(seq, 1100, seq * 1000, BATCH, lose)
        return taken

    assert benchmark(receive) == (BATCH if lose == 0 else BATCH - BATCH // lose)
    note(benchmark, BATCH, 400)


def test_timers(benchmark: BenchmarkFixture) -> None:
    """Arm one of 64 timers and poll; the calls from Python included."""
    wheel = TimerWheelFace()

    def tick() -> None:
        for number in range(64):
            wheel.arm(number, 1000 * number)
        while wheel.poll(64_000) is not None:
            pass

    benchmark(tick)
    note(benchmark, 64, 2000)
