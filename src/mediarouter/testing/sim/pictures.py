"""A picture of a run: rate and capacity, queue, and layers over time."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy

from mediarouter.testing.sim.record import Flow, Record

STREAMS_APART = 8  # lines that can be told from each other
POINTS = 250  # of a curve: more cannot be told apart
COLOURS = 32  # of a PNG, which makes it a third as large
SIZE, LAYERS_SIZE = (8, 4.6), (8, 6.4)


def plot(record: Record, path: Path) -> None:
    """Draw a run into a picture (png, svg, pdf).

    Raises:
        ImportError: matplotlib is missing.
        OSError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    with_layers = any(flow.layer_at_us.size for flow in record.flows)
    figure = Figure(figsize=LAYERS_SIZE if with_layers else SIZE, layout="constrained")
    axes = figure.subplots(3 if with_layers else 2, 1, sharex=True)
    columns = thinned(record.windows())
    draw_rates(axes[0], record, columns)
    draw_queue(axes[1], columns)
    if with_layers:
        draw_layers(axes[2], record)
    axes[-1].set(xlabel="time, s", xlim=(0, record.seconds))
    axes[0].set_title(f"{record.scenario}, seed {record.seed}")
    if path.suffix == ".png":
        save_small(figure, path)
    else:
        figure.savefig(path)


def save_small(figure: Any, path: Path) -> None:
    """As a PNG of few colours."""
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, dpi=90, format="png")
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def thinned(columns: dict[str, Any], points: int = POINTS) -> dict[str, Any]:
    """Several windows as one, where there are many: rates by their mean, the queue by the most."""
    count = len(columns["at_s"])
    together = -(-count // points)
    if together <= 1:
        return columns
    whole = count // together * together
    found = {}
    for name, column in columns.items():
        rows = numpy.asarray(column, dtype=float)[:whole].reshape(-1, together)
        found[name] = rows[:, 0] if name == "at_s" else rows.max(1) if "queue" in name else rows.mean(1)
    return found


def draw_rates(axes: Any, record: Record, columns: dict[str, Any]) -> None:
    """What could go, what was thought to, what arrived; of cross traffic the sum, and the sum of all."""
    at, capacity = columns["at_s"], columns["capacity_bps"] / 1e6
    axes.step(at, capacity, where="post", color="black", label="capacity")
    total = numpy.zeros(len(at))
    highest = 0.0
    for number, flow in enumerate(record.flows):
        rates = columns[f"{flow.name} received_bps"] / 1e6
        total = total + rates
        axes.plot(at, rates, color=f"C{number}", alpha=0.7, label=flow.name)
        targets = columns[f"{flow.name} target_bps"] / 1e6
        axes.step(at, targets, where="post", color=f"C{number}", linestyle="--", linewidth=1)
        highest = max(highest, float(targets[targets == targets].max(initial=0)))
    if record.cross:
        cross = sum(columns[f"{flow.name} received_bps"] / 1e6 for flow in record.cross)
        total = total + cross
        axes.fill_between(at, 0, cross, color="gray", alpha=0.3, linewidth=0, label="cross traffic")
    if len(record.flows) + len(record.cross) > 1:
        axes.plot(at, total, color="gray", linewidth=1, label="all of it")
    highest = max(highest, float(total.max(initial=0)))
    close = capacity[capacity <= 2 * highest]  # an open link is far above all that goes on
    highest = max(highest, float(close.max(initial=0)))
    axes.set(ylabel="Mbit/s, estimates dashed", ylim=(0, 1.1 * highest or 1))
    axes.legend(fontsize="small", ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.1), frameon=False)


def draw_queue(axes: Any, columns: dict[str, Any]) -> None:
    """How long packets waited."""
    at = columns["at_s"]
    half, most = columns["queue_p50_ms"], columns["queue_p100_ms"]
    axes.fill_between(at, half, most, step="post", alpha=0.3, label="p50 to most")
    axes.step(at, columns["queue_p95_ms"], where="post", label="p95")
    axes.set(ylabel="queue, ms", ylim=(0, None))
    axes.legend(fontsize="small", loc="upper right")


def draw_layers(axes: Any, record: Record) -> None:
    """Which spatial layer of each stream went; streams lie a little apart. Of many streams: how many had which."""
    flow = next(flow for flow in record.flows if flow.layer_at_us.size)
    count = int(flow.layer_stream.max()) + 1
    if count > STREAMS_APART:
        draw_many(axes, record, flow, count)
        return
    for stream in range(count):
        mine = flow.layer_stream == stream
        at = [*(flow.layer_at_us[mine] / 1e6), record.seconds]
        layers = [*flow.layer_spatial[mine], *flow.layer_spatial[mine][-1:]]
        axes.step(at[: len(layers)], [layer + stream * 0.5 / count for layer in layers], where="post", linewidth=1)
    axes.set(ylabel="spatial layer, -1 none", yticks=range(-1, int(flow.layer_spatial.max()) + 1))


def draw_many(axes: Any, record: Record, flow: Flow, count: int) -> None:
    """How many streams had which spatial layer."""
    at = numpy.linspace(0, record.seconds, POINTS)
    layers = numpy.full((count, POINTS), -1)
    for stream in range(count):
        mine = flow.layer_stream == stream
        index = numpy.searchsorted(flow.layer_at_us[mine], at * 1e6, side="right") - 1
        layers[stream] = numpy.where(index < 0, -1, flow.layer_spatial[mine][index])
    kinds = range(-1, int(flow.layer_spatial.max()) + 1)
    counts = [(layers == kind).sum(0) for kind in kinds]
    names = ["none" if kind < 0 else f"layer {kind}" for kind in kinds]
    axes.stackplot(at, counts, labels=names, colors=["lightgray", "C0", "C2", "C1"], alpha=0.7, step="post")
    axes.set(ylabel="streams", ylim=(0, count))
    axes.legend(fontsize="small", loc="upper right")
