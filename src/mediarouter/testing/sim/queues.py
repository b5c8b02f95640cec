"""Queues in front of a bottleneck: one that drops what does not fit, one that drops what waited too long."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

from mediarouter.testing.sim.packet import Packet

Drop = Callable[[Packet], None]
BITS_US = 8_000_000  # bits of a byte times microseconds of a second
MTU_BYTES = 1500


class Queue(Protocol):
    """Packets that wait, each with the time of its arrival."""

    waiting_bytes: int

    def offer(self, packet: Packet, now_us: int, rate_bps: int) -> bool:
        """Let a packet wait; False when there is no room for it."""

    def take(self, now_us: int) -> tuple[Packet, int] | None:
        """The next packet to go and when it came; None: nobody waits."""

    def __len__(self) -> int: ...


class QueuePlan(Protocol):
    """What queue a link has."""

    def make(self, drop: Drop) -> Queue:
        """Make it; it tells `drop` what it throws away after having taken it in."""


@dataclass(frozen=True, slots=True)
class DropTail:
    """First in, first out; refuses what comes when it is full.

    Args:
        limit_ms: full when what waits takes longer than this at the rate of the moment, and never while
            that is 0; None: no such limit.
        limit_bytes: full when so many bytes would wait; None: no such limit.
    """

    limit_ms: int | None = 300
    limit_bytes: int | None = None

    def make(self, drop: Drop) -> "DropTailQueue":
        return DropTailQueue(self)


class DropTailQueue:
    """The queue at work."""

    __slots__ = ("_limit_bytes", "_limit_us", "_packets", "waiting_bytes")

    def __init__(self, plan: DropTail) -> None:
        self.waiting_bytes = 0
        self._packets: deque[tuple[Packet, int]] = deque()
        self._limit_us = None if plan.limit_ms is None else plan.limit_ms * 1000
        self._limit_bytes = plan.limit_bytes

    def offer(self, packet: Packet, now_us: int, rate_bps: int) -> bool:
        waiting = self.waiting_bytes + packet[1]
        if self._limit_bytes is not None and waiting > self._limit_bytes:
            return False
        if self._limit_us is not None and rate_bps and waiting * BITS_US > self._limit_us * rate_bps:
            return False
        self.waiting_bytes = waiting
        self._packets.append((packet, now_us))
        return True

    def take(self, now_us: int) -> tuple[Packet, int] | None:
        if not self._packets:
            return None
        entry = self._packets.popleft()
        self.waiting_bytes -= entry[0][1]
        return entry

    def __len__(self) -> int:
        return len(self._packets)


@dataclass(frozen=True, slots=True)
class CoDel:
    """Drops from the front while packets wait longer than the target, the more often the longer that lasts.

    Args:
        target_ms: a wait that is borne.
        interval_ms: for how long more than that is borne.
        limit_bytes: what comes beyond it is refused.

    Source: RFC 8289 section 5.
    """

    target_ms: float = 5
    interval_ms: float = 100
    limit_bytes: int = 1_500_000

    def make(self, drop: Drop) -> "CoDelQueue":
        return CoDelQueue(self, drop)


class CoDelQueue:
    """The queue at work, after the pseudocode of RFC 8289 section 5.3 to 5.7."""

    __slots__ = (
        "_above_since_us", "_count", "_drop", "_drop_next_us", "_dropping", "_interval_us", "_last_count",
        "_limit_bytes", "_packets", "_target_us", "waiting_bytes",
    )  # fmt: skip

    def __init__(self, plan: CoDel, drop: Drop) -> None:
        self.waiting_bytes = 0
        self._packets: deque[tuple[Packet, int]] = deque()
        self._limit_bytes = plan.limit_bytes
        self._target_us = plan.target_ms * 1000
        self._interval_us = plan.interval_ms * 1000
        self._drop = drop
        self._above_since_us = 0.0  # since when plus an interval; 0: the wait is short
        self._drop_next_us = 0.0
        self._dropping = False
        self._count = self._last_count = 0

    def offer(self, packet: Packet, now_us: int, rate_bps: int) -> bool:
        if self.waiting_bytes + packet[1] > self._limit_bytes:
            return False
        self.waiting_bytes += packet[1]
        self._packets.append((packet, now_us))
        return True

    def _pop(self, now_us: int) -> tuple[tuple[Packet, int] | None, bool]:
        """The first packet, and whether the wait was too long for an interval."""
        if not self._packets:
            self._above_since_us = 0.0
            return None, False
        entry = self._packets.popleft()
        self.waiting_bytes -= entry[0][1]
        if now_us - entry[1] < self._target_us or self.waiting_bytes <= MTU_BYTES:
            self._above_since_us = 0.0
            return entry, False
        if self._above_since_us == 0.0:
            self._above_since_us = now_us + self._interval_us
            return entry, False
        return entry, now_us >= self._above_since_us

    def take(self, now_us: int) -> tuple[Packet, int] | None:
        entry, too_long = self._pop(now_us)
        if self._dropping:
            if not too_long:
                self._dropping = False
            while self._dropping and entry is not None and now_us >= self._drop_next_us:
                self._drop(entry[0])
                self._count += 1
                entry, too_long = self._pop(now_us)
                if too_long:
                    self._drop_next_us += self._interval_us / sqrt(self._count)
                else:
                    self._dropping = False
        elif too_long and entry is not None:
            self._drop(entry[0])
            entry, _ = self._pop(now_us)
            self._begin(now_us)
        return entry

    def _begin(self, now_us: int) -> None:
        self._dropping = True
        since = self._count - self._last_count
        recently = now_us - self._drop_next_us < 16 * self._interval_us
        self._count = since if since > 1 and recently else 1
        self._drop_next_us = now_us + self._interval_us / sqrt(self._count)
        self._last_count = self._count

    def __len__(self) -> int:
        return len(self._packets)
