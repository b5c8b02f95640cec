"""What a scenario asks of a run: a figure, what the references assert of it, and what we want."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan
from typing import TypeAlias

from mediarouter.testing.sim.record import Record

GOAL, REFERENCE, MISSED = "goal", "reference", "missed"

# of the run, and of the run that the scenario compares with; where there is none, the run itself
Measure: TypeAlias = Callable[[Record, Record], float]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The values that are good enough, both ends included."""

    least: float = -inf
    most: float = inf

    def margin(self, value: float) -> float:
        """How far inside a value is; negative outside, and for what is not a number."""
        return -inf if isnan(value) else min(value - self.least, self.most - value)

    def __str__(self) -> str:
        if self.least == -inf:
            return f"<= {shown(self.most)}"
        if self.most == inf:
            return f">= {shown(self.least)}"
        return f"{shown(self.least)} to {shown(self.most)}"


@dataclass(frozen=True, slots=True)
class Check:
    """A figure of a scenario.

    Args:
        name: what it is, with its unit.
        measure: takes it.
        goal: what we want.
        reference: what the reference's own test asserts; None: it asserts nothing of the kind.
    """

    name: str
    measure: Measure
    goal: Bounds
    reference: Bounds | None = None

    def verdict(self, values: list[float]) -> str:
        """Of all runs: "goal" when all are within it, else "reference" when all are within that, else "missed"."""
        if all(self.goal.margin(value) >= 0 for value in values):
            return GOAL
        if self.reference is not None and all(self.reference.margin(value) >= 0 for value in values):
            return REFERENCE
        return MISSED

    def worst(self, values: list[float]) -> float:
        """The value that is least inside the goal."""
        return min(values, key=self.goal.margin)


def at_least(value: float) -> Bounds:
    """This or more."""
    return Bounds(least=value)


def at_most(value: float) -> Bounds:
    """This or less."""
    return Bounds(most=value)


def within(least: float, most: float) -> Bounds:
    """From one to the other."""
    return Bounds(least, most)


def shown(value: float) -> str:
    """A figure in few letters: 1.25M, 450k, 0.93."""
    if isnan(value) or value in (inf, -inf):
        return "never" if value == inf else "none"
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
