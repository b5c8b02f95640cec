"""How the benchmark's clients come in: a socket, a connectivity check, a DTLS handshake; then C takes over."""

import os
import select
import socket
import time
from dataclasses import dataclass

from mediarouter.parameters import DtlsParameters, IceCandidate, IceParameters
from mediarouter.srtp import Profile
from mediarouter.testing.checks import binding_request
from mediarouter.transports.dtls import DtlsCertificate, DtlsEndpoint

JOIN_TIMEOUT_S = 10.0
CHECK_INTERVAL_S = 0.05
RECEIVE_BUFFER = 4 << 20


class JoinError(Exception):
    """The router did not let a client in."""


@dataclass
class Joined:
    """A client that is connected.

    Attributes:
        socket: connected to the router, not blocking.
        local_key, remote_key: SRTP master keys with salts, of what the client sends and receives.
        check: a connectivity check, to be sent again every few seconds (RFC 7675).
        password: the client's own of ICE; a router that is ICE-lite never asks for it.
    """

    socket: socket.socket
    profile: Profile
    local_key: bytes
    remote_key: bytes
    check: bytes
    password: bytes = b""


class Client:
    """A client on its way in: `begin` tells the router who it is, `join` connects.

    Args:
        certificate: one for all clients saves a second of key making.
    """

    def __init__(self, certificate: DtlsCertificate) -> None:
        self._certificate = certificate
        self.ice_parameters = IceParameters(os.urandom(3).hex(), os.urandom(12).hex())
        self.dtls_parameters = DtlsParameters(certificate.fingerprints, "client")

    def join(
        self,
        ice: IceParameters,
        candidates: tuple[IceCandidate, ...],
        dtls: DtlsParameters,
        *,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> Joined:
        """Check, shake hands, derive keys; blocks until it is done.

        Raises:
            JoinError: not within ten seconds, or the handshake failed.
        """
        candidate = next(c for c in candidates if c.protocol == "udp")
        sock = socket.socket(socket.AF_INET6 if ":" in candidate.address else socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        sock.connect((candidate.address, candidate.port))
        username = f"{ice.username_fragment}:{self.ice_parameters.username_fragment}"
        check = binding_request(username.encode(), ice.password.encode())
        endpoint = DtlsEndpoint(self._certificate, "client", dtls.fingerprints)
        try:
            self._handshake(sock, check, endpoint)
        except BaseException:
            sock.close()
            raise
        local, remote = endpoint.export_srtp_keys()
        return Joined(sock, endpoint.srtp_profile, local, remote, check)

    def _handshake(self, sock: socket.socket, check: bytes, endpoint: DtlsEndpoint) -> None:
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        sock.send(check)
        while endpoint.state in ("new", "connecting"):
            timeout_us = endpoint.poll_timeout()
            wait = CHECK_INTERVAL_S if timeout_us is None else min(CHECK_INTERVAL_S, timeout_us / 1e6 + 1e-4)
            if select.select([sock], [], [], wait)[0]:
                data = sock.recv(4096)
                if data[0] < 4:
                    endpoint.start()
                else:
                    endpoint.handle_datagram(data)
            elif endpoint.state == "new":
                sock.send(check)
            else:
                endpoint.handle_timeout()
            while (datagram := endpoint.poll_transmit()) is not None:
                sock.send(datagram)
            if time.monotonic() > deadline:
                raise JoinError(f"no connection within {JOIN_TIMEOUT_S:.0f} s")
        if endpoint.state != "connected":
            raise JoinError(endpoint.failure)
