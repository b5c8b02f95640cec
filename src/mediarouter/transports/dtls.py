"""DTLS 1.2 of one transport, sans-IO, on OpenSSL's memory BIOs (RFC 6347, RFC 5764, RFC 8842).

Theory of operation
Datagrams go in by `handle_datagram`, come out by `poll_transmit`; `poll_timeout` says when to call `handle_timeout`.
The certificate of the peer is believed when its digest is the one that signalling brought, and for nothing else.

Two things are added to OpenSSL. It fails for good on a plaintext record that makes no sense, so those are dropped
before it sees them. And when a flight of ours is lost it would wait a second, whatever the peer does: here a peer that
repeats its flight gets ours again at once (RFC 6347 section 4.2.4), the same datagrams, which its replay check sorts
out; and one that stays silent gets them again 50, 150, 350 and 750 ms after they were sent, as browsers do: who joins a
call shall not wait a second for the one datagram that was lost, or came before the other end was ready. What OpenSSL
writes is a run of records, cut here into datagrams.

OpenSSL keeps its retransmission timer by the wall clock; it is asked how long is left, so here too time is only passed
on.

When the handshake is over OpenSSL is let go, with the 90 KB it keeps for a connection: the keys for SRTP are taken from
it, and those of its records, by which alerts come and go (`dtls_records`). A client that repeats its Finished has not
got ours, and gets our last flight again.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

from mediarouter.errors import InvalidStateError, NegotiationError
from mediarouter.parameters import DtlsFingerprint
from mediarouter.srtp import Profile
from mediarouter.transports.dtls_records import RECORD_HEADER_SIZE, DtlsRecords

DtlsState = Literal["new", "connecting", "connected", "failed", "closed"]

MTU = 1200  # bytes of a datagram; the smallest that IPv6 must carry, less headers and a tunnel
DTLS_1_2 = 0xFEFD
MESSAGE_HEADER_SIZE = 12
OPENSSL_TIMEOUT_US = 1_000_000  # OpenSSL's first, from when a flight was sent
EARLY_US = (50_000, 150_000, 350_000, 750_000)  # from then, when we send it again before that
MESSAGE_SIZE_MAX = 0x8000  # bytes of one handshake message: a chain of certificates has a few thousand
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = range(20, 24)
# the hellos; ticket; Certificate to ServerHelloDone, CertificateVerify, ClientKeyExchange, Finished; CertificateStatus
MESSAGE_TYPES = frozenset({0, 1, 2, 3, 4, 11, 12, 13, 14, 15, 16, 20, 22})
FINISHED = 20
WARNING, CLOSE_NOTIFY = 1, 0
STRANGER = "the certificate is not the one that was signalled"

_PROFILES = {
    b"SRTP_AEAD_AES_128_GCM": Profile.AEAD_AES_128_GCM,
    b"SRTP_AEAD_AES_256_GCM": Profile.AEAD_AES_256_GCM,
    b"SRTP_AES128_CM_SHA1_80": Profile.AES128_CM_SHA1_80,
}
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_DIGEST_SIZES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}


class DtlsCertificate:
    """A self-signed certificate with its key, and the OpenSSL context that uses it: one for a worker.

    Args:
        key: ECDSA, or RSA of at least 2048 bits.
        certificate: of that key.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, certificate: x509.Certificate) -> None:
        self._der = certificate.public_bytes(serialization.Encoding.DER)
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.set_min_proto_version(DTLS_1_2)
        self.context.set_max_proto_version(DTLS_1_2)
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _is_signalled)
        self.context.set_cipher_list(_CIPHERS)
        self.context.set_tlsext_use_srtp(b":".join(_PROFILES))
        # no session is ever resumed: none is kept, none goes over the wire
        self.context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self.context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)

    @classmethod
    def generate(cls) -> "DtlsCertificate":
        """A fresh ECDSA P-256 certificate, valid always: what makes it ours is its fingerprint (RFC 8122 section 5)."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mediarouter")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))  # no end: RFC 5280 section 4.1.2.5
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def fingerprints(self) -> tuple[DtlsFingerprint, ...]:
        """Its digests, the commonest first."""
        return tuple(
            DtlsFingerprint(name, _written(hashlib.new(name.replace("-", ""), self._der).digest()))
            for name in _DIGEST_SIZES
        )


class DtlsEndpoint:
    """One end of a DTLS association.

    Args:
        certificate: ours.
        role: "server" waits for the peer's ClientHello, "client" sends it at `start`.
        remote_fingerprints: of the peer's certificates. Those of the strongest digest among sha-512, sha-384 and
            sha-256 count, and one that matches is enough (RFC 8122 section 5).

    Raises:
        NegotiationError: no fingerprint of such a digest, or not a value of its size in hexadecimal.

    Attributes:
        role: "client" or "server".
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
        self._expected = _strongest(remote_fingerprints)
        self._out: deque[bytes] = deque()
        self._flight: tuple[bytes, ...] = ()  # our last, to be sent again when the peer repeats what it answers
        self._early = 0  # how often it was sent again before OpenSSL's timer
        self._answered = -1  # message_seq that began the peer's flight before ours
        self._unanswered = -1  # and the one that is coming in, -1 while none is
        self._profile: Profile | None = None  # once connected, with what goes on without OpenSSL
        self._srtp_keys = (b"", b"")
        self._records: DtlsRecords | None = None
        self._connection = SSL.Connection(certificate.context)
        self._connection.set_app_data(self._expected)
        self._connection.set_ciphertext_mtu(MTU)
        if role == "client":
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()

    def start(self) -> None:
        """Begin: a client's first flight is ready to be polled. Starting twice is no error."""
        if self.state == "new":
            self.state = "connecting"
            if self.role == "client":
                self._advance()

    def handle_datagram(self, data: bytes) -> None:
        """Take a datagram. What is not DTLS changes nothing (RFC 6347 section 4.1.2.7), nor does any before `start`."""
        if self.state not in ("connecting", "connected"):
            return
        data = b"".join(_sound_records(data))
        if not data:
            return
        if self._records is not None:
            self._handle_records(self._records, data)
            return
        first_seq = _first_message_seq(data)
        repeated = first_seq >= 0 and first_seq == self._answered
        if self._unanswered < 0 and first_seq > self._answered:
            self._unanswered = first_seq
        self._connection.bio_write(data)
        if not self._advance() and repeated and self.state == "connecting":
            self._out.extend(self._flight)
        if self.state == "connected":
            self._let_go()

    def poll_transmit(self) -> bytes | None:
        """A datagram to send, at most 1,200 bytes; None when there is none."""
        return self._out.popleft() if self._out else None

    def poll_timeout(self) -> int | None:
        """Microseconds until `handle_timeout` is due, None when nothing waits for an answer."""
        if self.state != "connecting":
            return None
        seconds = self._connection.DTLSv1_get_timeout()
        if seconds is None:
            return None
        left_us = int(seconds * 1_000_000)
        if self._early == len(EARLY_US):
            return left_us
        return max(0, left_us - (OPENSSL_TIMEOUT_US - EARLY_US[self._early]))

    def handle_timeout(self) -> None:
        """Send the last flight again if its time is over: after 50 ms, 150, 350 and 750, then after 1 s, 3, 7 and so on
        (RFC 6347 section 4.2.4.1)."""
        if self.state != "connecting":
            return
        if self._early < len(EARLY_US) and self.poll_timeout() == 0:
            self._early += 1
            self._out.extend(self._flight)
            return
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            self._fail(f"no answer: {_reason(error)}")
        if self._collect():
            self._early = len(EARLY_US)

    def close(self) -> None:
        """Say good-bye (close_notify) and end. Closing twice is no error."""
        if self._records is not None and self.state == "connected":
            self._out.append(self._records.seal(ALERT, bytes((WARNING, CLOSE_NOTIFY))))
        if self.state != "failed":
            self.state = "closed"

    @property
    def srtp_profile(self) -> Profile:
        """What both sides agreed on.

        Raises:
            InvalidStateError: the handshake is not done.
        """
        self._must_be_connected()
        assert self._profile is not None
        return self._profile

    def export_srtp_keys(self) -> tuple[bytes, bytes]:
        """(local, remote) SRTP keys: master key, then master salt (RFC 5764 section 4.2).

        Raises:
            InvalidStateError: the handshake is not done.
        """
        self._must_be_connected()
        return self._srtp_keys

    def _advance(self) -> bool:
        # go on with the handshake; True when that brought a flight to send
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            refused = "certificate verify failed" in _reason(error)
            self._fail(STRANGER if refused else f"handshake failed: {_reason(error)}")
        else:
            self._conclude()
        return self._collect()

    def _conclude(self) -> None:
        certificate = self._connection.get_peer_certificate()
        if certificate is None or not _matches(self._expected, certificate):
            self._fail(STRANGER)
        elif self._connection.get_selected_srtp_profile() not in _PROFILES:
            self._fail("no common SRTP profile")
            self._say_goodbye()
        else:
            self.state = "connected"
            self._read()  # what came behind the peer's Finished

    def _read(self) -> None:
        # no application data is spoken here, but alerts come this way, and flights that the peer repeats
        try:
            while self._connection.recv(4096):
                pass
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self._say_goodbye()
            self.state = "closed"
        except SSL.Error as error:
            self._fail(f"the peer gave up: {_reason(error)}")
        self._collect()

    def _let_go(self) -> None:
        # keep what goes on without OpenSSL, and let it go
        connection = self._connection
        self._profile = _PROFILES[connection.get_selected_srtp_profile()]
        key_size, salt_size = self._profile.key_size, self._profile.salt_size
        block = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key_size + salt_size))
        client_salt = 2 * key_size
        client = block[:key_size] + block[client_salt : client_salt + salt_size]
        server = block[key_size : 2 * key_size] + block[client_salt + salt_size :]
        self._srtp_keys = (client, server) if self.role == "client" else (server, client)
        suite, secret = connection.get_cipher_name(), connection.master_key()
        client_random, server_random = connection.client_random(), connection.server_random()
        assert suite and secret and client_random and server_random
        self._records = DtlsRecords(suite, secret, client_random, server_random, self.role)
        del self._connection

    def _handle_records(self, opener: DtlsRecords, data: bytes) -> None:
        # of a peer that is connected: an alert ends it, a repeated Finished is answered; once a datagram
        for record in _records(data):
            content = opener.open(record)
            if not content:
                continue
            if record[0] == HANDSHAKE and content[0] == FINISHED and self.role == "server":
                self._out.extend(self._flight)
                return
            if record[0] == ALERT and len(content) == 2 and content[1] == CLOSE_NOTIFY:
                self.close()
                return
            if record[0] == ALERT and len(content) == 2 and content[0] != WARNING:
                self._fail(f"the peer gave up: alert {content[1]}")
                return

    def _say_goodbye(self) -> None:
        try:
            self._connection.shutdown()
        except SSL.Error:
            pass  # it is over already
        self._collect()

    def _fail(self, reason: str) -> None:
        self.state = "failed"
        self.failure = reason

    def _collect(self) -> bool:
        # the BIO is emptied after every step, so that it never grows
        pieces: list[bytes] = []
        while True:
            try:
                pieces.append(self._connection.bio_read(65536))
            except SSL.WantReadError:
                break
        if not pieces:
            return False
        self._flight = tuple(_datagrams(b"".join(pieces)))
        self._early = 0
        self._out.extend(self._flight)
        if self._unanswered >= 0:
            self._answered, self._unanswered = self._unanswered, -1
        return True

    def _must_be_connected(self) -> None:
        if self.state != "connected":
            raise InvalidStateError("DTLS is not connected")


# ---- certificates

_Expected = tuple[str, frozenset[bytes]]  # algorithm, digests as OpenSSL writes them


def _strongest(fingerprints: Sequence[DtlsFingerprint]) -> _Expected:
    for algorithm, size in reversed(_DIGEST_SIZES.items()):
        values = [fingerprint.value for fingerprint in fingerprints if fingerprint.algorithm.lower() == algorithm]
        try:
            digests = [bytes.fromhex(value.replace(":", "")) for value in values]
        except ValueError as error:
            raise NegotiationError(f"a {algorithm} fingerprint that is not hexadecimal") from error
        if any(len(digest) != size for digest in digests):
            raise NegotiationError(f"a {algorithm} fingerprint that has not {size} bytes")
        if digests:
            return algorithm, frozenset(_written(digest).encode() for digest in digests)
    raise NegotiationError("no fingerprint with sha-256, sha-384 or sha-512")


def _is_signalled(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
    # OpenSSL asks during the handshake, so that a stranger is told by an alert and never gets our Finished
    expected: _Expected = connection.get_app_data()
    return depth > 0 or _matches(expected, certificate)


def _matches(expected: _Expected, certificate: crypto.X509) -> bool:
    # by OpenSSL, which takes certificates that stricter parsers raise on
    algorithm, digests = expected
    return certificate.digest(algorithm.replace("-", "")) in digests


def _written(digest: bytes) -> str:
    return digest.hex(":").upper()


def _reason(error: SSL.Error) -> str:
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(entry[-1] for entry in entries) or "no reason given"


# ---- records


def _records(data: bytes) -> Iterator[bytes]:
    # whole records; a cut one ends it
    at = 0
    while at + RECORD_HEADER_SIZE <= len(data):
        end = at + RECORD_HEADER_SIZE + int.from_bytes(data[at + 11 : at + 13], "big")
        if end > len(data):
            return
        yield data[at:end]
        at = end


def _sound_records(data: bytes) -> Iterator[bytes]:
    return (record for record in _records(data) if _is_sound(record))


def _is_sound(record: bytes) -> bool:
    # what is encrypted proves itself; plaintext is taken when it can be part of a handshake
    kind, version, epoch, body = record[0], record[1:3], record[3:5], record[RECORD_HEADER_SIZE:]
    if version not in (b"\xfe\xff", b"\xfe\xfd") or not body:
        return False
    if epoch == b"\0\1":
        return kind in (ALERT, HANDSHAKE, APPLICATION_DATA)
    if epoch != b"\0\0":
        return False
    if kind == CHANGE_CIPHER_SPEC:
        return body == b"\1"
    if kind == ALERT:
        return len(body) == 2 and body[0] in (1, 2)
    return kind == HANDSHAKE and _is_sound_handshake(body)


def _is_sound_handshake(body: bytes) -> bool:
    at = 0
    while at < len(body):
        header = body[at : at + MESSAGE_HEADER_SIZE]
        size, offset, fragment_size = (int.from_bytes(header[i : i + 3], "big") for i in (1, 6, 9))
        at += MESSAGE_HEADER_SIZE + fragment_size
        if header[0] not in MESSAGE_TYPES or size > MESSAGE_SIZE_MAX or offset + fragment_size > size or at > len(body):
            return False
    return True


def _first_message_seq(data: bytes) -> int:
    # number of the handshake message that begins in the datagram's first record; -1 when none does
    record = next(_records(data))
    if record[0] != HANDSHAKE or record[3:5] != b"\0\0" or record[19:22] != b"\0\0\0":
        return -1
    return int.from_bytes(record[17:19], "big")


def _datagrams(flight: bytes) -> Iterator[bytes]:
    # records packed into datagrams of at most MTU bytes, none cut (RFC 6347 section 4.1.1)
    datagram = b""
    for record in _records(flight):
        if datagram and len(datagram) + len(record) > MTU:
            yield datagram
            datagram = b""
        datagram += record
    if datagram:
        yield datagram
