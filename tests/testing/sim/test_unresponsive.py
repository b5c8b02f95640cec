"""Cross traffic that nothing impresses has its rate and its bytes."""

from random import Random

from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.link import Link
from mediarouter.testing.sim.unresponsive import BurstPlan, StreamPlan, Unresponsive
from tests.testing.sim.sinks import link


def test_a_stream_is_even_and_ends():
    clock = Clock()
    on = Link(clock, link(10_000_000, 5), Random(1))
    clock.run_until(1_000_000)
    stream = Unresponsive(clock, StreamPlan(960_000, begins_s=1, ends_s=3), on)
    clock.run_until(9_000_000)
    assert list(stream.trace.sent_at_us) == [1_000_000 + i * 10_000 for i in range(200)]
    assert len(stream.trace.received_at_us) == 200 and set(stream.trace.transit_us) == {5960}


def test_a_burst_is_there_at_once_and_fills_the_queue():
    clock = Clock()
    on = Link(clock, link(100_000, 5), Random(1))
    burst = Unresponsive(clock, BurstPlan(120_000), on)
    assert set(burst.trace.sent_at_us) == {0} and sum(burst.trace.sent_bytes) == 120_000
    clock.run_until(20_000_000)
    assert max(burst.trace.received_at_us) == 9_600_000 + 5000


def test_what_does_not_fit_is_told():
    clock = Clock()
    on = Link(clock, link(100_000, 5, loss=link(1).loss), Random(1))
    on._queue._limit_bytes = 60_000
    burst = Unresponsive(clock, BurstPlan(120_000), on)
    clock.run_until(20_000_000)
    assert len(burst.trace.lost_at_us) == 100 - 51 and len(burst.trace.received_at_us) == 51
