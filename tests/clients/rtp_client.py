"""A light client: ICE (controlling), DTLS and SRTP over one socket, no codecs.

Arrival times are the kernel's (SO_TIMESTAMPNS), so that a busy test process does not show in them.
"""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable

from mediarouter import _rtp
from mediarouter.parameters import DtlsParameters, IceCandidate, IceParameters
from mediarouter.srtp import SrtpError, SrtpSession
from mediarouter.transports.dtls import DtlsCertificate, DtlsEndpoint
from tests.virtual import binding_request

SO_TIMESTAMPNS = 35
CHECK_INTERVAL_S = 0.05
CONSENT_INTERVAL_S = 4.0
_certificate: list[DtlsCertificate] = []


def certificate() -> DtlsCertificate:
    """One for all clients of this process."""
    if not _certificate:
        _certificate.append(DtlsCertificate.generate())
    return _certificate[0]


class RtpClient:
    """One client.

    Attributes:
        on_rtp, on_rtcp: called with (decrypted packet, arrival in nanoseconds of CLOCK_REALTIME).
        refused: packets that could not be decrypted.
    """

    def __init__(self, *, protocol: str = "udp", role: str = "client") -> None:
        self.protocol = protocol
        self.role = role
        self.ufrag = os.urandom(3).hex()
        self.on_rtp: Callable[[bytes, int], None] = lambda data, at_ns: None
        self.on_rtcp: Callable[[bytes, int], None] = lambda data, at_ns: None
        self.refused = 0
        self.session: SrtpSession | None = None
        self.connected = asyncio.Event()
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._answered = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def ice_parameters(self) -> IceParameters:
        """Ours."""
        return IceParameters(self.ufrag, "x" * 24)

    @property
    def dtls_parameters(self) -> DtlsParameters:
        """Ours; the role we take."""
        return DtlsParameters(certificate().fingerprints, self.role)  # type: ignore[arg-type]

    async def connect(
        self,
        ice: IceParameters,
        candidates: tuple[IceCandidate, ...],
        dtls: DtlsParameters,
        *,
        to: tuple[str, int] | None = None,
        timeout_s: float = 15.0,
    ) -> None:
        """Check, shake hands, derive keys.

        Args:
            to: another address than the candidate's, for a relay in between.
        """
        loop = asyncio.get_running_loop()
        candidate = next(c for c in candidates if c.protocol == self.protocol)
        family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
        kind = socket.SOCK_DGRAM if self.protocol == "udp" else socket.SOCK_STREAM
        self._socket = socket.socket(family, kind)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.setblocking(False)
        await loop.sock_connect(self._socket, to or (candidate.address, candidate.port))
        loop.add_reader(self._socket, self._readable)
        self._dtls = DtlsEndpoint(certificate(), self.role, dtls.fingerprints)  # type: ignore[arg-type]
        request = binding_request(f"{ice.username_fragment}:{self.ufrag}".encode(), ice.password.encode())
        self._tasks = [loop.create_task(self._check(request)), loop.create_task(self._shake())]
        await asyncio.wait_for(self.connected.wait(), timeout_s)

    async def _check(self, request: bytes) -> None:
        while True:
            self._send(request)
            await asyncio.sleep(CONSENT_INTERVAL_S if self._answered.is_set() else CHECK_INTERVAL_S)

    async def _shake(self) -> None:
        await self._answered.wait()
        self._dtls.start()
        while self._dtls.state == "connecting":
            self._flush()
            await asyncio.sleep(min(self._dtls.poll_timeout() or 50_000, 50_000) / 1e6)
            self._dtls.handle_timeout()

    def _flush(self) -> None:
        while (datagram := self._dtls.poll_transmit()) is not None:
            self._send(datagram)
        if self._dtls.state == "connected" and self.session is None:
            local, remote = self._dtls.export_srtp_keys()
            self.session = SrtpSession(self._dtls.srtp_profile, local, remote)
            self.connected.set()

    def _send(self, data: bytes) -> None:
        assert self._socket is not None
        if self.protocol == "tcp":
            data = struct.pack("!H", len(data)) + data
        try:
            self._socket.send(data)
        except (BlockingIOError, ConnectionRefusedError):
            pass

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send."""
        assert self.session is not None
        self._send(self.session.protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send."""
        assert self.session is not None
        self._send(self.session.protect_rtcp(packet))

    def _readable(self) -> None:
        assert self._socket is not None
        for _ in range(200):
            try:
                data, ancillary, _, _ = self._socket.recvmsg(65536, 64)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if not data:
                asyncio.get_running_loop().remove_reader(self._socket)
                return
            at_ns = time.time_ns()
            for _, kind, value in ancillary:
                if kind == SO_TIMESTAMPNS:
                    seconds, rest = struct.unpack("qq", value)
                    at_ns = seconds * 1_000_000_000 + rest
            if self.protocol == "udp":
                self._take(data, at_ns)
            else:
                self._take_stream(data, at_ns)

    def _take_stream(self, data: bytes, at_ns: int) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            size = struct.unpack("!H", self._buffer[:2])[0]
            if len(self._buffer) < 2 + size:
                return
            self._take(self._buffer[2 : 2 + size], at_ns)
            self._buffer = self._buffer[2 + size :]

    def _take(self, data: bytes, at_ns: int) -> None:
        kind = _rtp.kind_of_datagram(data)
        if kind == "stun":
            self._answered.set()
        elif kind == "dtls":
            self._dtls.handle_datagram(data)
            self._flush()
        elif self.session is not None:
            try:
                if kind == "rtp":
                    self.on_rtp(self.session.unprotect(data), at_ns)
                elif kind == "rtcp":
                    self.on_rtcp(self.session.unprotect_rtcp(data), at_ns)
            except SrtpError:
                self.refused += 1

    def close(self) -> None:
        """End, without a word."""
        for task in self._tasks:
            task.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
