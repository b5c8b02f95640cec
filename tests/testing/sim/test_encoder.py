"""The elastic source sends what the estimate says."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.rtcp import parse
from mediarouter.testing.sim.encoder import Encoder, EncoderPlan, split
from mediarouter.testing.sim.schedule import Schedule, always
from tests.testing.sim.scripted import Path, Scripted
from tests.testing.sim.sinks import link

WIDE = link(1_000_000_000, 10)


def encode(seconds, estimator=None, **plan):
    path = Path(WIDE, WIDE, estimator)
    Encoder(EncoderPlan(**plan), path.sender, Random(5))
    path.run(seconds)
    return path


def rate(path, from_s, to_s):
    return sum(size for _, size, at, _ in path.estimator.sent if from_s * 1e6 <= at < to_s * 1e6) * 8 / (to_s - from_s)


@pytest.mark.parametrize("target_bps", [100_000, 500_000, 4_000_000])
@pytest.mark.parametrize("fps", [15, 30, 90])
def test_the_rate_is_the_target(target_bps, fps):
    path = encode(20, Scripted(target_bps, target_bps * 5 // 2), fps=fps)
    assert rate(path, 0, 20) == pytest.approx(target_bps, rel=0.01)
    assert max(size for _, size, _, _ in path.estimator.sent) <= 1200


def test_frames_come_at_their_rate_and_differ():
    path = encode(10, Scripted(150_000, 500_000), fps=30)
    times = [at for _, _, at, _ in path.estimator.sent]
    assert times[:4] == [0, 33_333, 66_667, 100_000] and len(times) == 301
    sizes = [size for _, size, _, _ in path.estimator.sent]
    mean = sum(sizes) / len(sizes)
    deviation = (sum((size - mean) ** 2 for size in sizes) / len(sizes)) ** 0.5
    assert 0.08 < deviation / mean < 0.2


def test_limits_hold_and_are_told_as_demand():
    path = encode(9, Scripted(5_000_000, 9_000_000), max_bps=Schedule((0, 400_000), (5, 800_000)))
    assert rate(path, 0, 5) == pytest.approx(400_000, rel=0.02)
    assert rate(path, 5.1, 9) == pytest.approx(800_000, rel=0.02)
    assert path.estimator.demands == [(400_000, 400_000), (800_000, 800_000)]
    low = encode(9, Scripted(10_000, 9_000_000), min_bps=150_000)
    assert rate(low, 0, 9) == pytest.approx(150_000, rel=0.02)


def test_it_is_silent_when_it_shall_be_and_ends():
    path = encode(10, media=Schedule((0, False), (2, True), (4, False), (6, True)), ends_s=8)
    assert rate(path, 0, 2) == rate(path, 4.1, 6) == rate(path, 8.1, 10) == 0
    assert rate(path, 2, 4) == pytest.approx(500_000, rel=0.05) and rate(path, 6, 8) > 450_000
    assert (20_000_000, 0) in path.estimator.demands


def test_frames_are_left_out_while_too_much_waits():
    path = encode(10, Scripted(500_000, 250_000))
    assert rate(path, 1, 10) == pytest.approx(250_000, rel=0.03)
    assert 200_000 < path.sender.queue_us < 320_000


def test_a_limit_of_the_receiver_is_told_when_it_changes_and_each_second():
    def limits_of(path):
        told = [(at - 10_000, next(iter(parse(rtcp)))) for at, rtcp in path.estimator.feedback if rtcp[1] == 206]
        return [(round(at, -3), remb.bitrate_bps) for at, remb in told]

    path = encode(4, receiver_limit_bps=Schedule((0, 0), (1.5, 250_000), (3, 0)))
    free = limits_of(path)[0][1]
    assert free > 900_000_000
    assert limits_of(path) == [
        (0, free),
        (1_000_000, free),
        (1_500_000, 250_000),
        (2_500_000, 250_000),
        (3_000_000, free),
    ]
    assert limits_of(encode(4)) == []


@given(st.integers(0, 200_000))
def test_a_frame_is_split_into_even_packets(size):
    packets = split(size)
    assert sum(packets) == (size if size >= 42 else 0)
    assert all(packet <= 1200 for packet in packets)
    if packets:
        assert max(packets) - min(packets) <= 1 and len(packets) == -(-size // 1200)


def test_demand_of_a_constant_source():
    path = encode(3, Scripted(300_000, 750_000), max_bps=always(900_000))
    assert path.estimator.demands == [(900_000, 300_000)]


def test_what_a_frame_had_too_much_the_next_has_too_little():
    path = encode(60, Scripted(500_000, 1_250_000), noise=0.2)
    total = sum(size for _, size, _, _ in path.estimator.sent)
    assert abs(total - 60 * 500_000 / 8) < 3 * 500_000 / 8 / 30


def test_after_a_fall_nothing_is_owed_from_before():
    path = Path(WIDE, WIDE, Scripted(6_000_000, 60_000_000))
    Encoder(EncoderPlan(noise=0.3), path.sender, Random(5))
    largest = 0
    for second in range(1, 40):  # down at each second, up half a second later
        path.run(second)
        path.estimator.target_bps = 120_000
        sent = len(path.estimator.sent)
        path.run(second + 0.045)
        largest = max(largest, sum(size for _, size, at, _ in path.estimator.sent[sent:] if at > second * 1e6 + 20_000))
        path.estimator.target_bps = 6_000_000
    assert 500 < largest < 2 * 500 * (1 + 0.3 * 3.5)  # twice the mean of 500, and its noise
