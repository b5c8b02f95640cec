"""Pipes between engines in their threads: nothing is lost, and ends may close while the other side is at it."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mediarouter import _pipe_commands, rtp
from mediarouter._engine import Engine, ufrag_prefix
from mediarouter.net.sockets import open_pair
from mediarouter.srtp import Profile, SrtpSession
from tests.virtual import CLIENT_KEY, OPAQUE, PASSWORD, ROUTER_KEY, VP8, binding_request, vp8_payload

PROFILE = Profile.AEAD_AES_128_GCM
WINDOW = 64


@contextmanager
def running() -> Iterator[tuple[Engine, int]]:
    """An engine in its thread, and its port."""
    pair = open_pair("127.0.0.1", 0, tcp=False)
    engine = Engine()
    engine.add_socket(pair.udp.detach(), -1, pair.recv_buffer_size)
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        yield engine, pair.port
    finally:
        engine.stop()
        thread.join(10)
        assert not thread.is_alive()


class Client:
    """A transport of an engine, and the client's socket."""

    def __init__(self, engine: Engine, port: int) -> None:
        self.engine = engine
        self.handle = engine.add_transport(1, b"cname")
        ufrag = ufrag_prefix(self.handle).encode() + b"rest"
        engine.set_ice_credentials(self.handle, ufrag, PASSWORD)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        self.socket.send(binding_request(ufrag + b":peer", PASSWORD))
        self.socket.recv(2048)
        engine.set_keys(self.handle, PROFILE, CLIENT_KEY, ROUTER_KEY)
        self.srtp = SrtpSession(PROFILE, CLIENT_KEY, ROUTER_KEY)

    def send(self, seq: int, payload: bytes, payload_type: int) -> None:
        """One packet of a stream."""
        packet = rtp.build(
            payload_type=payload_type, sequence_number=seq & 0xFFFF, timestamp=seq * 3000, ssrc=5, payload=payload
        )
        self.socket.send(self.srtp.protect(packet))

    def receive(self) -> bytes:
        """The payload of the next RTP packet."""
        while True:
            data = self.socket.recv(2048)
            if rtp.packet_kind(data) is rtp.PacketKind.RTP:
                return bytes(rtp.parse(self.srtp.unprotect(data)).payload)


def produce(engine: Engine, transport: int, *, video: bool) -> int:
    return engine.add_producer(
        transport,
        video=video,
        clock_rate=90000,
        codec=VP8 if video else OPAQUE,
        payload_type=96,
        rtx_payload_type=-1,
        mid=b"",
        nack=False,
        use_fir=False,
        paused=False,
        encodings=[(b"", 5, 0)],
    )


def consume(client: Client, producer: int, ssrc: int = 7000) -> int:
    return client.engine.add_consumer(
        client.handle,
        producer,
        ssrc=ssrc,
        rtx_ssrc=0,
        payload_type=120,
        rtx_payload_type=-1,
        mid=b"v",
        extensions={},
        mixed=True,
        first_seq=1,
        paused=False,
        spatial=127,
        temporal=127,
    )


class Link:
    """A pipe with one producer in it."""

    def __init__(self, near: Engine, far: Engine, original: int, *, video: bool, ring_bytes: int) -> None:
        self.near, self.far = near, far
        self.original = original
        self.ends = _pipe_commands.connect(near, far, ring_bytes)
        self.transport = far.add_transport(1, b"cname")
        _pipe_commands.serve_transport(far, self.transport, self.ends[1])
        self.copy = produce(far, self.transport, video=video)
        _pipe_commands.set_origin(far, self.copy, original)
        _pipe_commands.add_tap(near, original, self.ends[0], self.copy)


def test_two_threads_pass_on_every_packet_in_order():
    count = 6400
    with running() as (near, near_port), running() as (far, far_port):
        publisher, viewer = Client(near, near_port), Client(far, far_port)
        original = produce(near, publisher.handle, video=False)
        link = Link(near, far, original, video=False, ring_bytes=1 << 20)
        consume(viewer, link.copy)
        for first in range(0, count, WINDOW):
            for number in range(first, first + WINDOW):
                publisher.send(number, b"%d" % number, 96)
            for number in range(first, first + WINDOW):
                assert viewer.receive() == b"%d" % number
        figures = _pipe_commands.figures(near, link.ends[0])
        assert figures["packets_sent"] == count == far.counters()["rtp_packets_piped"]
        assert figures["packets_refused"] == 0
        assert 0 < figures["wakes"] <= count
        publisher.socket.close()
        viewer.socket.close()


class Sender:
    """Sends video until it is told to stop: mostly faster than a small ring is read."""

    def __init__(self, publisher: Client) -> None:
        self._publisher = publisher
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _send(self) -> None:
        number = 0
        while not self._stop.is_set():
            self._publisher.send(number, vp8_payload(number, key=True, body=b"%06d" % number + bytes(1000)), 96)
            number += 1


def close_somehow(link: Link, dice: random.Random) -> None:
    actions = [
        lambda: _pipe_commands.close(link.near, link.ends[0]),
        lambda: _pipe_commands.close(link.far, link.ends[1]),
        lambda: _pipe_commands.remove_tap(link.near, link.original, link.ends[0]),
        lambda: link.far.remove_producer(link.copy),
        lambda: link.far.remove_transport(link.transport),
    ]
    dice.shuffle(actions)
    for action in actions:
        action()


def test_ends_close_in_any_order_while_packets_fly():
    dice = random.Random(7)
    with running() as (near, near_port), running() as (far, far_port):
        publisher, viewer = Client(near, near_port), Client(far, far_port)
        original = produce(near, publisher.handle, video=True)
        with Sender(publisher):
            for number in range(150):
                link = Link(near, far, original, video=True, ring_bytes=16384)
                consume(viewer, link.copy, 7000 + number)
                assert b"\0" * 1000 in viewer.receive()
                close_somehow(link, dice)
        assert far.counters()["rtp_packets_piped"] >= 150
        publisher.socket.close()
        viewer.socket.close()


def test_an_engine_may_end_while_the_other_writes_to_it():
    with running() as (near, near_port):
        publisher = Client(near, near_port)
        original = produce(near, publisher.handle, video=True)
        with Sender(publisher):
            for _ in range(20):
                with running() as (far, far_port):
                    viewer = Client(far, far_port)
                    consume(viewer, Link(near, far, original, video=True, ring_bytes=16384).copy)
                    viewer.receive()
                    viewer.socket.close()
                del far, viewer  # its memory goes; the near end stays open, towards nobody
        assert near.counters()["rtp_packets_in"] > 0
        publisher.socket.close()
