"""The loss-based limit in the cases of libwebrtc's unit test of it; r numbers are the places of the cases there.

Left out are those of what cannot be turned off here: a disabled estimator (2, 6, 7) and a configuration without
candidates (5).
"""

import pytest

from mediarouter.congestion._loss_based import LossLimiter
from tests.congestion.loss_reports import (
    OBSERVATION_US,
    OLD,
    PACKET_BYTES,
    SHORT,
    WINDOW_US,
    Limiter,
    all_lost,
    half_lost,
    received,
    tenth_lost,
)

START = 777_000                        # what a limiter tells while it knows nothing


def test_r1_parameters_in_range_are_taken() -> None:
    assert LossLimiter(**OLD).parameters["candidate_factors"] == (1.1, 1.0, 0.95)


@pytest.mark.parametrize("wrong", [{"ramp_factor": 0.0}, {"candidate_factors": (-1.3, 1.1)},
                                   {"candidate_factors": (0.0, 1.1)}])
def test_r3_r4_parameters_out_of_range_are_not(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LossLimiter(**(OLD | wrong))


def test_r8_there_is_an_estimate_after_a_first_one_and_a_report() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    limiter.report(received(0))
    assert limiter.loss.is_ready


def test_r9_without_a_first_estimate_there_is_none() -> None:
    limiter = Limiter(OLD)
    assert limiter.report(received(0)) == START
    assert not limiter.loss.is_ready


def test_r10_a_report_of_less_than_an_observation_is_not_enough() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    assert not limiter.loss.is_ready
    assert limiter.loss.state == "delay_limited"
    limiter.report([(0, PACKET_BYTES, True), (OBSERVATION_US // 2, PACKET_BYTES, True)])
    assert not limiter.loss.is_ready


def test_r11_a_set_estimate_stands_until_the_next_observation() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    assert limiter.report(received(0)) != 600_000
    limiter.loss.set_estimate(600_000)
    assert limiter.loss.target_bps == 600_000
    assert limiter.report(received(2 * OBSERVATION_US)) != 600_000


def test_r12_the_acknowledged_rate_counts_from_the_next_observation_on() -> None:
    one, other = Limiter(OLD), Limiter(OLD)
    for limiter in (one, other):
        limiter.loss.set_estimate(600_000)
        limiter.report(received(0))
    assert one.loss.target_bps == 660_000
    one.loss.set_acked(900_000)
    assert one.loss.target_bps == 660_000
    assert one.report(received(2 * OBSERVATION_US)) != other.report(received(2 * OBSERVATION_US))


def test_r13_of_total_loss_a_fair_rate_is_left() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    assert limiter.report(all_lost(0)) == 100_000


def test_r14_the_delay_based_estimate_caps() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    assert limiter.report(received(0)) > 600_000
    assert limiter.report(received(2 * OBSERVATION_US), 500_000) == 500_000


def test_r15_an_emergency_falls_back_on_the_acknowledged_rate() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    limiter.loss.set_acked(300_000)
    limiter.report(half_lost(0))
    assert limiter.report(all_lost(2 * OBSERVATION_US)) <= 300_000


def test_r16_packets_told_twice_change_nothing() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    limiter.loss.set_acked(300_000)
    first = limiter.report(received(0))
    assert limiter.report(received(0)) == first


def test_r17_r18_less_than_an_observation_changes_nothing() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    first = limiter.report(received(0))
    assert limiter.report(received(OBSERVATION_US - 1_000)) == first


def test_r19_without_loss_the_delay_based_estimate_is_reached_at_once() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    assert limiter.report(received(0), 5_000_000) == 5_000_000
    assert limiter.report(received(2 * OBSERVATION_US), 5_000_000) == 5_000_000


def test_r20_in_hold_the_rise_is_by_the_hold_factor() -> None:
    limiter = Limiter(SHORT)
    limiter.loss.set_estimate(600_000)
    limiter.loss.set_acked(100_000)
    at_loss = limiter.report(all_lost(0), 5_000_000)
    limiter.report_until("increasing_with_padding", 2 * OBSERVATION_US, 5_000_000)
    assert limiter.loss.target_bps == round(at_loss * 1.2)


WIDE = {"candidate_factors": (100.0, 1.0, 0.5), "bound_balance_bps": 10_000_000, "window_factor": 100.0}


def test_r21_the_delay_based_estimate_takes_over_when_the_network_recovers() -> None:
    limiter = Limiter(SHORT, **WIDE, no_rise_above_inherent_loss=False)
    limiter.loss.set_estimate(600_000)
    limiter.loss.set_acked(300_000)
    limiter.report(all_lost(0), 600_000)
    assert limiter.loss.state == "decreasing"
    for report in (1, 2):
        limiter.loss.set_acked(600_000)
        limiter.report(received(report * OBSERVATION_US), 600_000)
        assert limiter.loss.state == "delay_limited"


def test_r22_it_does_not_take_over_where_it_is_not_known() -> None:
    limiter = Limiter(SHORT, **WIDE)
    limiter.loss.set_estimate(600_000)
    limiter.report(all_lost(0))
    assert limiter.loss.state == "decreasing"
    limiter.loss.set_acked(600_000)
    limiter.report(received(OBSERVATION_US))
    assert limiter.loss.state != "delay_limited"


RAMP = {"preference_loss": 0.99, "ramp_factor": 1.2, "bound_balance_bps": 10_000_000}


def after_a_cut(acked_factor: float) -> tuple[Limiter, int, int]:
    """A limiter that fell by loss and rises again, the rate it fell to, and the time of its next report."""
    limiter = Limiter(SHORT, **RAMP)
    limiter.loss.set_estimate(600_000)
    limiter.loss.set_acked(300_000)
    fallen = limiter.report(all_lost(0), 5_000_000)
    assert limiter.loss.state == "decreasing"
    assert fallen < 600_000
    limiter.loss.set_acked(round(fallen * acked_factor))
    return limiter, fallen, limiter.report_until("increasing_with_padding", OBSERVATION_US, 5_000_000)


def test_r23_after_a_cut_the_rise_is_bounded_by_the_acknowledged_rate() -> None:
    limiter, fallen, at_us = after_a_cut(0.9)
    risen = limiter.loss.target_bps
    assert risen == round(round(fallen * 0.9) * 1.2)
    limiter.loss.set_acked(round(fallen * 0.9))
    assert limiter.report(received(at_us), 5_000_000) == risen


def test_r24_the_state_turns_even_where_the_acknowledged_rate_allows_no_rise() -> None:
    limiter, fallen, _ = after_a_cut(0.5)
    assert limiter.loss.target_bps == fallen + 1


def test_r25_after_a_cut_the_estimate_is_bounded_for_a_window() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    limiter.loss.set_acked(300_000)
    limiter.report(received(0), 5_000_000)
    limiter.loss.set_acked(5_000_000)
    second = limiter.report(half_lost(WINDOW_US - 2_000), 5_000_000)
    assert limiter.report(received(WINDOW_US - 1_000), 5_000_000) == second


def test_r26_after_the_window_it_may_go_on() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    limiter.loss.set_acked(300_000)
    limiter.report(received(0), 5_000_000)
    limiter.loss.set_acked(5_000_000)
    second = limiter.report(received(WINDOW_US - 1_000), 5_000_000)
    assert limiter.report(received(WINDOW_US + 1_000), 5_000_000) >= second


def test_r27_no_rise_while_the_average_loss_is_above_the_inherent_one() -> None:
    limiter = Limiter(SHORT, candidate_factors=(1.2,))
    limiter.loss.set_estimate(600_000)
    limiter.report(tenth_lost(0))
    assert limiter.report(tenth_lost(OBSERVATION_US)) == 600_000


def test_r28_below_the_preference_threshold_more_is_preferred() -> None:
    limiter = Limiter(SHORT, preference_loss=0.20, no_rise_above_inherent_loss=False)
    limiter.loss.set_estimate(600_000)
    limiter.report(tenth_lost(0), 5_000_000)
    assert limiter.report(tenth_lost(OBSERVATION_US), 5_000_000) > 600_000


def test_r29_above_it_less_is() -> None:
    limiter = Limiter(SHORT, preference_loss=0.05)
    limiter.loss.set_estimate(600_000)
    limiter.report(tenth_lost(0), 5_000_000)
    assert limiter.report(tenth_lost(OBSERVATION_US), 5_000_000) < 600_000


def test_r30_never_above_the_maximum() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_limits(10_000, 1_000_000)
    limiter.loss.set_estimate(1_000_000)
    assert limiter.report(received(0)) <= 1_000_000


def test_r31_r32_only_what_the_network_limits_falls_back_to_the_acknowledged_rate() -> None:
    limited, free = Limiter(SHORT, bound_balance_bps=100_000), Limiter(SHORT, bound_balance_bps=100_000)
    for limiter in (limited, free):
        limiter.loss.set_limits(10_000, 1_000_000_000)
        limiter.loss.set_estimate(600_000)
        limiter.loss.set_acked(100_000)
    assert 100_000 < limited.report(all_lost(0), 5_000_000, in_alr=True) < 600_000
    assert free.report(all_lost(0), 5_000_000, in_alr=False) == 100_000


def test_r33_r34_it_is_ready_with_the_first_observation_and_a_delay_based_estimate() -> None:
    limiter = Limiter(SHORT)
    assert not limiter.loss.is_ready
    limiter.report(received(0), 600_000)
    assert limiter.loss.is_ready


@pytest.mark.parametrize(("factor", "is_floor"), [(1.0, True), (0.0, False)])
def test_r35_r36_the_acknowledged_rate_is_a_floor_where_it_shall(factor: float, is_floor: bool) -> None:
    limiter = Limiter(SHORT, acked_floor_factor=factor)
    limiter.loss.set_limits(10_000, 1_000_000_000)
    limiter.loss.set_estimate(600_000)
    limiter.loss.set_acked(500_000)
    target = limiter.report(all_lost(0))
    assert target == 500_000 if is_floor else target < 500_000


def test_r37_the_instant_bound_decreases() -> None:
    limiter = Limiter(SHORT, candidate_factors=(1.0,), bound_balance_bps=10_000)
    limiter.loss.set_limits(10_000, 1_000_000_000)
    limiter.loss.set_estimate(500_000)
    limiter.loss.set_acked(100_000)
    assert limiter.report(tenth_lost(0)) == 200_000
    assert limiter.loss.state == "decreasing"


def test_r38_a_higher_floor_increases() -> None:
    limiter = Limiter(SHORT, candidate_factors=(1.0,), acked_floor_factor=10.0)
    limiter.loss.set_limits(10_000, 1_000_000_000)
    limiter.loss.set_estimate(500_000)
    limiter.loss.set_acked(1_000)
    limiter.report(half_lost(0))
    assert limiter.loss.state == "decreasing"
    limiter.loss.set_acked(200_000)
    assert limiter.report(half_lost(2 * OBSERVATION_US)) == 2_000_000
    assert limiter.loss.state == "increasing_with_padding"


def test_r39_in_alr_the_rise_from_the_instant_bound_is_slow() -> None:
    limiter = Limiter(SHORT, bound_in_alr=True)
    limiter.loss.set_estimate(1_000_000)
    limiter.loss.set_acked(150_000)
    fallen = limiter.report(half_lost(0), in_alr=True)
    assert limiter.loss.state == "decreasing"
    for report in (1, 2, 3):
        limiter.report(received(report * OBSERVATION_US), in_alr=True)
    assert limiter.loss.target_bps < 2 * fallen


def test_r40_the_maximum_is_not_a_limit_of_loss() -> None:
    limiter = Limiter(SHORT)
    limiter.loss.set_limits(10_000, 1_000_000)
    assert limiter.report(received(0), 2_000_000) == 1_000_000
    assert limiter.loss.state == "delay_limited"
    assert limiter.report(half_lost(OBSERVATION_US), 2_000_000) < 1_000_000
    assert limiter.loss.state == "decreasing"
    limiter.report_until("delay_limited", 2 * OBSERVATION_US, 2_000_000)
    assert limiter.loss.target_bps == 1_000_000


def test_r41_a_rise_asks_for_padding() -> None:
    limiter = Limiter(SHORT, padding_us=1_000_000)
    limiter.loss.set_estimate(2_500_000)
    limiter.report(half_lost(0))
    assert limiter.loss.state == "decreasing"
    limiter.report_until("increasing_with_padding", OBSERVATION_US)


def test_without_padding_a_rise_is_called_one_all_the_same() -> None:
    limiter = Limiter(SHORT, padding_us=0)
    limiter.loss.set_estimate(2_500_000)
    limiter.report(half_lost(0))
    limiter.report_until("increasing", OBSERVATION_US)


def test_r42_after_large_loss_the_rise_is_slow() -> None:
    limiter = Limiter(SHORT, padding_us=1_000_000)
    limiter.loss.set_estimate(2_500_000)
    fallen = limiter.report(half_lost(0), in_alr=True)
    assert limiter.loss.state == "decreasing"
    limiter.report(received(OBSERVATION_US), in_alr=True)
    limiter.report(received(2 * OBSERVATION_US), in_alr=True)
    assert limiter.loss.state == "increasing_with_padding"
    assert limiter.loss.target_bps == pytest.approx(fallen, abs=100_000)


def test_r43_loss_of_padding_falls_back_to_the_acknowledged_rate_in_alr_too() -> None:
    limiter = Limiter(SHORT, padding_us=1_000_000, bound_balance_bps=10_000_000)
    limiter.loss.set_estimate(1_000_000)
    at_us = 0
    while limiter.loss.state != "decreasing":
        assert at_us < 100 * OBSERVATION_US
        limiter.report(all_lost(at_us), in_alr=True)
        at_us += OBSERVATION_US
    at_us = limiter.report_until("increasing_with_padding", at_us, in_alr=True)
    assert limiter.loss.target_bps > 900_000
    limiter.loss.set_acked(100_000)
    assert limiter.report(all_lost(at_us), in_alr=True) == 100_000
    assert limiter.loss.state == "decreasing"


def test_r44_a_rise_that_padding_does_not_prove_ends() -> None:
    limiter = Limiter(SHORT, padding_us=1_000_000, ramp_factor=2.0)
    limiter.loss.set_estimate(2_500_000)
    limiter.loss.set_acked(51_000)
    assert limiter.report(half_lost(0)) == 51_000
    assert limiter.loss.state == "decreasing"
    limiter.loss.set_acked(26_000)
    increased_us = limiter.report_until("increasing_with_padding", OBSERVATION_US)
    decreased_us = limiter.report_until("decreasing", increased_us) - OBSERVATION_US
    assert decreased_us - increased_us == 1_000_000


def test_r45_the_hold_rate_is_not_below_the_acknowledged_one() -> None:
    limiter = Limiter(SHORT, hold_growth=10.0, acked_floor_factor=1.0)
    limiter.loss.set_estimate(2_500_000)
    limiter.report(half_lost(0))
    assert limiter.loss.state == "decreasing"
    limiter.loss.set_acked(1_000_000)
    assert limiter.report(half_lost(OBSERVATION_US)) == 1_000_000
    assert limiter.loss.state == "decreasing"


def test_r46_the_estimate_is_not_below_the_acknowledged_rate() -> None:
    limiter = Limiter(SHORT, acked_floor_factor=1.0)
    limiter.loss.set_estimate(2_500_000)
    assert limiter.report(all_lost(0)) < 1_000_000
    limiter.loss.set_acked(1_000_000)
    assert limiter.report(all_lost(OBSERVATION_US)) == 1_000_000
    limiter.report(received(2 * OBSERVATION_US))
    assert limiter.report(received(3 * OBSERVATION_US)) > 1_000_000


def test_r47_the_hold_ends_where_the_delay_based_estimate_is_reached() -> None:
    limiter = Limiter(SHORT)
    limiter.loss.set_estimate(2_500_000)
    fallen = limiter.report(half_lost(0))
    assert limiter.loss.state == "decreasing"
    limiter.report(received(OBSERVATION_US), fallen + 10_000)
    assert limiter.report(received(2 * OBSERVATION_US), fallen + 10_000) == fallen + 10_000
    assert limiter.loss.state == "delay_limited"
    assert limiter.loss.hold_bps is None


def test_r48_loss_is_counted_in_bytes() -> None:
    limiter = Limiter(SHORT)
    limiter.loss.set_estimate(500_000)
    assert limiter.report(tenth_lost(0, lost_bytes=PACKET_BYTES * 20)) < 160_000
    assert limiter.loss.state == "decreasing"


def five_without_loss() -> Limiter:
    limiter = Limiter({"observations": 5})
    limiter.loss.set_estimate(500_000)
    for report in range(5):
        limiter.report(received(report * OBSERVATION_US), 500_000)
    return limiter


def test_r49_a_spike_is_ignored_and_two_are_not() -> None:
    limiter = five_without_loss()
    limiter.report(all_lost(5 * OBSERVATION_US), 500_000)
    assert limiter.report(received(6 * OBSERVATION_US), 500_000) == 500_000
    assert limiter.loss.state == "delay_limited"
    assert limiter.report(all_lost(7 * OBSERVATION_US), 500_000) < 500_000
    assert limiter.loss.state == "decreasing"


def test_r50_a_spike_in_a_burst_of_ours_is_not_ignored() -> None:
    limiter = five_without_loss()
    assert limiter.report(all_lost(5 * OBSERVATION_US, count=5), 500_000) <= 500_000
    assert limiter.loss.state == "decreasing"


def test_r51_what_was_told_as_lost_and_comes_after_all_is_forgiven() -> None:
    loss = Limiter(SHORT).loss
    loss.set_estimate(2_500_000)
    for number, is_received in ((1, True), (2, False), (3, True)):
        loss.on_packet(number, 0, PACKET_BYTES, is_received)
    loss.update(2_500_000, False)
    for number, send_us in ((2, 0), (4, OBSERVATION_US), (5, 0)):
        loss.on_packet(number, send_us, PACKET_BYTES, True)
    assert loss.update(2_500_000, False) == 2_500_000
    assert loss.average_loss == 0.0
    assert loss.state == "delay_limited"


def test_what_is_forgotten_limits_no_more() -> None:
    limiter = Limiter(OLD)
    limiter.loss.set_estimate(600_000)
    limiter.report(half_lost(0))
    limiter.report(half_lost(2 * OBSERVATION_US))
    assert limiter.loss.average_loss > 0.3 and limiter.loss.state != "delay_limited"
    limiter.loss.forget(400_000, 5 * OBSERVATION_US)
    assert (limiter.loss.target_bps, limiter.loss.average_loss) == (400_000, 0)
    assert not limiter.loss.is_ready
    # what is told late of packets that were sent before does not count either
    limiter.report(all_lost(3 * OBSERVATION_US), 400_000)
    assert limiter.loss.average_loss == 0
    assert limiter.report(received(5 * OBSERVATION_US), 400_000) == 400_000
    assert limiter.loss.state == "delay_limited"
    # and what is lost from then on does
    limiter.report(half_lost(7 * OBSERVATION_US), 400_000)
    limiter.report(half_lost(9 * OBSERVATION_US), 400_000)
    assert limiter.loss.average_loss > 0.2


def test_a_forgotten_estimate_must_be_a_rate() -> None:
    with pytest.raises(ValueError, match="2\\*\\*40"):
        Limiter(OLD).loss.forget(-1, 0)
