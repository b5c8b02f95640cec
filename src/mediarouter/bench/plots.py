"""Pictures of the figures, by matplotlib axes."""

from typing import Any


def draw_fanout(axes: Any, figures: dict[str, Any]) -> None:
    """Router beside floor, round by round."""
    rounds = figures["rounds_ns"]
    places = range(1, len(rounds) + 1)
    axes.bar([place - 0.2 for place in places], [router / 1000 for router, _ in rounds], 0.4, label="router")
    axes.bar([place + 0.2 for place in places], [floor / 1000 for _, floor in rounds], 0.4, label="floor")
    axes.set(xlabel="round", ylabel="processor time a packet, µs", xticks=list(places))
    axes.set_title(f"{figures['publishers']} to {figures['subscribers']}, {figures['kind']}: ratio {figures['ratio']}")
    axes.legend()


def draw_latency(axes: Any, figures: dict[str, Any]) -> None:
    """Added time by quantile, video beside audio."""
    for offset, kind in ((-0.2, "video"), (0.2, "audio")):
        added = figures[f"{kind}_added_us"]
        bars = axes.bar([place + offset for place in range(len(added))], added.values(), 0.4, label=kind)
        axes.bar_label(bars)
    axes.set(ylabel="added by the router, µs", xticks=range(len(added)), xticklabels=list(added))
    axes.set_title(f"{figures['packets_per_second']} packets/s, engine at {figures['engine_share']:.0%} of a core")
    axes.legend()


def draw_memory(axes: Any, figures: dict[str, Any]) -> None:
    """The process after each step."""
    steps = figures["steps_bytes"]
    axes.bar_label(axes.bar(list(steps), [size / 2**20 for size in steps.values()]), fmt="%.0f")
    axes.set(ylabel="anonymous memory of the process, MiB")
    transport, consumer = (figures[f"{what}_bytes"] / 1024 for what in ("transport", "consumer"))
    axes.set_title(f"a transport {transport:.1f} KiB, a consumer {consumer:.1f} KiB")
