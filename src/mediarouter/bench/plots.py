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
