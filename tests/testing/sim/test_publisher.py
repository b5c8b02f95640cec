"""Simulcast: rates, temporal layers, key frames."""

from random import Random

import pytest

from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.publisher import Publisher, SimulcastPlan


class Taker:
    def __init__(self, clock, spatial):
        self.clock, self.spatial = clock, spatial
        self.frames = []

    def on_frame(self, stream, publisher):
        is_key = publisher.is_key(self.spatial)
        self.frames.append((self.clock.now_us, publisher.temporal, publisher.size_of(self.spatial), is_key, stream))


def publish(plan, seconds, spatial=1, asked_us=()):
    clock = Clock()
    publisher, taker = Publisher(clock, plan, Random(2)), Taker(clock, spatial)
    publisher.add(taker, 9)
    for at in asked_us:
        clock.call_at(at, publisher.ask_key_frame, spatial)
    clock.run_until(seconds * 1_000_000)
    return taker.frames


@pytest.mark.parametrize("temporal", [(1.0,), (0.6, 1.0), (0.4, 0.6, 1.0)])
def test_each_temporal_layer_has_its_share_of_the_rate(temporal):
    plan = SimulcastPlan(temporal=temporal)
    frames = publish(plan, 40)
    for layer, share in enumerate(temporal):
        bits = sum(size for _, at, size, _, _ in frames if at <= layer) * 8
        assert bits / 40 == pytest.approx(500_000 * share, rel=0.03)
        assert plan.layer_rates_bps[1][layer] == round(500_000 * share)
        count = sum(at <= layer for _, at, _, _, _ in frames)
        assert count == pytest.approx(1200 / 2 ** (len(temporal) - 1 - layer), abs=2)


def test_three_temporal_layers_come_in_their_pattern():
    frames = publish(SimulcastPlan(), 2)
    assert [at for _, at, _, _, _ in frames][:9] == [0, 2, 1, 2, 0, 2, 1, 2, 0]
    assert {stream for *_, stream in frames} == {9}


def test_a_key_frame_comes_a_round_trip_after_it_is_asked_for_and_is_large():
    frames = publish(SimulcastPlan(rtt_ms=50), 4, asked_us=(1_000_000, 1_010_000))
    keys = [(at, temporal, size) for at, temporal, size, is_key, _ in frames if is_key]
    assert len(keys) == 1  # both requests are served by one
    at, temporal, size = keys[0]
    assert 1_050_000 <= at < 1_050_000 + 33_334 and temporal == 0
    assert size == pytest.approx(6 * 500_000 / 8 / 30, rel=0.4)
    after = [temporal for when, temporal, _, _, _ in frames if when > at]
    assert after[:4] == [2, 1, 2, 0]
    steps = [b - a for (a, *_), (b, *_) in zip(frames, frames[1:], strict=False)]
    assert set(steps) <= {33_333, 33_334}


def test_another_layer_gets_no_key_frame():
    clock = Clock()
    publisher = Publisher(clock, SimulcastPlan(), Random(2))
    low, high = Taker(clock, 0), Taker(clock, 2)
    publisher.add(low, 0)
    publisher.add(high, 1)
    clock.call_at(500_000, publisher.ask_key_frame, 2)
    clock.run_until(2_000_000)
    assert sum(is_key for *_, is_key, _ in high.frames) == 1
    assert not any(is_key for *_, is_key, _ in low.frames)


def test_all_viewers_get_the_same_frame():
    clock = Clock()
    publisher = Publisher(clock, SimulcastPlan(), Random(2))
    one, other = Taker(clock, 1), Taker(clock, 1)
    publisher.add(one, 0)
    publisher.add(other, 0)
    clock.run_until(2_000_000)
    assert one.frames == other.frames and len({size for _, _, size, _, _ in one.frames}) > 20
