"""An encoder that does what the estimate says: the elastic source of RFC 8867's test cases."""

from dataclasses import dataclass, field
from random import Random

from mediarouter.testing.sim.packet import OVERHEAD_BYTES
from mediarouter.testing.sim.schedule import SECOND_US, Schedule, always
from mediarouter.testing.sim.sender import Sender

SKIP_US = 250_000  # a frame is left out while more than this waits
MAX_PACKET_BYTES = 1200
NO_LIMIT_BPS = 1_000_000_000


@dataclass(frozen=True)
class EncoderPlan:
    """An elastic flow of video as a scenario describes it.

    Args:
        start_bps: what the estimator begins with.
        min_bps: the estimator's least, and the encoder's.
        max_bps: the encoder's most; the estimator is told of it as demand.
        limit_bps: the estimator's most.
        fps: frames a second.
        noise: by how much frames differ in size (standard deviation, as a share of the mean).
        begins_s: when the flow begins.
        ends_s: when it ends.
        media: False while the encoder gives nothing; probes may go all the same.
        clock_offset_s: how much the receiver's clock is ahead of the sender's.
        access_delay_ms: a distance of this flow alone, in each direction.
        backwards: media goes over the backward link, its feedback over the forward link.
        receiver_limit_bps: what the receiver allows by REMB, told when it changes and each second; 0: no limit.
    """

    start_bps: int = 300_000
    min_bps: int = 30_000
    max_bps: Schedule[int] = field(default_factory=lambda: always(20_000_000))
    limit_bps: int = 20_000_000
    fps: float = 30.0
    noise: float = 0.1
    begins_s: float = 0.0
    ends_s: float = float("inf")
    media: Schedule[bool] = field(default_factory=lambda: always(True))
    clock_offset_s: float = 0.0
    access_delay_ms: float = 0.0
    backwards: bool = False
    receiver_limit_bps: Schedule[int] = field(default_factory=lambda: always(0))


class Encoder:
    """The flow at work: a frame each 1 / `fps` seconds, as large as the estimate and what is owed allow."""

    def __init__(self, plan: EncoderPlan, sender: Sender, random: Random) -> None:
        self._plan = plan
        self._sender = sender
        self._random = random
        self._frames = 0
        self._owed_bytes = 0.0
        self._begins_us = sender.clock.now_us
        self._ends_us = plan.ends_s * SECOND_US
        sender.step()
        self._limit_receiver()
        self._frame(None)

    def _limit_receiver(self, _: object = None) -> None:
        limits, now_us = self._plan.receiver_limit_bps, self._sender.clock.now_us
        if any(limits.values):
            self._sender.limit(limits.at(now_us) or NO_LIMIT_BPS)
            next_us = min(now_us + SECOND_US, limits.until_us(now_us))
            self._sender.clock.call_at(next_us, self._limit_receiver)

    def _frame(self, _: None) -> None:
        plan, sender = self._plan, self._sender
        now_us = sender.clock.now_us
        if now_us >= self._ends_us:
            return
        most_bps = plan.max_bps.at(now_us)
        rate_bps = min(max(sender.estimator.target_bps, plan.min_bps), most_bps)
        is_on = plan.media.at(now_us)
        sender.estimator.set_demand(most_bps, rate_bps if is_on else 0)
        sender.step()
        if is_on and sender.queue_us <= SKIP_US:
            self._encode(rate_bps)
        self._frames += 1
        sender.clock.call_at(self._begins_us + round(self._frames * SECOND_US / plan.fps), self._frame)

    def _encode(self, rate_bps: int) -> None:
        mean_bytes = rate_bps / 8 / self._plan.fps
        self._owed_bytes = min(self._owed_bytes + mean_bytes, 2 * mean_bytes)
        size = int(self._owed_bytes * max(1 + self._plan.noise * self._random.gauss(0, 1), 0.2))
        self._owed_bytes -= size
        for packet in split(size):
            self._sender.send(packet)


def split(frame_bytes: int) -> list[int]:
    """Packets of about the same size, none of them larger than 1,200 bytes or so small that it is headers alone."""
    count = max(-(-frame_bytes // MAX_PACKET_BYTES), 1)
    if frame_bytes < OVERHEAD_BYTES:
        return []
    return [frame_bytes * (i + 1) // count - frame_bytes * i // count for i in range(count)]
