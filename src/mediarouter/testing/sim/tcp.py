"""TCP as cross traffic: windows that grow by what is acknowledged and shrink by what is lost, Reno's and Cubic's.

Each packet is acknowledged by itself, and counts as lost when one that was sent three later has arrived (as with
selective acknowledgements, RFC 6675, and as RFC 9002 section 6.1.1 words it). Without an acknowledgement for the time
of RFC 6298 everything outstanding counts as lost.
"""

from dataclasses import dataclass
from math import ceil
from random import Random

from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.link import Link
from mediarouter.testing.sim.packet import Packet
from mediarouter.testing.sim.schedule import SECOND_US
from mediarouter.testing.sim.trace import Trace
from mediarouter.testing.sim.windows import Window, make_window

SEGMENT_BYTES, ACK_BYTES = 1500, 40
REORDERING = 3  # packets sent later that must have arrived
RTO_MIN_US, RTO_FIRST_US, RTO_MAX_US = 200_000, 1_000_000, 60_000_000


@dataclass(frozen=True)
class TcpPlan:
    """A connection as a scenario describes it.

    Args:
        algorithm: "reno" (RFC 5681) or "cubic" (RFC 9438).
        begins_s: when it begins.
        ends_s: when it ends.
        transfer_bytes: least and most of a transfer; None: one that never ends.
        pause_s: mean of the pause between two transfers, exponentially distributed.
        access_delay_ms: a distance of this connection alone, in each direction.
    """

    algorithm: str = "reno"
    begins_s: float = 0.0
    ends_s: float = float("inf")
    transfer_bytes: tuple[int, int] | None = None
    pause_s: float = 10.0
    access_delay_ms: float = 0.0


class Tcp:
    """The sending end at work. `trace` has what was sent, received and lost."""

    def __init__(self, clock: Clock, plan: TcpPlan, forward: Link, backward: Link, random: Random) -> None:
        self.trace = Trace()
        self.finished = 0  # transfers
        self._clock = clock
        self._plan = plan
        self._forward = forward
        self._access_us = round(plan.access_delay_ms * 1000)
        self._random = random
        self._peer = _Peer(clock, self, backward, self._access_us)
        self._order = 0  # packets ever sent
        self._outstanding: dict[int, int] = {}  # when sent, by order
        self._recovery_end = 0  # losses of packets sent before belong to the last cut
        self._smoothed_us = self._variation_us = 0.0
        self._rto_us = float(RTO_FIRST_US)
        self._timer_us = -1
        self._begin(None)

    @property
    def window(self) -> float:
        """Packets that may be outstanding."""
        return self._window.packets

    def receive(self, packet: Packet) -> None:
        """An acknowledgement of the packet with this order."""
        now_us = self._clock.now_us
        sent_us = self._outstanding.pop(packet[2], None)
        if sent_us is None:
            return
        self._measure(now_us - sent_us)
        self._left_to_ack -= 1
        if packet[2] >= self._recovery_end:
            self._window.on_ack(now_us, self._smoothed_us)
        self._find_losses(packet[2], now_us)
        self._arm(now_us + ceil(self._rto_us))
        if self._left_to_ack <= 0:
            self._finish()
        self._fill()

    def lose(self, packet: Packet) -> None:
        """An acknowledgement is lost; the packets behind it tell."""

    def _begin(self, _: None) -> None:
        self._window: Window = make_window(self._plan.algorithm)
        self._left_to_send = self._left_to_ack = self._transfer_packets()
        self._fill()

    def _transfer_packets(self) -> float:
        if self._plan.transfer_bytes is None:
            return float("inf")
        return ceil(self._random.uniform(*self._plan.transfer_bytes) / SEGMENT_BYTES)

    def _finish(self) -> None:
        self.finished += 1
        self._outstanding.clear()
        self._arm(-1)
        self._left_to_send = self._left_to_ack = 0
        pause_us = round(self._random.expovariate(1 / self._plan.pause_s) * SECOND_US)
        self._clock.call_at(self._clock.now_us + pause_us, self._begin)

    def _fill(self) -> None:
        now_us = self._clock.now_us
        if now_us >= self._plan.ends_s * SECOND_US:
            return
        while len(self._outstanding) < int(self._window.packets) and self._left_to_send > 0:
            self._left_to_send -= 1
            order, self._order = self._order, self._order + 1
            self._outstanding[order] = now_us
            self.trace.sent_at_us.append(now_us)
            self.trace.sent_bytes.append(SEGMENT_BYTES)
            self.trace.sent_kind.append(0)
            packet: Packet = (self._peer, SEGMENT_BYTES, order, now_us, None)
            if self._access_us:
                self._clock.call_at(now_us + self._access_us, self._forward.send, packet)
            else:
                self._forward.send(packet)
            if self._timer_us <= 0:
                self._arm(now_us + ceil(self._rto_us))

    def _find_losses(self, acked: int, now_us: int) -> None:
        while self._outstanding:
            order = next(iter(self._outstanding))
            if order > acked - REORDERING:
                return
            del self._outstanding[order]
            self._left_to_send += 1
            if order >= self._recovery_end:
                self._recovery_end = self._order
                self._window.on_loss(now_us)

    def _measure(self, rtt_us: int) -> None:
        # RFC 6298 section 2
        if self._smoothed_us == 0:
            self._smoothed_us, self._variation_us = float(rtt_us), rtt_us / 2
        else:
            self._variation_us += (abs(self._smoothed_us - rtt_us) - self._variation_us) / 4
            self._smoothed_us += (rtt_us - self._smoothed_us) / 8
        self._rto_us = max(self._smoothed_us + 4 * self._variation_us, RTO_MIN_US)

    def _arm(self, time_us: int) -> None:
        # one event waits at a time; when it comes too early it goes on waiting
        if time_us >= 0 > self._timer_us:
            self._clock.call_at(time_us, self._on_timer)
        elif time_us < 0 and self._timer_us >= 0:
            time_us = 0  # the event that waits finds nothing to do
        self._timer_us = time_us

    def _on_timer(self, _: None) -> None:
        now_us, due_us = self._clock.now_us, self._timer_us
        self._timer_us = -1
        if now_us < due_us:
            self._arm(due_us)
        elif self._outstanding:
            self._left_to_send += len(self._outstanding)
            self._outstanding.clear()
            self._recovery_end = self._order
            self._window.on_timeout()
            self._rto_us = min(self._rto_us * 2, RTO_MAX_US)
            self._fill()


class _Peer:
    """The receiving end: an acknowledgement for each packet."""

    def __init__(self, clock: Clock, tcp: Tcp, backward: Link, access_us: int) -> None:
        self._clock = clock
        self._tcp = tcp
        self._backward = backward
        self._access_us = access_us

    def receive(self, packet: Packet) -> None:
        now_us = self._clock.now_us
        trace = self._tcp.trace
        trace.received_at_us.append(now_us)
        trace.received_bytes.append(packet[1])
        trace.transit_us.append(now_us - packet[3])
        answer: Packet = (self._tcp, ACK_BYTES, packet[2], now_us, None)
        if self._access_us:
            self._clock.call_at(now_us + self._access_us, self._backward.send, answer)
        else:
            self._backward.send(answer)

    def lose(self, packet: Packet) -> None:
        self._tcp.trace.lost_at_us.append(self._clock.now_us)
