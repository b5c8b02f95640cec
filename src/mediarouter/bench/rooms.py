"""Rooms of one size, as many as give the router a wanted share of a core to do."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mediarouter.bench.load import Load, audio_load
from mediarouter.bench.meeting import Meeting

CALIBRATION_S = 1.0
TRIES_MAX = 8
NEAR = 0.05  # of the wanted share
GROWTH_MAX = 4  # so many times more rooms at a time: the cost of a packet falls and rises with the load


@dataclass(frozen=True)
class Room:
    """Everyone who publishes sends video and audio, each subscriber gets all of it.

    Attributes:
        publishers, subscribers: of one room.
    """

    publishers: int = 4
    subscribers: int = 16

    @property
    def loads(self) -> tuple[Load, Load]:
        """Of its publishers, at random distances as people are."""
        video = Load(self.publishers, self.subscribers, scattered=True)
        audio = replace(audio_load(publishers=self.publishers, subscribers=self.subscribers), scattered=True)
        return video, audio

    def enter(self, meeting: Meeting) -> None:
        """Everybody of one more room comes in."""
        producers = [number for load in self.loads for number in meeting.add_publishers(load, self.publishers)]
        meeting.add_subscribers(self.subscribers, producers)


class Rooms:
    """Rooms of a meeting, which open and fall silent; each publisher but the direct ones is in one of them.

    Attributes:
        loud: how many of them send.
    """

    def __init__(self, meeting: Meeting, room: Room) -> None:
        self.meeting = meeting
        self.room = room
        self.loud = 0
        self._open = 0
        for load in room.loads:
            meeting.add_direct(load)

    def set_loud(self, count: int) -> None:
        """Let so many rooms send: more open, or some fall silent."""
        for _ in range(self._open, count):
            self.room.enter(self.meeting)
        self._open = max(self._open, count)
        self.loud = count
        for load in self.room.loads:
            self.meeting.source(load).limit(1 + count * self.room.publishers)

    def fill(self, share: float) -> Iterator[dict[str, Any]]:
        """Open rooms until the engine takes this share of a core (0..1), as near as their size allows; the figures of
        each try."""
        tried: dict[int, float] = {}
        wanted = 1
        while wanted not in tried and len(tried) < TRIES_MAX:
            self.set_loud(wanted)
            figures = self.meeting.measure(CALIBRATION_S)
            tried[wanted] = figures["engine_share"]
            yield figures
            if abs(tried[wanted] - share) <= NEAR * share:
                return
            wanted = max(1, min(GROWTH_MAX * wanted, round(wanted * share / tried[wanted])))
        self.set_loud(min(tried, key=lambda count: abs(tried[count] - share)))
