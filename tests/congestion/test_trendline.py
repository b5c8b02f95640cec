"""The slope of the delay and its detector, against the same in plain doubles, and libwebrtc's own cases."""

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._trendline import TrendlineFace

GROUPS = 25
INTERVAL_US = 20_000


class Reference:
    """The trend line written down once more: doubles, a two-pass fit, milliseconds. No clock is ever set here."""

    def __init__(self, min_span_ms: float = 0) -> None:
        self.min_span_ms = min_span_ms
        self.points: deque[tuple[float, float]] = deque()
        self.deltas = 0
        self.delay = self.smoothed = self.trend = self.modified = 0.0
        self.threshold = 12.5
        self.over_ms: float | None = None
        self.over_samples = 0
        self.adapted_ms: float | None = None
        self.usage = "normal"

    def add(self, arrival_delta_us: int, send_delta_us: int, arrival_us: int) -> str:
        now_ms, send_ms = arrival_us / 1000, send_delta_us / 1000
        self.deltas += 1
        self.delay += (arrival_delta_us - send_delta_us) / 1000
        self.smoothed = 0.9 * self.smoothed + 0.1 * self.delay
        self.points.append((now_ms, self.smoothed))
        while len(self.points) > 20 and (
            not self.min_span_ms or len(self.points) > 60 or now_ms - self.points[1][0] >= self.min_span_ms
        ):
            self.points.popleft()
        span_ms = now_ms - self.points[0][0]
        long_enough = not self.min_span_ms or len(self.points) == 60 or span_ms >= self.min_span_ms
        full = len(self.points) >= 20 and long_enough
        if self.deltas >= 2:
            self.detect(self.slope() if full else self.trend, send_ms, now_ms)
        return self.usage

    def slope(self) -> float:
        x_mean = sum(x for x, _ in self.points) / len(self.points)
        y_mean = sum(y for _, y in self.points) / len(self.points)
        spread = sum((x - x_mean) ** 2 for x, _ in self.points)
        return sum((x - x_mean) * (y - y_mean) for x, y in self.points) / spread if spread else self.trend

    def detect(self, trend: float, send_ms: float, now_ms: float) -> None:
        self.modified = min(self.deltas, 60) * trend * 4
        if self.modified > self.threshold:
            self.over_ms = send_ms / 2 if self.over_ms is None else self.over_ms + send_ms
            self.over_samples += 1
            if self.over_ms > 10 and self.over_samples > 1 and trend >= self.trend:
                self.over_ms, self.over_samples, self.usage = 0.0, 0, "over"
        else:
            self.over_ms, self.over_samples = None, 0
            self.usage = "under" if self.modified < -self.threshold else "normal"
        self.trend = trend
        step_ms = min(max(now_ms - (now_ms if self.adapted_ms is None else self.adapted_ms), 0), 100)
        self.adapted_ms = now_ms
        if abs(self.modified) <= self.threshold + 15:
            k = 0.039 if abs(self.modified) < self.threshold else 0.0087
            self.threshold = min(max(self.threshold + k * (abs(self.modified) - self.threshold) * step_ms, 6), 600)


def run(arrival_interval_us: float, count: int = GROUPS, min_span_us: int = 0) -> list[str]:
    """The usage after each of `count` groups sent 20 ms apart that arrive at another pace."""
    line = TrendlineFace(min_span_us)
    arrivals_us = [987_654_321_000 + int(i * arrival_interval_us) for i in range(count)]
    return [
        line.add(arrivals_us[i] - arrivals_us[i - 1], INTERVAL_US, arrivals_us[i]) for i in range(1, count)
    ]


def test_a_steady_delay_is_normal_use() -> None:
    assert set(run(INTERVAL_US, 200)) == {"normal"}


def test_delivery_slower_by_a_tenth_is_overuse() -> None:
    usages = run(1.1 * INTERVAL_US)
    assert usages[:19] == ["normal"] * 19, "no slope before 20 points"
    assert usages[-1] == "over"


def test_delivery_faster_by_a_seventh_is_underuse() -> None:
    usages = run(0.85 * INTERVAL_US)
    assert usages[:19] == ["normal"] * 19
    assert usages[19:] == ["under"] * 5


def test_capacity_short_by_4_percent_is_seen_in_time() -> None:
    """The threshold at its floor of 6, 60 groups seen: 2.5 % is what it takes."""
    assert "over" in run(1.04 * INTERVAL_US, 150)
    assert "over" not in run(1.02 * INTERVAL_US, 150)


@pytest.mark.parametrize("pace, usage", [(1.0, "normal"), (1.1, "over"), (0.85, "under")])
def test_reordered_groups_do_not_hide_it(pace: float, usage: str) -> None:
    """Every fifth group changes places with the next one."""
    line = TrendlineFace()
    order = list(range(1, 60))
    for i in range(4, 58, 5):
        order[i], order[i + 1] = order[i + 1], order[i]
    before, seen = 0, []
    for i in order:
        delta_us = (i - before) * INTERVAL_US
        seen.append(line.add(int(delta_us * pace), delta_us, 5_000_000 + int(i * INTERVAL_US * pace)))
        before = i
    assert usage in seen[19:]
    if usage == "normal":
        assert set(seen) == {"normal"}


def test_the_threshold_adapts_within_its_bounds() -> None:
    line = TrendlineFace()
    assert line.threshold == 12.5
    for i in range(100):
        line.add(INTERVAL_US, INTERVAL_US, i * INTERVAL_US)
    assert line.threshold == 6.0, "down to the floor where nothing happens"
    for i in range(100, 4000):
        jitter_us = 18_000 if i // 15 % 2 else -9_000
        line.add(INTERVAL_US + jitter_us // 15, INTERVAL_US, i * INTERVAL_US)
        assert 6.0 <= line.threshold <= 600.0
    assert line.threshold > 6.0, "up with what the delay does on its own"


def test_a_jump_of_the_slope_leaves_the_threshold_alone() -> None:
    line = TrendlineFace()
    for i in range(100):
        line.add(INTERVAL_US, INTERVAL_US, i * INTERVAL_US)
    line.add(3_000_000, INTERVAL_US, 99 * INTERVAL_US + 3_000_000)
    assert line.modified_trend > line.threshold + 15
    assert line.threshold == 6.0


def test_a_window_in_time_takes_more_points_where_groups_are_dense() -> None:
    line = TrendlineFace(200_000)
    for i in range(300):
        line.add(5_000, 5_000, i * 5_000)
    assert line.points == 41
    for i in range(300, 900):
        line.add(1_000, 1_000, 1_500_000 + (i - 300) * 1_000)
    assert line.points == 60
    for i in range(100):
        line.add(33_000, 33_000, 3_000_000 + i * 33_000)
    assert line.points == 20


def test_a_window_in_time_is_calmer_where_groups_are_dense() -> None:
    """200 groups a second, a delay that goes up and down by 8 ms five times a second: the path is all right."""
    overuses = {}
    for min_span_us in (0, 200_000):
        line, arrival_us, overuses[min_span_us] = TrendlineFace(min_span_us), 0, 0
        for i in range(2000):
            delta_us = 5_000 + (400 if i // 20 % 2 else -400)
            arrival_us += delta_us
            overuses[min_span_us] += line.add(delta_us, 5_000, arrival_us) == "over"
    assert overuses[0] > 100
    assert overuses[200_000] == 0


def test_without_a_window_in_time_points_alone_count() -> None:
    for step_us in (100, 1_000, 20_000, 1_000_000):
        line = TrendlineFace()
        for i in range(100):
            line.add(step_us, step_us, i * step_us)
        assert line.points == 20


@pytest.mark.parametrize("step_us", [30_000_000, -30_000_000, 1 << 58])
def test_a_clock_that_was_set_does_not_touch_the_slope(step_us: int) -> None:
    """The arrivals jump, the deltas do not: as if it had not been."""
    plain, moved = TrendlineFace(), TrendlineFace()
    for i in range(200):
        arrival_us = i * 22_000
        usage = plain.add(22_000, INTERVAL_US if i > 100 else 22_000, arrival_us)
        assert usage == moved.add(22_000, INTERVAL_US if i > 100 else 22_000, arrival_us + (step_us if i > 90 else 0))
        assert plain.trend == moved.trend
    assert plain.usage == "over"


def test_a_delay_that_changes_by_10_s_begins_a_new_window() -> None:
    line = TrendlineFace()
    for i in range(30):
        line.add(INTERVAL_US, INTERVAL_US, i * INTERVAL_US)
    line.add(200_000_000, INTERVAL_US, 30 * INTERVAL_US)
    assert line.points == 1


def test_the_origin_moves_without_a_trace() -> None:
    """Ten minutes of groups: the origin has moved twenty times, and a wave looks as it did at the beginning."""
    line, trends = TrendlineFace(), []
    for i in range(30_000):
        wave_us = (i % 50) * 40 - 980
        line.add(INTERVAL_US + wave_us, INTERVAL_US, i * INTERVAL_US)
        trends.append(line.trend)
    assert max(trends) > 0.01
    assert max(abs(trends[i] - trends[i % 50 + 1_000]) for i in range(20_000, 30_000)) < 2e-5


def test_a_wrong_argument_is_an_error() -> None:
    for min_span_us in (-1, 33_000_001):
        with pytest.raises(ValueError, match="min_span_us"):
            TrendlineFace(min_span_us)
    with pytest.raises(ValueError, match="time"):
        TrendlineFace().add(0, 0, 1 << 60)
    with pytest.raises(ValueError, match="delta"):
        TrendlineFace().add((1 << 61) + 1, 0, 0)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("min_span_ms", [0, 200])
def test_it_says_what_doubles_say_group_by_group(seed: int, min_span_ms: int) -> None:
    """Two thousand groups through phases of too much, enough and too little, dense and sparse, with jitter."""
    dice = random.Random(seed)
    line, reference = TrendlineFace(min_span_ms * 1000), Reference(min_span_ms)
    arrival_us, seen = 1 << 40, set()
    for _ in range(40):
        pace, longest_us = dice.choice([0.93, 1.0, 1.0, 1.03, 1.08, 1.3]), dice.choice([2_000, 8_000, 40_000])
        for _ in range(50):
            send_us = dice.randrange(1_000, longest_us)
            delta_us = max(int(send_us * pace) + dice.randrange(-300, 301), 0)
            arrival_us += delta_us
            assert line.add(delta_us, send_us, arrival_us) == reference.add(delta_us, send_us, arrival_us)
            seen.add(reference.usage)
        assert line.threshold == pytest.approx(reference.threshold, rel=1e-2)
    assert seen == {"normal", "over", "under"}


@pytest.mark.parametrize("send_us, groups_above", [(1_000, 11), (4_000, 4), (12_000, 2), (50_000, 2)])
def test_overuse_takes_10_ms_of_sending(send_us: int, groups_above: int) -> None:
    """Of the first group above the threshold one half counts; and one group alone is never enough."""
    line, arrival_us, above = TrendlineFace(), 0, 0
    for _ in range(100):
        arrival_us += send_us
        line.add(send_us, send_us, arrival_us)
    while line.usage == "normal":
        arrival_us += 2 * send_us
        line.add(2 * send_us, send_us, arrival_us)
        above += line.modified_trend > line.threshold or line.usage == "over"
        assert above < 50
    assert above == groups_above


def test_a_slope_that_falls_is_no_overuse() -> None:
    """Two groups late by a millisecond each, groups 2 ms apart: long above the threshold, yet soon falling."""
    line, arrival_us, above = TrendlineFace(), 0, 0
    for i in range(100):
        delta_us = 3_000 if i in (20, 21) else 2_000
        arrival_us += delta_us
        assert line.add(delta_us, 2_000, arrival_us) != "over"
        above += line.modified_trend > line.threshold
    assert above > 6, "of which 6 would do"


groups = st.lists(
    st.tuples(st.integers(5_000, 60_000), st.integers(-4_000, 12_000) | st.integers(0, 400)), min_size=1, max_size=150
)


@settings(deadline=None)
@given(groups, st.integers(-(1 << 59), 1 << 59), st.sampled_from([0, 200]))
def test_integers_do_what_doubles_do(steps: list[tuple[int, int]], offset_us: int, min_span_ms: int) -> None:
    """Slope and threshold to the rounding of an eighth of a microsecond, wherever the receiver's clock begins."""
    line, reference = TrendlineFace(min_span_ms * 1000), Reference(min_span_ms)
    arrival_us = 0
    for send_us, late_us in steps:
        delta_us = max(send_us + late_us, 0)
        arrival_us += delta_us
        line.add(delta_us, send_us, offset_us + arrival_us)
        reference.add(delta_us, send_us, arrival_us)
        assert line.points == len(reference.points)
        assert line.trend == pytest.approx(reference.trend, abs=2e-5, rel=1e-4)
        clear = min(abs(abs(reference.modified) - edge) for edge in (reference.threshold, reference.threshold + 15))
        if clear < 0.02:
            return                         # so near an edge that rounding may decide
        assert line.threshold == pytest.approx(reference.threshold, abs=0.02, rel=1e-3)
        assert line.usage == reference.usage


anything = st.integers(-(1 << 60) + 1, (1 << 60) - 1) | st.integers(-100_000, 100_000)
any_delta = st.integers(-(1 << 61), 1 << 61) | st.integers(-100_000, 100_000) | st.integers(-(1 << 27), 1 << 27)


@settings(deadline=None)
@given(st.lists(st.tuples(any_delta, any_delta, anything), max_size=120), st.sampled_from([0, 200_000, 33_000_000]))
def test_no_times_break_it(steps: list[tuple[int, int, int]], min_span_us: int) -> None:
    line = TrendlineFace(min_span_us)
    for step in steps:
        assert line.add(*step) in ("normal", "over", "under")
        assert abs(line.trend) < 2**63
        assert 6 <= line.threshold <= 600
        assert 1 <= line.points <= 60
