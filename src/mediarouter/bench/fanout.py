"""`mediarouter bench fanout`: the processor time of a forwarded packet, beside the floor of the same machine.

A router runs in a process of its own. Publishers send bursts as browsers do, subscribers drain their sockets, decrypt
and check every packet, and answer as browsers do. Then the floor sends the same bursts to as many sockets that are
drained by the same code. Both are measured by the scheduler's account of the sending process.
"""

import statistics
from contextlib import closing
from dataclasses import replace
from typing import Any

from mediarouter.bench.display import Tell, silent
from mediarouter.bench.floor import FloorProcess
from mediarouter.bench.load import Load
from mediarouter.bench.meeting import Meeting
from mediarouter.bench.router_under_test import RouterProcess
from mediarouter.srtp import Profile

GATHER_S = 0.002  # that packets of audio could wait


def fanout(
    load: Load,
    rounds: int = 5,
    *,
    profile: Profile = Profile.AEAD_AES_128_GCM,
    tell: Tell = silent,
    **router_options: Any,
) -> dict[str, Any]:
    """Measure router and floor in turn, round by round, so that both meet the same machine.

    Args:
        tell: told how far it is.

    Returns:
        medians of the rounds: cpu_ns_per_packet, floor_ns_per_packet, ratio, user_ns_per_packet, mean_burst, and how
        the traffic fared. Of audio also what the floor would be if packets waited 2 ms for each other.
    """
    tell("clients come in", 0.0)
    with closing(Meeting(RouterProcess(**router_options), profile)) as meeting:
        meeting.add_subscribers(load.subscribers, meeting.add_publishers(load, load.publishers))
        with closing(FloorProcess(load, profile)) as floor:
            pairs = []
            for number in range(rounds):
                tell(f"round {number + 1} of {rounds}", number / (rounds + 1))
                pairs.append((meeting.measure(load.seconds), floor.measure(load.seconds)))
    figures = summary(load, profile, pairs)
    if load.kind == "audio":
        tell("the floor, if audio waited", rounds / (rounds + 1))
        with closing(FloorProcess(gathered(load), profile)) as floor:
            figures["floor_gathered_ns_per_packet"] = round(floor.measure(load.seconds), 1)
    return figures


def gathered(load: Load) -> Load:
    """The same packets in fewer bursts, as if those of different publishers waited for each other: no router of ours
    lets audio wait, but what could be won is worth knowing."""
    together = max(1, round(load.publishers * load.frames_per_second * GATHER_S))
    return replace(load, publishers=max(1, round(load.publishers / together)), packets_per_frame=together)


def summary(load: Load, profile: Profile, pairs: list[tuple[dict[str, Any], float]]) -> dict[str, Any]:
    """Medians of rounds of (router, floor)."""
    measured = [router for router, _ in pairs]
    latest = measured[-1]
    return {
        "cpu_ns_per_packet": round(statistics.median(r["cpu_ns_per_packet"] for r in measured), 1),
        "floor_ns_per_packet": round(statistics.median(ns for _, ns in pairs), 1),
        "ratio": round(statistics.median(r["cpu_ns_per_packet"] / ns for r, ns in pairs), 3),
        "user_ns_per_packet": round(statistics.median(r["user_ns_per_packet"] for r in measured), 1),
        "packets": sum(r["packets"] for r in measured),
        "kind": load.kind,
        "publishers": load.publishers,
        "subscribers": load.subscribers,
        "mean_burst": round(latest["mean_burst"], 2),
        "profile": profile.name,
        "latency_us": latest["received"]["latency_us"],
        "lost": sum(r["received"]["lost"] for r in measured),
        "damaged": sum(r["received"]["damaged"] for r in measured),
        "refused": sum(r["received"]["refused"] for r in measured),
        "rounds_ns": [[round(r["cpu_ns_per_packet"]), round(ns)] for r, ns in pairs],
    }
