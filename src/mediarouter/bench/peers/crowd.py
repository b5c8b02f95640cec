"""Publishers and subscribers of one router, whatever its signalling, and what a round of their traffic shows."""

import time
from dataclasses import dataclass

from mediarouter.bench._sink import Sink
from mediarouter.bench._source import Source
from mediarouter.bench.load import MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID, VIDEO_PAYLOAD_TYPE, Load
from mediarouter.bench.peers.peer import Connected, Peer
from mediarouter.bench.peers.processes import PeerError, cpu_ns
from mediarouter.bench.running import running

FIRST_SSRC = 1000
FIRST_PACKET_TIMEOUT_S = 10.0
SETTLE_S = 1.5  # until late joiners' key frames are through, and a garbage collector or a pool has found its size


@dataclass(frozen=True)
class Round:
    """What one round of traffic came to.

    Attributes:
        cpu_ns: processor time of the router, user and system.
        seconds: of the round.
        sent: packets of the publishers.
        packets: that came to a subscriber, were decrypted and checked through; all subscribers together.
        lost: numbers that subscribers jumped over.
        damaged, refused: with a wrong checksum; that could not be decrypted.
        padding: packets without a payload, which count as nothing.
        latency_us: quantiles from a packet's first sending to its arrival.
    """

    cpu_ns: int
    seconds: float
    sent: int
    packets: int
    lost: int
    damaged: int
    refused: int
    padding: int
    latency_us: dict[str, int]

    @property
    def ns_per_packet(self) -> float:
        """Processor time of a packet that arrived."""
        return self.cpu_ns / max(1, self.packets)

    @property
    def packets_per_cpu_second(self) -> float:
        """What one processor would forward in a second."""
        return self.packets * 1e9 / max(1, self.cpu_ns)


def measure(peer: Peer, load: Load, seconds: float) -> Round:
    """Fill the router with the load's clients, let them settle, and take its time for so many seconds.

    Raises:
        PeerError: it does not forward.
        JoinError: it did not let a client in.
    """
    clients: list[Connected] = []
    source = Source(
        vp8=True,
        payload_type=VIDEO_PAYLOAD_TYPE,
        payload_size=load.payload_size,
        packets_per_frame=load.packets_per_frame,
        frames_per_second=load.frames_per_second,
        gap_us=load.gap_us,
        clock_rate=90000,
        extensions=(MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID),
    )
    try:
        for index in range(load.publishers):
            client = peer.publish(FIRST_SSRC + index)
            clients.append(client)
            source.add(*_of(client), FIRST_SSRC + index, client.password)
        with running(source):
            clients.append(peer.subscribe())
            sink = Sink(vp8=True, transport_cc_id=peer.transport_cc_id)
            with running(sink):
                sink.add(*_of(clients[-1]), clients[-1].password)
                for _ in range(load.subscribers - 1):
                    clients.append(peer.subscribe())
                    sink.add(*_of(clients[-1]), clients[-1].password)
                _wait_for_streams(sink, load.publishers * load.subscribers)
                time.sleep(SETTLE_S)
                return _round(peer, source, sink, seconds)
    finally:
        for client in clients:
            client.socket.close()


def _of(client: Connected) -> tuple[int, int, bytes, bytes, bytes]:
    return client.socket.fileno(), client.profile, client.local_key, client.remote_key, client.check


def _wait_for_streams(sink: Sink, wanted: int) -> None:
    deadline = time.monotonic() + FIRST_PACKET_TIMEOUT_S
    while (streams := sink.figures()["streams"]) < wanted:
        if time.monotonic() > deadline:
            raise PeerError(f"of {wanted} streams only {streams} came through")
        time.sleep(0.05)


def _round(peer: Peer, source: Source, sink: Sink, seconds: float) -> Round:
    sink.reset()
    source.reset()
    begun, before = time.monotonic(), cpu_ns(peer.pid)
    time.sleep(seconds)
    ended, after = time.monotonic(), cpu_ns(peer.pid)
    received, sent = sink.figures(), source.figures()
    return Round(
        cpu_ns=after - before,
        seconds=ended - begun,
        sent=sent["sent"],
        packets=received["packets"],
        lost=received["lost"],
        damaged=received["damaged"],
        refused=received["refused"],
        padding=received["padding"],
        latency_us=received["latency_us"],
    )
