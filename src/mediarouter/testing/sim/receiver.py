"""The end of a media path: it records what arrives by the real recorder, and owes feedback in real bytes."""

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from mediarouter.congestion import TwccRecorder
from mediarouter.congestion._ccfb import CcfbRecorder
from mediarouter.rtcp import Remb
from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.link import Link
from mediarouter.testing.sim.packet import OVERHEAD_BYTES, Packet
from mediarouter.testing.sim.trace import Trace

Feedback: TypeAlias = Literal["twcc", "ccfb"]  # transport-wide, or RFC 8888


class Recorder(Protocol):
    """Whatever owes feedback for packets that came."""

    def poll_timeout(self) -> int | None: ...
    def poll_feedback(self, now_us: int) -> bytes | None: ...


class Receiver:
    """Takes media in, sends feedback back.

    Args:
        backward: the way that feedback goes.
        take: called with the bytes of RTCP when they arrive at the sender.
        clock_offset_us: how much the receiver's clock is ahead of the sender's; may be negative.
        access_delay_us: a distance of this flow alone, behind the link that it shares.
        feedback: what it gives: "twcc", or "ccfb" for RFC 8888.
    """

    def __init__(
        self,
        clock: Clock,
        backward: Link,
        trace: Trace,
        take: Callable[[bytes], None],
        *,
        clock_offset_us: int = 0,
        access_delay_us: int = 0,
        feedback: Feedback = "twcc",
    ) -> None:
        self._clock = clock
        self._backward = backward
        self._trace = trace
        self._transport_wide = TwccRecorder()
        self._by_stream = CcfbRecorder()
        self._recorder: Recorder = self._transport_wide if feedback == "twcc" else self._by_stream
        self._offset_us = clock_offset_us
        self._desk = _Desk(clock, take, access_delay_us)
        self._waiting = False

    def receive(self, packet: Packet) -> None:
        now_us = self._clock.now_us
        trace = self._trace
        trace.received_at_us.append(now_us)
        trace.received_bytes.append(packet[1])
        trace.transit_us.append(now_us - packet[3])
        if packet[4] is None:
            self._transport_wide.on_packet(packet[2] & 0xFFFF, now_us + self._offset_us)
        else:
            ssrc, rtp_seq = packet[4]
            self._by_stream.on_packet(ssrc, rtp_seq, now_us + self._offset_us, packet[1])
        if not self._waiting:
            self._wait()

    def lose(self, packet: Packet) -> None:
        self._trace.lost_at_us.append(self._clock.now_us)

    def limit(self, bps: int) -> None:
        """Send REMB: no more than this, please."""
        remb = bytes(Remb(0, bps))
        self._backward.send((self._desk, len(remb) + OVERHEAD_BYTES, 0, self._clock.now_us, remb))

    def _wait(self) -> None:
        due_us = self._recorder.poll_timeout()
        self._waiting = due_us is not None
        if due_us is not None:
            self._clock.call_at(max(due_us - self._offset_us, self._clock.now_us), self._report)

    def _report(self, _: None) -> None:
        now_us = self._clock.now_us
        while (data := self._recorder.poll_feedback(now_us + self._offset_us)) is not None:
            self._backward.send((self._desk, len(data) + OVERHEAD_BYTES, 0, now_us, data))
        self._wait()


class _Desk:
    """Where the sender takes feedback in."""

    def __init__(self, clock: Clock, take: Callable[[bytes], None], access_delay_us: int) -> None:
        self._clock = clock
        self._take = take
        self._access_delay_us = access_delay_us

    def receive(self, packet: Packet) -> None:
        if self._access_delay_us:
            self._clock.call_at(self._clock.now_us + self._access_delay_us, self._take, packet[4])
        else:
            self._take(packet[4])

    def lose(self, packet: Packet) -> None:
        """Feedback that is lost is nobody's loss of media."""
