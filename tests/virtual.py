"""Peers of a sans-IO engine, in virtual time: they speak STUN, SRTP and RTCP, and no socket is there.

A `Call` owns the engine and the clock; a `Peer` is one transport with its client on the other side. Keys are given,
since the handshake is the control plane's.
"""

import itertools
import struct
from dataclasses import dataclass

from mediarouter import _rtcp, rtp
from mediarouter._engine import Engine, ufrag_prefix
from mediarouter.srtp import Profile, SrtpSession
from mediarouter.testing.checks import binding_request

ROUTER_KEY = bytes(range(28))
CLIENT_KEY = bytes(range(100, 128))
PASSWORD = b"a-password-of-24-letters"
VP8, OPAQUE, VP9, H264 = 1, 0, 2, 3
BEST = 127
MID, RID, REPAIRED_RID, AUDIO_LEVEL, ABS_SEND_TIME, TRANSPORT_CC = 1, 2, 3, 4, 5, 6
_ports = itertools.count(10000)


def vp8_payload(
    picture_id: int,
    *,
    start: bool = True,
    key: bool = False,
    tid: int = 0,
    tl0: int = 0,
    sync: bool = False,
    body: bytes = b"vp8 frame data",
) -> bytes:
    """A VP8 payload with 15-bit picture id, TL0PICIDX and TID (RFC 7741)."""
    first = 0x80 | (0x10 if start else 0)
    header = bytes((first, 0xE0)) + struct.pack("!H", 0x8000 | picture_id & 0x7FFF) + bytes((tl0 & 0xFF,))
    header += bytes(((tid << 6) | (0x20 if sync else 0),))
    return header + bytes((0x00 if key else 0x01,)) + body


@dataclass
class Received:
    """An RTP packet that a viewer got, decrypted."""

    header: rtp.RtpHeader
    at_us: int

    @property
    def picture_id(self) -> int:
        return struct.unpack("!H", self.header.payload[2:4])[0] & 0x7FFF

    @property
    def tl0(self) -> int:
        return self.header.payload[4]


class Peer:
    """A client and its transport."""

    def __init__(self, call: "Call") -> None:
        self.call = call
        self.address = ("10.0.0.1", next(_ports))
        self.handle = call.engine.add_transport(next(_ports), b"cname")
        self.ufrag = ufrag_prefix(self.handle).encode() + b"rest"
        call.engine.set_ice_credentials(self.handle, self.ufrag, PASSWORD)
        self.srtp = SrtpSession(Profile.AEAD_AES_128_GCM, CLIENT_KEY, ROUTER_KEY)
        self.rtp: list[Received] = []
        self.rtcp: list[tuple[int, int, bytes]] = []
        self.plain: list[bytes] = []
        self.connected = False
        call.peers.append(self)

    def connect(self) -> "Peer":
        """ICE and keys."""
        self.check()
        self.call.engine.set_keys(self.handle, Profile.AEAD_AES_128_GCM, CLIENT_KEY, ROUTER_KEY)
        self.connected = True
        self.call.collect()
        return self

    def check(self, *, address: tuple[str, int] | None = None, nominate: bool = True, priority: int = 1) -> None:
        """Send a connectivity check."""
        request = binding_request(self.ufrag + b":peer", PASSWORD, nominate=nominate, priority=priority)
        self.call.deliver(request, address or self.address)

    def send(self, packet: bytes) -> bytes:
        """Send RTP, encrypted; the datagram."""
        datagram = self.srtp.protect(packet)
        self.call.deliver(datagram, self.address)
        return datagram

    def send_rtcp(self, packet: bytes) -> None:
        """Send RTCP, encrypted."""
        self.call.deliver(self.srtp.protect_rtcp(packet), self.address)

    def take(self, data: bytes) -> None:
        """What the router sends to this client."""
        kind = rtp.packet_kind(data)
        if kind is rtp.PacketKind.RTP:
            self.rtp.append(Received(rtp.parse(self.srtp.unprotect(data)), self.call.now_us))
        elif kind is rtp.PacketKind.RTCP:
            self.rtcp.extend(_rtcp.walk(self.srtp.unprotect_rtcp(data))[0])
        else:
            self.plain.append(data)

    def rtcp_of(self, packet_type: int, count: int | None = None) -> list[bytes]:
        """RTCP packets got, of one type and format."""
        return [data for kind, fmt, data in self.rtcp if kind == packet_type and count in (None, fmt)]

    def plis(self) -> int:
        """Key frames this client was asked for."""
        return len(self.rtcp_of(206, 1))


class Call:
    """An engine without a thread, and the clock.

    Args:
        gather_us: how long packets of a frame wait for each other; at 0 each is forwarded as it comes.
    """

    def __init__(self, gather_us: int = 0) -> None:
        self.engine = Engine()
        self.engine.set_gather(gather_us)
        self.now_us = 1_000_000_000
        self.peers: list[Peer] = []
        self.engine.handle_timeout(self.now_us)

    def peer(self) -> Peer:
        """A connected client."""
        return Peer(self).connect()

    def deliver(self, data: bytes, address: tuple[str, int]) -> None:
        """A datagram reaches the router now."""
        self.engine.handle_batch([(data, address)], self.now_us)
        self.collect()

    def collect(self) -> None:
        """Hand what the router sends to the clients."""
        by_address = {peer.address: peer for peer in self.peers}
        for data, address in self.engine.poll_transmit():
            if address in by_address:
                by_address[address].take(data)

    def run(self, duration_us: int) -> None:
        """Let time pass; timers run when they are due."""
        end_us = self.now_us + duration_us
        while True:
            due_us = self.engine.poll_timeout()
            if due_us is None or due_us > end_us:
                break
            self.now_us = max(self.now_us, due_us)
            self.engine.handle_timeout(self.now_us)
            self.collect()
        self.now_us = end_us
        self.engine.handle_timeout(end_us)
        self.collect()

    def dropped(self) -> dict[str, int]:
        """Drop counters that are not 0."""
        return {
            name.removeprefix("dropped_"): count
            for name, count in self.engine.counters().items()
            if count and name.startswith("dropped_")
        }


class Source:
    """A stream of a publisher: numbers go on by themselves."""

    def __init__(
        self,
        peer: Peer,
        ssrc: int,
        *,
        payload_type: int = 96,
        rid: str | None = None,
        mid: str = "0",
        seq: int = 1000,
        timestamp: int = 50000,
        clock_rate: int = 90000,
    ) -> None:
        self.peer = peer
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.rid = rid
        self.mid = mid
        self.seq = seq
        self.timestamp = timestamp
        self.clock_rate = clock_rate
        self.picture_id = 100
        self.tl0 = 10

    def extensions(self) -> dict[int, bytes]:
        """MID and RID by the ids of `publish_video`."""
        labels = {MID: self.mid.encode()}
        if self.rid is not None:
            labels[RID] = self.rid.encode()
        return labels

    def packet(self, payload: bytes, *, marker: bool = True, extensions: dict[int, bytes] | None = None) -> bytes:
        """The next packet, not sent."""
        data = rtp.build(
            payload_type=self.payload_type,
            sequence_number=self.seq & 0xFFFF,
            timestamp=self.timestamp & 0xFFFFFFFF,
            ssrc=self.ssrc,
            marker=marker,
            payload=payload,
            extensions=self.extensions() | (extensions or {}),
        )
        self.seq += 1
        return data

    def frame(
        self, *, key: bool = False, tid: int = 0, sync: bool = False, packets: int = 1, fill: int = 0
    ) -> list[bytes]:
        """The packets of the next VP8 frame, not sent; each has `fill` bytes at its end."""
        self.picture_id += 1
        self.tl0 += tid == 0
        return [
            self.packet(
                vp8_payload(
                    self.picture_id,
                    start=i == 0,
                    key=key,
                    tid=tid,
                    tl0=self.tl0,
                    sync=sync,
                    body=b"%d/%d" % (self.picture_id, i) + bytes(fill),
                ),
                marker=i == packets - 1,
            )
            for i in range(packets)
        ]

    def send_frame(self, **options: object) -> list[bytes]:
        """Send the next frame."""
        packets = self.frame(**options)  # type: ignore[arg-type]
        for packet in packets:
            self.peer.send(packet)
        return packets

    def advance(self, us: int) -> None:
        """The media clock goes on."""
        self.timestamp += us * self.clock_rate // 1_000_000

    def sender_report(self, ntp_us: int, timestamp: int | None = None) -> None:
        """Tell that this timestamp, by default the current one, was at this time."""
        info = {
            "ssrc": self.ssrc,
            "ntp": (ntp_us << 32) // 1_000_000,
            "rtp_timestamp": (self.timestamp if timestamp is None else timestamp) & 0xFFFFFFFF,
            "packets": 0,
            "octets": 0,
        }
        self.peer.send_rtcp(_rtcp.write("sr", info=info))


def publish_video(
    peer: Peer, rids: tuple[str, ...] = ("q", "h", "f"), *, rtx: bool = True, mid: str = "0", codec: int = VP8
) -> int:
    """A video producer whose header-extension ids are the kinds' own numbers; its handle."""
    peer.call.engine.set_extensions(peer.handle, {kind: kind for kind in (1, 2, 3, 4, 5, 6)})
    return peer.call.engine.add_producer(
        peer.handle,
        video=True,
        clock_rate=90000,
        codec=codec,
        payload_type=96,
        rtx_payload_type=97 if rtx else -1,
        mid=mid.encode(),
        nack=True,
        use_fir=False,
        paused=False,
        encodings=[(rid.encode(), 0, 0) for rid in rids] or [(b"", 0, 0)],
    )


def publish_audio(peer: Peer, *, mid: str = "a", payload_type: int = 111) -> int:
    """An audio producer; its handle."""
    peer.call.engine.set_extensions(peer.handle, {kind: kind for kind in (1, 2, 3, 4, 5, 6)})
    return peer.call.engine.add_producer(
        peer.handle,
        video=False,
        clock_rate=48000,
        codec=OPAQUE,
        payload_type=payload_type,
        rtx_payload_type=-1,
        mid=mid.encode(),
        nack=False,
        use_fir=False,
        paused=False,
        encodings=[(b"", 0, 0)],
    )


def watch(
    peer: Peer,
    producer: int,
    *,
    ssrc: int = 7000,
    rtx: bool = True,
    spatial: int = BEST,
    temporal: int = BEST,
    extensions: dict[int, int] | None = None,
    payload_type: int = 120,
    first_seq: int = 500,
    paused: bool = False,
) -> int:
    """A consumer; its handle."""
    return peer.call.engine.add_consumer(
        peer.handle,
        producer,
        ssrc=ssrc,
        rtx_ssrc=ssrc + 1 if rtx else 0,
        payload_type=payload_type,
        rtx_payload_type=121 if rtx else -1,
        mid=b"v",
        extensions={MID: 9} if extensions is None else extensions,
        mixed=True,
        first_seq=first_seq,
        paused=paused,
        spatial=spatial,
        temporal=temporal,
    )


def nack(peer: Peer, ssrc: int, seqs: list[int]) -> None:
    """Ask the router for lost packets."""
    peer.send_rtcp(_rtcp.write("nack", sender_ssrc=1, media_ssrc=ssrc, seqs=[seq & 0xFFFF for seq in seqs]))
