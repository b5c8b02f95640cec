"""Pictures of all scenarios of congestion control, and the page that shows them: `make docs-pictures`.

python bench/scenario_pictures.py [SCENARIO ...]      only these are drawn anew; the page shows all
"""

import re
import sys
from pathlib import Path

from mediarouter.bench.congestion import judge
from mediarouter.testing.sim import SCENARIOS, Scenario, known_estimators, select
from mediarouter.testing.sim.allocators import known_allocators

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = DOCS / "pictures" / "congestion"
PAGE = DOCS / "congestion_scenarios.md"
HEAD = """# Congestion control in pictures

Each scenario of `mediarouter bench congestion`, run once with seed 0: above what the link could carry, what was thought
to go (dashed) and what arrived; then how long packets waited in the bottleneck's queue; and, where a viewer watches
layers, which of them it got. [Congestion control](congestion.md) tells how it works and where it falls short. `make
docs-pictures` draws all of this anew.
"""
MET = re.compile(r"^\*\*(\S+)\*\*.* (\d+ of \d+ figures)", re.MULTILINE)


def told(scenario: Scenario, met: str) -> str:
    """A scenario on the page: a line, and its picture."""
    title = scenario.title[0].upper() + scenario.title[1:]
    line = f"**{scenario.id}** {title}; {scenario.seconds:g} s, from {scenario.source}: {met} reach the goal."
    return f"{line}\n\n![{scenario.id}](pictures/congestion/{scenario.id}.png)\n"


def draw(names: list[str]) -> dict[str, str]:
    """Draw; for each scenario how many of its figures reach the goal."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    make, allocator = next(iter(known_estimators().values())), next(iter(known_allocators().values()))
    met = {}
    for scenario in select(names):
        rows = judge([scenario], make, allocator, 1, PICTURES)
        met[scenario.id] = f"{sum(row['verdict'] == 'goal' for row in rows)} of {len(rows)} figures"
        print(scenario.id, met[scenario.id], flush=True)
    return met


def main(names: list[str]) -> None:
    """Pictures, then the page."""
    before = dict(MET.findall(PAGE.read_text())) if PAGE.exists() else {}
    met = before | draw(names)
    PAGE.write_text("\n".join([HEAD, *(told(one, met[one.id]) for one in SCENARIOS.values())]))


if __name__ == "__main__":
    main(sys.argv[1:])
