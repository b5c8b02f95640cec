"""A run can be drawn, with what is in it."""

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from mediarouter.testing.sim.estimator import LossAimd
from mediarouter.testing.sim.pictures import draw_layers, draw_queue, draw_rates, plot
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
