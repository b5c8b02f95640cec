"""Virtual time: what is to happen, in the order of its time, and nothing in between."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Action = Callable[[Any], None]


class Clock:
    """A queue of events. Events of the same microsecond happen in the order in which they were asked for."""

    __slots__ = ("_events", "_order", "now_us")

    def __init__(self) -> None:
        self.now_us = 0
        self._events: list[tuple[int, int, Action, Any]] = []
        self._order = 0

    def call_at(self, time_us: int, action: Action, argument: Any = None) -> None:
        """Have `action(argument)` called at this time.

        Raises:
            ValueError: the time is past.
        """
        if time_us < self.now_us:
            raise ValueError(f"{time_us} us is past: it is {self.now_us} us")
        self._order += 1
        heappush(self._events, (time_us, self._order, action, argument))

    def run_until(self, time_us: int) -> int:
        """Let everything happen up to and with this time; the number of events that were."""
        events = self._events
        before = self._order - len(events)
        while events and events[0][0] <= time_us:
            self.now_us, _, action, argument = heappop(events)
            action(argument)
        self.now_us = max(self.now_us, time_us)
        return self._order - len(events) - before

    @property
    def waiting(self) -> int:
        """Events that have not happened yet."""
        return len(self._events)
