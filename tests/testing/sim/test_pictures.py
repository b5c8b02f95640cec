"""A run can be drawn, with what is in it."""

from dataclasses import replace

import numpy
import pytest
from matplotlib.figure import Figure

from mediarouter.testing.sim.estimator import LossAimd
from mediarouter.testing.sim.pictures import draw_layers, draw_queue, draw_rates, plot, thinned
from mediarouter.testing.sim.publisher import SimulcastPlan
from mediarouter.testing.sim.tcp import TcpPlan
from mediarouter.testing.sim.viewer import ViewerPlan
from mediarouter.testing.sim.world import run
from tests.testing.sim.test_world import PLAIN


@pytest.fixture(scope="module")
def watched():
    return run(replace(PLAIN, seconds=10, flows=(ViewerPlan((SimulcastPlan(),) * 2),)), LossAimd, 1)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_pictures_are_written(watched, suffix, tmp_path):
    path = tmp_path / f"run.{suffix}"
    plot(watched, path)
    assert path.stat().st_size > 5000


def test_without_layers_there_is_a_picture_too(tmp_path):
    plot(run(replace(PLAIN, seconds=3, cross=(TcpPlan(),)), LossAimd, 1), tmp_path / "run.png")
    assert (tmp_path / "run.png").stat().st_size > 5000


def test_of_many_streams_it_is_told_how_many_have_which_layer():
    record = run(replace(PLAIN, seconds=10, flows=(ViewerPlan((SimulcastPlan(),) * 12),)), LossAimd, 1)
    axes = Figure().subplots()
    draw_layers(axes, record)
    assert axes.get_ylim() == (0, 12)
    assert [text.get_text() for text in axes.get_legend().get_texts()][:2] == ["none", "layer 0"]


def test_of_a_long_run_several_windows_are_one():
    columns = {
        "at_s": numpy.arange(0, 100, 0.2),
        "flow 0 target_bps": numpy.arange(500.0),
        "queue_p95_ms": numpy.arange(500),
    }
    few = thinned(columns)
    assert few["at_s"][:3] == pytest.approx([0, 0.4, 0.8])
    assert list(few["flow 0 target_bps"][:3]) == [0.5, 2.5, 4.5]
    assert list(few["queue_p95_ms"][:3]) == [1, 3, 5]
    assert thinned({name: column[:250] for name, column in columns.items()})["at_s"].size == 250


def test_cross_traffic_is_shown_as_a_sum_below_the_sum_of_all():
    record = run(replace(PLAIN, seconds=3, cross=(TcpPlan(), TcpPlan())), LossAimd, 1)
    columns, axes = record.windows(), Figure().subplots()
    draw_rates(axes, record, columns)
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["capacity", "flow 0", "cross traffic", "all of it"]
    total = sum(columns[f"{name} received_bps"] for name in ("flow 0", "cross 0", "cross 1")) / 1e6
    assert list(axes.get_lines()[-1].get_ydata()) == pytest.approx(list(total))


def test_curves_are_those_of_the_record(watched):
    columns = watched.windows()
    rates, queue, layers = Figure().subplots(3, 1)
    draw_rates(rates, watched, columns)
    draw_queue(queue, columns)
    draw_layers(layers, watched)
    capacity, received, target = rates.get_lines()
    assert list(capacity.get_ydata()) == [1] * 50
    assert list(received.get_ydata()) == list(columns["flow 0 received_bps"] / 1e6)
    assert list(target.get_ydata()) == list(columns["flow 0 target_bps"] / 1e6)
    assert list(queue.get_lines()[0].get_ydata()) == list(columns["queue_p95_ms"])
    assert len(layers.get_lines()) == 2
