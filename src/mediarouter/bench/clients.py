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
    """A client before it comes in: what the router must know of it.

    Args:
        certificate: one for all clients saves a second of key making.
    """

    def __init__(self, certificate: DtlsCertificate) -> None:
        self.certificate = certificate
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
        joining = Joining(self, ice, candidates, dtls, receive_buffer=receive_buffer)
        readable = select.poll()  # select.select takes no descriptor above 1023
        readable.register(joining.socket, select.POLLIN)
        try:
            while not joining.done:
                if readable.poll(joining.wait_s() * 1000):
                    joining.receive()
                else:
                    joining.insist()
        except BaseException:
            joining.socket.close()
            raise
        return joining.joined()


class Joining:
    """A client on its way in; it blocks nowhere.

    Args:
        ice, candidates, dtls: of the router's transport.
    """

    def __init__(
        self,
        client: Client,
        ice: IceParameters,
        candidates: tuple[IceCandidate, ...],
        dtls: DtlsParameters,
        *,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> None:
        candidate = next(c for c in candidates if c.protocol == "udp")
        family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
        username = f"{ice.username_fragment}:{client.ice_parameters.username_fragment}"
        self._check = binding_request(username.encode(), ice.password.encode())
        self._endpoint = DtlsEndpoint(client.certificate, "client", dtls.fingerprints)
        self.begun_s = time.monotonic()
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setblocking(False)
        self.socket.connect((candidate.address, candidate.port))
        self.socket.send(self._check)

    @property
    def done(self) -> bool:
        """Connected, or never to be."""
        return self._endpoint.state not in ("new", "connecting")

    def wait_s(self) -> float:
        """Until `insist` is due when nothing comes."""
        timeout_us = self._endpoint.poll_timeout()
        return CHECK_INTERVAL_S if timeout_us is None else min(CHECK_INTERVAL_S, timeout_us / 1e6 + 1e-4)

    def receive(self) -> None:
        """Take a datagram that has come."""
        data = self.socket.recv(4096)
        if data[0] < 4:
            self._endpoint.start()
        else:
            self._endpoint.handle_datagram(data)
        self._send()

    def insist(self) -> None:
        """Nothing came in time: say it again.

        Raises:
            JoinError: for the last time.
        """
        if self._endpoint.state == "new":
            self.socket.send(self._check)
        else:
            self._endpoint.handle_timeout()
        self._send()
        if time.monotonic() > self.begun_s + JOIN_TIMEOUT_S:
            raise JoinError(f"no connection within {JOIN_TIMEOUT_S:g} s")

    def joined(self) -> Joined:
        """What came of it.

        Raises:
            JoinError: the handshake failed.
        """
        if self._endpoint.state != "connected":
            self.socket.close()
            raise JoinError(self._endpoint.failure)
        local, remote = self._endpoint.export_srtp_keys()
        return Joined(self.socket, self._endpoint.srtp_profile, local, remote, self._check)

    def _send(self) -> None:
        while (datagram := self._endpoint.poll_transmit()) is not None:
            self.socket.send(datagram)
