"""Whether a figure that is looked at again and again grows: a line through its later values."""

from collections.abc import Sequence
from typing import NamedTuple

WARM_UP = 1 / 3  # of the time, which does not count


class Drift(NamedTuple):
    """A line by least squares.

    Attributes:
        level: its height in the middle.
        per_s: its slope.
        growth: what it rises over all the time that counts, as a share of the level.
    """

    level: float
    per_s: float
    growth: float


def drift(times_s: Sequence[float], values: Sequence[float]) -> Drift:
    """Of all but the first third of the time.

    Args:
        times_s: when each value was seen, in order.

    Raises:
        ValueError: fewer than three values are left.
    """
    begin_s = times_s[0] + (times_s[-1] - times_s[0]) * WARM_UP if times_s else 0.0
    points = [(at, value) for at, value in zip(times_s, values, strict=True) if at >= begin_s]
    if len(points) < 3:
        raise ValueError("too few values to tell whether they grow")
    middle_s = sum(at for at, _ in points) / len(points)
    level = sum(value for _, value in points) / len(points)
    spread = sum((at - middle_s) ** 2 for at, _ in points)
    per_s = sum((at - middle_s) * (value - level) for at, value in points) / spread
    return Drift(level, per_s, per_s * (points[-1][0] - points[0][0]) / level if level else 0.0)
