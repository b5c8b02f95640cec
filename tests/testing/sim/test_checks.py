"""Bounds, verdicts, figures in few letters."""

from math import inf, nan

import pytest

from mediarouter.testing.sim.checks import Check, at_least, at_most, shown, within


@pytest.mark.parametrize(
    ("bounds", "good", "bad", "text"),
    [
        (at_least(0.9), (0.9, 1, inf), (0.89, nan, -inf), ">= 0.9"),
        (at_most(5), (5, -1), (5.01, inf, nan), "<= 5"),
        (within(450_000, 500_000), (450_000, 500_000), (449_999, 500_001, inf), "450k to 500k"),
    ],
)
def test_bounds_are_inclusive(bounds, good, bad, text):
    assert all(bounds.margin(value) >= 0 for value in good)
    assert not any(bounds.margin(value) >= 0 for value in bad)
    assert str(bounds) == text


@pytest.mark.parametrize(
    ("values", "verdict", "worst"),
    [
        ([8.5, 9.0], "goal", 8.5),
        ([8.5, 7.0], "reference", 7.0),
        ([8.5, 2.0, 7.0], "missed", 2.0),
        ([8.5, nan], "missed", nan),
    ],
)
def test_all_seeds_count(values, verdict, worst):
    check = Check("x", lambda run, clean: 0.0, goal=at_least(8), reference=at_least(5))
    assert check.verdict(values) == verdict
    assert str(check.worst(values)) == str(worst)


def test_without_a_reference_there_is_the_goal_alone():
    assert Check("x", lambda run, clean: 0.0, goal=at_least(8)).verdict([7]) == "missed"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_250_000, "1.25M"),
        (450_000, "450k"),
        (0.93456, "0.935"),
        (0, "0"),
        (inf, "never"),
        (nan, "none"),
        (-2500, "-2.5k"),
    ],
)
def test_figures_are_short(value, text):
    assert shown(value) == text
