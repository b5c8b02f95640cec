"""The engine thread with real sockets on loopback: batches, TCP frames, slow readers, start and stop."""

import errno
import select
import socket
import struct
import threading
import time

import pytest

from mediarouter._balance import balance_of
from mediarouter._engine import Engine, ufrag_prefix
from mediarouter.errors import InvalidStateError
from mediarouter.net.sockets import open_pair
from tests.virtual import PASSWORD, binding_request


class Running:
    """An engine in its thread, and one transport on it."""

    def __enter__(self):
        self.pair = open_pair("127.0.0.1", 0, tcp=True)
        self.engine = Engine()
        assert self.pair.tcp
        self.engine.add_socket(self.pair.udp.detach(), self.pair.tcp.detach(), self.pair.recv_buffer_size)
        self.thread = threading.Thread(target=self.engine.run)
        self.thread.start()
        self.handle = self.engine.add_transport(1, b"c")
        self.ufrag = ufrag_prefix(self.handle).encode() + b"x"
        self.engine.set_ice_credentials(self.handle, self.ufrag, PASSWORD)
        return self

    def __exit__(self, *_):
        self.engine.stop()
        self.thread.join(5)
        assert not self.thread.is_alive()

    def check(self) -> bytes:
        return binding_request(self.ufrag + b":p", PASSWORD)

    def connect(self, kind: socket.SocketKind) -> socket.socket:
        client = socket.socket(socket.AF_INET, kind)
        client.settimeout(5)
        client.connect(("127.0.0.1", self.pair.port))
        return client


def receive_exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = client.recv(size - len(data))
        assert part, "the connection ended"
        data += part
    return data


def receive_frame(client: socket.socket) -> bytes:
    return receive_exactly(client, struct.unpack("!H", receive_exactly(client, 2))[0])


def test_a_check_by_udp_is_answered():
    with Running() as running, running.connect(socket.SOCK_DGRAM) as client:
        for _ in range(200):
            client.send(running.check())
        for _ in range(200):
            assert client.recv(2048)[:2] == b"\x01\x01"
        assert running.engine.counters()["datagrams_received"] == 200


def test_checks_by_tcp_come_in_any_pieces():
    with Running() as running, running.connect(socket.SOCK_STREAM) as client:
        frame = struct.pack("!H", len(running.check())) + running.check()
        for byte in frame * 2:
            client.send(bytes((byte,)))
        client.sendall(frame * 10 + b"\0\0" + frame)
        for _ in range(13):
            assert receive_frame(client)[:2] == b"\x01\x01"
        assert running.engine.counters()["tcp_connections"] == 1


def test_a_frame_too_long_ends_the_connection():
    with Running() as running, running.connect(socket.SOCK_STREAM) as client:
        client.sendall(b"\xff\xff" + bytes(100))
        try:
            assert client.recv(1) == b""
        except OSError as error:
            assert error.errno == errno.ECONNRESET
        assert running.engine.counters()["tcp_frames_broken"] == 1
        assert running.engine.counters()["tcp_connections"] == 0


def test_a_tcp_client_that_leaves_is_forgotten():
    with Running() as running:
        with running.connect(socket.SOCK_STREAM) as client:
            client.sendall(struct.pack("!H", len(running.check())) + running.check())
            receive_frame(client)
            assert running.engine.transport_figures(running.handle)["pairs"] == 1
        with running.connect(socket.SOCK_DGRAM) as other:
            while running.engine.transport_figures(running.handle)["pairs"] == 1:
                other.send(b"\0" * 20)
        assert running.engine.counters()["tcp_connections"] == 0


def test_a_slow_tcp_reader_loses_whole_frames_and_the_rest_is_readable():
    with Running() as running, running.connect(socket.SOCK_STREAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.sendall(struct.pack("!H", len(running.check())) + running.check())
        receive_frame(client)
        number = 0
        while running.engine.counters()["tcp_frames_dropped"] == 0:
            number += 1
            running.engine.send_dtls(running.handle, struct.pack("!I", number) + bytes(1200))
            assert number < 50_000
        seen = []
        while select.select([client], [], [], 0.5)[0]:
            frame = receive_frame(client)
            assert len(frame) == 1204
            seen.append(struct.unpack("!I", frame[:4])[0])
        assert seen == sorted(seen) and seen[0] == 1
    counters = running.engine.counters()
    assert set(balance_of(counters).values()) == {0} and counters["control_packets"] == number + 1
    assert counters["tcp_frames_sent"] == len(seen) + 1 == number + 1 - counters["tcp_frames_dropped"]


def test_frames_of_a_connection_that_ends_are_counted_as_lost():
    with Running() as running:
        with running.connect(socket.SOCK_STREAM) as client:
            client.sendall(struct.pack("!H", len(running.check())) + running.check())
            receive_frame(client)
            while running.engine.counters()["tcp_frames_dropped"] == 0:
                running.engine.send_dtls(running.handle, bytes(1200))
            assert running.engine.counters()["tcp_frames_waiting"] > 0
        with running.connect(socket.SOCK_DGRAM) as other:
            while running.engine.counters()["tcp_connections"]:
                other.send(b"\0" * 20)
    counters = running.engine.counters()
    assert counters["tcp_frames_lost"] > 0 == counters["tcp_frames_waiting"]
    assert set(balance_of(counters).values()) == {0}


def test_events_wake_the_descriptor():
    with Running() as running, running.connect(socket.SOCK_DGRAM) as client:
        client.send(running.check())
        assert select.select([running.engine.event_fd], [], [], 5)[0]
        assert [event[0] for event in running.engine.read_events()] == [2]


def test_commands_that_leave_nothing_to_do_let_the_thread_sleep():
    with Running() as running, running.connect(socket.SOCK_DGRAM) as client:
        client.send(running.check())
        assert client.recv(2048)[:2] == b"\x01\x01"
        before = running.engine.counters()["turns"]
        for number in range(300):
            running.engine.set_remote_ufrag(running.handle, b"p%d" % number)
        assert running.engine.counters()["turns"] - before < 30
        # one that has something to send is not left waiting for the next timer, a second away
        before_s = time.monotonic()
        for number in range(20):
            running.engine.send_dtls(running.handle, b"\x16%d" % number)
            assert client.recv(2048) == b"\x16%d" % number
        assert time.monotonic() - before_s < 5


def test_no_more_than_eight_sockets():
    engine = Engine()
    pairs = [open_pair("127.0.0.1", 0, tcp=False) for _ in range(9)]
    for pair in pairs[:8]:
        engine.add_socket(pair.udp.detach(), -1, 0)
    with pytest.raises(InvalidStateError):
        engine.add_socket(pairs[8].udp.fileno(), -1, 0)
    pairs[8].udp.close()


def test_the_thread_rests_when_more_is_about_to_come():
    with Running() as running, running.connect(socket.SOCK_DGRAM) as client:
        running.engine.set_rest(0)
        for _ in range(50):
            client.send(running.check())
            assert client.recv(2048)[:2] == b"\x01\x01"
        assert running.engine.counters()["rests"] == 0
        running.engine.set_rest(1000)
        asked = 0
        while running.engine.counters()["rests"] == 0:
            client.send(running.check())
            assert client.recv(2048)[:2] == b"\x01\x01"
            asked += 1
            assert asked < 10_000


@pytest.mark.parametrize("rest_us", [-1, 1001])
def test_a_rest_is_short(rest_us):
    with pytest.raises(ValueError, match="rest for 0 to 1,000 us"):
        Engine().set_rest(rest_us)


def test_a_run_of_datagrams_may_come_as_one_message():
    with Running() as running, running.connect(socket.SOCK_DGRAM) as client:
        check = running.check()
        cut = struct.pack("H", len(check))
        for count in (1, 2, 40):
            client.sendmsg([check * count], [(socket.IPPROTO_UDP, 103, cut)])  # UDP_SEGMENT
        client.sendmsg([check * 3 + check[:30]], [(socket.IPPROTO_UDP, 103, cut)])
        for _ in range(46):
            assert client.recv(2048)[:2] == b"\x01\x01"
        counters = running.engine.counters()
        assert counters["datagrams_received"] == 47
        assert counters["receive_messages"] <= 47


def test_a_datagram_too_long_is_dropped_and_counted():
    with Running() as running, running.connect(socket.SOCK_DGRAM) as client:
        client.send(b"\x80" + bytes(2047))
        client.send(b"\x80" + bytes(2048))
        client.send(b"\x80" + bytes(60_000))
        client.send(running.check())
        assert client.recv(2048)[:2] == b"\x01\x01"
        assert running.engine.counters()["dropped_too_large"] == 2


def test_ports_are_free_once_the_sockets_are_closed():
    with Running() as running:
        with pytest.raises(InvalidStateError, match="runs"):
            running.engine.close_sockets()
        with running.connect(socket.SOCK_STREAM) as client:
            client.sendall(struct.pack("!H", len(running.check())) + running.check())
            receive_frame(client)
    running.engine.close_sockets()
    running.engine.close_sockets()
    pair = open_pair("127.0.0.1", running.pair.port, tcp=True)
    pair.udp.close()
    assert pair.tcp
    pair.tcp.close()
    running.engine.remove_transport(running.handle)
