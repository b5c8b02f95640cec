"""`mediarouter bench NAME`: a progress bar while it measures, then a table, or JSON."""

import json as json_format
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mediarouter import srtp
from mediarouter.bench.fanout import Load, fanout
from mediarouter.bench.peers.command import peers_command
from mediarouter.srtp import Profile

app = typer.Typer(no_args_is_help=True, help="Measure, each figure beside what it should be held against.")
PROFILES = ("AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES128_CM_SHA1_80")  # those of DTLS here
console = Console(markup=False, highlight=False)
errors = Console(stderr=True, markup=False, highlight=False)


app.command("peers")(peers_command)


@app.callback()
def bench() -> None:
    """What all benchmarks share."""


@app.command("fanout")
def fanout_command(
    publishers: int = typer.Option(1, min=1, max=200, help="Each is sent to every subscriber."),
    subscribers: int = typer.Option(100, min=1, max=2000, help="Each drains, decrypts and checks all it gets."),
    kind: str = typer.Option("video", help="video: bursts of VP8; audio: one Opus packet every 20 ms."),
    profile: str = typer.Option("AEAD_AES_128_GCM", help="SRTP protection profile."),
    rounds: int = typer.Option(5, min=1, help="The median of so many is shown."),
    seconds: float = typer.Option(4.0, min=0.5, help="Length of a round."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Processor time of a forwarded packet, and the floor: copy, twelve bytes, encryption and one send a burst."""
    audio = {"kind": "audio", "payload_size": 100, "packets_per_frame": 1, "frames_per_second": 50}
    chosen: dict[str, Any] = audio if kind == "audio" else {}
    if kind not in ("audio", "video"):
        errors.print(f"no kind of traffic: {kind}", style="red")
        raise typer.Exit(2)
    if profile not in PROFILES:
        errors.print(f"no profile {profile}: {', '.join(PROFILES)}", style="red")
        raise typer.Exit(2)
    load = Load(publishers=publishers, subscribers=subscribers, seconds=seconds, **chosen)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        progress.add_task(f"{subscribers} subscribers of {publishers}, {2 * rounds} rounds of {seconds:g} s")
        figures = fanout(load, rounds, profile=Profile[profile])
    figures["backend"] = srtp.backend
    if json:
        print(json_format.dumps(figures))
        return
    table = Table("figure", "value", title="fan-out")
    for name, value in figures.items():
        table.add_row(name, json_format.dumps(value))
    console.print(table)
