"""What reading RTP costs, beside aiortc and dpkt in the same run: `python -m pytest bench/micro/test_bench_rtp.py`."""

import time
from collections.abc import Callable

import dpkt
import numpy
import pytest
from aiortc.rtp import HeaderExtensionsMap
from aiortc.rtp import RtpPacket as AiortcPacket
from pytest_benchmark.fixture import BenchmarkFixture
from tests.capture_files import ethernet, ipv4, pcap, udp
from tests.rtp_vectors import all_captured

from mediarouter import capture, rtp
from mediarouter._rtp_batch import parse_times

# as Chromium sends video: mid, abs-send-time, transport-cc and one more
PACKETS = [packet for packet in all_captured() if len(rtp.parse(packet).extensions) == 4]
TIMES = 100_000
ROUNDS = 15


def best_ns(function: Callable[[], object], items: int) -> float:
    """Of an item, in the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best / items * 1e9


def note(benchmark: BenchmarkFixture, items: int, limit_ns: float) -> float:
    if not benchmark.enabled:
        return 0.0
    ns = benchmark.stats.stats.min / items * 1e9
    benchmark.extra_info["ns_per_packet"] = ns
    assert ns <= limit_ns
    return float(ns)


def test_parse_in_c(benchmark: BenchmarkFixture) -> None:
    """A view on the stack, four extensions located: at most 15 ns."""
    located = benchmark(parse_times, PACKETS[0], TIMES)
    assert located == 4 * TIMES
    note(benchmark, TIMES, 15)


@pytest.mark.parametrize("count", [10_000, 200_000])
def test_parse_batch(benchmark: BenchmarkFixture, count: int) -> None:
    """Rows for numpy, of a buffer of 3 MB and of one far beyond the cache: at most 25 ns."""
    packets = (PACKETS * (count // len(PACKETS) + 1))[:count]
    packets = [packet[:300] for packet in packets]
    buffer = b"".join(packets)
    offsets = numpy.cumsum([0] + [len(packet) for packet in packets])
    rows = benchmark(rtp.parse_batch, buffer, offsets)
    assert len(rows) == count and (rows["status"] == 0).all()
    note(benchmark, count, 25)


def with_aiortc() -> None:
    extensions = HeaderExtensionsMap()
    for packet in PACKETS:
        AiortcPacket.parse(packet, extensions)


def with_dpkt() -> None:
    for packet in PACKETS:
        dpkt.rtp.RTP(packet)


def test_parse_in_python(benchmark: BenchmarkFixture) -> None:
    """An object a packet, its extensions found: 15 times as fast as aiortc, 8 times as fast as dpkt."""

    def parse() -> None:
        for packet in PACKETS:
            rtp.parse(packet)

    benchmark(parse)
    compare(benchmark, 15, 8)


def test_parse_in_python_and_read_the_extensions(benchmark: BenchmarkFixture) -> None:
    """With a dict of their values; dpkt leaves them in one piece, and aiortc reads them to throw them away."""

    def parse() -> None:
        for packet in PACKETS:
            rtp.parse(packet).extensions  # noqa: B018

    benchmark(parse)
    compare(benchmark, 15, 8)


def compare(benchmark: BenchmarkFixture, than_aiortc: float, than_dpkt: float) -> None:
    ours = note(benchmark, len(PACKETS), 1000)
    if benchmark.enabled:
        benchmark.extra_info["aiortc"] = best_ns(with_aiortc, len(PACKETS)) / ours
        benchmark.extra_info["dpkt"] = best_ns(with_dpkt, len(PACKETS)) / ours
        assert benchmark.extra_info["aiortc"] >= than_aiortc
        assert benchmark.extra_info["dpkt"] >= than_dpkt


def test_capture_of_a_hundred_thousand(benchmark: BenchmarkFixture) -> None:
    """Ethernet, IPv4, UDP in memory, 1,100 bytes each: at most 200 ns a datagram."""
    data = pcap([ethernet(ipv4(udp(bytes(1100))))] * 1000)
    data += data[24:] * 99
    assert len(benchmark(capture.parse, data)) == 100_000
    note(benchmark, 100_000, 200)
