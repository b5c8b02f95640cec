"""The allocators that a viewer may have, by name; the library's own is asked the same question as the others."""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

from mediarouter.testing.sim.allocation import Allocate, Decision, Layer, Stream, layer_major

MakeAllocator: TypeAlias = Callable[[], Allocate]  # one for each viewer: it may remember
OURS = "mediarouter.congestion.allocation"
LOWEST_HEIGHT, FULL_FPS, KEY_FRAME = 180, 30, 6  # of a picture, of a stream, and in mean frames


class Wishes:
    """The library's allocator: it is told of its earlier decisions, as the engine does."""

    def __init__(self) -> None:
        self._allocation: Any = import_module(OURS)
        self._histories: list[Any] = []

    def __call__(self, now_us: int, budget_bps: int, streams: Sequence[Stream]) -> Decision:
        ours = self._allocation
        self._histories = self._histories or [ours.History()] * len(streams)
        wishes = [self._wish(stream, history) for stream, history in zip(streams, self._histories, strict=True)]
        plan = ours.plan(budget_bps, wishes, now_us)
        self._histories = [wish.history for wish in ours.applied(wishes, plan.targets, now_us)]
        layers: list[Layer] = [None if one.paused else (one.spatial, one.temporal) for one in plan.targets]
        return Decision(layers, plan.demand_bps)

    def _wish(self, stream: Stream, history: Any) -> Any:
        ours = self._allocation
        layers = [
            ours.Layer(
                spatial,
                temporal,
                rate_bps,
                height=LOWEST_HEIGHT << spatial,
                fps=FULL_FPS >> (len(rates) - 1 - temporal),
                key_frame_bytes=rates[-1] * KEY_FRAME // 8 // FULL_FPS,
            )
            for spatial, rates in enumerate(stream.rates_bps)
            for temporal, rate_bps in enumerate(rates)
        ]
        classes = ours.StreamClass
        return ours.StreamWish(
            layers,
            stream_class=classes.SPEAKER if stream.priority else classes.GRID,
            max_spatial=max(stream.wanted, 0),
            muted=stream.wanted < 0,
            history=history,
            proven=stream.proven,
        )


def known_allocators() -> dict[str, MakeAllocator]:
    """By name; the first is what viewers have by default."""
    known: dict[str, MakeAllocator] = {}
    if find_spec(OURS) is not None:
        known["ours"] = Wishes
    known["layer-major"] = lambda: layer_major
    return known


def default_allocator() -> Allocate:
    """A fresh one of those that viewers have by default."""
    return next(iter(known_allocators().values()))()
