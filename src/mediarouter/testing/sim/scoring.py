"""The score of an estimator: each figure of each scenario over some seeds, beside reference and goal."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from mediarouter.testing.sim.allocators import MakeAllocator, default_allocator
from mediarouter.testing.sim.checks import Check, shown
from mediarouter.testing.sim.estimator import MakeEstimator
from mediarouter.testing.sim.receiver import Feedback
from mediarouter.testing.sim.record import Record
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.world import run


@dataclass(frozen=True, slots=True)
class Score:
    """One figure, of all seeds."""

    scenario: Scenario
    check: Check
    values: list[float]

    @property
    def verdict(self) -> str:
        """ "goal", "reference" or "missed"."""
        return self.check.verdict(self.values)

    def row(self) -> dict[str, str]:
        """As a line of a table."""
        return {
            "id": self.scenario.id,
            "scenario": self.scenario.title,
            "figure": self.check.name,
            "median": shown(median(self.values)),
            "worst": shown(self.check.worst(self.values)),
            "reference": str(self.check.reference or ""),
            "goal": str(self.check.goal),
            "verdict": self.verdict,
        }


def score(
    scenario: Scenario,
    make: MakeEstimator,
    seeds: Iterable[int] = (0,),
    keep: Callable[[Record], None] | None = None,
    make_allocator: MakeAllocator = default_allocator,
    feedback: Feedback = "twcc",
) -> list[Score]:
    """Run a scenario once for each seed, and measure all that it asks.

    Args:
        keep: called with the record of each run.
        make_allocator: makes the allocator of each viewer.
        feedback: what receivers give: "twcc", or "ccfb" for RFC 8888.
    """
    values: list[list[float]] = [[] for _ in scenario.checks]
    for seed in seeds:
        record = run(scenario, make, seed, make_allocator, feedback)
        clean = run(scenario.clean, make, seed, make_allocator, feedback) if scenario.clean else record
        for check, column in zip(scenario.checks, values, strict=True):
            column.append(check.measure(record, clean))
        if keep is not None:
            keep(record)
    return [Score(scenario, check, column) for check, column in zip(scenario.checks, values, strict=True)]
