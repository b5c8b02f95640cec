"""What may be resent: a share of the estimate over time, and a burst at once."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mediarouter.congestion._resend_budget import ResendBudgetFace

SECOND = 1_000_000
PACKET = 1_200


def taken(budget, estimate_bps, from_us, to_us, every_us):
    """Bytes that a storm gets."""
    return sum(PACKET * budget.take(estimate_bps, PACKET, at) for at in range(from_us, to_us, every_us))


@pytest.mark.parametrize("offset_us", [0, -(10**12), 10**15])
def test_a_storm_gets_fifteen_percent(offset_us):
    budget = ResendBudgetFace()
    first = taken(budget, 2_000_000, offset_us, offset_us + 2, 1)
    assert first == 2 * PACKET
    taken(budget, 2_000_000, offset_us, offset_us + 5 * SECOND, 500)
    later = taken(budget, 2_000_000, offset_us + 5 * SECOND, offset_us + 15 * SECOND, 500)
    assert later * 8 / 10 == pytest.approx(0.15 * 2_000_000, rel=0.01)


def test_a_burst_is_answered_at_once():
    for estimate_bps, burst in ((4_000_000, 150_000), (200_000, 24_000), (0, 24_000)):
        budget = ResendBudgetFace()
        got = 0
        while budget.take(estimate_bps, PACKET, 5):
            got += PACKET
        assert burst - PACKET < got <= burst


def test_an_estimate_that_falls_takes_credit_away():
    budget = ResendBudgetFace()
    assert budget.take(50_000_000, PACKET, 0)
    assert taken(budget, 100_000, 1, 60, 1) <= 24_000


def test_after_a_pause_it_is_full_again():
    budget = ResendBudgetFace()
    while budget.take(1_000_000, PACKET, 0):
        pass
    assert not budget.take(1_000_000, PACKET, 1000)
    assert taken(budget, 1_000_000, 2 * SECOND, 2 * SECOND + 100, 1) >= 30 * PACKET


@given(
    st.lists(st.tuples(st.integers(0, 400_000_000), st.integers(1, 65_535)), max_size=60),
    st.integers(0, 10**9),
    st.integers(-(10**15), 10**15),
)
def test_no_more_than_a_bucket_and_what_has_flowed_in(steps, estimate_bps, at_us):
    budget, room = ResendBudgetFace(), None
    for step_us, size in steps:
        at_us += step_us
        depth = max(estimate_bps * 15 // 100 * 2 // 8, 24_000)
        flowed = max(estimate_bps * 15 // 100, 1) * step_us / 8e6
        room = depth if room is None else min(room + flowed + 1, depth)
        if budget.take(estimate_bps, size, at_us):
            assert size <= room + 1
            room -= size


def test_an_estimate_out_of_range_is_refused():
    with pytest.raises(ValueError, match="estimate"):
        ResendBudgetFace().take(10**9 + 1, 1, 0)
