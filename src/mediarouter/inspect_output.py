"""A report of a capture as tables in a terminal, as JSON, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from mediarouter.inspect import Report, StreamReport


def to_json(report: Report) -> str:
    """All of it, but for the delays packet by packet, indented."""
    plain = msgspec.to_builtins(report)
    for feedback in plain["feedback"]:
        del feedback["delays_us"]
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()


def show(report: Report, console: Console) -> None:
    """Tables of streams, layers and feedback; what was guessed and what was left out."""
    columns = (
        "SSRC",
        "mid/rid",
        "codec",
        "packets",
        "kbit/s",
        "lost",
        "RTX'd",
        "dup",
        "reord",
        "jitter ms",
        "frames",
        "keys",
    )
    table = Table(*columns, title=f"{len(report.streams)} streams in {report.duration_us / 1e6:.1f} s")
    for column in table.columns[3:]:
        column.justify = "right"
    for stream in report.streams:
        table.add_row(*_cells(stream))
    console.print(table)
    for stream in report.streams:
        for layer in stream.layers if len(stream.layers) > 1 else ():
            console.print(
                f"{stream.ssrc:08x} S{layer.spatial} T{layer.temporal}: {layer.packets} packets, {layer.bytes} bytes",
                highlight=False,
            )
    for pair in sorted({(stream.source, stream.destination) for stream in report.streams}):
        console.print(f"{pair[0]} -> {pair[1]}", highlight=False)
    for feedback in report.feedback:
        console.print(
            f"feedback on {feedback.sender}: {feedback.received} received, {feedback.lost} lost; delay above the "
            f"smallest: median {feedback.median_us / 1000:.1f}, 95 % {feedback.p95_us / 1000:.1f}, "
            f"largest {feedback.max_us / 1000:.1f} ms",
            highlight=False,
        )
    for guess in report.guessed:
        console.print(f"guessed: {guess}", style="yellow", highlight=False)
    left_out = {name: count for name, count in msgspec.structs.asdict(report.counts).items() if name != "datagrams"}
    told = [f"{name.replace('_', ' ')} {int(count)}" for name, count in left_out.items() if count]
    console.print(", ".join([f"{report.rtcp} RTCP", f"{report.other} other datagrams", *told]), highlight=False)


def _cells(stream: StreamReport) -> list[str]:
    if stream.rtx_of is not None:
        codec = f"RTX of {stream.rtx_of:08x}"
    else:
        types = "+".join(str(payload_type) for payload_type in stream.payload_types)
        codec = f"{stream.codec.partition('/')[2]} ({types})" if stream.codec else f"({types})"
    return [
        f"{stream.ssrc:08x}",
        "/".join(name for name in (stream.mid, stream.rid) if name is not None),
        codec,
        str(stream.packets),
        f"{stream.bitrate_bps / 1000:.0f}",
        str(stream.lost),
        str(stream.recovered),
        str(stream.duplicates),
        str(stream.reordered),
        "" if stream.jitter_ms is None else f"{stream.jitter_ms:.2f}",
        str(stream.frames),
        "" if stream.key_frames is None else str(stream.key_frames),
    ]


def plot(report: Report, path: Path) -> None:
    """Bitrates of all streams over time, and delays where there is feedback.

    Raises:
        ImportError: matplotlib is missing.
        ValueError: the file's suffix is no format of pictures.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4 * (1 + bool(report.feedback))), layout="constrained")
    axes: Any = figure.subplots(1 + bool(report.feedback), 1, squeeze=False)[:, 0]
    for stream in report.streams:
        name = f"{stream.ssrc:08x} {stream.rid or stream.mid or ''}"
        axes[0].plot([rate / 1000 for rate in stream.bitrates_bps], label=name, drawstyle="steps-post")
    axes[0].set(xlabel="s", ylabel="kbit/s")
    if report.streams:
        axes[0].legend(fontsize="small")
    for feedback in report.feedback:
        times = [(time_us - report.start_us) / 1e6 for time_us, _ in feedback.delays_us]
        axes[1].plot(times, [delay / 1000 for _, delay in feedback.delays_us], ".", label=feedback.sender)
        axes[1].set(xlabel="s", ylabel="delay above the smallest, ms")
    figure.savefig(path)
