"""`mediarouter bench NAME`: a progress bar while it measures, then a table, or JSON, or a picture."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from mediarouter import srtp
from mediarouter.bench import display, plots
from mediarouter.bench.capacity import capacity
from mediarouter.bench.congestion import congestion_command
from mediarouter.bench.cost_curve import cost_curve
from mediarouter.bench.fanout import fanout
from mediarouter.bench.floor import floor_alone
from mediarouter.bench.handshake import handshake
from mediarouter.bench.hostile import hostile
from mediarouter.bench.latency import latency
from mediarouter.bench.load import Load, audio_load
from mediarouter.bench.memory import memory
from mediarouter.bench.peers.command import peers_command
from mediarouter.bench.rooms import Room
from mediarouter.bench.soak import soak
from mediarouter.srtp import Profile

app = typer.Typer(no_args_is_help=True, help="Measure, each figure beside what it should be held against.")
PROFILES = ("AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES128_CM_SHA1_80")  # those of DTLS here
JSON = typer.Option(False, "--json", help="Print JSON.")
PLOT = typer.Option(None, "--plot", help="Draw the figures into this picture (png, svg, pdf).")
INTERRUPTED = 130


app.command("peers")(peers_command)
app.command("congestion")(congestion_command)


@app.callback()
def bench() -> None:
    """What all benchmarks share."""


def run(
    title: str,
    measure: Callable[[display.Tell], dict[str, Any]],
    draw: Callable[[Any, dict[str, Any]], None] | None = None,
    *,
    json: bool,
    plot: Path | None = None,
) -> None:
    """Measure with a progress bar, show and draw; what cannot be done is told in a line."""
    try:
        if plot:
            display.check_plot(plot)
        with display.progress_bar(title) as tell:
            figures = measure(tell)
        display.show(title, figures | {"backend": srtp.backend}, as_json=json)
        if plot and draw:
            display.save(draw, figures, plot)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except ImportError:
        fail("--plot needs matplotlib: pip install 'mediarouter[bench]'", 1)
    except (OSError, ValueError, RuntimeError) as error:
        fail(f"cannot measure: {error}", 1)


def fail(text: str, code: int) -> None:
    """Say it in a line and end."""
    display.errors.print(text, style="red")
    raise typer.Exit(code)


def profile_of(name: str) -> Profile:
    """The SRTP profile of this name."""
    if name not in PROFILES:
        fail(f"no profile {name}: {', '.join(PROFILES)}", 2)
    return Profile[name]


def is_audio(kind: str) -> bool:
    """Or video."""
    if kind not in ("audio", "video"):
        fail(f"no kind of traffic: {kind}", 2)
    return kind == "audio"


@app.command("fanout")
def fanout_command(
    publishers: int | None = typer.Option(
        None, min=1, max=1000, help="Each is sent to every subscriber. [default: 1, of audio 50]"
    ),
    subscribers: int | None = typer.Option(
        None, min=1, max=2000, help="Each drains, decrypts and checks all it gets. [default: 100, of audio 49]"
    ),
    kind: str = typer.Option("video", help="video: bursts of VP8; audio: one Opus packet every 20 ms."),
    profile: str = typer.Option("AEAD_AES_128_GCM", help="SRTP protection profile."),
    rounds: int = typer.Option(5, min=1, help="The median of so many is shown."),
    seconds: float = typer.Option(4.0, min=0.5, help="Length of a round."),
    json: bool = JSON,
    plot: Path | None = PLOT,
) -> None:
    """Processor time of a forwarded packet, and the floor: copy, twelve bytes, encryption and one send a burst."""
    chosen = profile_of(profile)
    usual = audio_load(publishers=50, subscribers=49) if is_audio(kind) else Load()
    load = replace(
        usual,
        publishers=publishers or usual.publishers,
        subscribers=subscribers or usual.subscribers,
        seconds=seconds,
    )
    run("fanout", lambda tell: fanout(load, rounds, profile=chosen, tell=tell), plots.draw_fanout, json=json, plot=plot)


@app.command("floor")
def floor_command(
    publishers: int = typer.Option(1, min=1, max=1000, help="Each is sent to every subscriber."),
    subscribers: int = typer.Option(100, min=1, max=5000, help="Sockets that are drained and not checked."),
    kind: str = typer.Option("video", help="video: bursts of six packets; audio: one packet every 20 ms."),
    profile: str = typer.Option("AEAD_AES_128_GCM", help="SRTP protection profile."),
    one_by_one: bool = typer.Option(False, "--one-by-one", help="One system call a packet, not one a burst."),
    seconds: float = typer.Option(4.0, min=0.5, help="Length of the measurement."),
    json: bool = JSON,
    plot: Path | None = PLOT,
) -> None:
    """The floor alone: copy, twelve bytes, encryption and one send a burst, without any router."""
    chosen = profile_of(profile)
    usual = audio_load(publishers=publishers, subscribers=subscribers)
    load = usual if is_audio(kind) else Load(publishers, subscribers)

    def measure(tell: display.Tell) -> dict[str, Any]:
        return floor_alone(replace(load, seconds=seconds), chosen, one_by_one=one_by_one, tell=tell)

    run("floor", measure, plots.draw_floor, json=json, plot=plot)


@app.command("latency")
def latency_command(
    publishers: int = typer.Option(4, min=1, max=50, help="Of a room; each sends video and audio."),
    subscribers: int = typer.Option(16, min=1, max=500, help="Of a room; each gets all of it."),
    load: float = typer.Option(0.7, min=0.01, max=0.95, help="Share of a core that the engine shall take."),
    seconds: float = typer.Option(10.0, min=0.5, help="Length of the measurement."),
    json: bool = JSON,
    plot: Path | None = PLOT,
) -> None:
    """How much later packets arrive because they go through the router, with as many rooms as make the load."""
    room = Room(publishers, subscribers)
    run("latency", lambda tell: latency(room, load, seconds, tell=tell), plots.draw_latency, json=json, plot=plot)


@app.command("memory")
def memory_command(
    transports: int = typer.Option(1000, min=10, max=15_000, help="Clients that come in and stay idle."),
    consumers: int = typer.Option(10_000, min=1, max=50_000, help="In all, at most 100 on a transport; all at work."),
    seconds: float = typer.Option(5.0, min=2.0, help="For which the consumers work."),
    json: bool = JSON,
    plot: Path | None = PLOT,
) -> None:
    """Memory of an idle transport before and after its handshake, and of a consumer idle and at work."""

    def measure(tell: display.Tell) -> dict[str, Any]:
        return memory(transports, consumers, seconds, tell=tell)

    run("memory", measure, plots.draw_memory, json=json, plot=plot)


@app.command("handshake")
def handshake_command(
    rate: float = typer.Option(300.0, min=1, max=5000, help="Clients that come in a second."),
    seconds: float = typer.Option(10.0, min=1, help="Length of the measurement, without them and with them."),
    load: float = typer.Option(0.5, min=0.01, max=0.9, help="Share of a core that media shall take."),
    json: bool = JSON,
    plot: Path | None = PLOT,
) -> None:
    """Clients that come in by ICE and DTLS while media flows, what they cost and what they do to the media."""

    def measure(tell: display.Tell) -> dict[str, Any]:
        return handshake(rate, seconds, load, tell=tell)

    run("handshake", measure, plots.draw_handshake, json=json, plot=plot)


@app.command("hostile")
def hostile_command(
    load: float = typer.Option(0.5, min=0.01, max=0.95, help="Share of a core that the engine shall take before."),
    seconds: float = typer.Option(5.0, min=0.5, help="Length of each of the two parts of a round."),
    rounds: int = typer.Option(3, min=1, help="The median of so many is shown."),
    json: bool = JSON,
) -> None:
    """What one participant who sends malformed packets and storms of feedback does to everybody else."""
    run("hostile", lambda tell: hostile(load, seconds, rounds, tell=tell), json=json)


@app.command("soak")
def soak_command(
    minutes: float = typer.Option(10.0, min=0.1, max=10_000, help="How long people come and go."),
    load: float = typer.Option(0.8, min=0.01, max=0.95, help="Share of a core that the engine shall take."),
    clients: float = typer.Option(1.0, min=0.1, max=50, help="Who come and go, a second."),
    json: bool = JSON,
) -> None:
    """Under load for long while clients come and go: whether memory grows, anything sticks, or a packet vanishes."""
    run("soak", lambda tell: soak(minutes, load, clients, tell=tell), json=json)


@app.command("capacity")
def capacity_command(
    of: str = typer.Option("subscribers", help="What is searched: subscribers, or publishers."),
    publishers: int = typer.Option(1, min=1, max=1000, help="Fixed, or where the search begins."),
    subscribers: int = typer.Option(100, min=1, max=5000, help="Fixed, or where the search begins."),
    kind: str = typer.Option("video", help="video: bursts of VP8; audio: one Opus packet every 20 ms."),
    bound_ms: float = typer.Option(20.0, min=0.1, max=49.0, help="99 of 100 packets shall come within so long."),
    most: int = typer.Option(4000, min=1, max=10_000, help="Try no more. Of the curve: publishers or subscribers."),
    seconds: float = typer.Option(2.0, min=0.5, help="Length of each try, or of each point of the curve."),
    curve: bool = typer.Option(False, "--curve", help="Instead, what a packet costs from 1 to 1000 subscribers."),
    json: bool = JSON,
    plot: Path | None = PLOT,
) -> None:
    """How many subscribers or publishers are borne without loss and in time; or, with --curve, the cost of a packet."""
    if of not in ("subscribers", "publishers"):
        fail(f"no number of {of} can be searched", 2)
    usual = audio_load(publishers=publishers, subscribers=subscribers)
    load = usual if is_audio(kind) else Load(publishers, subscribers)

    def measure(tell: display.Tell) -> dict[str, Any]:
        if curve:
            return cost_curve(seconds, most, tell=tell)
        return capacity(replace(load, seconds=seconds), of, round(bound_ms * 1000), most, tell=tell)

    run("capacity", measure, plots.draw_cost_curve if curve else plots.draw_capacity, json=json, plot=plot)
