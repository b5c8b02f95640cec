"""A score tells each figure over all seeds."""

from dataclasses import replace

from mediarouter.testing.sim.checks import Check, at_least, at_most
from mediarouter.testing.sim.encoder import EncoderPlan
from mediarouter.testing.sim.estimator import FixedRate
from mediarouter.testing.sim.scoring import score
from tests.testing.sim.test_world import PLAIN

RATE = Check("rate, bit/s", lambda run, clean: run.flows[0].received_bps(1, 5), at_least(290_000), at_least(200_000))
SEED = Check("seed", lambda run, clean: float(run.seed), at_most(2))
SHORT = replace(PLAIN, seconds=5, checks=(RATE, SEED))


def make(*_):
    return FixedRate(300_000)


def test_each_figure_has_a_value_of_each_seed():
    kept = []
    rate, seed = score(SHORT, make, (1, 2, 3), kept.append)
    assert len(rate.values) == 3 and len(set(rate.values)) == 3
    assert seed.values == [1, 2, 3] and seed.verdict == "missed" and rate.verdict == "goal"
    assert [record.seed for record in kept] == [1, 2, 3]
    assert seed.row() == {
        "id": "X1",
        "scenario": "plain",
        "figure": "seed",
        "median": "2",
        "worst": "3",
        "reference": "",
        "goal": "<= 2",
        "verdict": "missed",
    }
    assert rate.row()["reference"] == ">= 200k"


def test_figures_may_compare_with_the_clean_run():
    def ratio(run, clean):
        return run.flows[0].received_bps(1, 5) / clean.flows[0].received_bps(1, 5)

    half = replace(SHORT, flows=(EncoderPlan(start_bps=150_000),))
    scenario = replace(SHORT, id="X2", checks=(Check("ratio", ratio, at_least(1.9)),), clean=half)
    (ratio_score,) = score(scenario, lambda start, *_: FixedRate(start), (1,))
    assert 2.5 < ratio_score.values[0] < 2.9  # 400 by 150 kbit/s
    (alone,) = score(replace(scenario, clean=None), make, (1,))
    assert alone.values == [1.0]
