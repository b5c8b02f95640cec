"""The other end of a DTLS association: OpenSSL as pyOpenSSL gives it, with none of our code."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from mediarouter.parameters import DtlsFingerprint

Role = Literal["client", "server"]
ROLES: tuple[Role, Role] = ("client", "server")
OURS = b"SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"  # the profiles that we offer


def other_role(role: Role) -> Role:
    return "server" if role == "client" else "client"


def self_signed(key: Any, *, names: int = 0) -> x509.Certificate:
    """A certificate of that key; each alternative name makes it some 60 bytes longer."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    if names:
        alternatives = [x509.DNSName(f"{i:04}.{'long' * 12}.example.org") for i in range(names)]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, hashes.SHA256())


class OpenSslPeer:
    """It speaks as soon as it is made, if it is the client.

    Args:
        profiles: for SRTP, in OpenSSL's spelling; empty for none.
        mtu: bytes of a record at most; every record is a datagram of its own.
        show_certificate: False for a client that has none.
    """

    def __init__(
        self,
        role: Role,
        *,
        profiles: bytes = OURS,
        ciphers: bytes = b"ECDHE+AESGCM:ECDHE+CHACHA20",
        mtu: int = 1200,
        key: Any = None,
        show_certificate: bool = True,
    ) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        context.set_cipher_list(ciphers)
        if profiles:
            context.set_tlsext_use_srtp(profiles)
        context.set_options(SSL.OP_NO_QUERY_MTU)
        key = key or ec.generate_private_key(ec.SECP256R1())
        self.certificate = self_signed(key)
        if show_certificate:
            context.use_certificate(self.certificate)
            context.use_privatekey(key)
        self.connection = SSL.Connection(context)
        self.connection.set_ciphertext_mtu(mtu)
        if role == "client":
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()
        self.role = role
        self.state = "connecting"
        self._out: list[bytes] = []
        self._step(self.connection.do_handshake)

    def fingerprint(self, algorithm: str = "sha-256") -> DtlsFingerprint:
        digest = {"sha-256": hashes.SHA256(), "sha-384": hashes.SHA384(), "sha-512": hashes.SHA512()}[algorithm]
        return DtlsFingerprint(algorithm, self.certificate.fingerprint(digest).hex(":").upper())

    def handle_datagram(self, data: bytes) -> None:
        self.connection.bio_write(data)
        if self.state == "connecting":
            self._step(self.connection.do_handshake)
        if self.state == "connected":
            self._step(lambda: self.connection.recv(4096))

    def poll_timeout(self) -> int | None:
        seconds = self.connection.DTLSv1_get_timeout() if self.state == "connecting" else None
        return None if seconds is None else int(seconds * 1_000_000)

    def handle_timeout(self) -> None:
        if self.state == "connecting":
            self._step(self.connection.DTLSv1_handle_timeout)

    def close(self) -> None:
        self._step(self.connection.shutdown)
        self.state = "closed"

    def poll_transmit(self) -> bytes | None:
        return self._out.pop(0) if self._out else None

    def _step(self, step: Callable[[], object]) -> None:
        try:
            step()
            if self.state == "connecting" and step == self.connection.do_handshake:
                self.state = "connected"
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.Error:
            self.state = "failed"
        while True:
            try:
                self._out.extend(records_of(self.connection.bio_read(65536)))
            except SSL.WantReadError:
                return


def records_of(data: bytes) -> list[bytes]:
    """The DTLS records of a datagram, which they must fill."""
    records = []
    while data:
        size = 13 + int.from_bytes(data[11:13], "big")
        assert len(data) >= size
        records.append(data[:size])
        data = data[size:]
    return records
