"""The pacing rule: what is ordinary leaves at once, what is a burst leaves at the rate, and nothing waits for long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.congestion._pacer import MediaPacer

MS, S = 1_000, 1_000_000
START_US = 5 * S
BURST_US, SLICE_US, WAIT_US = 5 * MS, 5 * MS, 250 * MS


def test_what_fits_into_the_burst_leaves_at_once():
    pacer = MediaPacer(1_000_000)
    left = 0
    while pacer.is_free(START_US):
        pacer.on_sent(125, START_US)  # a millisecond
        left += 1
    assert left == 6, "the last may begin at the very end of the burst"
    assert not pacer.is_free(START_US + 999)
    assert pacer.is_free(START_US + MS)


@pytest.mark.parametrize("streams", [1, 5, 25])
def test_frames_of_streams_that_are_a_fifth_of_the_estimate_never_wait(streams: int) -> None:
    """All of them in one instant, every thirtieth of a second."""
    pacer = MediaPacer(0)
    pacer.set_target(5_000_000)
    for frame in range(90):
        now_us = START_US + frame * S // 30
        left = 1_000_000 // 30 // 8
        while left > 0:
            assert pacer.is_free(now_us)
            pacer.on_sent(min(left, max(1100 // streams, 40)), now_us)
            left -= 1100 // streams


def drain(pacer: MediaPacer, sizes: list[int], begin_us: int) -> list[tuple[int, int]]:
    """When each of the packets that came at `begin_us` left, by slices: (time, size)."""
    now_us, waiting, out = begin_us, sum(sizes), []
    while sizes:
        while sizes and pacer.is_due(begin_us, now_us):
            pacer.on_sent_waiting(sizes[0], waiting, begin_us, now_us)
            waiting -= sizes[0]
            out.append((now_us, sizes.pop(0)))
        now_us = pacer.next_us(begin_us, now_us)
    return out


def test_a_burst_is_spread_at_the_rate():
    out = drain(MediaPacer(8_000_000), [1000] * 200, START_US)
    spread_us = out[-1][0] - START_US
    assert spread_us == pytest.approx(200 * MS - BURST_US, abs=SLICE_US)
    slices = {at: sum(size for other, size in out if other == at) for at, _ in out}
    assert max(slices.values()) <= 6 * 1000, "the first"
    assert max(list(slices.values())[1:]) <= 6 * 1000
    assert all(later - at >= SLICE_US for at, later in zip(slices, list(slices)[1:], strict=False))


@given(st.integers(1, 2_000_000_000), st.lists(st.integers(1, 1500), min_size=1, max_size=300))
def test_nothing_waits_longer_than_a_quarter_of_a_second(rate_bps: int, sizes: list[int]) -> None:
    out = drain(MediaPacer(rate_bps), list(sizes), START_US)
    assert [size for _, size in out] == sizes
    assert out[-1][0] - START_US <= WAIT_US + SLICE_US


def test_what_is_much_for_the_rate_leaves_evenly_within_the_time():
    """100 kbit at 10 kbit/s."""
    out = drain(MediaPacer(10_000), [1250] * 10, START_US)
    assert out[-1][0] - START_US > 150 * MS
    assert max(sum(other == at for other, _ in out) for at, _ in out) <= 3


happenings = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 1500)), max_size=200)


@given(st.integers(10_000, 1_000_000_000), happenings)
def test_who_asks_before_each_packet_keeps_to_the_rate(rate_bps: int, happenings: list[tuple[int, int]]) -> None:
    pacer, now_us, bits = MediaPacer(rate_bps), START_US, 0
    for wait_us, size in happenings:
        now_us += wait_us
        if pacer.is_free(now_us):
            pacer.on_sent(size, now_us)
            bits += size * 8
    assert bits <= (now_us - START_US + BURST_US) * rate_bps / S + 1500 * 8 + 1


def test_rates_out_of_range_are_taken_as_the_nearest():
    for given_bps, taken_us in ((-5, 8 * S), (0, 8 * S), (10**18, 4)):
        pacer = MediaPacer(1_000_000)
        pacer.set_rate(given_bps)
        pacer.on_sent(1000, START_US)
        assert pacer.is_free(START_US + taken_us - BURST_US + 1)
        assert taken_us < BURST_US or not pacer.is_free(START_US + taken_us - BURST_US - 1)


def test_sizes_and_times_out_of_range_are_refused():
    pacer = MediaPacer(1_000_000)
    for size in (0, 65536):
        with pytest.raises(ValueError, match="size"):
            pacer.on_sent(size, START_US)
        with pytest.raises(ValueError, match="size"):
            pacer.on_sent_waiting(size, 100, START_US, START_US)
    with pytest.raises(ValueError, match="size"):
        pacer.on_sent_waiting(100, 0, START_US, START_US)
    for now_us in (-1, 1 << 52):
        for call in (
            lambda at: pacer.is_free(at),
            lambda at: pacer.on_sent(1, at),
            lambda at: pacer.is_due(at, START_US),
            lambda at: pacer.is_due(START_US, at),
            lambda at: pacer.next_us(at, START_US),
            lambda at: pacer.next_us(START_US, at),
            lambda at: pacer.on_sent_waiting(1, 1, at, START_US),
            lambda at: pacer.on_sent_waiting(1, 1, START_US, at),
        ):
            with pytest.raises(ValueError, match="time"):
                call(now_us)
