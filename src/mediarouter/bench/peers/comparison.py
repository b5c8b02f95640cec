"""All routers in turn, round by round, under the same traffic of the same clients; and what that comes to."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mediarouter.bench.clients import JoinError
from mediarouter.bench.load import Load
from mediarouter.bench.peers.crowd import Round, measure
from mediarouter.bench.peers.janus import start_janus
from mediarouter.bench.peers.livekit import start_livekit
from mediarouter.bench.peers.orders import start_asyncio, start_mediarouter
from mediarouter.bench.peers.peer import Missing, Peer, Setting
from mediarouter.bench.peers.pion import start_pion
from mediarouter.bench.peers.processes import PeerError
from mediarouter.errors import NegotiationError
from mediarouter.srtp import Profile
from mediarouter.transports.dtls import DtlsCertificate

OURS = "mediarouter"
STARTERS: dict[str, Callable[[Setting], Peer]] = {
    OURS: start_mediarouter,
    "asyncio": start_asyncio,
    "janus": start_janus,
    "pion": start_pion,
    "livekit": start_livekit,
}
PEERS = tuple(name for name in STARTERS if name != OURS)
FAILURES = (PeerError, JoinError, NegotiationError, OSError)


@dataclass
class Contender:
    """One router's rounds.

    Attributes:
        missing: what it lacks on this machine; then it has no rounds.
        failures: what went wrong, round by round.
    """

    name: str
    version: str = ""
    missing: str = ""
    failures: list[str] = field(default_factory=list)
    rounds: dict[int, Round] = field(default_factory=dict)


def compare(
    names: Sequence[str],
    load: Load,
    rounds: int,
    folder: Path,
    *,
    profile: Profile = Profile.AEAD_AES_128_GCM,
    address: str = "",
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Start, fill, measure and end each router, ours first, so many times.

    Args:
        names: of `PEERS`.
        folder: for the routers' configurations and logs, one folder each and round.
        address: of an interface that is not loopback, for who needs one; "" when there is none.
        report: is told what is being done.

    Returns:
        what was asked for, and for each router by name: version, ns_per_packet and packets_per_cpu_second (medians of
        its rounds), ratio (median of the rounds' ratios of its time to ours), lost, damaged, refused, arrived (share
        of what was sent to all), rounds_ns; or why it has no figures.
    """
    certificate = DtlsCertificate.generate()
    certificate.context.set_tlsext_use_srtp(f"SRTP_{profile.name}".encode())  # the only one clients offer
    contenders = [Contender(name) for name in (OURS, *names)]
    for number, contender in _turns(contenders, rounds):
        if contender.missing:
            continue
        report(f"{contender.name}, round {number + 1} of {rounds}")
        own = folder / f"{contender.name}-{number}"
        own.mkdir()
        _take_part(contender, number, Setting(load, certificate, own, address))
    return {
        "publishers": load.publishers,
        "subscribers": load.subscribers,
        "profile": profile.name,
        "seconds": load.seconds,
        "routers": {contender.name: figures(contender, contenders[0], load) for contender in contenders},
    }


def figures(contender: Contender, ours: Contender, load: Load) -> dict[str, Any]:
    """What a router's rounds come to."""
    if contender.missing:
        return {"missing": contender.missing}
    found: dict[str, Any] = {"version": contender.version}
    if contender.failures:
        found["failures"] = contender.failures
    rounds = list(contender.rounds.values())
    if not rounds:
        return found
    ratios = [
        contender.rounds[number].ns_per_packet / ours.rounds[number].ns_per_packet
        for number in contender.rounds
        if number in ours.rounds
    ]
    due = sum(r.sent for r in rounds) * load.subscribers
    return found | {
        "ns_per_packet": round(statistics.median(r.ns_per_packet for r in rounds), 1),
        "packets_per_cpu_second": round(statistics.median(r.packets_per_cpu_second for r in rounds)),
        "ratio": round(statistics.median(ratios), 2) if ratios else None,
        "lost": sum(r.lost for r in rounds),
        "damaged": sum(r.damaged for r in rounds),
        "refused": sum(r.refused for r in rounds),
        "arrived": round(sum(r.packets for r in rounds) / max(1, due), 4),
        "latency_us": rounds[-1].latency_us,
        "rounds_ns": [round(r.ns_per_packet) for r in rounds],
        "rounds": [asdict(r) for r in rounds],
    }


def _turns(contenders: Sequence[Contender], rounds: int) -> Iterator[tuple[int, Contender]]:
    for number in range(rounds):
        for contender in contenders:
            yield number, contender


def _take_part(contender: Contender, number: int, setting: Setting) -> None:
    try:
        peer = STARTERS[contender.name](setting)
    except Missing as missing:
        contender.missing = str(missing)
        return
    except FAILURES as error:
        contender.failures.append(f"round {number + 1}: {error}")
        return
    contender.version = peer.version
    try:
        contender.rounds[number] = measure(peer, setting.load, setting.load.seconds)
    except FAILURES as error:
        contender.failures.append(f"round {number + 1}: {error}")
    finally:
        peer.close()
