"""A viewer gets the layers that fit, switched at key frames."""

from random import Random

import pytest

from mediarouter.testing.sim.allocation import Decision, layer_major
from mediarouter.testing.sim.publisher import Publisher, SimulcastPlan
from mediarouter.testing.sim.schedule import Schedule
from mediarouter.testing.sim.viewer import Viewer, ViewerPlan
from tests.testing.sim.scripted import Path, Scripted
from tests.testing.sim.sinks import link

WIDE = link(1_000_000_000, 10)
AUDIO_BPS = 48_800
CAMERA = SimulcastPlan(rtt_ms=100)


def watch(seconds, *budgets, streams=(CAMERA,), allocate=layer_major, **plan):
    """Watch with a budget, without audio, that changes at some times."""
    path = Path(WIDE, WIDE, Scripted(budgets[0][1] + AUDIO_BPS, 50_000_000))
    for at, budget in budgets[1:]:
        path.clock.call_at(round(at * 1e6), lambda bps: setattr(path.estimator, "target_bps", bps + AUDIO_BPS), budget)
    publishers = [Publisher(path.clock, stream, Random(i)) for i, stream in enumerate(streams)]
    Viewer(ViewerPlan(tuple(streams), **plan), path.sender, publishers, allocate)
    path.run(seconds)
    return path


def layers(path, stream=0):
    trace = path.sender.trace
    return [
        (at / 1e6, (spatial, temporal))
        for at, which, spatial, temporal in zip(
            trace.layer_at_us, trace.layer_stream, trace.layer_spatial, trace.layer_temporal, strict=True
        )
        if which == stream
    ]


def rate(path, from_s, to_s):
    return sum(size for _, size, at, _ in path.estimator.sent if from_s * 1e6 <= at < to_s * 1e6) * 8 / (to_s - from_s)


@pytest.mark.parametrize(
    ("budget", "bps"), [(100_000, 90_000), (160_000, 150_000), (700_000, 600_000), (2_000_000, 1_500_000)]
)
def test_what_goes_is_the_layer_that_fits_and_audio(budget, bps):
    path = watch(20, (0, budget))
    assert rate(path, 2, 20) == pytest.approx(bps + AUDIO_BPS, rel=0.04)


def test_a_first_picture_comes_with_a_key_frame():
    path = watch(3, (0, 160_000))
    at, layer = layers(path)[0]
    assert 0.1 <= at < 0.1 + 2 / 30 + 0.1 and layer[0] == 0
    first = sum(size for _, size, when, _ in path.estimator.sent if size != 122 and when < at * 1e6 + 30_000)
    assert first == pytest.approx(3750, rel=0.35)  # others have 500 to 1000


def test_a_step_up_waits_for_its_key_frame_with_the_old_picture():
    path = watch(6, (0, 160_000), (3, 600_000))
    at = [when for when, (spatial, _) in layers(path) if spatial == 1][0]
    assert 3.1 <= at <= 3.1 + 0.1 + 1 / 30 + 0.05  # a tick, a round trip, a frame
    assert rate(path, 3, at) > 120_000


def test_a_step_down_goes_on_with_a_third_until_its_key_frame():
    path = watch(6, (0, 1_600_000), (3, 160_000))
    after = [(at, layer) for at, layer in layers(path) if at >= 3]
    assert after[0][1] == (2, 0) and after[0][0] <= 3.1 + 0.05
    assert after[1][1][0] == 0 and 0.05 <= after[1][0] - after[0][0] <= 0.17
    assert rate(path, 4, 6) == pytest.approx(150_000 + AUDIO_BPS, rel=0.1)


def test_a_pause_is_at_once_and_audio_goes_on():
    path = watch(6, (0, 1_600_000), (3, 1000))
    assert layers(path)[-1][1] == (-1, -1) and layers(path)[-1][0] <= 3.1 + 0.05
    assert rate(path, 4, 6) == pytest.approx(AUDIO_BPS, rel=0.02)


def test_what_is_wanted_may_change():
    camera = SimulcastPlan(wanted=Schedule((0, 0), (3, 2)))
    path = watch(6, (0, 9_000_000), streams=(camera,))
    assert rate(path, 1, 3) == pytest.approx(150_000 + AUDIO_BPS, rel=0.15)
    assert layers(path)[-1][1] == (2, 2)
    assert path.estimator.demands[-1] == (1_500_000 + AUDIO_BPS, 1_500_000 + AUDIO_BPS)


def test_demand_is_what_the_next_step_needs():
    path = watch(3, (0, 600_000))
    demand_bps, in_use_bps = path.estimator.demands[-1]
    assert in_use_bps == 600_000 + AUDIO_BPS or in_use_bps == 500_000 + AUDIO_BPS
    assert demand_bps > in_use_bps


def test_another_allocator_decides():
    asked = []

    def allocate(now_us, budget_bps, streams):
        asked.append((now_us, budget_bps, streams))
        return Decision([(1, 0), None], 777_000)

    path = watch(3, (0, 600_000), streams=(CAMERA, CAMERA), allocate=allocate)
    assert layers(path, 0)[-1][1] == (1, 0) and layers(path, 1) == []
    assert asked[-1][1] == 600_000 and asked[-1][2][0].current == (1, 0) and asked[-1][2][1].current is None
    assert list(path.sender.trace.wanted_bps) == [200_000]
    assert path.estimator.demands[-1] == (777_000 + AUDIO_BPS, 200_000 + AUDIO_BPS)


def test_a_new_demand_is_acted_on_at_once():
    path = Path(WIDE, WIDE, Scripted(600_000, 9_000_000))
    Viewer(ViewerPlan((CAMERA,)), path.sender, [Publisher(path.clock, CAMERA, Random(1))], layer_major)
    path.run(0.95)
    path.estimator.target_bps = 3_000_000
    path.estimator.polls.clear()
    path.sender.step()
    path.run(0.95)
    assert path.estimator.polls == [950_000, 950_000]  # asked again after the allocation, and no more than that


def test_a_budget_of_the_estimator_counts_before_its_target():
    class Draining(Scripted):
        budget_bps = 200_000 + AUDIO_BPS

    path = Path(WIDE, WIDE, Draining(5_000_000, 9_000_000))
    Viewer(ViewerPlan((CAMERA,)), path.sender, [Publisher(path.clock, CAMERA, Random(1))], layer_major)
    path.run(3)
    assert layers(path)[-1][1] == (0, 2)
