"""Which layers of which streams are sent: the question that a viewer asks its allocator, and a plain one for tests."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

Layer: TypeAlias = tuple[int, int] | None  # spatial and temporal; None: nothing goes


class Stream(NamedTuple):
    """A stream as an allocator sees it.

    Attributes:
        rates_bps: of each spatial layer, with so many temporal ones.
        wanted: the highest spatial layer that is wanted; -1: none.
        current: what goes now.
        priority: a greater one comes first.
        proven: a probe has just shown the budget.
    """

    rates_bps: tuple[tuple[int, ...], ...]
    wanted: int
    current: Layer
    priority: int = 0
    proven: bool = False


class Decision(NamedTuple):
    """What an allocator answers.

    Attributes:
        targets: a layer for each stream.
        demand_bps: what the estimator should look for.
    """

    targets: Sequence[Layer]
    demand_bps: int


Allocate: TypeAlias = Callable[[int, int, Sequence[Stream]], Decision]  # time, budget in bit/s, streams
UPGRADE_HEADROOM = 1.1  # a higher spatial layer than now must fit with so much to spare
DEMAND_HEADROOM = 1.15  # what a probe for the next layer should show


def rate_of(stream: Stream, layer: Layer) -> int:
    """What a layer takes."""
    return stream.rates_bps[layer[0]][layer[1]] if layer else 0


def layer_major(now_us: int, budget_bps: int, streams: Sequence[Stream]) -> Decision:
    """Give each stream its next layer in turn, the important ones first, while the budget lasts."""
    steps = [
        (spatial, temporal, -stream.priority, i)
        for i, stream in enumerate(streams)
        for spatial, rates in enumerate(stream.rates_bps[: stream.wanted + 1])
        for temporal in range(len(rates))
    ]
    targets: list[Layer] = [None] * len(streams)
    left = float(budget_bps)
    for spatial, temporal, _, i in sorted(steps):
        stream = streams[i]
        cost = stream.rates_bps[spatial][temporal] - rate_of(stream, targets[i])
        is_upgrade = stream.current is None or spatial > stream.current[0]
        if cost <= 0 or cost * (UPGRADE_HEADROOM if is_upgrade else 1) <= left:
            targets[i] = (spatial, temporal)
            left -= cost
    return Decision(targets, next_demand(streams, targets))


def next_demand(streams: Sequence[Stream], targets: Sequence[Layer]) -> int:
    """What the estimator should look for: what the targets take, and the next step up from them with some to spare."""
    in_use = sum(rate_of(stream, layer) for stream, layer in zip(streams, targets, strict=True))
    steps = []
    for stream, layer in zip(streams, targets, strict=True):
        now = rate_of(stream, layer)
        wanted = stream.rates_bps[: stream.wanted + 1]
        steps += [rate - now for rates in wanted for rate in rates if rate > now][:1]
        if layer is not None and layer[0] < stream.wanted:  # a whole picture size, not a frame rate alone
            steps.append(stream.rates_bps[layer[0] + 1][-1] - now)
    return in_use + round(DEMAND_HEADROOM * max(steps, default=0))
