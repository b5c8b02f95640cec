"""`mediarouter bench fanout`: the processor time of a forwarded packet, beside the floor of the same machine.

A router runs in a process of its own. Publishers send bursts as browsers do, subscribers drain their sockets, decrypt
and check every packet, and answer as browsers do. Then the floor sends the same bursts to as many sockets that are
drained by the same code. Both are measured by the scheduler's account of the sending process.
"""

import json
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from mediarouter.bench._sink import Sink
from mediarouter.bench._source import Source
from mediarouter.bench.clients import Client, Joined
from mediarouter.parameters import (
    ABS_SEND_TIME,
    MID,
    TRANSPORT_CC,
    DtlsParameters,
    IceCandidate,
    IceParameters,
    RtcpFeedback,
    RtpCapabilities,
    RtpCodecCapability,
    RtpCodecParameters,
    RtpEncodingParameters,
    RtpHeaderExtension,
    RtpHeaderExtensionParameters,
    RtpParameters,
    RtxParameters,
)
from mediarouter.srtp import Profile
from mediarouter.transports.dtls import DtlsCertificate

MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID = 4, 2, 3
VIDEO_PAYLOAD_TYPE, AUDIO_PAYLOAD_TYPE = 96, 111
FEEDBACK = (RtcpFeedback("nack"), RtcpFeedback("nack", "pli"), RtcpFeedback("transport-cc"))
EXTENSIONS = ((MID, MID_ID), (ABS_SEND_TIME, SEND_TIME_ID), (TRANSPORT_CC, TRANSPORT_CC_ID))
EXTENSION_BYTES = 16  # of the three, as the router writes them
SETTLE_S = 0.7


@dataclass(frozen=True)
class Load:
    """What is sent to whom.

    Attributes:
        publishers, subscribers: each subscriber gets every publisher.
        kind: "video" (VP8) or "audio" (Opus, one packet a frame).
        payload_size: bytes of an RTP payload.
        packets_per_frame, frames_per_second, gap_us: of a publisher's bursts.
        seconds: of one measurement.
    """

    publishers: int = 1
    subscribers: int = 100
    kind: str = "video"
    payload_size: int = 1080
    packets_per_frame: int = 6
    frames_per_second: int = 30
    gap_us: int = 50
    seconds: float = 5.0

    @property
    def packets_per_second(self) -> int:
        """Forwarded, when all goes well."""
        return self.publishers * self.subscribers * self.packets_per_frame * self.frames_per_second


def rtp_parameters(load: Load, index: int) -> RtpParameters:
    """Of the publisher with this number."""
    video = load.kind == "video"
    pt = VIDEO_PAYLOAD_TYPE if video else AUDIO_PAYLOAD_TYPE
    codecs = [
        RtpCodecParameters(
            "video/VP8" if video else "audio/opus",
            pt,
            90000 if video else 48000,
            None if video else 2,
            rtcp_feedback=FEEDBACK if video else FEEDBACK[2:],
        )
    ]
    if video:
        codecs.append(RtpCodecParameters("video/rtx", pt + 1, 90000, parameters={"apt": pt}))
    return RtpParameters(
        tuple(codecs),
        "0",
        tuple(RtpHeaderExtensionParameters(uri, id) for uri, id in EXTENSIONS),
        (RtpEncodingParameters(1000 + index, rtx=RtxParameters(500_000 + index) if video else None),),
    )


def capabilities() -> RtpCapabilities:
    """Of a subscriber: what a browser has, as far as it matters here."""
    return RtpCapabilities(
        (
            RtpCodecCapability(
                "audio", "audio/opus", 48000, 2, preferred_payload_type=111, rtcp_feedback=FEEDBACK[2:]
            ),
            RtpCodecCapability("video", "video/VP8", 90000, rtcp_feedback=FEEDBACK, preferred_payload_type=96),
            RtpCodecCapability(
                "video", "video/rtx", 90000, parameters={"apt": 96}, preferred_payload_type=97
            ),
        ),
        tuple(RtpHeaderExtension(kind, uri, id) for kind in ("audio", "video") for uri, id in EXTENSIONS),
    )


class RouterProcess:
    """The router under test, and JSON lines to it."""

    def __init__(self, **options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mediarouter.bench.router_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.port = self.order(**options)["port"]

    def order(self, **fields: Any) -> dict[str, Any]:
        """Send an order; its answer."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(fields).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the router ended with {self._process.wait()}")
        return dict(json.loads(line))

    def join(self, certificate: DtlsCertificate) -> tuple[int, Joined]:
        """A transport and its client."""
        client = Client(certificate)
        answer = self.order(
            do="open", dtls=msgspec.to_builtins(client.dtls_parameters), ice=msgspec.to_builtins(client.ice_parameters)
        )
        joined = client.join(
            msgspec.convert(answer["ice"], IceParameters),
            msgspec.convert(answer["candidates"], tuple[IceCandidate, ...]),
            msgspec.convert(answer["dtls"], DtlsParameters),
        )
        return answer["transport"], joined

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def running(*workers: Any) -> Iterator[None]:
    """Their `run` in threads, until the block ends."""
    threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join()


class Meeting:
    """A router with publishers and subscribers connected to it."""

    def __init__(self, load: Load, profile: Profile, **router_options: Any) -> None:
        self.load = load
        self.certificate = DtlsCertificate.generate()
        self.certificate.context.set_tlsext_use_srtp(f"SRTP_{profile.name}".encode())  # the only one clients offer
        self.router = RouterProcess(**router_options)
        video = load.kind == "video"
        self.source = Source(
            vp8=video,
            payload_type=VIDEO_PAYLOAD_TYPE if video else AUDIO_PAYLOAD_TYPE,
            payload_size=load.payload_size,
            packets_per_frame=load.packets_per_frame,
            frames_per_second=load.frames_per_second,
            gap_us=load.gap_us,
            clock_rate=90000 if video else 48000,
            extensions=(MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID),
        )
        self.sink = Sink(vp8=video, transport_cc_id=TRANSPORT_CC_ID)
        self.sockets: list[socket.socket] = []
        self.profile = profile
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        producers = []
        for index in range(self.load.publishers):
            transport, joined = self.router.join(self.certificate)
            parameters = msgspec.to_builtins(rtp_parameters(self.load, index))
            order = self.router.order(do="produce", transport=transport, kind=self.load.kind, rtp=parameters)
            producers.append(order["producer"])
            self.source.add(
                joined.socket.fileno(), joined.profile, joined.local_key, joined.remote_key, joined.check, 1000 + index
            )
            self.sockets.append(joined.socket)
        wanted = msgspec.to_builtins(capabilities())
        for _ in range(self.load.subscribers):
            transport, joined = self.router.join(self.certificate)
            self.sink.add(joined.socket.fileno(), joined.profile, joined.local_key, joined.remote_key, joined.check)
            self.sockets.append(joined.socket)
            assert joined.profile == self.profile
            for producer in producers:
                self.router.order(do="consume", transport=transport, producer=producer, capabilities=wanted)

    def measure(self) -> dict[str, Any]:
        """One round of traffic."""
        with running(self.source, self.sink):
            time.sleep(SETTLE_S)
            return self._round()

    def _round(self) -> dict[str, Any]:
        self.sink.reset()
        self.source.reset()
        before = self.router.order(do="figures")
        time.sleep(self.load.seconds)
        after = self.router.order(do="figures")
        received, sent = self.sink.figures(), self.source.figures()
        counted = {name: after["counters"][name] - before["counters"][name] for name in after["counters"]}
        forwarded = counted["rtp_packets_forwarded"]
        cpu_ns = after["cpu_ns"] - before["cpu_ns"]
        user_share = (after["user_s"] - before["user_s"]) / max(
            1e-9, after["user_s"] - before["user_s"] + after["system_s"] - before["system_s"]
        )
        return {
            "packets": forwarded,
            "cpu_ns_per_packet": cpu_ns / max(1, forwarded),
            "user_ns_per_packet": cpu_ns * user_share / max(1, forwarded),
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


class FloorProcess:
    """The floor under the same load, and the sockets that drain it."""

    def __init__(self, load: Load, profile: Profile) -> None:
        self.load = load
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(load.subscribers)]
        self.sink = Sink(vp8=False, transport_cc_id=0, encrypted=False)
        names = []
        for receiver in self.sockets:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            receiver.bind(("127.0.0.1", 0))
            receiver.setblocking(False)
            self.sink.add(receiver.fileno(), 0, b"", b"", b"")
            port = receiver.getsockname()[1]
            names.append(struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, b"\x7f\0\0\1"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mediarouter.bench.floor_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        plan = {
            "names": [name.hex() for name in names],
            "profile": int(profile),
            "packet_size": 12 + EXTENSION_BYTES + load.payload_size,
            "packets_per_frame": load.packets_per_frame,
            "frames_per_second": load.frames_per_second,
            "publishers": load.publishers,
        }
        self._order(json.dumps(plan))

    def _order(self, line: str) -> dict[str, int]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def measure(self) -> float:
        """One round; nanoseconds of processor time a packet."""
        with running(self.sink):
            before = self._order("start")
            time.sleep(SETTLE_S + self.load.seconds)
            after = self._order("stop")
        return (after["cpu_ns"] - before["cpu_ns"]) / max(1, after["sent"] - before["sent"])

    def close(self) -> None:
        """End all."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)
        for receiver in self.sockets:
            receiver.close()


def fanout(
    load: Load, rounds: int = 5, *, profile: Profile = Profile.AEAD_AES_128_GCM, **router_options: Any
) -> dict[str, Any]:
    """Measure router and floor in turn, round by round, so that both meet the same machine.

    Returns:
        medians of the rounds: cpu_ns_per_packet, floor_ns_per_packet, ratio, user_ns_per_packet, mean_burst, and how
        the traffic fared.
    """
    meeting = Meeting(load, profile, **router_options)
    try:
        floor = FloorProcess(load, profile)
        try:
            pairs = [(meeting.measure(), floor.measure()) for _ in range(rounds)]
        finally:
            floor.close()
    finally:
        meeting.close()
    measured = [router for router, _ in pairs]
    latest = measured[-1]
    return {
        "cpu_ns_per_packet": round(statistics.median(r["cpu_ns_per_packet"] for r in measured), 1),
        "floor_ns_per_packet": round(statistics.median(ns for _, ns in pairs), 1),
        "ratio": round(statistics.median(r["cpu_ns_per_packet"] / ns for r, ns in pairs), 3),
        "user_ns_per_packet": round(statistics.median(r["user_ns_per_packet"] for r in measured), 1),
        "packets": sum(r["packets"] for r in measured),
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
