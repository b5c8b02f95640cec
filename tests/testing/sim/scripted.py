"""An estimator that does what a test says, and remembers what it is told."""

from mediarouter.congestion import Probe
from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.link import Link, LinkPlan
from mediarouter.testing.sim.sender import Sender


class Scripted:
    """Target, pacing, probes and deadlines are attributes."""

    def __init__(self, target_bps: int = 500_000, pacing_bps: int = 1_250_000) -> None:
        self.target_bps, self.pacing_bps = target_bps, pacing_bps
        self.sent: list[tuple[int, int, int, int]] = []  # number, size, time, cluster
        self.feedback: list[tuple[int, bytes]] = []
        self.demands: list[tuple[int, int]] = []
        self.polls: list[int] = []
        self.probes: list[Probe] = []
        self.deadline_us: int | None = None

    @property
    def budget_bps(self) -> int:
        return self.target_bps

    def on_packet_sent(self, seq: int, size: int, now_us: int, probe_cluster: int = 0) -> None:
        self.sent.append((seq, size, now_us, probe_cluster))

    def on_feedback(self, rtcp: bytes, now_us: int) -> None:
        self.feedback.append((now_us, rtcp))

    def set_demand(self, bps: int, in_use_bps: int) -> None:
        if not self.demands or self.demands[-1] != (bps, in_use_bps):
            self.demands.append((bps, in_use_bps))

    def poll(self, now_us: int) -> int | None:
        self.polls.append(now_us)
        return self.deadline_us

    def poll_probe(self, now_us: int) -> Probe | None:
        return self.probes.pop(0) if self.probes else None


class Path:
    """A clock, two links, and a sender with a scripted estimator."""

    def __init__(self, forward: LinkPlan, backward: LinkPlan, estimator: Scripted | None = None, **more: int) -> None:
        from random import Random

        self.clock = Clock()
        self.estimator = estimator or Scripted()
        self.forward = Link(self.clock, forward, Random(1))
        self.backward = Link(self.clock, backward, Random(2))
        self.sender = Sender(self.clock, self.estimator, self.forward, self.backward, **more)

    def run(self, seconds: float) -> None:
        self.clock.run_until(round(seconds * 1_000_000))
