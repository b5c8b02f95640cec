"""`mediarouter bench hostile`: what one hostile participant and a stranger can do to everybody else.

The load is found as for `bench latency`. One more client has come in by ICE and DTLS; in every other round it is quiet,
in the others it sends malformed packets (1 % of the traffic), storms of NACKs for whatever it can name, and floods of
requests for key frames, and a stranger sends checks for sessions that are not his and noise. The rounds alternate in
one run, and the ratio is the median of the rounds' ratios. Its own packets are not among those that are timed.
"""

import statistics
from collections import Counter
from contextlib import closing
from typing import Any

from mediarouter.bench.display import Tell, silent
from mediarouter.bench.hostile_client import HostileClient
from mediarouter.bench.latency import QUANTILES, added
from mediarouter.bench.meeting import Meeting
from mediarouter.bench.rooms import Room, Rooms
from mediarouter.bench.router_under_test import RouterProcess

MALFORMED_SHARE = 0.01
P99_RATIO_MAX = 1.2
PLIS_PER_S_MAX = 2.0
OWN_INDEX = 100_000  # of the hostile client's stream


def hostile(
    share: float = 0.5,
    seconds: float = 5.0,
    rounds: int = 3,
    *,
    tell: Tell = silent,
    room: Room | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Open rooms until the engine is busy for this share of a core, then measure without and with, in turn.

    Args:
        seconds: of each of the two parts of a round.
    """
    router = RouterProcess(**options)
    room = room or Room()
    with closing(Meeting(router)) as meeting:
        rooms = Rooms(meeting, room)
        for step in rooms.fill(share):
            tell(f"{rooms.loud} rooms: {step['engine_share']:.0%} of a core", 0.1)
        malformed_per_s = MALFORMED_SHARE * step["packets"] / step["seconds"]
        watched = meeting.producers[: room.publishers]  # the videos of the first room
        with closing(HostileClient(router, meeting.certificate, watched, OWN_INDEX)) as client:
            pairs = []
            for number in range(rounds):
                tell(f"round {number + 1}, everybody honest", 0.2 + 0.8 * number / rounds)
                quiet = meeting.measure(seconds, meanwhile=lambda: client.run(seconds, attack=False))
                tell(f"round {number + 1}, one hostile", 0.2 + 0.8 * (number + 0.5) / rounds)
                pairs.append((quiet, meeting.measure(seconds, meanwhile=lambda: client.run(seconds, malformed_per_s))))
    return summary(pairs, len(watched)) | {"sent_by_the_hostile": dict(client.sent), "rooms": rooms.loud}


def summary(pairs: list[tuple[dict[str, Any], dict[str, Any]]], watched: int) -> dict[str, Any]:
    """What the others saw, and what the router did.

    Args:
        pairs: the figures of each round, without and with.
        watched: publishers that the hostile client gets.
    """
    without, during = ([times_of(pair[which]) for pair in pairs] for which in (0, 1))
    ratios = [b["p99"] / max(1, a["p99"]) for a, b in zip(without, during, strict=True)]
    attacked = [pair[1] for pair in pairs]
    seconds = sum(figures["seconds"] for figures in attacked)
    dropped: Counter[str] = Counter()
    for figures in attacked:
        dropped += Counter({name: n for name, n in figures["counters"].items() if name.startswith("dropped_")})
    plis = sum(figures["sent"]["video"]["plis"] for figures in attacked) / watched
    plis_allowed = PLIS_PER_S_MAX * seconds + len(pairs)  # a time that begins and ends with one has one more
    ratio = statistics.median(ratios)
    lost = [sum(pair[which]["received"]["lost"] for pair in pairs) for which in (0, 1)]
    return {
        "added_us": {name: statistics.median(one[name] for one in without) for name in QUANTILES},
        "added_us_hostile": {name: statistics.median(one[name] for one in during) for name in QUANTILES},
        "p99_ratio": round(ratio, 3),
        "p99_ratios": [round(one, 3) for one in ratios],
        "plis_per_publisher_per_second": round(plis / seconds, 2),
        "reached": ratio <= P99_RATIO_MAX and plis <= plis_allowed and lost[1] == 0,
        "overloaded": lost[0] > 0,
        "lost": lost,
        "kernel_dropped": [sum(pair[which]["counters"]["kernel_dropped"] for pair in pairs) for which in (0, 1)],
        "dropped": {name.removeprefix("dropped_"): count for name, count in sorted(dropped.items())},
        "resent_per_second": round(sum(one["counters"]["rtp_packets_resent"] for one in attacked) / seconds),
        "packets_per_second": round(sum(one["packets"] for one in attacked) / seconds),
        "engine_share": round(statistics.median(one["engine_share"] for one, _ in pairs), 3),
        "engine_share_hostile": round(statistics.median(one["engine_share"] for one in attacked), 3),
        "rss_growth_bytes": attacked[-1]["rss_bytes"] - attacked[0]["rss_bytes"],
        **{
            name: [sum(pair[which]["received"][name] for pair in pairs) for which in (0, 1)]
            for name in ("damaged", "refused", "overrun")
        },
    }


def times_of(figures: dict[str, Any]) -> dict[str, int]:
    """Added by the router to video and audio together, in this part of a round."""
    return added(figures["received"]["latency_us"], figures["received"]["direct_us"])
