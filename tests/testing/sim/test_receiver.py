"""The end of a media path reports what arrived, by bytes that another parser reads."""

import pytest

from tests.testing.sim.scripted import Path
from tests.testing.sim.sinks import link
from tests.twcc_reference import parse


def told(path):
    """Arrival by number, of all feedback that came."""
    return {number: at for _, rtcp in path.estimator.feedback for number, at in parse(rtcp)}


@pytest.mark.parametrize("offset_us", [0, 30_000_000, -30_000_000])
def test_feedback_tells_when_what_arrived_by_the_receivers_clock(offset_us):
    path = Path(link(1_000_000, 20), link(1_000_000, 30), clock_offset_us=offset_us)
    for i in range(40):
        path.clock.call_at(i * 10_000, path.sender.send_now, 125)
    path.run(3)
    assert told(path) == {i: pytest.approx(i * 10_000 + 21_000 + offset_us, abs=250) for i in range(40)}
    assert list(path.sender.trace.received_at_us) == [i * 10_000 + 21_000 for i in range(40)]
    assert set(path.sender.trace.transit_us) == {21_000}


def test_feedback_comes_each_50_to_100_ms_and_takes_its_way():
    path = Path(link(1_000_000, 20), link(1_000_000, 30))
    for i in range(200):
        path.clock.call_at(i * 5000, path.sender.send_now, 125)
    path.run(3)
    times = [at for at, _ in path.estimator.feedback]
    assert times[0] == pytest.approx(21_000 + 100_000 + 30_000, abs=1000)
    steps = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert all(49_500 <= step <= 105_000 for step in steps) and len(times) >= 15
    assert path.backward.offered == len(times)


def test_what_the_bottleneck_drops_is_told_as_lost():
    path = Path(link(1_000_000, 20), link(1_000_000, 30))
    path.forward._queue._limit_bytes = 500
    for _ in range(10):
        path.clock.call_at(0, path.sender.send_now, 125)
    path.clock.call_at(50_000, path.sender.send_now, 125)
    path.run(3)
    assert [number for number, at in told(path).items() if at is None] == [5, 6, 7, 8, 9]
    assert len(path.sender.trace.lost_at_us) == 5


def test_a_distance_of_its_own_counts_both_ways():
    path = Path(link(1_000_000, 0), link(1_000_000_000, 0), access_delay_us=40_000)
    path.clock.call_at(0, path.sender.send_now, 125)
    path.run(3)
    assert list(path.sender.trace.received_at_us) == [41_000]
    assert [at for at, _ in path.estimator.feedback] == [pytest.approx(41_000 + 100_000 + 40_000, abs=10)]


def test_numbers_wrap_on_the_wire():
    path = Path(link(1_000_000_000, 1), link(1_000_000_000, 1))
    for i in range(66_000):
        path.clock.call_at(i * 100, path.sender.send_now, 100)
    path.run(10)
    assert len(path.sender.trace.received_at_us) == 66_000
    assert path.estimator.sent[65_535][0] == 65_535 and path.estimator.sent[65_536][0] == 0
    statuses = [status for _, rtcp in path.estimator.feedback for status in parse(rtcp)]
    assert len(statuses) == 66_000 and all(at is not None for _, at in statuses)
