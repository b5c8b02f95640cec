"""`mediarouter bench capacity`: how many a router bears.

The largest number of subscribers, or of publishers, at which nothing is lost and 99 of 100 packets come within a bound:
doubled until it fails, then by bisection. The clients live on the same machine, on another core; when it is they who
cannot keep up, the figures say so.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from mediarouter.bench.crowd import Crowd, Publishers, Subscribers
from mediarouter.bench.display import Tell, silent
from mediarouter.bench.load import Load
from mediarouter.bench.meeting import Meeting
from mediarouter.bench.router_under_test import RouterProcess

NEAR = 0.05  # bisection ends when success and failure are as near as that
BEHIND_MAX_S = 0.1  # the subscribers may have so much still to read, with the edges of the measurement


def capacity(
    load: Load, of: str, bound_us: int, most: int, *, tell: Tell = silent, **options: Any
) -> dict[str, Any]:
    """Search.

    Args:
        load: what is sent; the number that is searched begins at the one in it.
        of: "subscribers" or "publishers".
        bound_us: for 99 of 100 packets, from being sent to being received.
        most: never try more.
    """
    with closing(Meeting(RouterProcess(**options))) as meeting:
        crowd: Crowd = Subscribers(meeting, load) if of == "subscribers" else Publishers(meeting, load)
        tries: list[dict[str, Any]] = []

        def holds(count: int) -> bool:
            tell(f"{count} {of}", len(tries) / (len(tries) + 4))
            crowd.resize(count)
            tries.append(verdict(count, meeting.measure(load.seconds), bound_us))
            return bool(tries[-1]["holds"])

        best = largest(holds, getattr(load, of), most)
    return summary(load, of, bound_us, best, tries)


def largest(holds: Callable[[int], bool], first: int, most: int) -> int:
    """The largest number that holds, 0: not even the smallest; by doubling, then by bisection."""
    count, best, failed = first, 0, most + 1
    while count and count <= most:
        if holds(count):
            best = count
            count = most if best < most < 2 * best else 2 * best
        else:
            failed = count
            break
    while failed - best > max(1, NEAR * best):
        count = (best + failed) // 2
        if holds(count):
            best = count
        else:
            failed = count
    return best


def verdict(count: int, figures: dict[str, Any], bound_us: int) -> dict[str, Any]:
    """Whether this many can be borne, and if not, who failed."""
    received = figures["received"]
    p99_us = received["latency_us"]["p99"]
    late = figures["unread"] > BEHIND_MAX_S * figures["packets"] / figures["seconds"] or received["overrun"] > 0
    faults = list(faults_of(received, p99_us, bound_us, late=late))
    return {
        "count": count,
        "holds": not faults,
        "packets_per_second": round(figures["packets"] / figures["seconds"]),
        "engine_share": round(figures["engine_share"], 3),
        "sink_share": round(figures["sink_share"], 3),
        "p99_us": p99_us,
        "lost": received["lost"],
        "fault": ", ".join(faults),
    }


def faults_of(received: dict[str, Any], p99_us: int, bound_us: int, *, late: bool) -> Iterator[str]:
    """What did not hold, in words."""
    if late:
        yield "the subscribers' thread was too slow"
    elif received["lost"]:
        yield "packets were lost"
    if p99_us > bound_us:
        yield "packets were late"
    if received["damaged"] or received["refused"]:
        yield "packets were damaged"


def summary(load: Load, of: str, bound_us: int, best: int, tries: list[dict[str, Any]]) -> dict[str, Any]:
    """The number, and the way to it."""
    good = [one for one in tries if one["count"] == best and one["holds"]]
    bad = [one for one in tries if not one["holds"]]
    return {
        f"most_{of}": best,
        "packets_per_second": good[-1]["packets_per_second"] if good else 0,
        "engine_share": good[-1]["engine_share"] if good else 0,
        "kind": load.kind,
        ("publishers" if of == "subscribers" else "subscribers"): getattr(
            load, "publishers" if of == "subscribers" else "subscribers"
        ),
        "p99_bound_us": bound_us,
        "limited_by": min(bad, key=lambda one: one["count"])["fault"] if bad else "the most that was to be tried",
        "tries": tries,
    }
