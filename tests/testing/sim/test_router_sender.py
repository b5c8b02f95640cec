"""Frames leave at once, bursts in slices, and probes take what waits."""

from mediarouter.testing.sim.estimator import ProbeOrder
from mediarouter.testing.sim.packet import AUDIO, PADDING
from mediarouter.testing.sim.router_sender import RouterSender
from tests.testing.sim.scripted import Path
from tests.testing.sim.sinks import link

WIDE = link(1_000_000_000, 10)


class RouterPath(Path):
    def __init__(self, target_bps: int) -> None:
        super().__init__(WIDE, WIDE)
        self.estimator.target_bps = target_bps
        self.sender = RouterSender(self.clock, self.estimator, self.forward, self.backward)

    def times(self) -> list[int]:
        return [at for _, _, at, _ in self.estimator.sent]


def test_a_frame_leaves_at_once_where_there_is_room():
    path = RouterPath(14_000_000)
    for _ in range(6):
        path.sender.send(1250)
    path.run(1)
    assert path.times() == [0] * 6


def test_a_burst_leaves_in_slices_and_audio_between_them():
    path = RouterPath(3_333_334)
    for _ in range(20):
        path.sender.send(1250)  # 2 ms
    path.clock.call_at(100, path.sender.send_now, 120)
    path.run(1)
    times = path.times()
    assert times[:5] == [0, 0, 0, 100, 5_000]
    assert list(path.sender.trace.sent_kind)[3] == AUDIO
    assert sorted(set(times) - {100}) == list(range(0, max(times) + 1, 5_000))
    assert 30_000 <= max(times) <= 36_000
    assert path.sender.queue_us == 0


def test_a_probe_takes_what_waits_and_pads_the_rest():
    path = RouterPath(666_667)
    for _ in range(4):
        path.sender.send(1250)
    path.estimator.probes.append(ProbeOrder(id=7, rate_bps=2_000_000, packets=5, bytes=6000))
    path.sender.step()
    path.run(1)
    assert [cluster for _, _, _, cluster in path.estimator.sent] == [0, 7, 7, 7, 7, 7]
    assert list(path.sender.trace.sent_kind).count(PADDING) == 2
    assert path.times()[1:4] == [0, 5_000, 10_000]
