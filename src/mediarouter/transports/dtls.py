"""DTLS 1.2 of one transport, sans-IO, on OpenSSL's memory BIOs (RFC 6347, RFC 5764, RFC 8842).

Datagrams go in by `handle_datagram`, come out by `poll_transmit`; `poll_timeout` says when to call `handle_timeout`. The
certificate of the peer is believed when its digest is one of those that signalling brought, and for nothing else.

OpenSSL keeps its retransmission timer by the wall clock; it is asked how long is left, so here too time is only passed
on.
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from mediarouter.errors import InvalidStateError
from mediarouter.parameters import DtlsFingerprint
from mediarouter.srtp import Profile

DtlsState = Literal["new", "connecting", "connected", "failed", "closed"]

MTU = 1200
DTLS_1_2 = 0xFEFD
RECORD_HEADER_SIZE = 13
_VALIDITY = timedelta(days=365)
_PROFILES = {
    b"SRTP_AEAD_AES_128_GCM": Profile.AEAD_AES_128_GCM,
    b"SRTP_AEAD_AES_256_GCM": Profile.AEAD_AES_256_GCM,
    b"SRTP_AES128_CM_SHA1_80": Profile.AES128_CM_SHA1_80,
}
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"
)
_DIGESTS = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}


class DtlsCertificate:
    """A self-signed certificate with its key, and the OpenSSL context that uses it: one for a worker."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._der = certificate.public_bytes(serialization.Encoding.DER)
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.set_min_proto_version(DTLS_1_2)
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept_any)
        self.context.set_cipher_list(_CIPHERS)
        self.context.set_tlsext_use_srtp(b":".join(_PROFILES))
        self.context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)

    @classmethod
    def generate(cls, now: datetime | None = None) -> "DtlsCertificate":
        """A fresh ECDSA P-256 certificate.

        Args:
            now: begins its year of validity, a day earlier; the wall clock's time by default.
        """
        now = now or datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mediarouter")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + _VALIDITY)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def fingerprints(self) -> tuple[DtlsFingerprint, ...]:
        """Its digests, the commonest first."""
        return tuple(DtlsFingerprint(name, _fingerprint(name, self._der)) for name in _DIGESTS)


def _accept_any(*_: object) -> bool:
    # every certificate is self-signed here; `_verify` compares digests when the handshake is done
    return True


def _fingerprint(algorithm: str, der: bytes) -> str:
    return _DIGESTS[algorithm](der).digest().hex(":").upper()


class DtlsEndpoint:
    """One end of a DTLS association.

    Args:
        certificate: ours.
        role: "server" waits for the peer's ClientHello, "client" sends it at `start`.
        remote_fingerprints: of the peer's certificate; one that matches is enough.

    Attributes:
        state: "new", "connecting", "connected", "failed" or "closed".
        failure: why it failed, "" else.
    """

    def __init__(
        self,
        certificate: DtlsCertificate,
        role: Literal["client", "server"],
        remote_fingerprints: Sequence[DtlsFingerprint],
    ) -> None:
        self.role = role
        self.state: DtlsState = "new"
        self.failure = ""
        self._remote_fingerprints = tuple(remote_fingerprints)
        self._out: deque[bytes] = deque()
        self._connection = SSL.Connection(certificate.context)
        self._connection.set_ciphertext_mtu(MTU)
        if role == "client":
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()

    def start(self) -> None:
        """Begin: a client's first flight is ready to be polled."""
        if self.state == "new":
            self.state = "connecting"
            if self.role == "client":
                self._advance()

    def handle_datagram(self, data: bytes) -> None:
        """Take a datagram. Garbage changes nothing: DTLS drops it (RFC 6347 section 4.1.2.7)."""
        if self.state not in ("connecting", "connected"):
            return
        self._connection.bio_write(data)
        if self.state == "connecting":
            self._advance()
        else:
            self._read()

    def poll_transmit(self) -> bytes | None:
        """A datagram to send, None when there is none."""
        return self._out.popleft() if self._out else None

    def poll_timeout(self) -> int | None:
        """Microseconds until `handle_timeout` is due, None when nothing waits for an answer."""
        if self.state != "connecting":
            return None
        seconds = self._connection.DTLSv1_get_timeout()
        return None if seconds is None else int(seconds * 1_000_000)

    def handle_timeout(self) -> None:
        """Send the last flight again if its time is over."""
        if self.state != "connecting":
            return
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            self._fail(f"no answer: {error}")
        self._collect()

    def close(self) -> None:
        """Say good-bye (close_notify) and end."""
        if self.state == "connected":
            try:
                self._connection.shutdown()
            except SSL.Error:
                pass
            self._collect()
        if self.state != "failed":
            self.state = "closed"

    @property
    def srtp_profile(self) -> Profile:
        """What both sides agreed on.

        Raises:
            InvalidStateError: the handshake is not done.
        """
        self._must_be_connected()
        return _PROFILES[self._connection.get_selected_srtp_profile()]

    def export_srtp_keys(self) -> tuple[bytes, bytes]:
        """(local, remote) SRTP keys: master key, then master salt (RFC 5764 section 4.2).

        Raises:
            InvalidStateError: the handshake is not done.
        """
        profile = self.srtp_profile
        key_size, salt_size = profile.key_size, profile.salt_size
        block = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key_size + salt_size))
        client_salt = 2 * key_size
        client = block[:key_size] + block[client_salt : client_salt + salt_size]
        server = block[key_size : 2 * key_size] + block[client_salt + salt_size :]
        return (client, server) if self.role == "client" else (server, client)

    def _advance(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            # an alert of the peer, or parameters nobody shares; a forged datagram is dropped by OpenSSL before this
            self._fail(f"handshake failed: {error}")
        else:
            self._verify()
        self._collect()

    def _verify(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        profile = self._connection.get_selected_srtp_profile()
        if certificate is None or not self._is_trusted(certificate.public_bytes(serialization.Encoding.DER)):
            self._fail("the certificate is not the one that was signalled")
        elif profile not in _PROFILES:
            self._fail("no common SRTP profile")
        else:
            self.state = "connected"

    def _is_trusted(self, der: bytes) -> bool:
        return any(
            hmac.compare_digest(_fingerprint(fingerprint.algorithm.lower(), der), fingerprint.value.upper())
            for fingerprint in self._remote_fingerprints
            if fingerprint.algorithm.lower() in _DIGESTS
        )

    def _read(self) -> None:
        try:
            while self._connection.recv(4096):
                pass               # no application data is spoken here
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.Error:
            pass
        self._collect()

    def _fail(self, reason: str) -> None:
        self.state = "failed"
        self.failure = reason

    def _collect(self) -> None:
        # the BIO is emptied after every step, so it never grows; a flight in it is one run of records
        flight = b""
        while True:
            try:
                flight += self._connection.bio_read(65536)
            except SSL.WantReadError:
                break
        self._out.extend(_datagrams(flight))

    def _must_be_connected(self) -> None:
        if self.state != "connected":
            raise InvalidStateError("DTLS is not connected")


def _datagrams(flight: bytes) -> list[bytes]:
    """Records packed into datagrams of at most MTU bytes, none cut (RFC 6347 section 4.1.1)."""
    datagrams: list[bytes] = []
    datagram = b""
    while len(flight) >= RECORD_HEADER_SIZE:
        size = RECORD_HEADER_SIZE + int.from_bytes(flight[11:13], "big")
        record, flight = flight[:size], flight[size:]
        if datagram and len(datagram) + len(record) > MTU:
            datagrams.append(datagram)
            datagram = b""
        datagram += record
    if datagram:
        datagrams.append(datagram)
    return datagrams
