"""A line through what was seen, after the warm-up."""

import pytest

from mediarouter.bench.drift import drift


def test_what_stays_the_same_does_not_grow_whatever_came_before():
    times_s = [float(at) for at in range(30)]
    found = drift(times_s, [at * 1000.0 for at in range(10)] + [5000.0] * 20)
    assert found == (5000.0, 0.0, 0.0)


def test_a_leak_is_measured():
    times_s = [float(at) for at in range(31)]
    found = drift(times_s, [1000 + 10 * at + (at % 2) for at in times_s])
    assert found.per_s == pytest.approx(10, abs=0.05) and found.level == pytest.approx(1200.5, abs=1)
    assert found.growth == pytest.approx(200 / 1200.5, abs=0.002)


def test_what_shrinks_has_a_growth_below_nothing():
    assert drift([0.0, 1.0, 2.0, 3.0], [9.0, 3.0, 2.0, 1.0]).growth == pytest.approx(-1)


def test_an_even_line_through_nothing():
    assert drift([0.0, 1.0, 2.0, 3.0], [0.0] * 4).growth == 0


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_values_are_told(count):
    with pytest.raises(ValueError, match="too few"):
        drift([float(at) for at in range(count)], [1.0] * count)
