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


def draw_floor(axes: Any, figures: dict[str, Any]) -> None:
    """One bar."""
    label = f"{figures['publishers']} to {figures['subscribers']}, bursts of {figures['burst']}"
    axes.bar_label(axes.bar([label], [figures["floor_ns_per_packet"] / 1000]))
    axes.set(ylabel="processor time a packet, µs", title=f"the floor of this machine, {figures['profile']}")


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


def draw_handshake(axes: Any, figures: dict[str, Any]) -> None:
    """Added time of media without and with joins."""
    names = list(figures["video_added_us"])
    for number, (kind, suffix) in enumerate((k, s) for k in ("video", "audio") for s in ("", "_with_joins")):
        values = [figures[f"{kind}_added_us{suffix}"][name] for name in names]
        places = [place + 0.2 * (number - 1.5) for place in range(len(names))]
        axes.bar(places, values, 0.2, label=f"{kind}{suffix.replace('_', ' ')}")
    axes.set(ylabel="added by the router, µs", xticks=range(len(names)), xticklabels=names)
    axes.set_title(f"{figures['joins_per_second']} joins/s, {figures['router_us_per_join']} µs of the router each")
    axes.legend()


def draw_capacity(axes: Any, figures: dict[str, Any]) -> None:
    """Latency of each try."""
    for holds, colour in ((True, "tab:green"), (False, "tab:red")):
        tries = [one for one in figures["tries"] if one["holds"] == holds]
        axes.plot([one["count"] for one in tries], [one["p99_us"] / 1000 for one in tries], "o", color=colour)
    axes.axhline(figures["p99_bound_us"] / 1000, linestyle=":")
    found = next(name for name in figures if name.startswith("most_"))
    axes.set(xscale="log", yscale="log", xlabel=found.removeprefix("most_"), ylabel="p99 of the way, ms")
    axes.set_title(f"{figures[found]} {found.removeprefix('most_')}")


def draw_cost_curve(axes: Any, figures: dict[str, Any]) -> None:
    """Cost of a packet in or out over the number that grows."""
    for series in figures["dearest_to_cheapest"]:
        rows = [one for one in figures["points"] if one["series"] == series]
        growing = "publishers" if series == "more publishers" else "subscribers"
        costs = [one["ns_per_packet"] / 1000 for one in rows]
        axes.plot([one[growing] for one in rows], costs, "o-", label=series)
    axes.set(xscale="log", xlabel="subscribers, or publishers of ten subscribers", ylim=(0, None))
    axes.set(ylabel="processor time of a packet in or out, µs")
    axes.legend()
