"""What a quarter of a second of arrivals says, whatever was before."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mediarouter.congestion._recent_rate import RecentRateFace


@pytest.mark.parametrize("offset_us", [0, -(10**15), 10**15])
def test_it_follows_a_link_within_300_ms(offset_us):
    rate, at_us = RecentRateFace(), offset_us
    for _ in range(1000):  # 2 Mbit/s
        rate.add(at_us, 1250)
        at_us += 5000
    assert rate.bps == pytest.approx(2_000_000, rel=0.05)
    for _ in range(15):  # 500 kbit/s for 300 ms
        rate.add(at_us, 1250)
        at_us += 20_000
    assert rate.bps == pytest.approx(500_000, rel=0.15)


def test_too_little_is_not_a_rate():
    rate = RecentRateFace()
    assert rate.bps == -1
    for at_us in range(0, 100_000, 5000):
        rate.add(at_us, 1250)
    assert rate.bps == -1


def test_silence_counts_and_a_jump_begins_anew():
    rate = RecentRateFace()
    for at_us in range(0, 400_000, 5000):
        rate.add(at_us, 1250)
    rate.add(600_000, 1250)
    assert rate.bps < 1_000_000, "half of what came before"
    rate.add(10**12, 1250)
    assert rate.bps == -1


@given(st.lists(st.tuples(st.integers(-300_000, 300_000), st.integers(1, 65_535)), max_size=80))
def test_whatever_comes_it_is_what_a_list_says(steps):
    rate, at_us, plain, newest = RecentRateFace(), 0, [], None
    for step_us, size in steps:
        at_us += step_us
        bucket = at_us >> 14
        if newest is None or abs(bucket - newest) >= 32:
            plain, newest, first = [], bucket, bucket
        newest = max(newest, bucket)
        plain.append((bucket, size))
        rate.add(at_us, size)
        span = min(newest - first, 31, 16)
        if span < 8:
            assert rate.bps == -1
            continue
        total = sum(size for bucket, size in plain if newest - span <= bucket < newest)
        assert rate.bps == total * 8_000_000 // (span << 14)
