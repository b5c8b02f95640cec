"""The command line: `mediarouter serve`, `mediarouter inspect`, `mediarouter bench`."""

import os
import socket
import sys
from pathlib import Path

from mediarouter import __version__, capture
from mediarouter.errors import MediaRouterError

try:
    import typer
    import uvicorn
    import uvloop
    from rich.console import Console

    from mediarouter import inspect_output
    from mediarouter.bench import commands
    from mediarouter.inspect import Description, inspect_capture
    from mediarouter.net.pool import MAX_WORKERS, WorkerPool
    from mediarouter.web.app import create_app
except ImportError as error:
    sys.exit(f"mediarouter's commands need the extra 'web' ({error}): pip install 'mediarouter[web]'")

BACKLOG = 2048
MAX_WEBSOCKET_MESSAGE = 512 * 1024

app = typer.Typer(no_args_is_help=True, add_completion=False, help="An SFU core, as a server to try it with.")
app.add_typer(commands.app, name="bench")
# addresses in brackets are no markup, and lines are for programs too
console = Console(markup=False, highlight=False, soft_wrap=True)
errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.print(__version__)
        raise typer.Exit


@app.callback()
def main_options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """What all commands share."""


@app.command()
def serve(
    host: str = typer.Option("127.0.0.1", help="Address of the web server."),
    port: int = typer.Option(8080, min=0, max=65535, help="Port of the web server; 0: any."),
    listen: list[str] = typer.Option(
        ["127.0.0.1:0"], help="Media address and port, UDP and TCP; may be given several times. Port 0: any."
    ),
    workers: int = typer.Option(
        1, min=1, max=MAX_WORKERS, help="Engine threads; each takes ports of its own, in a row from the given ones."
    ),
    announce: list[str] = typer.Option([], help="Address that clients shall use for media, behind NAT."),
    token: str | None = typer.Option(None, envvar="MEDIAROUTER_TOKEN", help="Bearer token that clients must show."),
    ice_server: list[str] = typer.Option([], help="STUN or TURN URL that clients are told."),
) -> None:
    """Serve meetings: the page at /, WHIP at /whip/ROOM, WHEP at /whep/ROOM."""
    try:
        uvloop.run(_serve(host, port, listen, workers, announce, token, ice_server))
    except (OSError, ValueError) as error:
        errors.print(f"cannot start: {error}", style="red")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        pass


def _listen_for_web(host: str, port: int) -> socket.socket:
    # bound here and not by the web server, which would end the process in its own words
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise OSError(f"the web server cannot listen on {host} port {port}: {reason}") from None


async def _serve(
    host: str,
    port: int,
    listen: list[str],
    workers: int,
    announce: list[str],
    token: str | None,
    ice_servers: list[str],
) -> None:
    with _listen_for_web(host, port) as listener:
        try:
            pool = await WorkerPool.create(listen=listen, workers=workers, announce=announce)
        except OSError as error:
            raise OSError(f"media cannot be received on {', '.join(listen)}: {error.strerror or error}") from None
        async with pool:
            web = create_app(pool, token=token, ice_servers=ice_servers)
            config = uvicorn.Config(web, log_level="warning", ws_max_size=MAX_WEBSOCKET_MESSAGE)
            shown = f"[{host}]" if ":" in host else host
            console.print(f"meeting page: http://{shown}:{listener.getsockname()[1]}/")
            places = ", ".join(f"{address} port {number}" for address, number in pool.listening)
            console.print(f"media: {places} (UDP and TCP)")
            await uvicorn.Server(config).serve(sockets=[listener])


@app.command()
def inspect(
    file: Path = typer.Argument(..., help="Capture of decrypted RTP, pcap or pcapng."),
    sdp: Path | None = typer.Option(None, help="Offer or answer: codecs and header extensions."),
    plot: Path | None = typer.Option(None, help="Draw bitrates and delays into this picture (png, svg, pdf)."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the streams of a capture: loss, jitter, bitrate, layers, key frames, retransmissions, delay."""
    try:
        report = inspect_capture(capture.read(file), Description.of(sdp.read_text()) if sdp else None)
        if plot:
            inspect_output.plot(report, plot)
    except ImportError:
        errors.print("--plot needs matplotlib: pip install 'mediarouter[bench]'", style="red")
        raise typer.Exit(1) from None
    except (OSError, ValueError, MediaRouterError) as error:
        errors.print(f"cannot inspect {file}: {error}", style="red")
        raise typer.Exit(1) from None
    if json:
        print(inspect_output.to_json(report))
    else:
        inspect_output.show(report, console)


def main() -> None:
    """Entry point of the `mediarouter` command."""
    app()


if __name__ == "__main__":
    main()
