"""`mediarouter bench memory`: what a transport and a consumer take of the router's memory.

Resident anonymous pages of the router's process are read after each step: transports that wait for their clients, the
same after ICE and DTLS, consumers before any packet, and the same at work. Each step is divided by what it added.
"""

import resource
from contextlib import closing
from typing import Any

from mediarouter.bench.clients import Client, Joined
from mediarouter.bench.display import Tell, silent
from mediarouter.bench.load import Load
from mediarouter.bench.meeting import Meeting
from mediarouter.bench.router_under_test import RouterProcess

WARM_UP = 50  # transports that bring in what is allocated once
PRODUCERS = 100
OFTEN = 50  # after so many clients the display is told
DESCRIPTORS_OF_OURS = 64


def memory(
    transports: int = 1000, consumers: int = 10_000, seconds: float = 5.0, *, tell: Tell = silent, **options: Any
) -> dict[str, Any]:
    """Open, connect, consume and forward.

    Args:
        transports: of clients; at least one for each hundred consumers.
        consumers: in all, at most 100 on a transport.
        seconds: for which all consumers work.

    Raises:
        ValueError: too few transports for so many consumers, or more than the system allows file descriptors.
    """
    subscribers, producers = spread(transports, consumers)
    allow_descriptors(transports + producers + WARM_UP + DESCRIPTORS_OF_OURS)
    load = Load(producers, subscribers, packets_per_frame=1, frames_per_second=1)
    router = RouterProcess(**options)
    with closing(Meeting(router)) as meeting:
        meeting.add_subscribers(WARM_UP, ())
        bytes_at = {"start": router.anonymous_bytes()}
        clients = open_and_join(meeting, router, transports, bytes_at, tell)
        tell("publishers come in", 0.5)
        meeting.add_publishers(load, producers)
        bytes_at["producers"] = router.anonymous_bytes()
        for number, (transport, joined) in enumerate(clients):
            meeting.subscribe(transport, joined, meeting.producers if number < subscribers else ())
            if number % OFTEN == 0:
                tell("consumers", 0.5 + 0.3 * number / transports)
        bytes_at["consumers"] = router.anonymous_bytes()
        tell("at work", 0.8)
        figures = meeting.measure(seconds)
        bytes_at["working"] = router.anonymous_bytes()
    return summary(transports, producers * subscribers, bytes_at) | fared(figures, producers)


def spread(transports: int, consumers: int) -> tuple[int, int]:
    """Over so many subscribers, each of so many producers.

    Raises:
        ValueError: too few transports.
    """
    producers = min(PRODUCERS, consumers)
    subscribers = consumers // producers
    if subscribers > transports:
        raise ValueError(f"{consumers} consumers need {subscribers} transports")
    return subscribers, producers


def allow_descriptors(count: int) -> None:
    """As many as the system lets us.

    Raises:
        ValueError: that is not enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise ValueError(f"{count} file descriptors are needed, {hard} allowed (ulimit -n)")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def open_and_join(
    meeting: Meeting, router: RouterProcess, count: int, bytes_at: dict[str, int], tell: Tell
) -> list[tuple[int, Joined]]:
    """Transports first, then their clients: their numbers, and the clients."""
    waiting = []
    for number in range(count):
        client = Client(meeting.certificate)
        waiting.append((client, router.open(client)))
        if number % OFTEN == 0:
            tell("transports", 0.1 * number / count)
    bytes_at["opened"] = router.anonymous_bytes()
    joined = []
    for number, (client, opened) in enumerate(waiting):
        joined.append((opened.transport, client.join(opened.ice, opened.candidates, opened.dtls)))
        if number % OFTEN == 0:
            tell("handshakes", 0.1 + 0.4 * number / count)
    bytes_at["joined"] = router.anonymous_bytes()
    return joined


def summary(transports: int, consumers: int, bytes_at: dict[str, int]) -> dict[str, Any]:
    """Bytes a piece."""
    return {
        "transport_opened_bytes": (bytes_at["opened"] - bytes_at["start"]) // transports,
        "transport_bytes": (bytes_at["joined"] - bytes_at["start"]) // transports,
        "consumer_idle_bytes": (bytes_at["consumers"] - bytes_at["producers"]) // consumers,
        "consumer_bytes": (bytes_at["working"] - bytes_at["producers"]) // consumers,
        "transports": transports,
        "consumers": consumers,
        "process_bytes": bytes_at["working"],
        "steps_bytes": bytes_at,
    }


def fared(figures: dict[str, Any], producers: int) -> dict[str, Any]:
    """Whether every consumer brought something."""
    received = figures["received"]
    names = ("flowing", "packets", "lost", "damaged", "refused")
    return {"producers": producers, **{name: received[name] for name in names}}
