"""Every scenario runs, measures all that it asks, and tells a good estimator from a bad one."""

import math
import re

import pytest

from mediarouter.testing.sim.allocators import known_allocators
from mediarouter.testing.sim.checks import GOAL
from mediarouter.testing.sim.estimator import FixedRate, LossAimd
from mediarouter.testing.sim.layer_figures import best_layers_bps
from mediarouter.testing.sim.scenarios import SCENARIOS, select
from mediarouter.testing.sim.scoring import score
from tests.testing.sim.scenarios.oracle import oracle

ASKED = {*(f"A{n}" for n in range(1, 29)), "TC1", "TC3", "TC4", "TC5", "TC6", "TC7", "S1", "S2", "S3", "S6"}
NOT_THERE = {"A21", "A24", "A25"}  # numbers that nothing has
QUICK = [one for one, scenario in SCENARIOS.items() if scenario.seconds <= 100 and one != "S1-25"]


def test_all_that_is_asked_for_is_there():
    assert {one.partition("-")[0] for one in SCENARIOS} == ASKED - NOT_THERE
    assert list(SCENARIOS)[:4] == ["A1", "A2", "A3", "A4"]
    for one, scenario in SCENARIOS.items():
        assert scenario.id == one and scenario.source and scenario.checks
        assert len({check.name for check in scenario.checks}) == len(scenario.checks)


@pytest.mark.parametrize("name", QUICK)
def test_each_measures_all_that_it_asks(name):
    for one in score(SCENARIOS[name], LossAimd, (1,)):
        assert not math.isnan(one.values[0]), one.check.name


def test_select_takes_groups_and_single_ones():
    assert [one.id for one in select(["A9"])] == ["A9", "A9-ahead", "A9-behind"]
    assert [one.id for one in select(["TC6-cubic", "A1"])] == ["A1", "TC6-cubic"]
    assert len(select([])) == len(SCENARIOS)
    with pytest.raises(ValueError, match="no scenario A99: A1, A2"):
        select(["A99"])


@pytest.mark.parametrize("allocator", known_allocators())
@pytest.mark.parametrize("name", ["A1", "A2", "A3", "A9", "A12", "TC1", "S1-1", "S1-6", "S2", "S6"])
def test_who_knows_the_capacity_meets_every_goal(name, allocator):
    scores = score(SCENARIOS[name], oracle(SCENARIOS[name]), (1, 2), make_allocator=known_allocators()[allocator])
    assert {one.check.name: one.values for one in scores if one.verdict != GOAL} == {}


def verdicts(name, rate_bps):
    return {one.check.name: one.verdict for one in score(SCENARIOS[name], lambda *_: FixedRate(rate_bps), (1,))}


def test_a_rate_below_the_capacity_is_good_where_the_link_is_steady():
    assert set(verdicts("A1", 470_000).values()) == {GOAL}
    assert verdicts("A1", 520_000)["most target from 3 s, bit/s"] == "missed"
    assert verdicts("A1", 540_000)["target at 25 s, bit/s"] == "reference"
    assert verdicts("A1", 520_000)["queue p95 from 3 s, ms"] == "missed"


def test_a_rate_above_the_capacity_is_bad_where_it_falls():
    told = verdicts("S3", 2_400_000)
    assert set(told.values()) == {"missed"}
    assert set(verdicts("S3", 500_000).values()) == {GOAL}


def test_a_rate_for_all_layers_is_good_where_the_link_opens():
    told = verdicts("S2", 1_600_000)
    assert told.pop("queue p95 before, ms") == "missed"  # it goes already before, when nobody should have sent it
    assert set(told.values()) == {GOAL}
    assert verdicts("S6", 590_000)["padding"] == GOAL


def test_the_best_layers_of_many_fit_the_capacity():
    for name, capacity, best in (("S1-1", 1_200_000, 900_000), ("S1-6", 1_200_000, 1_150_000)):
        (viewer,) = SCENARIOS[name].flows
        choices = [tuple(rate for rates in stream.layer_rates_bps for rate in rates) for stream in viewer.streams]
        assert best_layers_bps(capacity - viewer.audio_bps, choices) == pytest.approx(best, abs=20_000)


def test_sources_name_where_a_reference_comes_from():
    for scenario in SCENARIOS.values():
        if any(check.reference for check in scenario.checks):
            assert re.match(r"libwebrtc|str0m|RFC 8867", scenario.source)
