"""Ends of links that remember."""

from random import Random

from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.link import Link, LinkPlan
from mediarouter.testing.sim.packet import Packet
from mediarouter.testing.sim.queues import DropTail, QueuePlan
from mediarouter.testing.sim.schedule import Schedule, always

ENDLESS = DropTail(limit_ms=None)


class Sink:
    """Remembers (number, time) of what arrived, and numbers of what did not."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.arrived: list[tuple[int, int]] = []
        self.gone: list[int] = []

    def receive(self, packet: Packet) -> None:
        self.arrived.append((packet[2], self.clock.now_us))

    def lose(self, packet: Packet) -> None:
        self.gone.append(packet[2])


class Bench:
    """A link, a clock, and a sink."""

    def __init__(self, plan: LinkPlan, seed: int = 1) -> None:
        self.clock = Clock()
        self.link = Link(self.clock, plan, Random(seed))
        self.sink = Sink(self.clock)
        self.sent = 0

    def send_at(self, time_us: int, size: int = 1000) -> None:
        self.clock.call_at(time_us, self.link.send, (self.sink, size, self.sent, time_us, None))
        self.sent += 1

    def run(self, seconds: float) -> None:
        self.clock.run_until(round(seconds * 1_000_000))

    @property
    def arrival_us(self) -> list[int]:
        return [at for _, at in self.sink.arrived]


def link(rate_bps: int, delay_ms: float = 0.0, queue: QueuePlan = ENDLESS, **more: object) -> LinkPlan:
    """A plan with a constant rate and delay."""
    return LinkPlan(always(rate_bps), always(delay_ms), queue=queue, **more)  # type: ignore[arg-type]


def changing(*rates: tuple[float, int], queue: QueuePlan = ENDLESS) -> LinkPlan:
    """A plan with a rate that changes."""
    return LinkPlan(Schedule(*rates), queue=queue)
