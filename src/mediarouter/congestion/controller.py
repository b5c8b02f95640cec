"""What a congestion controller is, so that another one can take the estimator's place.

A controller is sans-IO: whoever sends tells it of each packet, brings feedback and time, and reads what may be sent.
`SendSideEstimator` is one. Others are written in Python against `Controller`, judged in the simulator
(`mediarouter bench congestion --estimator my_module:MyController`), and used by services that bring a transport of
their own.
"""

from abc import ABC, abstractmethod

from typing_extensions import Buffer

from mediarouter.congestion._estimator import Probe, SendSideEstimator

PACING_NUMERATOR, PACING_DENOMINATOR = 5, 2  # bursts may leave so many times as fast as the target


class Controller(ABC):
    """Decides how much may be sent to one receiver.

    Times are microseconds of one clock that never goes back; rates are bit/s of all that the network carries: IP, UDP,
    SRTP. After each call the target may have changed. Three members are a must; the others mean here: no deadlines, no
    probes, nothing measured.

    Args:
        start_bps: the target until the network has told.
        min_bps, max_bps: what `target_bps` may be, always.
        now_us: when this begins.
    """

    @abstractmethod
    def __init__(self, start_bps: int, min_bps: int, max_bps: int, now_us: int = 0) -> None: ...

    @abstractmethod
    def on_feedback(self, rtcp: Buffer, now_us: int) -> int:
        """RTCP came, compound or not: transport-wide reports, REMB, or what says nothing here.

        It comes from the network: whatever it is, nothing may be raised, and `target_bps` stays within its limits.

        Returns:
            How many packets it told of.
        """

    @property
    @abstractmethod
    def target_bps(self) -> int:
        """What may be sent."""

    def on_packet_sent(
        self, seq: int, size: int, now_us: int, probe_cluster: int = 0, *, ssrc: int | None = None, rtp_seq: int = 0
    ) -> None:
        """A packet leaves.

        Args:
            seq: its transport-wide number, ascending; the low 16 bits count.
            size: bytes that the network carries for it, 1..65535.
            probe_cluster: the id of the probe that it is part of, 0: of none.
            ssrc, rtp_seq: by which a receiver names it that reports by RFC 8888; None: it does not.
        """
        return None

    def set_demand(self, bps: int, in_use_bps: int) -> None:
        """What whoever sends could use next, and what it uses."""
        return None

    def poll(self, now_us: int) -> int | None:
        """Do what is due; when to call again, or None: when something has happened."""
        return None

    def poll_probe(self, now_us: int) -> Probe | None:
        """A probe to send now, or None. Called until None."""
        return None

    @property
    def budget_bps(self) -> int:
        """What to share out among layers: the target, or less while a queue is to be emptied."""
        return self.target_bps

    @property
    def pacing_bps(self) -> int:
        """How fast bursts may leave."""
        return self.target_bps * PACING_NUMERATOR // PACING_DENOMINATOR

    @property
    def rtt_us(self) -> int | None:
        """Round trip of the network; None: not known."""
        return None

    @property
    def acked_bps(self) -> int | None:
        """What arrived lately; None: not known."""
        return None


Controller.register(SendSideEstimator)
