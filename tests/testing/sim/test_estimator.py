"""The plain estimators, and what can be judged."""

from mediarouter._transport_feedback import Twcc
from mediarouter.testing.sim.estimator import FixedRate, LossAimd, known_estimators


def report(*arrivals_us):
    return bytes(Twcc(1, 2, 0, arrivals_us))


def test_a_fixed_rate_is_not_impressed():
    fixed = FixedRate(500_000)
    fixed.on_packet_sent(0, 1200, 0)
    fixed.on_feedback(report(0, None, None), 1)
    assert (fixed.target_bps, fixed.pacing_bps) == (500_000, 1_250_000)
    assert fixed.poll(5) is None and fixed.poll_probe(5) is None


def test_aimd_grows_by_a_twelfth_a_second():
    aimd = LossAimd(1_200_000, 100_000, 9_000_000)
    for i in range(1, 11):
        aimd.on_feedback(report(0, 250), i * 100_000)
    assert aimd.target_bps == int(1_200_000 * (1 + 1 / 120) ** 10)


def test_aimd_falls_once_for_the_losses_of_a_while():
    aimd = LossAimd(1_000_000, 100_000, 9_000_000)
    aimd.on_feedback(report(0, None, 250), 1000)
    aimd.on_feedback(report(0, None, 250), 200_000)
    assert aimd.target_bps == 700_000
    aimd.on_feedback(report(0, None, 250), 301_000)
    assert aimd.target_bps in (489_999, 490_000)


def test_aimd_stays_in_its_limits():
    aimd = LossAimd(1_000_000, 900_000, 1_050_000)
    for i in range(50):
        aimd.on_feedback(report(0, 250), i * 100_000)
    assert aimd.target_bps == 1_050_000
    for i in range(50, 60):
        aimd.on_feedback(report(0, None, 250), i * 1_000_000)
    assert aimd.target_bps == 900_000


def test_all_that_can_be_judged_begin_where_they_are_told():
    known = known_estimators()
    assert {"loss-aimd", "fixed"} <= set(known)
    for make in known.values():
        assert make(400_000, 50_000, 2_000_000, 5_000_000).target_bps == 400_000
