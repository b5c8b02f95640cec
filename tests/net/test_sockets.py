"""Sockets: one port for UDP and TCP, large buffers."""

import socket

import pytest

from mediarouter.net.sockets import open_pair


def test_udp_and_tcp_share_a_port():
    pair = open_pair("127.0.0.1", 0, tcp=True)
    assert pair.tcp
    assert pair.udp.getsockname()[1] == pair.tcp.getsockname()[1] == pair.port
    assert pair.recv_buffer_size > 100_000
    pair.udp.close()
    pair.tcp.close()


def test_a_port_taken_for_tcp_is_passed_over_when_any_will_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError):
            open_pair("127.0.0.1", taken.getsockname()[1], tcp=True)


def test_r16_a_small_buffer_is_warned_of(monkeypatch, caplog):
    monkeypatch.setattr("mediarouter.net.sockets._set_buffer", lambda *_: None)
    pair = open_pair("127.0.0.1", 0, tcp=False)
    pair.udp.close()
    assert "net.core.rmem_max" in caplog.text
