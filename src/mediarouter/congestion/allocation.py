"""How a viewer's budget is shared out among streams, for users of Python; the engine runs the same code.

    wishes = [
        StreamWish(audio, stream_class=StreamClass.AUDIO),
        StreamWish(camera, stream_class=StreamClass.SPEAKER),
        StreamWish(thumbnail, max_height=180),
    ]
    targets = allocate(2_000_000, wishes)

That is all for one decision. Who decides again and again, as an estimate moves, lets each decision know of the earlier
ones: `wishes = applied(wishes, targets, now_us)`. Without this there is no hysteresis: each call is the best for its
budget.

How it works is told in `_allocator.pyx`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from mediarouter.congestion._allocator import AllocatorFace
from mediarouter.congestion._layer_hull import utility

__all__ = [
    "Allocation",
    "History",
    "Layer",
    "Reason",
    "StreamClass",
    "StreamWish",
    "Target",
    "allocate",
    "applied",
    "plan",
]

ANY = 127  # a layer number that limits nothing
BITRATE_LIMIT_BPS = 1 << 40
UTILITY_MAX = 0xFFFFF
LAYERS_MAX = 32
WEIGHT_MAX = 1000
STREAMS_MAX = 65_535
TIME_LIMIT_US = 1 << 60


class StreamClass(enum.IntEnum):
    """What a stream is to its viewer; the first comes first, whatever the weights."""

    AUDIO = 0
    SCREEN = 1
    PINNED = 2
    SPEAKER = 3
    GRID = 4


class Reason(enum.IntEnum):
    """Why a stream has the target it has."""

    MET = 0
    """All that was wished for, of what flows."""
    BANDWIDTH = 1
    """The budget has no room for more."""
    PRIORITY = 2
    """It would have room, but for streams of higher classes."""
    HELD = 3
    """It has room, but not for long enough yet, or not with the margin that an upgrade leaves."""
    BACK_OFF = 4
    """It has room, but an upgrade failed a short time ago."""
    NO_LAYER = 5
    """Nothing of it flows."""
    MUTED = 6
    """The caller said so."""
    OVERSEND = 7
    """It is sent beyond the budget, since it must be sent."""


def check(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be {lowest}..{highest}, not {value}")


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """What it takes, and what it brings, to send a stream down to one target layer.

    Args:
        spatial: 0..3; the index of the encoding, for simulcast.
        temporal: 0..7.
        bitrate_bps: of everything that is sent for this target. For simulcast: of the one encoding, down to the
            temporal layer. For SVC: of all layers it depends on, too. 0: it does not flow at present. Below 2**40. The
            highest of what is measured, its average, and what the publisher announced is best: a layer that has just
            begun would look cheap.
        width, height: of the picture in pixels, up to 65535; 0: unknown. Without a width, 16:9 is assumed.
        fps: pictures a second, 0..65535; 0: unknown.
        utility: 0..1048575, instead of 1024 * log2(width * height * sqrt(fps)). All layers of a stream have one, or
            none.
        key_frame_bytes: size of a key frame, which a switch to this layer costs; 0: unknown.

    Raises:
        ValueError: a number is out of range.
    """

    spatial: int
    temporal: int
    bitrate_bps: int
    _: dataclasses.KW_ONLY
    width: int = 0
    height: int = 0
    fps: int = 0
    utility: int | None = None
    key_frame_bytes: int = 0

    def __post_init__(self) -> None:
        check("spatial", self.spatial, 0, 3)
        check("temporal", self.temporal, 0, 7)
        check("bitrate_bps", self.bitrate_bps, 0, BITRATE_LIMIT_BPS - 1)
        for name in ("width", "height", "fps"):
            check(name, getattr(self, name), 0, 65_535)
        if self.utility is not None:
            check("utility", self.utility, 0, UTILITY_MAX)
        check("key_frame_bytes", self.key_frame_bytes, 0, 1 << 30)


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """What earlier decisions left behind; `applied` writes it. Times are microseconds, -1: never."""

    spatial: int = -1
    """The layer in force; -1: paused."""
    temporal: int = -1
    last_change_us: int = -1
    """-1: not sent since it was last muted, or ever: it starts without waiting."""
    last_upgrade_us: int = -1
    """The last upgrade that could still fail."""
    room_since_us: int = -1
    """An upgrade has had room ever since."""
    backoff_until_us: int = 0
    failed_upgrades: int = 0
    """In a row: each makes the next wait longer, up to ten seconds."""
    upgrade_budget_bps: int = 0
    """Under which the last upgrade was decided: if it failed, nothing waits under twice that."""

    def __post_init__(self) -> None:
        check("spatial", self.spatial, -1, 3)
        check("temporal", self.temporal, -1, 7)
        for name in ("last_change_us", "last_upgrade_us", "room_since_us", "backoff_until_us"):
            check(name, getattr(self, name), -1, TIME_LIMIT_US)
        check("failed_upgrades", self.failed_upgrades, 0, 5)
        check("upgrade_budget_bps", self.upgrade_budget_bps, 0, TIME_LIMIT_US)


@dataclasses.dataclass(frozen=True, slots=True)
class StreamWish:
    """What a viewer wants of one stream.

    Args:
        layers: what there is, 32 at most, each (spatial, temporal) once.
        stream_class: classes are strict: no bit goes to a better layer of a lower one while a higher one can use it.
        weight: inside the class, 1..1000. Audio of those who speak should weigh more than that of the silent.
        max_spatial, max_temporal: the highest layers wanted.
        min_spatial, min_temporal: below these it is of no use, and paused instead.
        max_height, max_fps: of the picture shown; 0: no limit. Where no layer is so small, the cheapest is wanted.
        must_send: never paused. Its cheapest layer is sent beyond the budget rather.
        muted: not to be sent at present.
        proven: a probe or acknowledged packets have shown the budget, so an upgrade need not wait for 500 ms.
        history: of earlier decisions.

    Raises:
        ValueError: a number is out of range, a layer comes twice, or only some layers have a utility.
    """

    layers: tuple[Layer, ...]
    _: dataclasses.KW_ONLY
    stream_class: StreamClass = StreamClass.GRID
    weight: int = 100
    max_spatial: int = ANY
    max_temporal: int = ANY
    min_spatial: int = 0
    min_temporal: int = 0
    max_height: int = 0
    max_fps: int = 0
    must_send: bool = False
    muted: bool = False
    proven: bool = False
    history: History = History()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "stream_class", StreamClass(self.stream_class))
        check("number of layers", len(self.layers), 0, LAYERS_MAX)
        if len({(layer.spatial, layer.temporal) for layer in self.layers}) < len(self.layers):
            raise ValueError("each (spatial, temporal) may come once")
        if len({layer.utility is None for layer in self.layers}) > 1:
            raise ValueError("all layers of a stream have a utility, or none")
        check("weight", self.weight, 1, WEIGHT_MAX)
        for name in ("max_spatial", "max_temporal", "min_spatial", "min_temporal"):
            check(name, getattr(self, name), 0, ANY)
        check("max_height", self.max_height, 0, 65_535)
        check("max_fps", self.max_fps, 0, 65_535)

    @property
    def utilities(self) -> list[int]:
        """Of each layer: as given, else by size and frame rate, else, where a layer's are unknown, by bitrate."""
        if all(layer.utility is not None for layer in self.layers):
            return [layer.utility or 0 for layer in self.layers]
        if all(layer.height and layer.fps for layer in self.layers):
            return [utility((layer.width or layer.height * 16 // 9) * layer.height, layer.fps) for layer in self.layers]
        return [utility(layer.bitrate_bps, 0) for layer in self.layers]


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What one stream gets."""

    spatial: int
    """-1: it is paused."""
    temporal: int
    bitrate_bps: int
    reason: Reason
    """Why it has not more; MET where nothing more was wished for."""
    has_room: bool = False
    """An upgrade has room, and waits for its time."""
    budget_bps: int = dataclasses.field(default=0, compare=False)
    """Of all streams, under which this was decided."""

    @property
    def paused(self) -> bool:
        """Nothing is sent."""
        return self.spatial < 0


@dataclasses.dataclass(frozen=True, slots=True)
class Allocation:
    """The targets of all streams, in the order they were given, and what a prober should know."""

    targets: list[Target]
    total_bps: int
    """Of all targets. Above the budget only by streams that must be sent."""
    wanted_bps: int
    """If all wishes were met."""
    next_demand_bps: int
    """A budget at which the cheapest step that is still wanted would be taken: the rate in use and 1.15 times the step
    or more. 0: all wishes are met."""
    demand_bps: int
    """What to probe for: more than that, up to half as much again as is used; `total_bps`: nothing."""


def face_of(streams: Sequence[StreamWish]) -> AllocatorFace:
    check("number of streams", len(streams), 0, STREAMS_MAX)
    return AllocatorFace([(stream, stream.utilities) for stream in streams])


def plan(budget_bps: int, streams: Sequence[StreamWish], now_us: int = 0) -> Allocation:
    """Choose what each stream gets. Pure: equal arguments give equal results.

    Args:
        budget_bps: for all of them, 0 or more.
        streams: any order; it decides between equals alone.
        now_us: microseconds of the clock of their histories, 0..2**60.

    Raises:
        ValueError: a number is out of range, or there are more than 65535 streams.
    """
    check("budget_bps", budget_bps, 0, TIME_LIMIT_US)
    check("now_us", now_us, 0, TIME_LIMIT_US)
    face = face_of(streams)
    targets = [
        Target(spatial, temporal, bitrate_bps, Reason(reason), has_room, budget_bps)
        for spatial, temporal, bitrate_bps, reason, has_room, budget_bps in face.allocate(budget_bps, now_us)
    ]
    return Allocation(targets, *face.total)


def allocate(budget_bps: int, streams: Sequence[StreamWish], now_us: int = 0) -> list[Target]:
    """The targets of `plan`, with its arguments and errors."""
    return plan(budget_bps, streams, now_us).targets


def applied(streams: Sequence[StreamWish], targets: Sequence[Target], now_us: int) -> list[StreamWish]:
    """The streams with their histories, after these targets came into force. Call it also when nothing changed.

    Args:
        streams: as they were given to `allocate`.
        targets: what it gave, one for each.
        now_us: as it was given, 0..2**60.

    Raises:
        ValueError: there are more or fewer targets than streams, or a number is out of range.
    """
    check("now_us", now_us, 0, TIME_LIMIT_US)
    if len(streams) != len(targets):
        raise ValueError(f"{len(streams)} streams but {len(targets)} targets")
    face = face_of(streams)
    face.set_targets(targets)
    histories = [History(*fields) for fields in face.applied(now_us)]
    return [dataclasses.replace(stream, history=history) for stream, history in zip(streams, histories, strict=True)]
