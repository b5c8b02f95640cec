"""Values over time."""

import pytest

from mediarouter.testing.sim.schedule import FOREVER_US, Schedule, always, mean

STEPS = Schedule((0, 10), (1.5, 30), (2, 0))


@pytest.mark.parametrize(
    ("at_us", "value", "until_us"),
    [(0, 10, 1_500_000), (1_499_999, 10, 1_500_000), (1_500_000, 30, 2_000_000), (2_000_000, 0, FOREVER_US)],
)
def test_each_step_holds_until_the_next(at_us, value, until_us):
    assert (STEPS.at(at_us), STEPS.until_us(at_us)) == (value, until_us)


def test_the_mean_weighs_steps_by_their_time():
    assert mean(STEPS, 0, 2_000_000) == (10 * 1.5 + 30 * 0.5) / 2
    assert mean(STEPS, 1_000_000, 3_000_000) == (10 * 0.5 + 30 * 0.5) / 2
    assert mean(always(7), 5, 6) == 7
    with pytest.raises(ValueError, match="no time"):
        mean(STEPS, 5, 5)


def test_map_changes_values_alone():
    doubled = STEPS.map(lambda value: value * 2)
    assert (doubled.times_us, doubled.values) == (STEPS.times_us, [20, 60, 0])


@pytest.mark.parametrize("steps", [(), ((1, 0),), ((0, 1), (0, 2)), ((0, 1), (2, 1), (1, 1))])
def test_a_schedule_out_of_order_is_refused(steps):
    with pytest.raises(ValueError, match="schedule"):
        Schedule(*steps)
