"""Congestion windows of TCP, in packets: Reno's (RFC 5681) and Cubic's (RFC 9438)."""

from typing import Protocol

FIRST_WINDOW = 10.0  # RFC 6928
LEAST_WINDOW = 2.0
RENO_KEEPS = 0.5
CUBIC_KEEPS, CUBIC_GROWTH = 0.7, 0.4  # RFC 9438 section 4.6 and 5


class Window(Protocol):
    """How many packets may be outstanding."""

    packets: float

    def on_ack(self, now_us: int, rtt_us: float) -> None:
        """A packet was acknowledged outside of a recovery."""

    def on_loss(self, now_us: int) -> None:
        """Something sent since the last cut was lost."""

    def on_timeout(self) -> None:
        """Nothing was acknowledged for too long."""


class Reno:
    """Doubles each round trip until the first loss, then one packet more each, half at each loss."""

    __slots__ = ("_threshold", "packets")

    def __init__(self) -> None:
        self.packets = FIRST_WINDOW
        self._threshold = float("inf")

    def on_ack(self, now_us: int, rtt_us: float) -> None:
        self.packets += 1 if self.packets < self._threshold else 1 / self.packets

    def on_loss(self, now_us: int) -> None:
        self.packets = self._threshold = max(self.packets * RENO_KEEPS, LEAST_WINDOW)

    def on_timeout(self) -> None:
        self._threshold = max(self.packets * RENO_KEEPS, LEAST_WINDOW)
        self.packets = 1.0


class Cubic:
    """Grows along a cubic curve around the window at which it last lost, and not slower than Reno would."""

    __slots__ = ("_epoch_us", "_inflection_s", "_most", "_reno", "_threshold", "packets")

    def __init__(self) -> None:
        self.packets = FIRST_WINDOW
        self._threshold = float("inf")
        self._most = 0.0  # the window at the last loss
        self._reno = 0.0  # what Reno would have
        self._epoch_us = -1  # when the growth since the last loss began
        self._inflection_s = 0.0

    def on_ack(self, now_us: int, rtt_us: float) -> None:
        if self.packets < self._threshold:
            self.packets += 1
            return
        if self._epoch_us < 0:
            self._begin(now_us)
        # RFC 9438 section 4.2 to 4.5: where the curve will be a round trip from now, at most half again as much
        ahead_s = (now_us - self._epoch_us + rtt_us) / 1_000_000 - self._inflection_s
        aim = min(max(CUBIC_GROWTH * ahead_s**3 + self._most, self.packets), 1.5 * self.packets)
        share = 3 * (1 - CUBIC_KEEPS) / (1 + CUBIC_KEEPS) if self._reno < self._most else 1.0
        self._reno += share / self.packets
        self.packets = max(self.packets + (aim - self.packets) / self.packets, self._reno)

    def _begin(self, now_us: int) -> None:
        self._epoch_us = now_us
        self._reno = self.packets
        self._most = max(self._most, self.packets)
        self._inflection_s = ((self._most - self.packets) / CUBIC_GROWTH) ** (1 / 3)

    def on_loss(self, now_us: int) -> None:
        # section 4.7: who lost before the old window was reached leaves room to newcomers
        is_lower = self.packets < self._most
        self._most = self.packets * (1 + CUBIC_KEEPS) / 2 if is_lower else self.packets
        self.packets = self._threshold = max(self.packets * CUBIC_KEEPS, LEAST_WINDOW)
        self._epoch_us = -1

    def on_timeout(self) -> None:
        self.on_loss(0)
        self.packets = 1.0


WINDOWS: dict[str, type[Reno] | type[Cubic]] = {"reno": Reno, "cubic": Cubic}


def make_window(algorithm: str) -> Window:
    """A fresh window.

    Raises:
        ValueError: there is no such algorithm.
    """
    if algorithm not in WINDOWS:
        raise ValueError(f"no algorithm {algorithm}: {', '.join(WINDOWS)}")
    return WINDOWS[algorithm]()
