"""What a link is known to carry."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.congestion._link_capacity import LinkCapacityFace


def test_without_a_sample_nothing_contradicts_it() -> None:
    capacity = LinkCapacityFace()
    assert capacity.bps == -1
    assert capacity.bounds_bps == (0, 1 << 62)


def test_the_first_sample_is_the_estimate() -> None:
    capacity = LinkCapacityFace()
    capacity.overused(500_000)
    assert capacity.bps == 500_000
    deviation_bps = 1000 * math.sqrt(0.4 * 500)
    assert capacity.bounds_bps == pytest.approx((500_000 - 3 * deviation_bps, 500_000 + 3 * deviation_bps), abs=1)


def test_a_further_sample_moves_it_by_a_twentieth() -> None:
    capacity = LinkCapacityFace()
    capacity.overused(500_000)
    capacity.overused(600_000)
    assert capacity.bps == 505_000
    for _ in range(200):
        capacity.overused(600_000)
    assert capacity.bps == pytest.approx(600_000, abs=10)


def test_the_deviation_follows_the_samples_within_bounds() -> None:
    capacity = LinkCapacityFace()
    for i in range(100):
        capacity.overused(500_000 if i % 2 else 900_000)
    lower_bps, upper_bps = capacity.bounds_bps
    kbps = capacity.bps / 1000
    assert upper_bps - lower_bps == pytest.approx(6000 * math.sqrt(2.5 * kbps), rel=1e-3), "no wider than this"
    for _ in range(500):
        capacity.overused(700_000)
    lower_bps, upper_bps = capacity.bounds_bps
    assert upper_bps - lower_bps == pytest.approx(6000 * math.sqrt(0.4 * 700), rel=1e-3), "no closer than this"


def test_what_is_forgotten_takes_the_next_sample_as_it_is() -> None:
    capacity = LinkCapacityFace()
    capacity.overused(500_000)
    capacity.forget()
    assert capacity.bps == -1
    capacity.overused(2_000_000)
    assert capacity.bps == 2_000_000


def test_the_lower_bound_is_not_below_zero() -> None:
    capacity = LinkCapacityFace()
    capacity.overused(1_000)
    assert capacity.bounds_bps[0] == 0


@pytest.mark.parametrize("bps", [-1, (1 << 50) + 1])
def test_a_rate_out_of_range_is_an_error(bps: int) -> None:
    with pytest.raises(ValueError, match="rate"):
        LinkCapacityFace().overused(bps)


@given(st.lists(st.integers(0, 1 << 50) | st.integers(0, 5_000_000) | st.none(), max_size=100))
def test_the_estimate_stays_among_its_samples(samples: list[int | None]) -> None:
    capacity = LinkCapacityFace()
    since: list[int] = []
    for bps in samples:
        if bps is None:
            capacity.forget()
            since = []
        else:
            capacity.overused(bps)
            since.append(bps)
        if since:
            assert min(since) - 1 - min(since) // 10**9 <= capacity.bps <= max(since) + 1 + max(since) // 10**9
            lower_bps, upper_bps = capacity.bounds_bps
            assert 0 <= lower_bps <= capacity.bps + 1
            assert capacity.bps <= upper_bps < 1 << 52
        else:
            assert capacity.bps == -1
