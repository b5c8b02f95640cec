"""Publishers and subscribers that are connected to a router under test."""

import socket
import time
from collections.abc import Sequence
from typing import Any

from mediarouter.bench._sink import Sink
from mediarouter.bench._source import Source
from mediarouter.bench.load import FIRST_SSRC, MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID, Load
from mediarouter.bench.router_under_test import RouterUnderTest
from mediarouter.bench.running import running
from mediarouter.srtp import Profile
from mediarouter.transports.dtls import DtlsCertificate

SETTLE_S = 0.7


class Meeting:
    """Clients of a router; it closes the router with them.

    Args:
        kind: of the traffic, as in `Load`.
        profile: the only one that clients offer.
    """

    def __init__(self, router: RouterUnderTest, kind: str, profile: Profile) -> None:
        self.router = router
        self.profile = profile
        self.certificate = DtlsCertificate.generate()
        self.certificate.context.set_tlsext_use_srtp(f"SRTP_{profile.name}".encode())
        self.source: Source | None = None
        self.sink = Sink(vp8=kind == "video", transport_cc_id=TRANSPORT_CC_ID)
        self.sockets: list[socket.socket] = []
        self.producers: list[int] = []

    def add_publishers(self, load: Load, count: int) -> list[int]:
        """More publishers of such a load; their producers' numbers."""
        if self.source is None:
            self.source = source_of(load)
        added = []
        for index in range(len(self.producers), len(self.producers) + count):
            transport, joined = self.router.join(self.certificate)
            added.append(self.router.produce(transport, load, index))
            keys = joined.local_key, joined.remote_key
            self.source.add(joined.socket.fileno(), joined.profile, *keys, joined.check, FIRST_SSRC + index)
            self.sockets.append(joined.socket)
        self.producers += added
        return added

    def add_subscribers(self, count: int, producers: Sequence[int]) -> None:
        """More subscribers, each of all these producers."""
        for _ in range(count):
            transport, joined = self.router.join(self.certificate)
            assert joined.profile == self.profile
            keys = joined.local_key, joined.remote_key
            self.sink.add(joined.socket.fileno(), joined.profile, *keys, joined.check)
            self.sockets.append(joined.socket)
            self.router.consume(transport, producers)

    def measure(self, seconds: float) -> dict[str, Any]:
        """One round of traffic."""
        assert self.source is not None
        with running(self.source, self.sink):
            time.sleep(SETTLE_S)
            return self._round(self.source, seconds)

    def _round(self, source: Source, seconds: float) -> dict[str, Any]:
        self.sink.reset()
        source.reset()
        before = self.router.figures()
        time.sleep(seconds)
        after = self.router.figures()
        received, sent = self.sink.figures(), source.figures()
        counted = {name: after["counters"][name] - before["counters"][name] for name in after["counters"]}
        forwarded = counted["rtp_packets_forwarded"]
        cpu_ns = after["cpu_ns"] - before["cpu_ns"]
        user_s, system_s = (after[name] - before[name] for name in ("user_s", "system_s"))
        return {
            "packets": forwarded,
            "cpu_ns_per_packet": cpu_ns / max(1, forwarded),
            "user_ns_per_packet": cpu_ns * user_s / max(1e-9, user_s + system_s) / max(1, forwarded),
            "mean_burst": counted["datagrams_sent"] / max(1, counted["send_messages"]),
            "received": received,
            "sent": sent,
            "counters": counted,
            "rss_bytes": after["rss_bytes"],
            "slowest_batch_us": after["slowest_batch_us"],
        }

    def close(self) -> None:
        """End all."""
        self.router.close()
        for sock in self.sockets:
            sock.close()


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
    )
