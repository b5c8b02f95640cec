"""A way through the network in one direction: a bottleneck with its queue, then a distance.

A packet waits in the queue, is sent at the rate of the moment, may be lost behind the bottleneck (so it has taken
capacity), and arrives after the delay and some jitter. Packets keep their order but for those chosen to be overtaken.
"""

from array import array
from dataclasses import dataclass, field
from math import ceil
from random import Random

from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.loss import Die, LossModel
from mediarouter.testing.sim.packet import Packet
from mediarouter.testing.sim.queues import DropTail, QueuePlan
from mediarouter.testing.sim.schedule import FOREVER_US, SECOND_US, Schedule, always

OPEN_BPS = 1_000_000_000  # a link that is nobody's bottleneck


@dataclass(frozen=True)
class LinkPlan:
    """A link as a scenario describes it.

    Args:
        rate_bps: of the bottleneck; 0 while it is closed.
        delay_ms: the distance, without queue and without the time that sending takes.
        jitter_ms: each packet arrives up to this much earlier or later, all values being as likely.
        queue: in front of the bottleneck.
        loss: behind the bottleneck; None: nothing is lost there.
        reordered: share of packets that are overtaken, 0..1.
        reorder_ms: by how much those are late.
        duplicated: share of packets that arrive twice, 0..1.
    """

    rate_bps: Schedule[int] = field(default_factory=lambda: always(OPEN_BPS))
    delay_ms: Schedule[float] = field(default_factory=lambda: always(0.0))
    jitter_ms: float = 0.0
    queue: QueuePlan = DropTail()
    loss: Schedule[LossModel | None] = field(default_factory=lambda: always(None))
    reordered: float = 0.0
    reorder_ms: float = 10.0
    duplicated: float = 0.0


class Link:
    """A link at work.

    `offered`, `delivered`, `dropped` (by the queue), `lost` (behind it) and `duplicated` count packets; `in_flight` are
    those between. `waits` has, for each packet that left the queue, when it left and how long it had waited.
    """

    def __init__(self, clock: Clock, plan: LinkPlan, random: Random) -> None:
        self.plan = plan
        self.offered = self.delivered = self.dropped = self.lost = self.duplicated = self.in_flight = 0
        self.wait_at_us = array("q")
        self.waits_us = array("q")
        self._clock = clock
        self._queue = plan.queue.make(self._drop)
        self._random = random
        self._delay_us = plan.delay_ms.at(0) * 1000
        self._jitter_us = plan.jitter_ms * 1000
        moves = len(plan.delay_ms.values) > 1
        self._plain = not (moves or plan.jitter_ms or plan.reordered or plan.duplicated)
        self._die: Die | None = None
        self._loss_until_us = -1
        self._rate_bps = 0
        self._rate_until_us = 0
        self._busy_until_us = 0.0  # a fraction of a microsecond lost at each packet would add up
        self._waking = False
        self._last_arrival_us = 0

    def send(self, packet: Packet) -> None:
        """A packet comes to the bottleneck, now."""
        now_us = self._clock.now_us
        self.offered += 1
        self.in_flight += 1
        if self._busy_until_us <= now_us and not self._waking:
            self._serve(packet, now_us)
            return
        if not self._queue.offer(packet, now_us, self.plan.rate_bps.at(now_us)):
            self._drop(packet)
        elif not self._waking:
            self._waking = True
            self._clock.call_at(max(ceil(self._busy_until_us), now_us), self._wake)

    @property
    def waiting_bytes(self) -> int:
        """In the queue."""
        return self._queue.waiting_bytes

    def _drop(self, packet: Packet) -> None:
        self.dropped += 1
        self.in_flight -= 1
        packet[0].lose(packet)

    def _wake(self, _: None) -> None:
        now_us = self._clock.now_us
        self._waking = False
        entry = self._queue.take(now_us)
        if entry is None:
            return
        self._serve(*entry)
        if len(self._queue):
            self._waking = True
            self._clock.call_at(max(ceil(self._busy_until_us), now_us), self._wake)

    def _serve(self, packet: Packet, arrived_us: int) -> None:
        start_us = max(self._busy_until_us, arrived_us)
        self.wait_at_us.append(self._clock.now_us)
        self.waits_us.append(int(start_us - arrived_us))
        self._busy_until_us = done_us = self._finish_us(start_us, packet[1] * 8)
        if done_us >= FOREVER_US:
            return
        if self._is_lost():
            self.lost += 1
            self.in_flight -= 1
            packet[0].lose(packet)
            return
        if self._plain:
            self._clock.call_at(round(done_us + self._delay_us), self._deliver, packet)
        else:
            self._vary(packet, done_us)

    def _finish_us(self, at_us: float, bits: float) -> float:
        """When so many bits that begin now are through; the rate may change on the way."""
        while True:
            if at_us >= self._rate_until_us:
                self._rate_bps = self.plan.rate_bps.at(int(at_us))
                self._rate_until_us = self.plan.rate_bps.until_us(int(at_us))
            end_us = at_us + bits * SECOND_US / self._rate_bps if self._rate_bps else float(FOREVER_US)
            if end_us <= self._rate_until_us or self._rate_until_us == FOREVER_US:
                return end_us
            bits -= (self._rate_until_us - at_us) * self._rate_bps / SECOND_US
            at_us = float(self._rate_until_us)

    def _is_lost(self) -> bool:
        now_us = self._clock.now_us
        if now_us >= self._loss_until_us:
            model = self.plan.loss.at(now_us)
            self._loss_until_us = self.plan.loss.until_us(now_us)
            self._die = model.die(self._random) if model else None
        return self._die is not None and self._die()

    def _vary(self, packet: Packet, done_us: float) -> None:
        throw = self._random.random
        self._delay_us = self.plan.delay_ms.at(self._clock.now_us) * 1000
        arrival_us = round(done_us + max(self._delay_us + self._jitter_us * (2 * throw() - 1), 0))
        if self.plan.reordered and throw() < self.plan.reordered:
            self._clock.call_at(arrival_us + round(self.plan.reorder_ms * 1000), self._deliver, packet)
            return
        self._last_arrival_us = arrival_us = max(arrival_us, self._last_arrival_us)
        self._clock.call_at(arrival_us, self._deliver, packet)
        if self.plan.duplicated and throw() < self.plan.duplicated:
            self.duplicated += 1
            self.in_flight += 1
            self._clock.call_at(arrival_us, self._deliver, packet)

    def _deliver(self, packet: Packet) -> None:
        self.delivered += 1
        self.in_flight -= 1
        packet[0].receive(packet)
