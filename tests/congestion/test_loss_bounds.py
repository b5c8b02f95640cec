"""What holds of the loss-based limit whatever it is told, and how it moves on links that lose."""

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._loss_based import STATES, LossLimiter
from tests.congestion.loss_reports import OBSERVATION_US, SHORT, Limiter, all_lost, received

MIN_BPS, MAX_BPS = 30_000, 5_000_000
RATES = st.one_of(st.none(), st.integers(0, 1 << 42), st.sampled_from([0, MIN_BPS, MAX_BPS]))
PACKET = st.tuples(st.integers(-(1 << 40), 1 << 40), st.integers(-(1 << 59), 1 << 59), st.integers(-5, 1 << 21),
                   st.booleans())
NEAR_PACKET = st.tuples(st.integers(0, 300), st.integers(0, 5_000_000), st.integers(0, 1500), st.booleans())
REPORT = st.tuples(st.lists(st.one_of(PACKET, NEAR_PACKET, NEAR_PACKET), max_size=12), RATES, RATES, st.booleans())
ODD = [{}, {"hold_growth": 0.0}, {"padding_us": 0}, {"observations": 2, "observations_min": 1}, {"bound_in_alr": True},
       {"candidate_factors": (1000.0, 0.001)}, {"acked_floor_factor": 1000.0}, {"age_weight": 1e-9},
       {"no_rise_above_inherent_loss": False, "inherent_loss_min": 0.0}]


@settings(max_examples=400, deadline=None)
@given(st.lists(REPORT, max_size=20), st.sampled_from(ODD))
def test_the_target_is_within_its_limits_whatever_comes(reports: list[tuple[list[tuple[int, int, int, bool]],
        int | None, int | None, bool]], parameters: dict[str, float]) -> None:
    loss = LossLimiter(300_000, MIN_BPS, MAX_BPS, **parameters)
    for packets, delay_bps, acked_bps, in_alr in reports:
        if acked_bps is not None:
            loss.set_acked(acked_bps)
        for packet in packets:
            loss.on_packet(*packet)
        target = loss.update(delay_bps, in_alr)
        assert MIN_BPS <= target <= MAX_BPS
        assert delay_bps is None or target <= max(delay_bps, MIN_BPS)
        assert loss.state in STATES
        assert 0.0 <= loss.average_loss <= 1.0
        assert 0.0 <= loss.channel[1] <= 1.0
        assert target == loss.target_bps


class Sender:
    """100 packets a second and report, at the target, over a link that loses a share of them."""

    def __init__(self, loss: LossLimiter, share: float, seed: int = 1):
        self.loss, self.share = loss, share
        self.dice = random.Random(seed)
        self.number = self.now_us = 0
        self.target_bps = loss.target_bps

    def run(self, seconds: float, delay_bps: int, capacity_bps: int = 1 << 40) -> list[int]:
        targets = []
        for _ in range(int(seconds * 10)):
            arrived = 0
            carried = min(1.0, capacity_bps / self.target_bps)
            size = max(50, self.target_bps // 800)
            for _ in range(10):
                is_received = self.dice.random() >= self.share and self.dice.random() < carried
                arrived += is_received
                self.loss.on_packet(self.number, self.now_us, size, is_received)
                self.number += 1
                self.now_us += 10_000
            self.loss.set_acked(arrived * size * 80)
            self.target_bps = self.loss.update(delay_bps, False, self.now_us)
            targets.append(self.target_bps)
        return targets


def test_without_loss_the_delay_based_estimate_is_told_at_once_and_nothing_is_searched() -> None:
    sender = Sender(LossLimiter(300_000, MIN_BPS, MAX_BPS), 0.0)
    for delay_bps in (100_000, 3_000_000, 200_000, 9_000_000):
        assert set(sender.run(1, delay_bps)) == {min(delay_bps, MAX_BPS)}
    assert sender.loss.searches == 0
    assert sender.loss.state == "delay_limited"


def test_after_the_last_loss_left_the_ring_nothing_is_searched_again() -> None:
    sender = Sender(LossLimiter(300_000, MIN_BPS, MAX_BPS), 0.3)
    sender.run(5, 2_000_000)
    assert sender.loss.searches > 5
    sender.share = 0.0
    sender.run(30, 2_000_000)
    searches = sender.loss.searches
    assert set(sender.run(5, 2_000_000)) == {2_000_000}
    assert sender.loss.searches == searches


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(60_000, 6_000_000), st.one_of(st.none(), st.integers(0, 3_000_000)),
                          st.booleans(), st.integers(1, 30)), min_size=1, max_size=25))
def test_leaving_the_search_out_changes_nothing(
        reports: list[tuple[int, int | None, bool, int]]) -> None:
    """Beside it, a limiter that must search: of a loss of one byte in all, which no objective can see."""
    one = LossLimiter(300_000, MIN_BPS, MAX_BPS, observations=32)
    other = LossLimiter(300_000, MIN_BPS, MAX_BPS, observations=32)
    other.on_packet(0, 0, 1, False)
    one.on_packet(0, 0, 1, True)
    for count, (delay_bps, acked_bps, in_alr, packets) in enumerate(reports, 1):
        for loss in (one, other):
            if acked_bps is not None:
                loss.set_acked(acked_bps)
            for number in range(packets):
                loss.on_packet(1000 * count + number, count * 250_000, 200_000, True)
        assert one.update(delay_bps, in_alr) == other.update(delay_bps, in_alr)
        assert one.state == other.state == "delay_limited"
        assert one.channel[0] == other.channel[0]
    assert one.searches == 0
    assert other.searches == len(reports)


def test_of_no_packet_received_the_minimum_is_left() -> None:
    sender = Sender(LossLimiter(2_000_000, MIN_BPS, MAX_BPS), 1.0)
    assert sender.run(5, 2_000_000)[-1] <= 106_000, "100 kbps / (1 - 5 %)"
    assert sender.run(60, 2_000_000)[-1] < 106_000
    assert sender.loss.state == "decreasing"
    assert sender.loss.average_loss == 1.0


@pytest.mark.parametrize(("share", "seconds"), [(0.0, 1), (0.01, 5), (0.02, 10)])
def test_little_loss_limits_little(share: float, seconds: int) -> None:
    for seed in range(5):
        sender = Sender(LossLimiter(300_000, MIN_BPS, MAX_BPS), share, seed)
        assert sum(sender.run(seconds, 1_000_000)) / (10 * seconds) > 900_000


def test_loss_from_sending_too_much_is_found_as_bandwidth() -> None:
    for seed in range(5):
        sender = Sender(LossLimiter(2_000_000, MIN_BPS, MAX_BPS), 0.0, seed)
        targets = sender.run(30, 2_000_000, capacity_bps=1_000_000)[100:]
        assert 700_000 < sum(targets) / len(targets) < 1_300_000


def test_when_loss_ends_the_delay_based_estimate_is_reached_again() -> None:
    for seed in range(5):
        sender = Sender(LossLimiter(300_000, MIN_BPS, MAX_BPS), 0.3, seed)
        assert sender.run(10, 2_000_000)[-1] < 1_000_000
        sender.share = 0.0
        assert sender.run(20, 2_000_000)[-1] == 2_000_000


def test_the_offset_and_the_balance_move_what_a_lossy_link_gets() -> None:
    """What is to be tuned for links that lose a tenth of everything."""
    plain = Sender(LossLimiter(5_000_000, MIN_BPS, MAX_BPS), 0.1)
    wide = Sender(LossLimiter(5_000_000, MIN_BPS, MAX_BPS, bound_loss_offset=0.15, inherent_loss_offset=0.15), 0.1)
    assert plain.run(20, 5_000_000)[-1] < 4_000_000
    assert wide.run(20, 5_000_000)[-1] == 5_000_000


def cut(**parameters: float) -> Limiter:
    """A limiter that fell by loss at 250 ms."""
    limiter = Limiter(SHORT, **parameters)
    limiter.loss.set_estimate(600_000)
    limiter.report(all_lost(0))
    assert limiter.loss.state == "decreasing"
    return limiter


def test_a_bound_that_cuts_begins_the_explanation_anew() -> None:
    assert cut().loss.channel == (105_263, 0.0), "100 kbps / (1 - 5 %)"


def test_each_hold_is_twice_as_long_as_the_one_before_up_to_the_longest() -> None:
    limiter = cut(hold_max_us=2_000_000)
    at_us = OBSERVATION_US
    observations = []
    for _ in range(5):
        risen_us = limiter.report_until("increasing_with_padding", at_us)
        observations.append((risen_us - at_us) // OBSERVATION_US)
        at_us = risen_us
        while limiter.loss.state != "decreasing":
            limiter.report(all_lost(at_us))
            at_us += OBSERVATION_US
            assert at_us < risen_us + 4 * OBSERVATION_US
    assert observations == [2, 3, 5, 8, 8], "the first that ends after 300, 600, 1200, 2000 and 2000 ms"


def test_a_window_of_growth_stands_for_300_ms() -> None:
    limiter = cut()
    limits = [limiter.loss.growth_limit_bps]
    for observation in range(1, 5):
        limiter.report(received(observation * OBSERVATION_US))
        limits.append(limiter.loss.growth_limit_bps)
    assert limits[0] == round(105_263 * 1.3)
    assert limits[1] == limits[0] != limits[2] == limits[3] != limits[4]


def test_a_long_window_takes_back_what_the_acknowledged_rate_lifted() -> None:
    limiter = cut(window_us=2_000_000)
    limiter.loss.set_acked(300_000)
    limiter.report(received(OBSERVATION_US))
    assert limiter.loss.channel[0] == 300_000
    limiter.loss.set_acked(50_000)
    limiter.report(received(2 * OBSERVATION_US))
    assert limiter.loss.channel[0] == limiter.loss.growth_limit_bps == round(105_263 * 1.3)


def test_the_maximum_bounds_what_is_told_and_not_what_is_known() -> None:
    """An acknowledged rate above the maximum was carried; the explanation of loss is kept for it."""
    loss = LossLimiter(300_000, MIN_BPS, MAX_BPS, observations_min=1)
    number = 0
    for second, acked_bps, lost in ((1, 5_760_000, 0), (2, 4_600_000, 12)):
        loss.set_acked(acked_bps)
        for i in range(100):
            loss.on_packet(number, second * 300_000 + 2_600 * i, 1_500, i >= lost)
            number += 1
        assert loss.update(8_000_000, False) == MAX_BPS
        assert loss.state == "delay_limited"
    assert loss.channel[0] == 5_760_000
    assert loss.channel[1] > 0.0, "not begun anew"


def test_limits_move() -> None:
    loss = LossLimiter(300_000, MIN_BPS, MAX_BPS)
    assert loss.update(9_000_000, False) == MAX_BPS
    loss.set_limits(50_000, 1_000_000)
    assert loss.target_bps == 1_000_000
    assert loss.update(10_000, False) == 50_000
    assert LossLimiter(1, 1_000, 2_000).target_bps == 1_000
    for wrong in ((-1, 5), (2, 1), (0, 1 << 41)):
        with pytest.raises(ValueError, match="limits"):
            loss.set_limits(*wrong)
        with pytest.raises(ValueError, match="limits"):
            LossLimiter(0, *wrong)
    for rate in (-1, (1 << 40) + 1):
        with pytest.raises(ValueError, match="2\\*\\*40"):
            loss.set_estimate(rate)
        with pytest.raises(ValueError, match="start_bps"):
            LossLimiter(rate)
    with pytest.raises(ValueError, match="time"):
        loss.on_packet(0, 1 << 60, 1, True)


def test_memory_is_one_small_block() -> None:
    sender = Sender(LossLimiter(300_000, MIN_BPS, MAX_BPS), 0.5)
    assert sender.loss.memory_size <= 4096
    sender.run(1, 1_000_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    sender.run(10, 1_000_000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 5_000, "the list of targets apart, nothing grows"
