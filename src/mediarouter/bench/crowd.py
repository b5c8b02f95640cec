"""A meeting that grows and shrinks in one direction: more subscribers, or more publishers."""

from typing import Protocol

from mediarouter.bench.load import Load
from mediarouter.bench.meeting import Meeting


class Crowd(Protocol):
    """What a search for capacity needs of a meeting."""

    meeting: Meeting

    def resize(self, count: int) -> None:
        """Be so many; those who came in stay connected but get or send nothing."""


class Subscribers:
    """Of a fixed number of publishers.

    Args:
        load: its publishers count, its subscribers do not.
    """

    def __init__(self, meeting: Meeting, load: Load) -> None:
        self.meeting = meeting
        self._awake = 0
        meeting.add_publishers(load, load.publishers)

    def resize(self, count: int) -> None:
        """More come in, or the last ones are paused."""
        meeting = self.meeting
        self._pause(self._awake, min(count, len(meeting.subscribers)), paused=False)
        meeting.add_subscribers(max(0, count - len(meeting.subscribers)), meeting.producers)
        self._pause(count, self._awake, paused=True)
        self._awake = count

    def _pause(self, first: int, end: int, *, paused: bool) -> None:
        chosen = [number for consumers in self.meeting.consumers[first:end] for number in consumers]
        if chosen:
            self.meeting.router.pause(chosen, paused)


class Publishers:
    """To a fixed number of subscribers.

    Args:
        load: its subscribers count, its publishers do not.
    """

    def __init__(self, meeting: Meeting, load: Load) -> None:
        self.meeting = meeting
        self._load = load
        meeting.add_subscribers(load.subscribers, ())

    def resize(self, count: int) -> None:
        """More come in, or the last ones send nothing."""
        more = count - len(self.meeting.producers)
        if more > 0:
            self.meeting.consume_more(self.meeting.add_publishers(self._load, more))
        self.meeting.source(self._load).limit(count)
