"""Cross traffic that nothing impresses: a constant stream, a burst."""

from dataclasses import dataclass

from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.link import Link
from mediarouter.testing.sim.packet import Packet
from mediarouter.testing.sim.schedule import SECOND_US
from mediarouter.testing.sim.trace import Trace

BITS_US = 8_000_000


@dataclass(frozen=True)
class StreamPlan:
    """Packets at a constant rate.

    Args:
        rate_bps: of them.
        begins_s: when the first one comes.
        ends_s: when no more come.
        packet_bytes: of each.
    """

    rate_bps: int
    begins_s: float = 0.0
    ends_s: float = float("inf")
    packet_bytes: int = 1200


@dataclass(frozen=True)
class BurstPlan:
    """So many bytes at once.

    Args:
        total_bytes: of all packets.
        begins_s: when they come.
        packet_bytes: of each.
    """

    total_bytes: int
    begins_s: float = 0.0
    packet_bytes: int = 1200


class Unresponsive:
    """Either of them at work. `trace` has what was sent, received and lost."""

    def __init__(self, clock: Clock, plan: StreamPlan | BurstPlan, forward: Link) -> None:
        self.trace = Trace()
        self._clock = clock
        self._forward = forward
        self._size = plan.packet_bytes
        self._begins_us = clock.now_us
        self._sent = 0
        if isinstance(plan, BurstPlan):
            for _ in range(plan.total_bytes // plan.packet_bytes):
                self._send()
            return
        self._rate_bps = plan.rate_bps
        self._ends_us = plan.ends_s * SECOND_US
        self._stream(None)

    def _stream(self, _: None) -> None:
        if self._clock.now_us < self._ends_us:
            self._send()
            next_us = self._begins_us + round(self._sent * self._size * BITS_US / self._rate_bps)
            self._clock.call_at(next_us, self._stream)

    def _send(self) -> None:
        now_us = self._clock.now_us
        self.trace.sent_at_us.append(now_us)
        self.trace.sent_bytes.append(self._size)
        self.trace.sent_kind.append(0)
        self._forward.send((self, self._size, self._sent, now_us, None))
        self._sent += 1

    def receive(self, packet: Packet) -> None:
        """A packet arrived."""
        self.trace.received_at_us.append(self._clock.now_us)
        self.trace.received_bytes.append(packet[1])
        self.trace.transit_us.append(self._clock.now_us - packet[3])

    def lose(self, packet: Packet) -> None:
        """A packet is lost."""
        self.trace.lost_at_us.append(self._clock.now_us)
