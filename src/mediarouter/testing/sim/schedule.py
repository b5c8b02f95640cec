"""Values that change at times known before: rates of a link, its delay, its losses, the limits of an encoder."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")
SECOND_US = 1_000_000
FOREVER_US = 1 << 62


class Schedule(Generic[T]):
    """A value for each time: each step holds from its time, in seconds, until the next one.

    Raises:
        ValueError: there is no step, the first is not at 0, or they are not in order.
    """

    __slots__ = ("times_us", "values")

    def __init__(self, *steps: tuple[float, T]) -> None:
        self.times_us = [round(seconds * SECOND_US) for seconds, _ in steps]
        self.values = [value for _, value in steps]
        if not steps or self.times_us[0] != 0:
            raise ValueError("a schedule begins at 0")
        if any(later <= earlier for earlier, later in zip(self.times_us, self.times_us[1:], strict=False)):
            raise ValueError("the steps of a schedule are in order")

    def at(self, now_us: int) -> T:
        """The value that holds at this time."""
        return self.values[max(bisect_right(self.times_us, now_us) - 1, 0)]

    def until_us(self, now_us: int) -> int:
        """When the value that holds now ends."""
        later = bisect_right(self.times_us, now_us)
        return self.times_us[later] if later < len(self.times_us) else FOREVER_US

    def map(self, change: Callable[[T], S]) -> "Schedule[S]":
        """The same times with changed values."""
        seconds = [time / SECOND_US for time in self.times_us]
        return Schedule(*((time, change(value)) for time, value in zip(seconds, self.values, strict=True)))


def always(value: T) -> Schedule[T]:
    """A value that never changes."""
    return Schedule((0, value))


def mean(schedule: Schedule[int], from_us: int, to_us: int) -> float:
    """The mean of a number over a time.

    Raises:
        ValueError: the time is empty.
    """
    if to_us <= from_us:
        raise ValueError("no time to take a mean of")
    total, at_us = 0.0, from_us
    while at_us < to_us:
        end_us = min(schedule.until_us(at_us), to_us)
        total += schedule.at(at_us) * (end_us - at_us)
        at_us = end_us
    return total / (to_us - from_us)
