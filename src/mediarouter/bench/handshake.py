"""`mediarouter bench handshake`: clients that come in while media flows.

A client that joins asks for a transport, has its check answered and shakes hands by DTLS, all of it in the router's
process. First as many as can come while there is no media, which tells what a join costs each thread. Then the router
is given media until its engine is busy for a share of a core, and clients come at a steady rate: what that does to the
media is its latency with and without. The clients live on the same machine: their cost is told beside, since it may be
what limits the rate.
"""

from contextlib import closing
from typing import Any

from mediarouter.bench.display import Tell, silent
from mediarouter.bench.joins import Joins, Outcome
from mediarouter.bench.latency import added
from mediarouter.bench.meeting import Meeting
from mediarouter.bench.rooms import Room, Rooms
from mediarouter.bench.router_under_test import RouterProcess
from mediarouter.bench.stun_checks import checks

ALONE_S = 3.0
RATE_OF_ALL = 10_000.0  # more than anybody lets in


def handshake(
    rate: float = 300.0, seconds: float = 10.0, share: float = 0.5, *, tell: Tell = silent, **options: Any
) -> dict[str, Any]:
    """Measure checks, then media alone, then media while clients come in.

    Args:
        rate: clients a second.
        seconds: of each of the two measurements.
        share: of a core, that the engine shall be busy with media.
    """
    router = RouterProcess(**options)
    with closing(Meeting(router)) as meeting:
        tell("connectivity checks", 0.0)
        _, client = router.join(meeting.certificate)
        with client.socket:
            checked = checks(router, client)
        tell("clients alone", 0.1)
        alone = joins_alone(meeting, router)
        rooms = Rooms(meeting, Room())
        for step in rooms.fill(share):
            tell(f"{rooms.loud} rooms: {step['engine_share']:.0%} of a core", 0.3)
        tell("media alone", 0.4)
        without = meeting.measure(seconds)
        tell(f"media while {rate:g} clients a second come in", 0.7)
        crowd = Joins(router, meeting.certificate, rate)
        during = meeting.measure(seconds, meanwhile=lambda: crowd.run(seconds))
    return summary(rate, crowd.outcome, without, during) | alone | checked


def joins_alone(meeting: Meeting, router: RouterProcess) -> dict[str, Any]:
    """As many as can come, without media: what one costs."""
    before = router.figures()
    outcome = Joins(router, meeting.certificate, RATE_OF_ALL).run(ALONE_S)
    after = router.figures()
    joined = max(1, outcome.joined)
    engine_ns, all_ns = (after[name] - before[name] for name in ("engine_cpu_ns", "cpu_ns"))
    return {
        "alone_joins_per_second": round(outcome.joined / ALONE_S, 1),
        "alone_router_us_per_join": round((all_ns - engine_ns) / 1000 / joined),
        "alone_engine_us_per_join": round(engine_ns / 1000 / joined),
        "alone_client_us_per_join": round(outcome.client_cpu_ns / 1000 / joined),
    }


def summary(rate: float, outcome: Outcome, without: dict[str, Any], during: dict[str, Any]) -> dict[str, Any]:
    """What joins cost, and what they did to the media."""
    joined, seconds = max(1, outcome.joined), during["seconds"]
    control_us = (during["router_share"] - during["engine_share"]) * seconds * 1e6
    times_ms = sorted(outcome.times_ms) or [0.0]
    return {
        "joins_per_second": round(outcome.joined / seconds, 1),
        "asked_per_second": rate,
        "failed": outcome.failed,
        "router_us_per_join": round(control_us / joined),
        "client_us_per_join": round(outcome.client_cpu_ns / 1000 / joined),
        "join_ms": {
            name: round(times_ms[int(share * (len(times_ms) - 1))], 1) for name, share in (("p50", 0.5), ("p99", 0.99))
        },
        **{f"{kind}_added_us": added_of(without, kind) for kind in ("video", "audio")},
        **{f"{kind}_added_us_with_joins": added_of(during, kind) for kind in ("video", "audio")},
        "engine_share": round(without["engine_share"], 3),
        "engine_share_with_joins": round(during["engine_share"], 3),
        "packets_per_second": round(during["packets"] / seconds),
        "lost": without["received"]["lost"] + during["received"]["lost"],
        "unread": without["unread"] + during["unread"],
    }


def added_of(figures: dict[str, Any], kind: str) -> dict[str, int]:
    """By the router, in this round."""
    return added(figures["received"][f"{kind}_us"], figures["received"]["direct_us"])
