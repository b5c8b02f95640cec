"""A client of a router that is a full ICE agent and is reached by offer and answer."""

import os
import select
import socket
import time
from typing import Literal

from mediarouter import _stun
from mediarouter.bench.clients import JOIN_TIMEOUT_S, RECEIVE_BUFFER, JoinError
from mediarouter.bench.peers.descriptions import LocalTransport, RemoteTransport
from mediarouter.parameters import IceCandidate, IceParameters
from mediarouter.srtp import Profile
from mediarouter.testing.checks import binding_request
from mediarouter.transports.dtls import DtlsCertificate, DtlsEndpoint

CHECK_INTERVAL_S = 0.05
BINDING_REQUEST, BINDING_RESPONSE = 0x0001, 0x0101


class Guest:
    """One socket with its credentials: tell `local` to the router, then `connect` to what it told.

    Args:
        certificate: one for all clients saves a second of key making.
        address: to bind, and to tell.

    Attributes:
        socket: not blocking, connected once `connect` returned.
        profile, local_key, remote_key: from then on, what SRTP needs; keys are master keys with salts.
        check: from then on, a connectivity check to send again every few seconds (RFC 7675).
    """

    def __init__(self, certificate: DtlsCertificate, address: str = "127.0.0.1") -> None:
        self._certificate = certificate
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.bind((address, 0))
        self.socket.setblocking(False)
        self.local = LocalTransport(
            IceParameters(os.urandom(4).hex(), os.urandom(16).hex()),
            certificate.fingerprints[0],
            *self.socket.getsockname(),
        )
        self.profile = Profile.AEAD_AES_128_GCM
        self.local_key = self.remote_key = self.check = b""

    @property
    def password(self) -> bytes:
        """Of its ICE credentials: the router's checks are answered by it."""
        return self.local.ice.password.encode()

    def connect(self, remote: RemoteTransport, *, controlling: bool) -> None:
        """Check, be checked, shake hands, derive keys; blocks until it is done.

        Args:
            controlling: this side made the offer, so it nominates (RFC 8445 section 6.1.1).

        Raises:
            JoinError: not within ten seconds, or the handshake failed.
        """
        candidate = _nearest(remote.candidates, self.local.address)
        self.socket.connect((candidate.address, candidate.port))
        username = f"{remote.ice.username_fragment}:{self.local.ice.username_fragment}".encode()
        self.check = binding_request(
            username, remote.ice.password.encode(), nominate=controlling, controlled=not controlling
        )
        role: Literal["client", "server"] = "server" if remote.dtls.role == "client" else "client"
        endpoint = DtlsEndpoint(self._certificate, role, remote.dtls.fingerprints)
        self._join(endpoint, candidate)
        self.local_key, self.remote_key = endpoint.export_srtp_keys()
        self.profile = endpoint.srtp_profile

    def close(self) -> None:
        """End it, without a word."""
        self.socket.close()

    def _join(self, endpoint: DtlsEndpoint, candidate: IceCandidate) -> None:
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        next_check = 0.0
        while endpoint.state in ("new", "connecting"):
            if endpoint.state == "new" and time.monotonic() >= next_check:
                self._send(self.check)
                next_check = time.monotonic() + CHECK_INTERVAL_S
            timeout_us = endpoint.poll_timeout()
            wait = CHECK_INTERVAL_S if timeout_us is None else min(CHECK_INTERVAL_S, timeout_us / 1e6 + 1e-4)
            if select.select([self.socket], [], [], wait)[0]:
                self._take(endpoint, candidate)
            else:
                endpoint.handle_timeout()
            while (datagram := endpoint.poll_transmit()) is not None:
                self._send(datagram)
            if time.monotonic() > deadline:
                raise JoinError(f"{endpoint.state}: no connection within {JOIN_TIMEOUT_S:.0f} s")
        if endpoint.state != "connected":
            raise JoinError(endpoint.failure)

    def _take(self, endpoint: DtlsEndpoint, candidate: IceCandidate) -> None:
        try:
            data = self.socket.recv(4096)
        except ConnectionRefusedError:  # the router's socket is not open yet, or no longer
            return
        if data[:2] == BINDING_REQUEST.to_bytes(2, "big"):
            if _is_from_who_knows(data, self.password):
                ip = socket.inet_aton(candidate.address)
                self._send(_stun.binding_response(data, ip, candidate.port, self.password))
        elif data[:2] == BINDING_RESPONSE.to_bytes(2, "big"):
            if data[8:20] == self.check[8:20]:
                endpoint.start()
        elif 20 <= data[0] <= 63:
            endpoint.start()  # who speaks DTLS has checked the way
            endpoint.handle_datagram(data)

    def _send(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except ConnectionRefusedError:
            pass


def _is_from_who_knows(request: bytes, password: bytes) -> bool:
    message = _stun.parse(request, password)
    return isinstance(message, dict) and bool(message["integrity"])


def _nearest(candidates: tuple[IceCandidate, ...], address: str) -> IceCandidate:
    # the very address where there is one, else any of IPv4
    for candidate in candidates:
        if candidate.address == address:
            return candidate
    for candidate in candidates:
        if ":" not in candidate.address and not candidate.address.endswith(".local"):
            return candidate
    raise JoinError("the router told no address of IPv4")
