"""Every allocator that a viewer may have answers the same question."""

import pytest

from mediarouter.testing.sim.allocation import Stream, layer_major, rate_of
from mediarouter.testing.sim.allocators import default_allocator, known_allocators
from mediarouter.testing.sim.publisher import SimulcastPlan

RATES = SimulcastPlan().layer_rates_bps
KNOWN = known_allocators()


def settle(make, budgets_bps, streams):
    """Decisions with each budget in turn, ten times a second for so long that nothing is held back any more."""
    allocate, now_us, decision = make(), 0, None
    for budget in budgets_bps:
        for _ in range(600):
            decision = allocate(now_us, budget, streams)
            total = sum(rate_of(stream, layer) for stream, layer in zip(streams, decision.targets, strict=True))
            assert total <= budget
            streams = [one._replace(current=layer) for one, layer in zip(streams, decision.targets, strict=True)]
            now_us += 100_000
    return decision


@pytest.mark.parametrize("name", KNOWN)
def test_enough_is_enough_for_all(name):
    streams = [Stream(RATES, 2, None), Stream(RATES, 1, None), Stream(RATES, -1, None)]
    decision = settle(KNOWN[name], [9_000_000], streams)
    assert list(decision.targets) == [(2, 2), (1, 2), None] and decision.demand_bps == 2_000_000


@pytest.mark.parametrize("name", KNOWN)
def test_too_little_is_shared_and_more_is_asked_for(name):
    decision = settle(KNOWN[name], [5_000_000, 400_000], [Stream(RATES, 2, None)] * 2)
    assert all(layer is not None for layer in decision.targets)
    assert decision.demand_bps > sum(rate_of(Stream(RATES, 2, None), layer) for layer in decision.targets)


@pytest.mark.parametrize("name", KNOWN)
def test_the_important_stream_is_first(name):
    streams = [Stream(RATES, 2, None), Stream(RATES, 2, None, priority=1)]
    assert list(settle(KNOWN[name], [70_000], streams).targets)[0] is None


def test_the_default_is_the_first():
    assert type(default_allocator()) is type(next(iter(KNOWN.values()))())
    assert KNOWN["layer-major"]() is layer_major
