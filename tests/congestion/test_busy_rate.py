"""What packets that waited say of a link, whatever came besides."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mediarouter.congestion._busy_rate import BusyRateFace

MS = 1000
SIZE = 1250


def burst(rate: BusyRateFace, begin_us: int, count: int, bps: int) -> int:
    """Packets that came at once to a link and left it one behind the other; when the last did."""
    took_us = SIZE * 8_000_000 // bps
    at_us = begin_us
    for i in range(count):
        at_us = begin_us + (i + 1) * took_us
        rate.add(at_us, SIZE, i * took_us)
    return at_us


@pytest.mark.parametrize("offset_us", [0, -(10**15), 10**15])
def test_a_key_frame_tells_what_the_link_carries_though_little_is_sent(offset_us: int) -> None:
    rate = BusyRateFace()
    for i in range(20):
        rate.add(offset_us + i * 33 * MS, 200, 0)  # 48 kbit/s, and nothing waits
    assert rate.bps == -1
    burst(rate, offset_us + 700 * MS, 12, 1_000_000)
    assert rate.bps == pytest.approx(1_000_000, rel=0.01)


def test_it_follows_a_link_within_a_third_of_a_second():
    rate, at_us = BusyRateFace(), 0
    for _ in range(1000):  # 2 Mbit/s, behind a queue of 100 ms
        rate.add(at_us, SIZE, 100 * MS)
        at_us += 5 * MS
    assert rate.bps == pytest.approx(2_000_000, rel=0.01)
    for _ in range(17):  # 500 kbit/s for 340 ms
        rate.add(at_us, SIZE, 100 * MS)
        at_us += 20 * MS
    assert rate.bps == pytest.approx(500_000, rel=0.05)


def test_too_few_or_too_short_is_not_a_rate():
    few = BusyRateFace()
    burst(few, 0, 5, 100_000)  # of the five the first did not wait, and it began the counting
    assert few.bps == 100_000
    fewer = BusyRateFace()
    burst(fewer, 0, 4, 100_000)
    assert fewer.bps == -1
    short = BusyRateFace()
    burst(short, 0, 20, 20_000_000)  # 10 ms
    assert short.bps == -1


def test_a_pause_between_two_packets_is_not_the_link_s():
    rate = BusyRateFace()
    end_us = burst(rate, 0, 12, 1_000_000)
    rate.add(end_us + 200 * MS, SIZE, 10 * MS)
    assert rate.bps == pytest.approx(1_000_000, rel=0.01)


def test_what_is_long_ago_does_not_count_and_a_jump_begins_anew():
    rate = BusyRateFace()
    end_us = burst(rate, 0, 12, 1_000_000)
    rate.add(end_us + 400 * MS, SIZE, 0)
    assert rate.bps == -1
    end_us = burst(rate, end_us + 500 * MS, 12, 1_000_000)
    rate.add(10**12, SIZE, 0)
    assert rate.bps == -1


packets = st.tuples(st.integers(-300_000, 300_000), st.integers(1, 65_535), st.integers(-50_000, 400_000))


@given(st.lists(packets, max_size=80))
def test_whatever_comes_it_is_what_a_list_says(steps: list[tuple[int, int, int]]) -> None:
    rate, at_us = BusyRateFace(), 0
    counted: list[tuple[int, int, int]] = []  # bucket, bytes, microseconds
    newest = last_us = None
    for step_us, size, queue_us in steps:
        at_us += step_us
        rate.add(at_us, size, queue_us)
        bucket = at_us >> 14
        if newest is None or last_us is None or abs(bucket - newest) >= 32:
            counted, newest, last_us = [], bucket, at_us
            continue
        span_us, last_us, newest = at_us - last_us, max(last_us, at_us), max(newest, bucket)
        if 0 <= span_us <= queue_us + 16_000 and queue_us >= 8_000:
            counted.append((bucket, size, span_us))
    if newest is not None:
        counted = [one for one in counted if newest - 20 < one[0] <= newest]
    total_us = sum(us for _, _, us in counted)
    known = len(counted) >= 4 and total_us >= 30_000
    assert rate.bps == (sum(size for _, size, _ in counted) * 8_000_000 // total_us if known else -1)
