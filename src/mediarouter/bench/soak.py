"""`mediarouter bench soak`: a router under load for long, while clients come and go: nothing grows, sticks or vanishes.

The load is found as for `bench latency`. While it flows, a client a second comes in by ICE and DTLS, watches a room,
offers a microphone and goes after some seconds, every other one without a word. The router's resident memory and the
number of its Python objects are looked at every second, and a line is laid through the last two thirds. At the end all
leave: the engine's tables must be empty, its sockets have nothing left to send, and the sums of its counters must agree
to the packet (`_balance.balance_of`).
"""

import time
from contextlib import closing
from typing import Any

from mediarouter._balance import LEFT_NAMES, balance_of
from mediarouter.bench.display import Tell, silent
from mediarouter.bench.drift import drift
from mediarouter.bench.meeting import Meeting
from mediarouter.bench.rooms import Room, Rooms
from mediarouter.bench.router_under_test import RouterProcess
from mediarouter.bench.visitors import Visitors, staying

LOOK_S = 0.9  # after each client, but no more often
FLAT = 0.01  # growth over the time that counts, as a share
EMPTY_TIMEOUT_S = 5.0


def soak(
    minutes: float = 10.0,
    share: float = 0.8,
    clients_per_s: float = 1.0,
    *,
    tell: Tell = silent,
    room: Room | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Open rooms until the engine is busy for this share of a core, then let people come and go.

    Args:
        minutes: for which they do.
        clients_per_s: who come and go.

    Returns:
        growth of memory and of Python objects; what is left of those who left; the balance of packets; how the traffic
        fared.
    """
    router = RouterProcess(**options)
    room = room or Room()
    with closing(Meeting(router)) as meeting:
        before = router.sample()
        rooms = Rooms(meeting, room)
        for step in rooms.fill(share):
            tell(f"{rooms.loud} rooms: {step['engine_share']:.0%} of a core", 0.0)
        visitors = Visitors(router, meeting.certificate, meeting.producers[: 2 * room.publishers], clients_per_s)
        samples: list[tuple[float, dict[str, Any]]] = []

        def look(passed_s: float) -> None:
            if not samples or passed_s >= samples[-1][0] + LOOK_S:
                samples.append((passed_s, router.sample()))
                tell(f"{rooms.loud} rooms, {visitors.came} came and went", passed_s / 60 / minutes)

        figures = meeting.measure(minutes * 60, meanwhile=lambda: visitors.run(minutes * 60, look))
        router.leave([*meeting.publishers, *meeting.subscribers])
        after = emptied(router)
        counters = router.figures()["counters"]
    return {
        **growth(samples, visitors.came),
        **left_behind(before, after),
        **balance(counters),
        **fared(figures),
        "minutes": minutes,
        "rooms": rooms.loud,
        "came_and_went": visitors.came,
    }


def emptied(router: RouterProcess) -> dict[str, Any]:
    """What is left when all have left, as soon as nothing is, or after some seconds."""
    deadline_s = time.monotonic() + EMPTY_TIMEOUT_S
    while True:
        counters, sample = router.figures()["counters"], router.sample()
        waits = counters["packets_unsent"] + counters["send_waiting"] + counters["rtp_packets_gathered"]
        if (not staying(sample) and not waits) or time.monotonic() > deadline_s:
            return sample | {"waiting": waits}
        time.sleep(0.05)


def growth(samples: list[tuple[float, dict[str, Any]]], came: int) -> dict[str, Any]:
    """Of memory and of objects, by a line through the last two thirds of the time."""
    times_s = [at for at, _ in samples]
    rss, objects = (drift(times_s, [sample[name] for _, sample in samples]) for name in ("rss_bytes", "objects"))
    per_client = times_s[-1] / max(1, came)
    return {
        "flat": max(rss.growth, objects.growth) <= FLAT,
        "rss_bytes": round(rss.level),
        "rss_growth": round(rss.growth, 5),
        "rss_growth_bytes_per_client": round(rss.per_s * per_client, 1),
        "objects": round(objects.level),
        "objects_growth": round(objects.growth, 5),
        "objects_growth_per_client": round(objects.per_s * per_client, 3),
        "rss_bytes_at": {
            f"{share:.0%}": samples[int(share * (len(samples) - 1))][1]["rss_bytes"]
            for share in (0.0, 1 / 3, 2 / 3, 1.0)
        },
    }


def left_behind(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Of those who left: rows of the engine, datagrams that wait, descriptors and threads of the process."""
    return {
        "rows_left": after["rows"],
        "waiting_left": after["waiting"],
        "descriptors_left": after["descriptors"] - before["descriptors"],
        "threads_left": after["threads"] - before["threads"],
    }


def balance(counters: dict[str, int]) -> dict[str, Any]:
    """The sums, and what they are made of."""
    return {
        "vanished": balance_of(counters),
        "packets_accepted": counters["rtp_packets_accepted"],
        "copies_due": counters["rtp_copies_due"] + counters["rtp_copies_again"],
        "copies_sent": counters["rtp_packets_forwarded"] + counters["rtp_copies_filled"],
        "copies_left_out": {name: counters[f"rtp_copies_left_{name}"] for name in LEFT_NAMES},
        "packets_resent": counters["rtp_packets_resent"],
        "packets_out": counters["packets_out"],
        "datagrams_sent": counters["datagrams_sent"],
        **{name: counters[name] for name in ("send_queued", "send_blocked", "send_failed", "kernel_dropped")},
    }


def fared(figures: dict[str, Any]) -> dict[str, Any]:
    """The traffic of those who stayed."""
    received = figures["received"]
    return {
        "packets_per_second": round(figures["packets"] / figures["seconds"]),
        "engine_share": round(figures["engine_share"], 3),
        **{name: received[name] for name in ("lost", "damaged", "refused", "overrun")},
    }
