"""Publishers and subscribers that are connected to a router under test."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from mediarouter.bench._sink import Sink
from mediarouter.bench._source import Source
from mediarouter.bench.clients import Joined
from mediarouter.bench.load import AUDIO_PAYLOAD_TYPE, FIRST_SSRC, MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID, Load
from mediarouter.bench.router_under_test import RouterUnderTest
from mediarouter.bench.running import cpu_ns_of, running
from mediarouter.srtp import Profile
from mediarouter.transports.dtls import DtlsCertificate

SETTLE_S = 0.7
RECEIVE_BUFFER = 4 << 20


class Meeting:
    """Clients of a router; it closes the router with them.

    Args:
        profile: the only one that clients offer.
    """

    def __init__(self, router: RouterUnderTest, profile: Profile = Profile.AEAD_AES_128_GCM) -> None:
        self.router = router
        self.profile = profile
        self.certificate = DtlsCertificate.generate()
        self.certificate.context.set_tlsext_use_srtp(f"SRTP_{profile.name}".encode())
        self.sources: dict[str, Source] = {}
        self.sink = Sink(vp8=True, transport_cc_id=TRANSPORT_CC_ID, audio_payload_type=AUDIO_PAYLOAD_TYPE)
        self.sockets: list[socket.socket] = []
        self.producers: list[int] = []
        self.publishers: list[int] = []  # their transports
        self.consumers: list[list[int]] = []  # of each subscriber
        self.subscribers: list[int] = []  # their transports

    def source(self, load: Load) -> Source:
        """What sends such a load."""
        if load.kind not in self.sources:
            self.sources[load.kind] = source_of(load)
        return self.sources[load.kind]

    def add_publishers(self, load: Load, count: int) -> list[int]:
        """More publishers of such a load; their producers' numbers."""
        source = self.source(load)
        added = []
        for index in range(len(self.producers), len(self.producers) + count):
            transport, joined = self.router.join(self.certificate)
            self.sockets.append(joined.socket)
            self.publishers.append(transport)
            added.append(self.router.produce(transport, load, index))
            keys = joined.local_key, joined.remote_key
            source.add(joined.socket.fileno(), joined.profile, *keys, joined.check, FIRST_SSRC + index)
        self.producers += added
        return added

    def add_subscribers(self, count: int, producers: Sequence[int]) -> None:
        """More subscribers, each of all these producers."""
        for _ in range(count):
            self.subscribe(*self.router.join(self.certificate), producers)

    def subscribe(self, transport: int, joined: Joined, producers: Sequence[int]) -> None:
        """A client that has come in becomes a subscriber."""
        self.sockets.append(joined.socket)
        assert joined.profile == self.profile
        self.sink.add(joined.socket.fileno(), joined.profile, joined.local_key, joined.remote_key, joined.check)
        self.subscribers.append(transport)
        self.consumers.append(self.router.consume(transport, producers))

    def consume_more(self, producers: Sequence[int]) -> None:
        """Every subscriber gets these too."""
        for transport, consumers in zip(self.subscribers, self.consumers, strict=True):
            consumers += self.router.consume(transport, producers)

    def add_direct(self, load: Load) -> None:
        """One more publisher, whose packets go past the router: what sending, the loopback and the clocks take."""
        near, far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.sockets += (near, far)
        for sock in (near, far):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        near.connect(far.getsockname())
        far.connect(near.getsockname())
        key, other = (os.urandom(self.profile.key_size + self.profile.salt_size) for _ in range(2))
        self.source(load).add(near.fileno(), self.profile, key, other, b"", FIRST_SSRC - 1)
        self.sink.add(far.fileno(), self.profile, other, key, b"", direct=True)

    def measure(self, seconds: float, *, meanwhile: Callable[[], object] | None = None) -> dict[str, Any]:
        """One round of traffic.

        Args:
            meanwhile: what is done instead of waiting so long.

        Returns:
            `round_figures`, and what was sent and received; `unread`: what the subscribers' thread had no time to read,
            and so is no fault of the router.
        """
        with running(*self.sources.values(), self.sink) as threads:
            time.sleep(SETTLE_S)
            self.sink.reset()
            for source in self.sources.values():
                source.reset()
            before = self._totals(cpu_ns_of(threads[self.sink]))
            if meanwhile:
                meanwhile()
            else:
                time.sleep(seconds)
            after = self._totals(cpu_ns_of(threads[self.sink]))
            received = self.sink.figures()
            sent = {kind: source.figures() for kind, source in self.sources.items()}
        figures = round_figures(before, after)
        unread = figures["packets"] - sum(received[name] for name in ("packets", "lost", "damaged", "refused"))
        return figures | {"received": received, "sent": sent, "unread": max(0, unread)}

    def _totals(self, sink_cpu_ns: int) -> dict[str, Any]:
        return self.router.figures() | {"sink_cpu_ns": sink_cpu_ns, "at_ns": time.monotonic_ns()}

    def close(self) -> None:
        """End all."""
        self.router.close()
        for sock in self.sockets:
            sock.close()


def round_figures(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What happened between two totals of a router.

    Returns:
        packets forwarded; processor time of the router a packet, and its share in user mode; shares of one core that
        the router, its engine thread and the subscribers' thread took; the router's counters.
    """
    counted = {name: after["counters"][name] - before["counters"][name] for name in after["counters"]}
    spent = {name: after[name] - before[name] for name in after if name.endswith(("_ns", "_s"))}
    forwarded = max(1, counted["rtp_packets_forwarded"])
    user_share = spent["user_s"] / max(1e-9, spent["user_s"] + spent["system_s"])
    return {
        "packets": counted["rtp_packets_forwarded"],
        "seconds": spent["at_ns"] / 1e9,
        "cpu_ns_per_packet": spent["cpu_ns"] / forwarded,
        "user_ns_per_packet": spent["cpu_ns"] * user_share / forwarded,
        "mean_burst": counted["datagrams_sent"] / max(1, counted["send_messages"]),
        "router_share": spent["cpu_ns"] / spent["at_ns"],
        "engine_share": spent.get("engine_cpu_ns", spent["cpu_ns"]) / spent["at_ns"],
        "sink_share": spent["sink_cpu_ns"] / spent["at_ns"],
        "counters": counted,
        "rss_bytes": after["rss_bytes"],
    }


def source_of(load: Load) -> Source:
    """What sends such a load."""
    return Source(
        vp8=load.kind == "video",
        payload_type=load.payload_type,
        payload_size=load.payload_size,
        packets_per_frame=load.packets_per_frame,
        frames_per_second=load.frames_per_second,
        gap_us=load.gap_us,
        clock_rate=load.clock_rate,
        extensions=(MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID),
        scattered=load.scattered,
    )
