"""What one status of a report costs the estimator by delay: `python -m pytest bench/micro/test_bench_congestion.py`."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from mediarouter.congestion._delay_based import DelayBasedFace
from mediarouter.congestion._inter_arrival import InterArrivalFace
from mediarouter.congestion._throughput import ThroughputFace
from mediarouter.congestion._trendline import TrendlineFace

BATCH = 10_000
ASKS = 1_000
PACKET_US = 1_000                          # a thousand packets a second, so a group is six of them
GROUP_US = 20_000


def note(benchmark: BenchmarkFixture, items: int, limit_ns: float) -> None:
    if benchmark.enabled:
        ns = benchmark.stats.stats.min / items * 1e9
        benchmark.extra_info["ns"] = ns
        assert ns <= limit_ns


def test_a_packet_into_its_group(benchmark: BenchmarkFixture) -> None:
    """One in six closes a group."""
    ia, send_us = InterArrivalFace(), 0

    def add() -> int:
        nonlocal send_us
        send_us += BATCH * PACKET_US
        return ia.add_many(send_us, BATCH, PACKET_US, 30_000)

    assert benchmark(add) in (BATCH // 6, BATCH // 6 + 1)
    note(benchmark, BATCH, 20)


def test_a_packet_into_the_throughput(benchmark: BenchmarkFixture) -> None:
    """Each one pushes another out of the window."""
    through, send_us = ThroughputFace(), 0

    def add() -> None:
        nonlocal send_us
        send_us = through.add_many(send_us, BATCH, PACKET_US, 1200)

    benchmark(add)
    assert through.packets == 500
    note(benchmark, BATCH, 20)


def test_the_throughput(benchmark: BenchmarkFixture) -> None:
    """Of a full window, as it is asked for once a report."""
    through = ThroughputFace()
    send_us = through.add_many(0, BATCH, PACKET_US, 1200)

    def ask() -> int:
        nonlocal send_us
        send_us += ASKS * PACKET_US
        return through.ask_many(send_us - ASKS * PACKET_US, ASKS, PACKET_US, 1200)

    assert benchmark(ask) == ASKS * 9_600_000
    note(benchmark, ASKS, 2_000)


@pytest.mark.parametrize("min_span_us", [0, 200_000])
def test_a_group_into_the_trend(benchmark: BenchmarkFixture, min_span_us: int) -> None:
    """A point comes, another goes, a slope, the detector: the same whatever the window."""
    line, arrival_us = TrendlineFace(min_span_us), 0
    step_us = GROUP_US if min_span_us == 0 else 4_000

    def add() -> None:
        nonlocal arrival_us
        arrival_us = line.add_many(arrival_us, BATCH, step_us, 500)

    benchmark(add)
    assert line.points == (20 if min_span_us == 0 else 51)
    note(benchmark, BATCH, 60)


def test_a_packet_through_all_of_it(benchmark: BenchmarkFixture) -> None:
    """Group and trend, at a thousand packets a second."""
    delay, send_us = DelayBasedFace(1_000_000), 0

    def packet() -> None:
        nonlocal send_us
        send_us = delay.packet_many(send_us, BATCH, PACKET_US, 30_000)

    benchmark(packet)
    note(benchmark, BATCH, 40)
