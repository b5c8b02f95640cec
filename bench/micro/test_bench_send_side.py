"""What a viewer's estimator costs, all in: `python -m pytest bench/micro/test_bench_send_side.py`."""

import random
import time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from mediarouter.bench._send_side_feed import VIEWER_BYTES, SendSideFeed, feed_all
from mediarouter.rtcp import Twcc

VIEWERS, REPORTS_A_SECOND, STATUSES = 1_000, 10, 100
CORE_SHARE = 0.06


def reports(count: int, statuses: int, interval_us: int, lost: float) -> list[bytes]:
    """As a client sends them: each tells of so many packets; arrivals wander by a millisecond."""
    dice, made = random.Random(statuses), []
    for number in range(count):
        base = number * statuses
        arrivals = [
            None if dice.random() < lost else (base + i) * interval_us + 25_000 + dice.randrange(1000)
            for i in range(statuses)
        ]
        made.append(bytes(Twcc(1, 2, base & 0xFFFF, arrivals, number & 0xFF)))
    return made


def feed_of(statuses: int, count: int, lost: float = 0.0) -> SendSideFeed:
    """An estimator that has worked for some seconds, and reports for it."""
    before, interval_us = -(-3000 // statuses), max(10_000 // statuses, 1_000)  # 100 reports a second at most
    every = reports(before + count, statuses, interval_us, lost)
    return SendSideFeed(every[:before], every[before:], statuses, interval_us)


def fastest(benchmark: BenchmarkFixture, feed: SendSideFeed, count: int) -> float:
    """Seconds for all its reports, at best of many rounds."""
    told = benchmark.pedantic(feed.feed, (0, count), setup=feed.reset, rounds=3000, warmup_rounds=20)
    assert told
    return benchmark.stats.stats.min if benchmark.enabled else 0.0


@pytest.mark.parametrize("lost", [0.0, 0.05], ids=["whole", "lossy"])
def test_a_fed_back_status(benchmark: BenchmarkFixture, lost: float) -> None:
    """Parsed, matched, grouped, judged: at most 40 ns, its share of the report's update included."""
    seconds = fastest(benchmark, feed_of(STATUSES, 40, lost), 40)
    benchmark.extra_info["ns_per_status"] = seconds / 4000 * 1e9
    assert seconds / 4000 <= 40e-9


def test_a_report(benchmark: BenchmarkFixture) -> None:
    """Of one status: what a report costs apart from its statuses, at most 2 us."""
    seconds = fastest(benchmark, feed_of(1, 1000), 1000)
    benchmark.extra_info["us_per_report"] = seconds / 1000 * 1e6
    assert seconds / 1000 <= 2e-6


def test_a_packet_that_leaves(benchmark: BenchmarkFixture) -> None:
    """At most 15 ns."""
    feed = feed_of(STATUSES, 1)
    benchmark(feed.send, 10_000)
    if benchmark.enabled:
        benchmark.extra_info["ns_per_packet"] = benchmark.stats.stats.min / 10_000 * 1e9
        assert benchmark.stats.stats.min / 10_000 <= 15e-9


@pytest.mark.benchmark(timer=time.process_time)
def test_a_second_of_a_thousand_viewers(benchmark: BenchmarkFixture) -> None:
    """Ten reports of a hundred statuses each: at most 6 % of a core, though nothing of them is in the caches."""
    feeds = [feed_of(STATUSES, REPORTS_A_SECOND) for _ in range(VIEWERS)]

    def begin_anew() -> None:
        for feed in feeds:
            feed.reset()

    told = benchmark.pedantic(feed_all, (feeds, 0, REPORTS_A_SECOND), setup=begin_anew, rounds=5)
    assert told == VIEWERS * REPORTS_A_SECOND * STATUSES
    if benchmark.enabled:
        benchmark.extra_info["share_of_a_core"] = benchmark.stats.stats.min
        assert benchmark.stats.stats.min <= CORE_SHARE


def test_a_viewer_is_small() -> None:
    """All that is kept of its network, no more than 64 KiB."""
    assert VIEWER_BYTES <= 64 * 1024
