"""A picture of a run: rate and capacity, queue, and layers over time."""

from pathlib import Path
from typing import Any

from mediarouter.testing.sim.record import Record


def plot(record: Record, path: Path) -> None:
    """Draw a run into a picture (png, svg, pdf).

    Raises:
        ImportError: matplotlib is missing.
        OSError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    with_layers = any(flow.layer_at_us.size for flow in record.flows)
    figure = Figure(figsize=(9, 7.5 if with_layers else 5.5), layout="constrained")
    axes = figure.subplots(3 if with_layers else 2, 1, sharex=True)
    columns = record.windows()
    draw_rates(axes[0], record, columns)
    draw_queue(axes[1], columns)
    if with_layers:
        draw_layers(axes[2], record)
    axes[-1].set(xlabel="time, s")
    axes[0].set_title(f"{record.scenario}, seed {record.seed}")
    figure.savefig(path, dpi=100)


def draw_rates(axes: Any, record: Record, columns: dict[str, Any]) -> None:
    """What could go, what was thought to, what arrived."""
    at = columns["at_s"]
    axes.step(at, columns["capacity_bps"] / 1e6, where="post", color="black", label="capacity")
    highest = 0.0
    for number, flow in enumerate([*record.flows, *record.cross]):
        rates = columns[f"{flow.name} received_bps"] / 1e6
        axes.plot(at, rates, color=f"C{number}", alpha=0.7, label=flow.name)
        highest = max(highest, float(rates.max(initial=0)))
        if f"{flow.name} target_bps" in columns:
            targets = columns[f"{flow.name} target_bps"] / 1e6
            axes.step(at, targets, where="post", color=f"C{number}", linestyle="--", linewidth=1)
            highest = max(highest, float(targets[targets == targets].max(initial=0)))
    axes.set(ylabel="Mbit/s, estimates dashed", ylim=(0, 1.15 * highest or 1))
    axes.legend(fontsize="small", ncols=4)


def draw_queue(axes: Any, columns: dict[str, Any]) -> None:
    """How long packets waited."""
    at = columns["at_s"]
    half, most = columns["queue_p50_ms"], columns["queue_p100_ms"]
    axes.fill_between(at, half, most, step="post", alpha=0.3, label="p50 to most")
    axes.step(at, columns["queue_p95_ms"], where="post", label="p95")
    axes.set(ylabel="queue, ms", ylim=(0, None))
    axes.legend(fontsize="small")


def draw_layers(axes: Any, record: Record) -> None:
    """Which spatial layer of each stream went; streams lie a little apart."""
    flow = next(flow for flow in record.flows if flow.layer_at_us.size)
    count = int(flow.layer_stream.max()) + 1
    for stream in range(count):
        mine = flow.layer_stream == stream
        at = [*(flow.layer_at_us[mine] / 1e6), record.seconds]
        layers = [*flow.layer_spatial[mine], *flow.layer_spatial[mine][-1:]]
        axes.step(at[: len(layers)], [layer + stream * 0.5 / count for layer in layers], where="post", linewidth=1)
    axes.set(ylabel="spatial layer, -1 none", yticks=range(-1, int(flow.layer_spatial.max()) + 1))
