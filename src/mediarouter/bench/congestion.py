"""`mediarouter bench congestion`: estimators of the send side in a simulated network, beside references and goals."""

from collections import Counter
from pathlib import Path
from typing import Any, cast, get_args

import typer

from mediarouter.bench import display
from mediarouter.testing.sim.allocators import MakeAllocator, known_allocators
from mediarouter.testing.sim.checks import GOAL, MISSED, REFERENCE
from mediarouter.testing.sim.estimator import MakeEstimator, find_estimator, known_estimators
from mediarouter.testing.sim.pictures import plot as draw
from mediarouter.testing.sim.receiver import Feedback
from mediarouter.testing.sim.record import Record
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.scenarios import select
from mediarouter.testing.sim.scoring import score

INTERRUPTED = 130
SCENARIO = typer.Option([], help="Its id, as A1, TC4 or S2; of a group, all. [default: every one]")
PLOT = typer.Option(None, "--plot", help="Draw the first run of each scenario into this folder.")


def congestion_command(
    scenario: list[str] = SCENARIO,
    seeds: int = typer.Option(3, min=1, max=1000, help="Each scenario runs once with each; the worst counts."),
    estimator: str = typer.Option(
        next(iter(known_estimators())),
        help=f"What is judged: {', '.join(known_estimators())}; or a Controller, as module:Class or file.py:Class.",
    ),
    allocator: str = typer.Option(
        next(iter(known_allocators())), help=f"Who chooses layers: {', '.join(known_allocators())}."
    ),
    feedback: str = typer.Option("twcc", help="What receivers give: twcc, or ccfb for RFC 8888."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
    plot: Path | None = PLOT,
) -> None:
    """How an estimator does in simulated networks: each figure beside what references assert and what is our goal."""
    allocators = known_allocators()
    given = cast(Feedback, feedback)
    for name, known in ((allocator, tuple(allocators)), (feedback, get_args(Feedback))):
        if name not in known:
            fail(f"nothing is called {name}: {', '.join(known)}", 2)
    try:
        make = find_estimator(estimator)
        scenarios = select(scenario)
    except ValueError as error:
        fail(str(error), 2)
    try:
        if plot:
            plot.mkdir(parents=True, exist_ok=True)
            display.check_plot(plot / "run.png")
        with display.progress_bar("congestion") as tell:
            rows = judge(scenarios, make, allocators[allocator], seeds, plot, tell, given)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except ImportError:
        fail("--plot needs matplotlib: pip install 'mediarouter[bench]'", 1)
    except OSError as error:
        fail(f"cannot draw: {error}", 1)
    display.show("congestion", summary(rows, estimator, allocator, seeds), as_json=json)


def judge(
    scenarios: list[Scenario],
    make: MakeEstimator,
    make_allocator: MakeAllocator,
    seeds: int,
    plot: Path | None = None,
    tell: display.Tell = display.silent,
    feedback: Feedback = "twcc",
) -> list[dict[str, str]]:
    """A row for each figure of each scenario; with `plot`, a picture of each scenario in that folder."""
    rows = []

    def keep(record: Record) -> None:
        if plot is not None and record.seed == 0:
            draw(record, plot / f"{record.scenario}.png")

    for number, scenario in enumerate(scenarios):
        tell(scenario.id, number / len(scenarios))
        rows += [one.row() for one in score(scenario, make, range(seeds), keep, make_allocator, feedback)]
    return rows


def summary(rows: list[dict[str, str]], estimator: str, allocator: str, seeds: int) -> dict[str, Any]:
    """The figures as they are shown: what was judged, how many verdicts of each kind, and all of them."""
    verdicts = Counter(row["verdict"] for row in rows)
    counts = {verdict: verdicts[verdict] for verdict in (GOAL, REFERENCE, MISSED)}
    return {"estimator": estimator, "allocator": allocator, "seeds": seeds, "verdicts": counts, "figures": rows}


def fail(text: str, code: int) -> None:
    """Say it in a line and end."""
    display.errors.print(text, style="red")
    raise typer.Exit(code)
