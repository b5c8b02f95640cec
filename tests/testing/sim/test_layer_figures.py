"""Figures of layers, of a run that is known; the best set of layers against trying all."""

from itertools import product
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.testing.sim import layer_figures as figures
from mediarouter.testing.sim.trace import Trace
from tests.testing.sim.test_figures import measured, record_of

LAYERS = (
    (0.1, 0, (0, 2), 150_000),
    (0.2, 1, (0, 0), 60_000),
    (3, 0, (1, 2), 500_000),
    (4, 0, (0, 2), 150_000),
    (5, 0, (1, 0), 200_000),
    (5.5, 0, (1, 2), 500_000),
    (8, 1, None, 0),
)


def trace_of(layers=LAYERS, wanted=()):
    trace = Trace()
    for at_s, stream, layer, bps in layers:
        trace.note_layer(round(at_s * 1e6), stream, layer, bps)
    for at_s, bps in wanted:
        trace.note_wanted(round(at_s * 1e6), bps)
    return trace


RECORD = record_of(trace_of(wanted=((0, 100_000), (1, 800_000), (1.5, 900_000), (6, 500_000))), seconds=10)


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (figures.seconds_until_layer(1, 1), 2),
        (figures.seconds_until_layer(3.5, 1), 0),
        (figures.seconds_until_layer(4.5, 1), 0.5),
        (figures.seconds_until_layer(1, 2), inf),
        (figures.seconds_until_layer(0, 0, stream=1), pytest.approx(0.2)),
        (figures.seconds_until_layers_take(4.5, 500_000), 1),
        (figures.seconds_until_layers_take(6, 500_000), 0),
        (figures.seconds_until_layers_take(1, 600_000), inf),
        (figures.seconds_until_targets_fit(1.2, 800_000), 0),
        (figures.spatial_switches(0, 10), 3),
        (figures.spatial_switches(5.5, 10), 1),
        (figures.spatial_switches(9, 10), 0),
        (figures.switches_at_worst_step((0, 4), 10), 2),
        (figures.seconds_until_targets_fit(1.2, 550_000), pytest.approx(4.8)),
        (figures.seconds_until_targets_fit(1.2, 400_000), inf),
        (figures.allocation_steadiness(2, 10), pytest.approx(5 / 9)),
        (figures.allocation_steadiness(2, 5), 1),
        (figures.allocation_steadiness(0.5, 3), pytest.approx(1 / 9)),
    ],
)
def test_figures_of_layers(measure, value):
    assert measured(measure, RECORD) == value


def test_bits_are_those_of_the_layers_that_went():
    flow = RECORD.flows[0]
    first = 150_000 * 2.9 + 500_000 + 150_000 + 200_000 * 0.5 + 500_000 * 4.5
    assert figures.layer_bits(flow, 0, 10) == pytest.approx(first + 60_000 * 7.8)
    assert figures.layer_bits(flow, 6, 7) == pytest.approx(560_000)


CHOICES = st.lists(st.lists(st.integers(1, 30).map(lambda n: n * 1000), min_size=1, max_size=3), max_size=5)


@given(CHOICES, st.integers(0, 90).map(lambda n: n * 1000))
def test_the_best_layers_are_the_best_of_all_sets(streams, capacity):
    sums = [sum(chosen) for chosen in product(*([0, *rates] for rates in streams))]
    best = max(total for total in sums if total <= capacity)
    assert figures.best_layers_bps(capacity, [tuple(rates) for rates in streams]) == best


def test_the_share_of_the_best_weighs_the_capacity_of_each_time():
    record = record_of(
        trace_of(((0, 0, (0, 2), 150_000), (5, 0, (1, 2), 500_000))),
        rate=((0, 600_000), (4, 200_000)),
        seconds=10,
    )
    measure = figures.share_of_best_layers(0, 10, [(150_000, 500_000)], 50_000)
    assert measured(measure, record) == pytest.approx((150 * 5 + 500 * 5) / (500 * 4 + 150 * 6))
