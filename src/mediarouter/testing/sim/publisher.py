"""A publisher of simulcast: several encodings of one picture in temporal layers, key frames when asked for."""

from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.schedule import SECOND_US, Schedule, always


@dataclass(frozen=True)
class SimulcastPlan:
    """One published stream, and what its viewers want of it.

    Args:
        rates_bps: of each spatial layer, the lowest first.
        temporal: share of a layer's rate up to each temporal layer, the last being 1. Frame rates double with each.
        fps: with all temporal layers.
        key_frame: size of a key frame, in mean frames of its layer.
        rtt_ms: from asking for a key frame to getting the first packet of one.
        noise: by how much frames differ in size.
        wanted: the highest spatial layer that viewers want; -1: none.
        priority: a greater one comes first.
    """

    rates_bps: tuple[int, ...] = (150_000, 500_000, 1_500_000)
    temporal: tuple[float, ...] = (0.4, 0.6, 1.0)
    fps: float = 30.0
    key_frame: float = 6.0
    rtt_ms: float = 50.0
    noise: float = 0.1
    wanted: Schedule[int] = field(default_factory=lambda: always(2))
    priority: int = 0

    @property
    def layer_rates_bps(self) -> tuple[tuple[int, ...], ...]:
        """Of each spatial layer, with so many temporal ones."""
        return tuple(tuple(round(rate * share) for share in self.temporal) for rate in self.rates_bps)


class FrameTaker(Protocol):
    """Who gets the frames."""

    def on_frame(self, stream: int, publisher: "Publisher") -> None:
        """A frame of each layer is there."""


class Publisher:
    """The stream at work: at each frame it calls its takers, who ask for the size of what they forward."""

    def __init__(self, clock: Clock, plan: SimulcastPlan, random: Random) -> None:
        self.plan = plan
        self.temporal = 0  # of the frame of now
        self._clock = clock
        self._random = random
        self._takers: list[tuple[FrameTaker, int]] = []
        self._key_due_us: list[int | None] = [None] * len(plan.rates_bps)
        self._sizes: list[int | None] = [None] * len(plan.rates_bps)
        self._frames = 0
        self._first_us = clock.now_us + int(random.random() * SECOND_US / plan.fps)
        self._period = 1 << (len(plan.temporal) - 1)
        shares = [share - (plan.temporal[i - 1] if i else 0) for i, share in enumerate(plan.temporal)]
        frames = [1, *(1 << i for i in range(len(shares) - 1))]  # of each temporal layer in a period
        self._weights = [share * self._period / count for share, count in zip(shares, frames, strict=True)]
        clock.call_at(self._first_us, self._frame)

    def add(self, taker: FrameTaker, stream: int) -> None:
        """Call this one too, with the number by which it knows the stream."""
        self._takers.append((taker, stream))

    def ask_key_frame(self, spatial: int) -> None:
        """Have a key frame of a layer; one that was asked for already serves all."""
        if self._key_due_us[spatial] is None:
            self._key_due_us[spatial] = self._clock.now_us + round(self.plan.rtt_ms * 1000)

    def is_key(self, spatial: int) -> bool:
        """Whether the frame of now is a key frame of that layer."""
        due_us = self._key_due_us[spatial]
        return due_us is not None and due_us <= self._clock.now_us

    def size_of(self, spatial: int) -> int:
        """Bytes of a layer's frame of now."""
        size = self._sizes[spatial]
        if size is None:
            mean = self.plan.rates_bps[spatial] / 8 / self.plan.fps
            weight = self.plan.key_frame if self.is_key(spatial) else self._weights[self.temporal]
            size = int(mean * weight * max(1 + self.plan.noise * self._random.gauss(0, 1), 0.2))
            self._sizes[spatial] = size
        return size

    def _frame(self, _: None) -> None:
        place = self._frames % self._period
        deepest = len(self.plan.temporal) - 1
        self.temporal = 0 if place == 0 else deepest - ((place & -place).bit_length() - 1)
        if any(self.is_key(spatial) for spatial in range(len(self._sizes))):
            self._frames, self.temporal, self._first_us = 0, 0, self._clock.now_us  # a period begins
        for taker, stream in self._takers:
            taker.on_frame(stream, self)
        for spatial in range(len(self._sizes)):
            self._sizes[spatial] = None
            if self.is_key(spatial):
                self._key_due_us[spatial] = None
        self._frames += 1
        self._clock.call_at(self._first_us + round(self._frames * SECOND_US / self.plan.fps), self._frame)
