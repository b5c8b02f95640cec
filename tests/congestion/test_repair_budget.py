"""What may be sent again, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.congestion._repair_budget import RepairBudgetFace

SECOND = 1_000_000
PACKET_BYTES = 1_000


def taken(budget: RepairBudgetFace, rate_bps: int, now_us: int, asked: int = 1_000) -> int:
    return [budget.take(PACKET_BYTES, rate_bps, now_us) for _ in range(asked)].count(True)


def test_a_quarter_of_a_second_may_go_at_once() -> None:
    # 125,000 bytes; the packet that empties the bucket goes too
    assert taken(RepairBudgetFace(), 4_000_000, 0) == 125


def test_more_comes_with_time_up_to_the_same_again() -> None:
    budget = RepairBudgetFace()
    assert taken(budget, 800_000, 0) == 25
    assert taken(budget, 800_000, 100_000) == 10
    assert taken(budget, 800_000, 100_000) == 0
    assert taken(budget, 800_000, 100 * SECOND) == 25


def test_what_was_saved_at_a_high_rate_is_gone_once_the_rate_is_low() -> None:
    budget = RepairBudgetFace()
    assert budget.take(PACKET_BYTES, 4_000_000, 0)
    assert taken(budget, 400_000, 1_000) == 13


@pytest.mark.parametrize("rate_bps", [0, -1])
def test_no_rate_is_no_repair(rate_bps: int) -> None:
    assert not RepairBudgetFace().take(PACKET_BYTES, rate_bps, 0)


@given(
    st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 1_500)), max_size=300),
    st.integers(10_000, 20_000_000),
)
def test_never_more_than_the_rate_a_quarter_of_a_second_and_a_packet(
    steps: list[tuple[int, int]], rate_bps: int
) -> None:
    budget, now_us, bits = RepairBudgetFace(), 0, 0
    for step_us, size_bytes in steps:
        now_us += step_us
        if budget.take(size_bytes, rate_bps, now_us):
            bits += size_bytes * 8
        assert bits * SECOND <= rate_bps * (now_us + 250_000) + 1_500 * 8 * SECOND


def test_time_that_stands_or_goes_back_brings_nothing() -> None:
    budget = RepairBudgetFace()
    assert taken(budget, 800_000, SECOND) == 25
    assert taken(budget, 800_000, SECOND) == taken(budget, 800_000, 0) == 0
