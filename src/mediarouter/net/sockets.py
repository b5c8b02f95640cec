"""The worker's sockets: bound, sized, ready for the engine."""

import contextlib
import errno
import logging
import socket
from dataclasses import dataclass

logger = logging.getLogger("mediarouter")

RECV_BUFFER_SIZE = 8 * 1024 * 1024
SEND_BUFFER_SIZE = 4 * 1024 * 1024
RECV_BUFFER_WANTED = 5 * 1024 * 1024
_BACKLOG = 128
_ATTEMPTS = 20
_SO_SNDBUFFORCE = 32  # Linux: above net.core.wmem_max, for the privileged
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SO_RXQ_OVFL = 40
_UDP_GRO = 104  # Linux 5.0


@dataclass
class SocketPair:
    """UDP and TCP on one port; the descriptors belong to whoever takes them."""

    host: str
    port: int
    udp: socket.socket
    tcp: socket.socket | None
    recv_buffer_size: int


def open_pair(host: str, port: int, *, tcp: bool) -> SocketPair:
    """Bind UDP, and TCP on the same port number; port 0 takes one that is free for both.

    Raises:
        OSError: the address cannot be bound.
    """
    for attempt in range(_ATTEMPTS):
        udp = _open_udp(host, port)
        bound_port = udp.getsockname()[1]
        try:
            listener = _open_tcp(host, bound_port) if tcp else None
        except OSError as error:
            udp.close()
            if port or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS - 1:
                raise
            continue
        return SocketPair(host, bound_port, udp, listener, _grow_buffers(udp))
    raise OSError(errno.EADDRINUSE, "no port is free for both UDP and TCP")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _open_udp(host: str, port: int) -> socket.socket:
    udp = socket.socket(_family(host), socket.SOCK_DGRAM)
    try:
        if udp.family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        udp.setblocking(False)
        udp.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        _ask_for_runs(udp)
        udp.bind((host, port))
    except OSError:
        udp.close()
        raise
    return udp


def _ask_for_runs(udp: socket.socket) -> None:
    # where the kernel cannot hand over a run of datagrams as one, it hands them over one by one
    with contextlib.suppress(OSError):
        udp.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)


def _open_tcp(host: str, port: int) -> socket.socket:
    tcp = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        if tcp.family == socket.AF_INET6:
            tcp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.setblocking(False)
        tcp.bind((host, port))
        tcp.listen(_BACKLOG)
    except OSError:
        tcp.close()
        raise
    return tcp


def _grow_buffers(udp: socket.socket) -> int:
    _set_buffer(udp, _SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER_SIZE)
    _set_buffer(udp, _SO_RCVBUFFORCE, socket.SO_RCVBUF, RECV_BUFFER_SIZE)
    granted = udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # Linux counts its own overhead twice
    if granted < RECV_BUFFER_WANTED:
        logger.warning(
            "the kernel grants a receive buffer of %d bytes; bursts may be lost: sysctl -w net.core.rmem_max=%d",
            granted,
            RECV_BUFFER_SIZE,
        )
    return granted


def _set_buffer(udp: socket.socket, force: int, plain: int, size: int) -> None:
    try:
        udp.setsockopt(socket.SOL_SOCKET, force, size)
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, plain, size)
