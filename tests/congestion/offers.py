"""Streams to allocate for, shared by the tests of the allocator."""

import dataclasses

from mediarouter.congestion.allocation import (
    Allocation,
    History,
    Layer,
    Reason,
    StreamClass,
    StreamWish,
    Target,
    applied,
    plan,
)

SIZES = ((150_000, 180), (500_000, 360), (1_500_000, 720))
RATES = ((5, 8), (7, 15), (10, 30))  # tenths of the bitrate, pictures a second


def simulcast(key_frame_bytes: int = 0) -> tuple[Layer, ...]:
    """Three encodings of three temporal layers: 150, 500, 1500 kbit/s."""
    return tuple(
        Layer(s, t, bitrate * share // 10, height=height, fps=fps, key_frame_bytes=key_frame_bytes)
        for s, (bitrate, height) in enumerate(SIZES)
        for t, (share, fps) in enumerate(RATES)
    )


def svc() -> tuple[Layer, ...]:
    """L3T3: a target sends all the spatial layers below it too."""
    return tuple(
        Layer(s, t, sum(bitrate for bitrate, _ in SIZES[: s + 1]) * share // 10, height=height, fps=fps)
        for s, (_, height) in enumerate(SIZES)
        for t, (share, fps) in enumerate(RATES)
    )


def voice(bitrate_bps: int) -> tuple[Layer, ...]:
    return (Layer(0, 0, bitrate_bps),)


def single(bitrate_bps: int, worth: int = 1000) -> tuple[Layer, ...]:
    return (Layer(0, 0, bitrate_bps, utility=worth),)


def steps(*points: tuple[int, int]) -> tuple[Layer, ...]:
    """One spatial layer a (bitrate, utility)."""
    return tuple(Layer(i, 0, bitrate, utility=worth) for i, (bitrate, worth) in enumerate(points))


class Viewer:
    """Streams with their histories, and a clock."""

    def __init__(self, *wishes: StreamWish) -> None:
        self.wishes = list(wishes)
        self.now_us = 0
        self.spatial_changes = 0
        self.changes = 0

    def decide(self, budget_bps: int) -> Allocation:
        allocation = plan(budget_bps, self.wishes, self.now_us)
        for wish, target in zip(self.wishes, allocation.targets, strict=True):
            self.spatial_changes += wish.history.spatial != target.spatial
            self.changes += (wish.history.spatial, wish.history.temporal) != (target.spatial, target.temporal)
        self.wishes = applied(self.wishes, allocation.targets, self.now_us)
        return allocation

    def run(self, budget_bps: int, for_us: int, every_us: int = 50_000) -> Allocation:
        """Decide again and again under one budget."""
        end_us = self.now_us + for_us
        allocation = self.decide(budget_bps)
        while self.now_us < end_us:
            self.now_us += every_us
            allocation = self.decide(budget_bps)
        return allocation

    def change(self, index: int, **fields: object) -> None:
        self.wishes[index] = dataclasses.replace(self.wishes[index], **fields)

    @property
    def layers(self) -> list[tuple[int, int]]:
        return [(wish.history.spatial, wish.history.temporal) for wish in self.wishes]


def shown(targets: list[Target]) -> list[tuple[int, int]]:
    return [(target.spatial, target.temporal) for target in targets]


def worth(wish: StreamWish, target: Target) -> int:
    """Weighted utility above the cheapest layer, 0 where paused."""
    if target.paused:
        return 0
    utilities = wish.utilities
    at = next(
        i for i, layer in enumerate(wish.layers) if (layer.spatial, layer.temporal) == (target.spatial, target.temporal)
    )
    lowest = min((layer.bitrate_bps, -utilities[i]) for i, layer in enumerate(wish.layers) if layer.bitrate_bps)
    return wish.weight * (utilities[at] + lowest[1])


__all__ = [
    "History",
    "Reason",
    "StreamClass",
    "Viewer",
    "shown",
    "simulcast",
    "single",
    "steps",
    "svc",
    "voice",
    "worth",
]
