"""The cap that a receiver sets by REMB."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.congestion._receiver_limit import ReceiverLimiter

SECOND = 1_000_000
TOP = ((1 << 18) - 1) << 63            # the most the format can say
DOWN, SAME, UP = -1, 0, 1


def test_there_is_no_cap_at_first() -> None:
    limit = ReceiverLimiter()
    assert limit.limit_bps is None
    assert limit.cap(1 << 50) == 1 << 50
    assert limit.poll_timeout() is None


def test_a_remb_caps_at_once_and_a_higher_one_lifts() -> None:
    limit = ReceiverLimiter()
    assert limit.on_remb(250_000, 0) == DOWN
    assert limit.cap(2_000_000) == 250_000
    assert limit.cap(100_000) == 100_000
    assert limit.on_remb(250_000, 1) == SAME
    assert limit.on_remb(240_000, 2) == DOWN
    assert limit.on_remb(5_000_000, 3) == UP
    assert limit.cap(2_000_000) == 2_000_000, "the estimate was left as it was"


@pytest.mark.parametrize("none", [0, 1 << 40, TOP])
def test_zero_and_more_than_any_path_has_are_no_limit(none: int) -> None:
    limit = ReceiverLimiter()
    assert limit.on_remb(none, 0) == SAME
    assert limit.on_remb(250_000, 1) == DOWN
    assert limit.on_remb(none, 2) == UP
    assert limit.limit_bps is None


def test_the_minimum_goes_before_the_cap() -> None:
    limit = ReceiverLimiter()
    limit.on_remb(1, 0)
    assert limit.cap(500_000, min_bps=30_000) == 30_000
    assert limit.cap(20_000, min_bps=30_000) == 20_000


def test_a_cap_that_is_not_told_again_stays() -> None:
    limit = ReceiverLimiter()
    limit.on_remb(250_000, 0)
    assert not limit.poll(3600 * SECOND)
    assert limit.cap(2_000_000) == 250_000


def test_or_expires_where_it_shall() -> None:
    limit = ReceiverLimiter(expires_us=5 * SECOND)
    limit.on_remb(250_000, SECOND)
    limit.on_remb(250_000, 2 * SECOND)
    assert limit.poll_timeout() == 7 * SECOND
    assert not limit.poll(7 * SECOND - 1)
    assert limit.poll(7 * SECOND)
    assert limit.limit_bps is None
    assert limit.poll_timeout() is None
    assert not limit.poll(8 * SECOND)


@given(st.lists(st.integers(0, TOP), max_size=20), st.integers(0, 1 << 50), st.integers(0, 1 << 50))
def test_the_last_one_counts(rates: list[int], target: int, minimum: int) -> None:
    limit = ReceiverLimiter()
    known = None
    for at, bps in enumerate(rates):
        last, known = known, bps if 0 < bps < 1 << 40 else None
        size = [float("inf") if rate is None else rate for rate in (last, known)]
        assert limit.on_remb(bps, at) == (size[1] > size[0]) - (size[1] < size[0])
    assert limit.limit_bps == known
    assert limit.cap(target, minimum) == (target if known is None else min(target, max(known, minimum)))


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="time"):
        ReceiverLimiter(-1)
    limit = ReceiverLimiter()
    with pytest.raises(ValueError, match="negative"):
        limit.on_remb(-1, 0)
    for wrong in (-1, 1 << 60):
        with pytest.raises(ValueError, match="time"):
            limit.on_remb(1, wrong)
        with pytest.raises(ValueError, match="time"):
            limit.poll(wrong)
