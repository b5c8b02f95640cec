"""The beginning of a media path: numbers, pacing and probes around an estimator, and its deadlines.

Media waits in a queue that is emptied at the pacing rate, a packet at a time; audio does not wait. A probe is sent at
its own rate: what waits goes first, the rest is padding. The estimator is asked after each feedback, at its deadline,
and whenever the source of the media asks for it.
"""

from collections import deque
from collections.abc import Callable
from math import ceil

from mediarouter.congestion import Probe
from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.estimator import Estimator
from mediarouter.testing.sim.link import Link
from mediarouter.testing.sim.packet import AUDIO, MEDIA, PADDING, Packet
from mediarouter.testing.sim.receiver import Feedback, Receiver
from mediarouter.testing.sim.trace import Trace

BITS_US = 8_000_000
LEAST_PAUSE_US = 1000  # between two askings for a deadline that is past
PADDING_MIN_BYTES, PADDING_MAX_BYTES = 200, 1200


class Sender:
    """Sends by what an estimator says.

    Args:
        forward: the way of media.
        backward: the way of feedback.
        clock_offset_us: how much the receiver's clock is ahead.
        access_delay_us: a distance of this flow alone, in each direction.
        feedback: what the receiver gives: "twcc", or "ccfb" for RFC 8888, where media, audio and padding are a stream
            each.
    """

    def __init__(
        self,
        clock: Clock,
        estimator: Estimator,
        forward: Link,
        backward: Link,
        *,
        clock_offset_us: int = 0,
        access_delay_us: int = 0,
        feedback: Feedback = "twcc",
    ) -> None:
        self.clock = clock
        self.estimator = estimator
        self.trace = Trace()
        self.on_step: Callable[[], None] | None = None  # after the estimator was asked
        self._forward = forward
        self._access_delay_us = access_delay_us
        self._receiver = Receiver(
            clock,
            backward,
            self.trace,
            self._take,
            clock_offset_us=clock_offset_us,
            access_delay_us=access_delay_us,
            feedback=feedback,
        )
        self._by_stream = feedback == "ccfb"
        self._number = 0
        self._rtp_seqs = dict.fromkeys((MEDIA, AUDIO, PADDING), 0)
        self._queue: deque[int] = deque()
        self._queue_bytes = 0
        self._next_us = 0.0  # when the pacer may send again
        self._pump_us = -1  # when it will look; -1: nothing is to be sent
        self._deadline_us = -1
        self._probes: deque[Probe] = deque()
        self._probe_packets = self._probe_bytes = 0

    @property
    def queue_us(self) -> int:
        """How long the media that waits will take to go."""
        return self._queue_bytes * BITS_US // max(self.estimator.pacing_bps, 1)

    def send(self, size: int) -> None:
        """A packet of media, when its turn comes."""
        self._queue.append(size)
        self._queue_bytes += size
        if self._pump_us < 0:
            self._pump_at(max(ceil(self._next_us), self.clock.now_us))

    def send_now(self, size: int) -> None:
        """A packet of audio."""
        self._transmit(size, AUDIO, 0)

    def limit(self, bps: int) -> None:
        """Have the receiver say, by REMB, that it wants no more than this."""
        self._receiver.limit(bps)

    def step(self, _: object = None) -> None:
        """Ask the estimator what is due."""
        now_us = self.clock.now_us
        deadline_us = self.estimator.poll(now_us)
        while (probe := self.estimator.poll_probe(now_us)) is not None:
            self._probes.append(probe)
            if len(self._probes) == 1:
                self._next_us = float(now_us)
                self._pump_at(now_us)
        self.trace.note_target(now_us, self.estimator.target_bps)
        if deadline_us is not None:
            deadline_us = max(deadline_us, now_us + LEAST_PAUSE_US)
            if not now_us < self._deadline_us <= deadline_us:
                self._deadline_us = deadline_us
                self.clock.call_at(deadline_us, self._at_deadline, deadline_us)
        if self.on_step is not None:
            self.on_step()

    def _at_deadline(self, deadline_us: int) -> None:
        if deadline_us == self._deadline_us:
            self.step()

    def _take(self, rtcp: bytes) -> None:
        self.estimator.on_feedback(rtcp, self.clock.now_us)
        self.step()

    def _pump_at(self, time_us: int) -> None:
        if time_us != self._pump_us:
            self._pump_us = time_us
            self.clock.call_at(time_us, self._pump, time_us)

    def _pump(self, time_us: int) -> None:
        if time_us != self._pump_us:
            return  # asked for again, for another time
        self._pump_us = -1
        if self._probes:
            self._next(time_us, *self._send_of_probe(self._probes[0]))
        elif self._queue:
            self._pump_media(time_us)
        if self._probes:
            self._pump_at(max(ceil(self._next_us), time_us))
        elif self._queue:
            self._pump_at(self._media_due_us(time_us))

    def _next(self, time_us: int, size: int, rate_bps: int) -> None:
        from_us = self._next_us if time_us - self._next_us < 1 else time_us  # the fraction counts, a pause does not
        self._next_us = from_us + size * BITS_US / max(rate_bps, 1)

    def _pump_media(self, time_us: int) -> None:
        self._next(time_us, self._send_waiting(0), self.estimator.pacing_bps)

    def _media_due_us(self, time_us: int) -> int:
        return max(ceil(self._next_us), time_us)

    def _send_waiting(self, cluster: int) -> int:
        size = self._queue.popleft()
        self._queue_bytes -= size
        self._transmit(size, MEDIA, cluster)
        return size

    def _send_of_probe(self, probe: Probe) -> tuple[int, int]:
        if self._queue:
            size = self._send_waiting(probe.id)
        else:
            size = min(max(ceil(probe.bytes / max(probe.packets, 1)), PADDING_MIN_BYTES), PADDING_MAX_BYTES)
            self._transmit(size, PADDING, probe.id)
        self._probe_packets += 1
        self._probe_bytes += size
        if self._probe_packets >= probe.packets and self._probe_bytes >= probe.bytes:
            self._probes.popleft()
            self._probe_packets = self._probe_bytes = 0
        return size, probe.rate_bps

    def _transmit(self, size: int, kind: int, cluster: int) -> None:
        now_us = self.clock.now_us
        number = self._number
        self._number += 1
        name = self._announce(number, size, kind, cluster)
        trace = self.trace
        trace.sent_at_us.append(now_us)
        trace.sent_bytes.append(size)
        trace.sent_kind.append(kind)
        packet: Packet = (self._receiver, size, number, now_us, name)
        if self._access_delay_us:
            self.clock.call_at(now_us + self._access_delay_us, self._forward.send, packet)
        else:
            self._forward.send(packet)

    def _announce(self, number: int, size: int, kind: int, cluster: int) -> tuple[int, int] | None:
        # what the receiver knows the packet by, if not by its transport-wide number
        now_us = self.clock.now_us
        if not self._by_stream:
            self.estimator.on_packet_sent(number & 0xFFFF, size, now_us, cluster)
            return None
        rtp_seq = self._rtp_seqs[kind] & 0xFFFF
        self._rtp_seqs[kind] += 1
        self.estimator.on_packet_sent(number & 0xFFFF, size, now_us, cluster, ssrc=kind, rtp_seq=rtp_seq)
        return kind, rtp_seq
