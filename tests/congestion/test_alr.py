"""When a link counts as application-limited, in virtual time; the cases of alr_detector and interval_budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.congestion._alr import AlrDetector

ESTIMATE_BPS = 300_000
STEP_US = 10_000


class Traffic:
    """Sends a share of the estimate in steps of 10 ms."""

    def __init__(self, estimate_bps: int = ESTIMATE_BPS) -> None:
        self.alr = AlrDetector(estimate_bps)
        self.now_us = 1_000_000

    def send(self, percent: int, duration_us: int) -> None:
        for _ in range(duration_us // STEP_US):
            self.now_us += STEP_US
            self.alr.on_sent(ESTIMATE_BPS * percent * STEP_US // 800_000_000, self.now_us)

    @property
    def limited(self) -> bool:
        return self.alr.since_us is not None


def test_it_begins_far_below_the_estimate_and_ends_near_it() -> None:
    traffic = Traffic()
    assert not traffic.limited
    traffic.send(90, 1_000_000)
    assert not traffic.limited
    traffic.send(20, 1_500_000)
    assert traffic.limited
    traffic.send(100, 4_000_000)
    assert not traffic.limited


def test_a_short_spike_does_not_end_it() -> None:
    traffic = Traffic()
    traffic.send(20, 1_000_000)
    assert traffic.limited
    traffic.send(150, 100_000)
    assert traffic.limited
    traffic.send(100, 3_000_000)
    assert not traffic.limited


def test_a_falling_estimate_ends_it_not_at_once() -> None:
    """So that a fall inside of one can still be probed."""
    traffic = Traffic()
    traffic.send(20, 1_000_000)
    traffic.alr.set_estimate(ESTIMATE_BPS // 5)
    assert traffic.limited
    traffic.send(50, 1_000_000)
    assert not traffic.limited


@pytest.mark.parametrize(("percent", "limited"), [(40, True), (60, True), (66, False), (80, False)])
def test_the_border_is_at_65_percent(percent: int, limited: bool) -> None:
    traffic = Traffic()
    traffic.send(percent, 60_000_000)
    assert traffic.limited == limited


def test_since_is_when_it_began() -> None:
    alr = AlrDetector(1_000_000)
    for now_us in range(0, 1_000_000, 1_000):
        alr.on_sent(0, now_us)
    assert alr.since_us == 401_000, "80 % of half a second of filling, and exceeded"


def test_the_first_packet_tells_no_rate() -> None:
    alr = AlrDetector(ESTIMATE_BPS)
    alr.on_sent(60_000, 5_000_000)
    assert alr.level == 0.0


def test_the_budget_is_credit_and_debt_of_half_a_second() -> None:
    alr = AlrDetector(800_000)
    alr.on_sent(0, 0)
    alr.on_sent(0, 50_000)
    assert alr.level == pytest.approx(0.1)
    alr.on_sent(0, 100_000)
    assert alr.level == pytest.approx(0.2)
    alr.on_sent(0, 1_100_000)
    assert alr.level == 1.0
    alr.on_sent(65_535, 1_100_000)
    alr.on_sent(65_535, 1_100_000)
    assert alr.level == -1.0


def test_debt_of_the_whole_window_is_credit_a_second_later() -> None:
    alr = AlrDetector(100_000)
    alr.on_sent(0, 0)
    alr.on_sent(65_535, 1_000)
    alr.on_sent(0, 1_001_000)
    assert alr.level == 1.0


def test_it_ends_below_half_of_the_credit() -> None:
    alr = AlrDetector(800_000)
    alr.on_sent(0, 0)
    alr.on_sent(0, 1_000_000)
    alr.on_sent(32_500 // 2, 1_000_000)
    assert alr.level == 0.5 and alr.since_us == 1_000_000
    alr.on_sent(1, 1_000_000)
    assert alr.level < 0.5 and alr.since_us is None


def test_time_that_goes_back_does_not_count_twice() -> None:
    alr = AlrDetector(800_000)
    for now_us in (0, 50_000, 10_000, 50_000):
        alr.on_sent(0, now_us)
    assert alr.level == pytest.approx(0.1)


def test_a_change_of_the_estimate_keeps_bits_not_shares() -> None:
    alr = AlrDetector(100_000)
    alr.on_sent(0, 0)
    alr.on_sent(0, 500_000)
    alr.set_estimate(200_000)
    assert alr.level == pytest.approx(0.5)
    alr.set_estimate(10_000)
    assert alr.level == 1.0


def test_many_small_steps_are_as_one_large_one() -> None:
    small, large = AlrDetector(123_457), AlrDetector(123_457)
    for alr, step_us in ((small, 1), (large, 300_000)):
        for now_us in range(0, 300_001, step_us):
            alr.on_sent(0, now_us)
    assert small.level == large.level


def test_out_of_range_is_an_error() -> None:
    alr = AlrDetector(ESTIMATE_BPS)
    for size_bytes, now_us in ((-1, 0), (65_536, 0), (0, -1), (0, 1 << 60)):
        with pytest.raises(ValueError, match="range|0..65535"):
            alr.on_sent(size_bytes, now_us)


@given(
    st.integers(-(1 << 62), 1 << 62),
    st.lists(
        st.tuples(st.integers(0, 65_535), st.integers(0, (1 << 60) - 1) | st.integers(0, 10_000_000), st.booleans()),
        max_size=60,
    ),
)
def test_the_budget_stays_within_its_window(estimate_bps: int, steps: list[tuple[int, int, bool]]) -> None:
    alr = AlrDetector(estimate_bps)
    for size_bytes, now_us, change in steps:
        if change:
            alr.set_estimate(now_us)
        before = alr.since_us
        alr.on_sent(size_bytes, now_us)
        assert -1.0 <= alr.level <= 1.0
        if alr.since_us is not None and before is None:
            assert alr.level > 0.8 and alr.since_us == now_us
        if alr.since_us is None and before is not None:
            assert alr.level < 0.5
