"""The plain allocator: within the budget, the same for all, the important ones first."""

from hypothesis import given
from hypothesis import strategies as st

from mediarouter.testing.sim.allocation import Stream, layer_major, next_demand, rate_of
from mediarouter.testing.sim.publisher import SimulcastPlan

RATES = SimulcastPlan().layer_rates_bps
STREAMS = st.lists(
    st.builds(
        Stream,
        st.just(RATES),
        st.integers(-1, 2),
        st.none() | st.tuples(st.integers(0, 2), st.integers(0, 2)),
        st.integers(0, 2),
    ),
    max_size=8,
)


def total(streams, targets):
    return sum(rate_of(stream, layer) for stream, layer in zip(streams, targets, strict=True))


@given(st.integers(0, 20_000_000), STREAMS)
def test_what_is_given_fits_and_is_wanted(budget_bps, streams):
    targets, demand_bps = layer_major(0, budget_bps, streams)
    assert total(streams, targets) <= budget_bps
    for stream, layer in zip(streams, targets, strict=True):
        assert layer is None or layer[0] <= stream.wanted
    assert demand_bps == next_demand(streams, targets) >= total(streams, targets)


@given(STREAMS)
def test_with_enough_all_get_all(streams):
    targets, _ = layer_major(0, 1 << 40, streams)
    assert targets == [(stream.wanted, 2) if stream.wanted >= 0 else None for stream in streams]
    assert next_demand(streams, targets) == total(streams, targets)


def test_streams_climb_together():
    streams = [Stream(RATES, 2, (0, 2))] * 3
    assert layer_major(0, 450_000, streams).targets == [(0, 2)] * 3
    assert layer_major(0, 444_000, streams).targets == [(0, 2), (0, 2), (0, 1)]


def test_the_important_stream_is_first():
    streams = [Stream(RATES, 2, None), Stream(RATES, 2, None, priority=1)]
    assert layer_major(0, 70_000, streams).targets == [None, (0, 0)]


def test_a_larger_picture_needs_some_to_spare():
    # up from (0, 2): 50 kbit/s more for (1, 0), then the rest of it
    assert layer_major(0, 500_000, [Stream(RATES, 2, (0, 2))]).targets == [(1, 1)]
    assert layer_major(0, 500_000, [Stream(RATES, 2, (1, 2))]).targets == [(1, 2)]


def test_the_next_step_is_asked_for():
    streams = [Stream(RATES, 2, (1, 2))]
    assert next_demand(streams, [(1, 2)]) == 500_000 + round(1.15 * 1_000_000)
    assert next_demand(streams, [(2, 2)]) == 1_500_000
    assert next_demand([], []) == 0
