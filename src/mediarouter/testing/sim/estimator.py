"""What the simulator judges: an estimator of the send side, by its shape; and two plain ones to test it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from mediarouter import congestion
from mediarouter._transport_feedback import from_bytes
from mediarouter.rtcp import Ccfb, parse

TRANSPORT_FEEDBACK = 205  # RFC 4585 section 6.1


class Probe(Protocol):
    """A short burst that is to show whether the network carries a rate: so much at least, at that rate."""

    @property
    def id(self) -> int: ...
    @property
    def rate_bps(self) -> int: ...
    @property
    def packets(self) -> int: ...
    @property
    def bytes(self) -> int: ...


class Estimator(Protocol):
    """An estimator of the send side. Times are in microseconds of one clock, rates in bits per second."""

    @property
    def target_bps(self) -> int: ...
    @property
    def pacing_bps(self) -> int: ...

    def on_packet_sent(
        self, seq: int, size: int, now_us: int, probe_cluster: int = 0, *, ssrc: int | None = None, rtp_seq: int = 0
    ) -> None:
        """A packet leaves with this transport-wide number (16 bits); `size` is what the network carries for it. A
        receiver that reports by RFC 8888 names it by SSRC and RTP sequence number."""

    def on_feedback(self, rtcp: bytes, now_us: int) -> object:
        """RTCP came: transport-wide feedback, that of RFC 8888, or REMB."""

    def set_demand(self, bps: int, in_use_bps: int) -> None:
        """What whoever sends could use, and what it uses."""

    def poll(self, now_us: int) -> int | None:
        """Do what is due; when to call again."""

    def poll_probe(self, now_us: int) -> Probe | None:
        """A probe to send now."""


# start, least and most bits per second, and what time it is
MakeEstimator: TypeAlias = Callable[[int, int, int, int], Estimator]


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """A probe of an estimator that is written in Python."""

    id: int
    rate_bps: int
    packets: int
    bytes: int


class FixedRate:
    """Estimates the same for ever.

    Args:
        target_bps: that.
        pacing: how many times as fast packets may leave.
    """

    def __init__(self, target_bps: int, pacing: float = 2.5) -> None:
        self.target_bps = target_bps
        self.pacing_bps = round(target_bps * pacing)

    def on_packet_sent(
        self, seq: int, size: int, now_us: int, probe_cluster: int = 0, *, ssrc: int | None = None, rtp_seq: int = 0
    ) -> None: ...
    def on_feedback(self, rtcp: bytes, now_us: int) -> None: ...
    def set_demand(self, bps: int, in_use_bps: int) -> None: ...
    def poll(self, now_us: int) -> int | None:
        return None

    def poll_probe(self, now_us: int) -> Probe | None:
        return None


class LossAimd:
    """Grows by a twelfth a second, and falls by three tenths where a report tells of losses: no more than a stand-in.

    It knows nothing of delay, so it fills each queue before it yields. Estimators are held against the network, not
    against this.
    """

    GROWTH_A_SECOND = 1 / 12
    KEPT_AT_LOSS = 0.7
    PATIENCE_US = 300_000  # after a fall, until what it did can be seen

    def __init__(self, start_bps: int, min_bps: int, max_bps: int, now_us: int = 0) -> None:
        self._target = float(start_bps)
        self._min_bps, self._max_bps = min_bps, max_bps
        self._grown_us = now_us
        self._fell_us = -self.PATIENCE_US

    @property
    def target_bps(self) -> int:
        return int(self._target)

    @property
    def pacing_bps(self) -> int:
        return int(self._target * 2.5)

    def on_packet_sent(
        self, seq: int, size: int, now_us: int, probe_cluster: int = 0, *, ssrc: int | None = None, rtp_seq: int = 0
    ) -> None: ...

    def on_feedback(self, rtcp: bytes, now_us: int) -> None:
        if rtcp[1] != TRANSPORT_FEEDBACK:
            return
        (report,) = parse(rtcp)
        if isinstance(report, Ccfb):
            lost = any(arrival is None for stream in report.streams for arrival in stream.arrivals)
        else:
            lost = any(arrival is None for _, arrival in from_bytes(rtcp).arrivals)
        elapsed_us, self._grown_us = now_us - self._grown_us, now_us
        if not lost:
            self._target *= 1 + self.GROWTH_A_SECOND * min(elapsed_us, 1_000_000) / 1_000_000
        elif now_us - self._fell_us >= self.PATIENCE_US:
            self._fell_us = now_us
            self._target *= self.KEPT_AT_LOSS
        self._target = min(max(self._target, self._min_bps), self._max_bps)

    def set_demand(self, bps: int, in_use_bps: int) -> None: ...
    def poll(self, now_us: int) -> int | None:
        return None

    def poll_probe(self, now_us: int) -> Probe | None:
        return None


def known_estimators() -> dict[str, MakeEstimator]:
    """What can be judged, by name; the first is what is judged by default."""
    known: dict[str, MakeEstimator] = {}
    ours = getattr(congestion, "SendSideEstimator", None)
    if ours is not None:
        known["send-side"] = lambda start, least, most, now_us: ours(
            start_bps=start, min_bps=least, max_bps=most, now_us=now_us
        )
    known["loss-aimd"] = LossAimd
    known["fixed"] = lambda start, least, most, now_us: FixedRate(start)
    return known
