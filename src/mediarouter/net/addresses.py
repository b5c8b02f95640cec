"""Addresses: what the user wrote, what the machine has, what clients are told."""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from mediarouter.parameters import IceCandidate

_SIOCGIFADDR = 0x8915
_TYPE_PREFERENCE = 126  # host (RFC 8445 section 5.1.2.2)
_TCP_DIRECTION_PREFERENCE = 4  # passive (RFC 6544 section 4.2)


def parse_listen(text: str) -> tuple[str, int]:
    """ "127.0.0.1:3478" or "[::1]:3478" as (host, port).

    Raises:
        ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        if not colon or not 0 <= int(port) <= 65535:
            raise ValueError
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address and a port, such as 0.0.0.0:3478 or [::]:3478") from None


def interface_addresses(version: int) -> list[str]:
    """Addresses of this machine's interfaces, those that only it can use last. Link-local IPv6 is left out."""
    found = _ipv4_addresses() if version == 4 else _ipv6_addresses()
    return sorted(found, key=lambda address: ipaddress.ip_address(address).is_loopback)


def _ipv4_addresses() -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue  # an interface without an IPv4 address
            found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _ipv6_addresses() -> list[str]:
    table = Path("/proc/net/if_inet6")
    if not table.exists():
        return []
    addresses = [ipaddress.IPv6Address(int(line.split()[0], 16)) for line in table.read_text().splitlines()]
    return [str(address) for address in addresses if not address.is_link_local]


def candidates_of(bound: Iterable[tuple[str, int, bool]], announce: Iterable[str]) -> tuple[IceCandidate, ...]:
    """Host candidates for sockets.

    Args:
        bound: (host, port, tcp listens too) of each socket pair.
        announce: addresses to name instead of the bound ones, for a machine behind NAT; each for the sockets of its
            family.

    Returns:
        UDP before TCP, in the order of preference.
    """
    announced = [str(ipaddress.ip_address(address)) for address in announce]
    udp: list[IceCandidate] = []
    tcp: list[IceCandidate] = []
    rank = 65535
    for host, port, has_tcp in bound:
        address = ipaddress.ip_address(host)
        names = [name for name in announced if ipaddress.ip_address(name).version == address.version]
        if not names:
            names = interface_addresses(address.version) if address.is_unspecified else [host]
        for name in names:
            udp.append(IceCandidate(f"udp{rank}", _priority(rank), name, "udp", port))
            if has_tcp:
                preference = (_TCP_DIRECTION_PREFERENCE << 13) | (rank & 0x1FFF)
                tcp.append(IceCandidate(f"tcp{rank}", _priority(preference), name, "tcp", port, tcp_type="passive"))
            rank -= 1
    return (*udp, *tcp)


def _priority(local_preference: int) -> int:
    return (_TYPE_PREFERENCE << 24) | (local_preference << 8) | 255
