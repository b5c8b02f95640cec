"""`mediarouter bench capacity --curve`: what a packet costs as meetings grow.

Three ways through the field, each point with a router of its own: one publisher with more and more subscribers; more
and more subscribers while the packets a second stay the same, as far as they can; more and more publishers of ten
subscribers, again at the same packets a second. A packet that comes in costs as well as one that goes out: the
processor time is told for each forwarded packet, and for each packet in or out.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from mediarouter.bench.display import Tell, silent
from mediarouter.bench.load import Load
from mediarouter.bench.meeting import Meeting
from mediarouter.bench.router_under_test import RouterProcess

SUBSCRIBERS = (1, 3, 10, 30, 100, 300, 1000)
PUBLISHERS = (1, 3, 10, 30, 100, 300, 500)
COPIES = 100  # publishers times subscribers, at 30 frames a second
FEW = 10  # subscribers of many publishers
ONE, SUBSCRIBED, PUBLISHED = "one publisher", "more subscribers", "more publishers"


def points(most: int = max(SUBSCRIBERS)) -> Iterator[tuple[str, Load]]:
    """The loads of each series; none with more publishers or subscribers than `most`."""
    for count in SUBSCRIBERS:
        if count <= most:
            yield ONE, Load(1, count)
    for count in SUBSCRIBERS:
        if count <= most:
            yield SUBSCRIBED, at_same_rate(max(1, min(most, round(COPIES / count))), count)
    for count in PUBLISHERS:
        if count <= most:
            yield PUBLISHED, at_same_rate(count, FEW)


def at_same_rate(publishers: int, subscribers: int) -> Load:
    """With so many frames a second, 1 to 30, that the forwarded packets are those of `COPIES` at 30."""
    usual = Load(publishers, subscribers)
    frames = round(usual.frames_per_second * COPIES / (publishers * subscribers))
    return replace(usual, frames_per_second=max(1, min(usual.frames_per_second, frames)))


def cost_curve(seconds: float = 2.0, most: int = 1000, *, tell: Tell = silent, **options: Any) -> dict[str, Any]:
    """Measure every point.

    Args:
        most: publishers or subscribers of a point.

    Returns:
        the points; of each series the dearest packet in or out over the cheapest.
    """
    loads = list(points(most))
    rows = []
    for number, (series, load) in enumerate(loads):
        tell(f"{load.publishers} to {load.subscribers}", number / len(loads))
        with closing(Meeting(RouterProcess(**options))) as meeting:
            meeting.add_subscribers(load.subscribers, meeting.add_publishers(load, load.publishers))
            rows.append(row(series, load, meeting.measure(seconds)))
    return {
        "dearest_to_cheapest": {series: spread(rows, series) for series in (ONE, SUBSCRIBED, PUBLISHED)},
        "points": rows,
    }


def row(series: str, load: Load, figures: dict[str, Any]) -> dict[str, Any]:
    """A point."""
    moved = figures["packets"] + figures["counters"]["rtp_packets_in"]
    return {
        "series": series,
        "publishers": load.publishers,
        "subscribers": load.subscribers,
        "packets_per_second": round(figures["packets"] / figures["seconds"]),
        "engine_share": round(figures["engine_share"], 3),
        "ns_per_forwarded": round(figures["cpu_ns_per_packet"]),
        "ns_per_packet": round(figures["cpu_ns_per_packet"] * figures["packets"] / max(1, moved)),
        "mean_burst": round(figures["mean_burst"], 2),
        "lost": figures["received"]["lost"],
        "unread": figures["unread"],
    }


def spread(rows: list[dict[str, Any]], series: str) -> float:
    """Dearest over cheapest packet, in or out."""
    costs = [float(one["ns_per_packet"]) for one in rows if one["series"] == series]
    return round(max(costs) / min(costs), 2)
