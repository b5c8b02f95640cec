"""`mediarouter bench latency`: how much later a packet arrives because it went through the router.

A packet bears the time it was sent; the subscriber's socket has it stamped by the kernel as it arrives, so no client's
slowness counts. What goes from socket to socket past the router in the same run, at the same times, tells what sending
and the loopback take: its median is subtracted. All the rest is the router's: the way into the socket, the wait in it,
the wait for the rest of the frame, and the wait for those who are served first.
"""

from contextlib import closing
from typing import Any

from mediarouter.bench.display import Tell, silent
from mediarouter.bench.meeting import Meeting
from mediarouter.bench.rooms import Room, Rooms
from mediarouter.bench.router_under_test import RouterProcess

QUANTILES = ("p50", "p99", "p99.9")


def latency(
    room: Room, share: float = 0.7, seconds: float = 10.0, *, tell: Tell = silent, **router_options: Any
) -> dict[str, Any]:
    """Open rooms until the engine is busy for this share of a core, then measure.

    Returns:
        added microseconds of video and audio; the load that was found; how the traffic fared.
    """
    tell("a room opens", 0.0)
    with closing(Meeting(RouterProcess(**router_options))) as meeting:
        rooms = Rooms(meeting, room)
        for step in rooms.fill(share):
            done = step["engine_share"]
            tell(f"{rooms.loud} rooms: {done:.0%} of a core", min(0.5, done / share / 2))
        tell(f"{rooms.loud} rooms for {seconds:g} s", 0.5)
        return summary(room, meeting.measure(seconds)) | {"rooms": rooms.loud}


def summary(room: Room, figures: dict[str, Any]) -> dict[str, Any]:
    """The figures that count of a round."""
    received = figures["received"]
    direct_us = received["direct_us"]
    return {
        "video_added_us": added(received["video_us"], direct_us),
        "audio_added_us": added(received["audio_us"], direct_us),
        "direct_us": direct_us,
        "publishers": room.publishers,
        "subscribers": room.subscribers,
        "packets_per_second": round(figures["packets"] / figures["seconds"]),
        "engine_share": round(figures["engine_share"], 3),
        "router_share": round(figures["router_share"], 3),
        "sink_share": round(figures["sink_share"], 3),
        "unread": figures["unread"],
        "lost": received["lost"],
        "overrun": received["overrun"],
        "damaged": received["damaged"],
        "refused": received["refused"],
    }


def added(through_us: dict[str, int], direct_us: dict[str, int]) -> dict[str, int]:
    """Quantiles of the time through the router, less the median of the time past it."""
    return {name: max(0, through_us[name] - direct_us["p50"]) for name in QUANTILES}
