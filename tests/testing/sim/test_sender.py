"""Pacing, probes, deadlines."""

import pytest

from mediarouter.congestion import Probe
from mediarouter.testing.sim.packet import AUDIO, MEDIA, PADDING
from tests.testing.sim.scripted import Path
from tests.testing.sim.sinks import link

WIDE = link(1_000_000_000, 10)


def test_media_leaves_at_the_pacing_rate_to_the_microsecond():
    path = Path(WIDE, WIDE)
    path.estimator.pacing_bps = 3_000_000
    for _ in range(1000):
        path.sender.send(1100)
    path.run(10)
    times = [at for _, _, at, _ in path.estimator.sent]
    assert len(times) == 1000
    assert times[-1] == pytest.approx(999 * 1100 * 8 / 3, abs=2)
    assert max(b - a for a, b in zip(times, times[1:], strict=False)) <= 2935


def test_a_pause_is_no_credit():
    path = Path(WIDE, WIDE)
    path.sender.send(1250)
    path.run(5)
    for _ in range(3):
        path.sender.send(1250)
    path.run(6)
    assert [at for _, _, at, _ in path.estimator.sent] == [0, 5_000_000, 5_008_000, 5_016_000]


def test_audio_does_not_wait():
    path = Path(WIDE, WIDE)
    for _ in range(10):
        path.sender.send(1250)
    path.clock.call_at(100, path.sender.send_now, 120)
    path.run(1)
    assert path.estimator.sent[1][1:3] == (120, 100)
    assert list(path.sender.trace.sent_kind).count(AUDIO) == 1
    assert path.sender.queue_us == 0


def test_what_waits_is_told_in_time():
    path = Path(WIDE, WIDE)
    for _ in range(11):
        path.sender.send(1250)
    path.run(0)
    assert path.sender.queue_us == 80_000


def probe(path, **more):
    path.estimator.probes.append(Probe(**({"id": 7, "rate_bps": 2_000_000, "packets": 5, "bytes": 6000} | more)))
    path.sender.step()


def test_a_probe_without_media_is_padding_at_its_rate():
    path = Path(WIDE, WIDE)
    probe(path)
    path.run(1)
    assert [(size, at, cluster) for _, size, at, cluster in path.estimator.sent] == [
        (1200, i * 4800, 7) for i in range(5)
    ]
    assert set(path.sender.trace.sent_kind) == {PADDING}


def test_a_probe_takes_the_media_that_waits_first():
    path = Path(WIDE, WIDE)
    for _ in range(3):
        path.sender.send(1000)
    path.run(0)
    probe(path)
    path.run(1)
    kinds = list(path.sender.trace.sent_kind)
    assert kinds[:3] == [MEDIA] * 3 and set(kinds[3:]) == {PADDING}
    clusters = [cluster for _, _, _, cluster in path.estimator.sent]
    assert clusters[0] == 0 and set(clusters[1:]) == {7}
    assert sum(size for _, size, _, cluster in path.estimator.sent if cluster) >= 6000
    times = [at for _, _, at, cluster in path.estimator.sent if cluster]
    assert times[1] - times[0] == 4000  # a packet of 1000 bytes at 2 Mbit/s, not at the pacing rate


@pytest.mark.parametrize(
    ("packets", "total", "sizes"), [(5, 500, [200] * 5), (5, 3000, [600] * 5), (2, 6000, [1200] * 5)]
)
def test_a_probe_has_the_packets_and_the_bytes_that_are_asked_for(packets, total, sizes):
    path = Path(WIDE, WIDE)
    probe(path, packets=packets, bytes=total)
    path.run(1)
    assert [size for _, size, _, _ in path.estimator.sent] == sizes


def test_probes_go_one_after_another():
    path = Path(WIDE, WIDE)
    path.estimator.probes = [Probe(i, 2_000_000 * i, 5, 6000) for i in (1, 2)]
    path.sender.step()
    path.run(1)
    assert [cluster for _, _, _, cluster in path.estimator.sent] == [1] * 5 + [2] * 5
    times = [at for _, _, at, _ in path.estimator.sent]
    assert times[9] - times[5] == 4 * 2400


def test_the_estimator_is_asked_at_its_deadline_and_not_in_circles():
    path = Path(WIDE, WIDE)
    path.estimator.deadline_us = 300_000
    path.sender.step()
    path.run(0.299)
    assert path.estimator.polls == [0]
    path.run(0.3105)
    assert path.estimator.polls == [0, *range(300_000, 311_000, 1000)]  # past, and still told: each millisecond
    path.estimator.deadline_us = None
    path.run(5)
    assert len(path.estimator.polls) == 13


def test_an_earlier_deadline_counts():
    path = Path(WIDE, WIDE)
    path.estimator.deadline_us = 300_000
    path.sender.step()
    path.estimator.deadline_us = 100_000
    path.sender.step()
    path.estimator.deadline_us = 500_000
    path.run(0.6)
    assert path.estimator.polls[:4] == [0, 0, 100_000, 500_000]


def test_each_feedback_is_a_step_and_each_new_target_is_noted():
    path = Path(WIDE, WIDE)
    steps = []
    path.sender.on_step = lambda: steps.append(path.clock.now_us)
    path.sender.step()
    path.sender.send_now(100)
    path.run(0.1)
    path.estimator.target_bps = 600_000
    path.run(1)
    assert [at for at, _ in path.estimator.feedback] == steps[1:]
    assert list(path.sender.trace.target_bps) == [500_000, 600_000]
    assert list(path.sender.trace.target_at_us) == [0, steps[1]]
