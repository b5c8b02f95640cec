"""`mediarouter bench peers`: a table of routers, or JSON."""

import json as json_format
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mediarouter.bench.peers import builds, namespace
from mediarouter.bench.peers.comparison import PEERS
from mediarouter.bench.peers.peer import Missing

PROFILES = ("AEAD_AES_128_GCM", "AES128_CM_SHA1_80")  # those that every router here has
COLUMNS = {
    "ns_per_packet": "ns/packet",
    "packets_per_cpu_second": "packets/CPU s",
    "ratio": "ratio",
    "lost": "lost",
    "bad": "bad",
    "arrived": "arrived",
}
console = Console(markup=False, highlight=False)
errors = Console(stderr=True, markup=False, highlight=False)


def peers_command(
    peers: str = typer.Option(",".join(PEERS), help="Which routers, with commas between."),
    publishers: int = typer.Option(1, min=1, max=20, help="Each is sent to every subscriber."),
    subscribers: int = typer.Option(60, min=1, max=500, help="Each drains, decrypts and checks all it gets."),
    profile: str = typer.Option(PROFILES[0], help="SRTP protection profile."),
    rounds: int = typer.Option(3, min=1, help="In each, every router is started, filled and measured once."),
    seconds: float = typer.Option(5.0, min=0.5, help="Length of a measurement."),
    build: bool = typer.Option(False, "--build", help="First build what is built from source: Pion's router, LiveKit."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Processor time of a forwarded packet in other routers, held against ours: same clients, same traffic, one run."""
    names = [name.strip() for name in peers.split(",") if name.strip()]
    if unknown := [name for name in names if name not in PEERS]:
        errors.print(f"no router {unknown[0]}: {', '.join(PEERS)}", style="red")
        raise typer.Exit(2)
    if profile not in PROFILES:
        errors.print(f"no profile {profile}: {', '.join(PROFILES)}", style="red")
        raise typer.Exit(2)
    options: dict[str, Any] = {
        "peers": list(dict.fromkeys(names)),
        "publishers": publishers,
        "subscribers": subscribers,
        "profile": profile,
        "rounds": rounds,
        "seconds": seconds,
    }
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("starting")
        for name in options["peers"] if build else ():
            progress.update(task, description=f"building {name}")
            try:
                builds.build(name)
            except Missing as missing:
                errors.print(f"{name}: {missing}", style="yellow")
        progress.update(task, description="starting")
        figures = run_apart(options, lambda text: progress.update(task, description=text))
    if json:
        print(json_format.dumps(figures))
    else:
        show(figures)
    if not any("ratio" in found for name, found in figures["routers"].items() if name in PEERS):
        raise typer.Exit(1)


def run_apart(options: dict[str, Any], report: Callable[[str], None]) -> dict[str, Any]:
    """The comparison in a process of its own, in a namespace where one can be made.

    Raises:
        typer.Exit: it ended before its time.
    """
    command = [sys.executable, "-m", "mediarouter.bench.peers.run"]
    reason = namespace.why_not()
    if reason:
        errors.print(f"without a network namespace: {reason}", style="yellow")
    options = options | {"address": "" if reason else namespace.ADDRESS}
    command.append(json_format.dumps(options))
    process = subprocess.Popen(
        command if reason else namespace.within(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    figures: dict[str, Any] = {}
    try:
        for line in process.stdout:
            told = json_format.loads(line)
            if "doing" in told:
                report(told["doing"])
            figures = told.get("figures", figures)
    finally:
        process.stdin.close()  # which ends it, if it has not
        process.wait(60)
    if not figures:
        errors.print("the comparison ended before its time", style="red")
        raise typer.Exit(1)
    return figures


def show(figures: dict[str, Any]) -> None:
    """The table, and below it what went wrong."""
    title = f"{figures['publishers']} to {figures['subscribers']}, {figures['profile']}"
    table = Table("router", title=title, title_justify="left")
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right")
    for name, found in figures["routers"].items():
        if "ns_per_packet" in found:
            found = found | {"bad": found["damaged"] + found["refused"]}
            table.add_row(name, *(_written(found[column]) for column in COLUMNS))
    console.print(table)
    for name, found in figures["routers"].items():
        if "version" in found:
            console.print(f"{name}: {found['version']}")
        for text in [found["missing"]] if "missing" in found else found.get("failures", []):
            errors.print(f"{name}: {text}", style="yellow")


def _written(value: float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) and value < 100 else f"{value:,.0f}"
