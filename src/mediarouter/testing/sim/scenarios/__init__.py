"""The scenarios by which an estimator is judged: A1-A28, TC1-TC7 of RFC 8867, S1-S6 of an SFU's viewers."""

import re

from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.scenarios import faults, layers, losses, rfc8867, starts, steady

__all__ = ["SCENARIOS", "select"]


def _place(scenario: Scenario) -> tuple[int, int, str]:
    letters, number = re.match(r"([A-Z]+)(\d+)", scenario.id).groups()  # type: ignore[union-attr]
    return ("A", "TC", "S").index(letters), int(number), scenario.id


SCENARIOS: dict[str, Scenario] = {
    scenario.id: scenario
    for scenario in sorted(
        (one for family in (steady, starts, losses, faults, rfc8867, layers) for one in family.SCENARIOS), key=_place
    )
}


def select(names: list[str]) -> list[Scenario]:
    """Scenarios by their id, or by the id of a group: A9 is also A9-ahead. None named: all.

    Raises:
        ValueError: there is none of a name.
    """
    chosen: dict[str, Scenario] = {}
    for name in names or list(SCENARIOS):
        found = {one: it for one, it in SCENARIOS.items() if one == name or one.partition("-")[0] == name}
        if not found:
            raise ValueError(f"no scenario {name}: {', '.join(SCENARIOS)}")
        chosen |= found
    return [SCENARIOS[one] for one in SCENARIOS if one in chosen]
