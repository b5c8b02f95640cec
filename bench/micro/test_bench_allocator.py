"""What it costs to share out a viewer's budget: `python -m pytest bench/micro/test_bench_allocator.py`."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tests.congestion.offers import Viewer, simulcast

from mediarouter.congestion.allocation import StreamClass, StreamWish, face_of

TIMES = 50  # half a millisecond: a round that no other process interrupts
LIMIT_US = 10
STREAMS = 25


def meeting(past: bool, count: int = STREAMS) -> list[StreamWish]:
    viewer = Viewer(
        StreamWish(simulcast(), stream_class=StreamClass.SPEAKER), *[StreamWish(simulcast()) for _ in range(count - 1)]
    )
    if past:
        viewer.run(10_000_000, 5_000_000, every_us=250_000)
    return viewer.wishes


def note(benchmark: BenchmarkFixture, limit_us: float) -> None:
    if benchmark.enabled:
        us = benchmark.stats.stats.min / TIMES * 1e6
        benchmark.extra_info["us_per_allocation"] = us
        assert us <= limit_us


@pytest.mark.parametrize("past", [False, True], ids=["new", "settled"])
@pytest.mark.parametrize("budget_bps", [1_000_000, 10_000_000, 30_000_000, 50_000_000])
def test_allocate_25_streams_of_9_layers(benchmark: BenchmarkFixture, budget_bps: int, past: bool) -> None:
    """Few bits, as many as the past had, nearly all, and more than enough: at most 10 us each."""
    face = face_of(meeting(past))
    total_bps = benchmark(face.allocate_many, budget_bps, 60_000_000, TIMES)
    possible_bps = min(budget_bps, 10_000_000 if past else 37_500_000)  # with a past, what is more has to wait
    assert 0.8 * possible_bps < total_bps <= budget_bps
    note(benchmark, LIMIT_US)


def test_allocate_150_streams_of_9_layers(benchmark: BenchmarkFixture) -> None:
    """Six times as many, in memory of the caller's: at most seven times the limit."""
    face = face_of(meeting(past=False, count=6 * STREAMS))
    assert benchmark(face.allocate_many, 60_000_000, 0, TIMES) > 59_000_000
    note(benchmark, 7 * LIMIT_US)
