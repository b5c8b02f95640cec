"""The encrypted records of a DTLS 1.2 association whose handshake is over (RFC 6347 section 4.1, RFC 5246 section 6.2).

OpenSSL keeps some 90 KB for a connection, and in a WebRTC session nothing comes over it any more but an alert at the
end. Alerts need a key, a nonce and a counter: that is what is kept here instead, 100 bytes. The suites are those that
`dtls` offers, all of them AEAD: AES-GCM (RFC 5288) and ChaCha20-Poly1305 (RFC 7905).
"""

import hmac
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

RECORD_HEADER_SIZE = 13
VERSION = b"\xfe\xfd"
EPOCH = 1
TAG_SIZE = 16
# far above what a handshake used, so that no number serves twice
FIRST_NUMBER = EPOCH << 48 | 1 << 32
FIXED_IV_SIZE, EXPLICIT_NONCE_SIZE = 4, 8  # of GCM (RFC 5288 section 3)
WHOLE_IV_SIZE = 12  # of ChaCha20-Poly1305 (RFC 7905 section 2)


class DtlsRecords:
    """Both directions.

    Args:
        suite: as OpenSSL names it, such as "ECDHE-ECDSA-AES128-GCM-SHA256".
        master_secret: 48 bytes.
        client_random, server_random: of the hellos, 32 bytes each.
        role: ours.

    Raises:
        ValueError: a suite that is none of ours.
    """

    __slots__ = ("_chacha", "_local", "_next_number", "_remote")

    def __init__(
        self,
        suite: str,
        master_secret: bytes,
        client_random: bytes,
        server_random: bytes,
        role: Literal["client", "server"],
    ) -> None:
        self._chacha = suite.endswith("CHACHA20-POLY1305")
        if not self._chacha and "-GCM-" not in suite:
            raise ValueError(f"no records of {suite}")
        key_size = 16 if "AES128" in suite else 32
        iv_size = WHOLE_IV_SIZE if self._chacha else FIXED_IV_SIZE
        digest = "sha384" if suite.endswith("SHA384") else "sha256"
        block = _prf(digest, master_secret, b"key expansion" + server_random + client_random, 2 * (key_size + iv_size))
        keys, ivs = block[: 2 * key_size], block[2 * key_size :]
        client, server = (keys[:key_size], ivs[:iv_size]), (keys[key_size:], ivs[iv_size:])
        self._local, self._remote = (client, server) if role == "client" else (server, client)
        self._next_number = FIRST_NUMBER

    def open(self, record: bytes) -> bytes | None:
        """What a record holds; None when it was not made with the peer's key, or is of another epoch."""
        number, body = record[3:11], record[RECORD_HEADER_SIZE:]
        overhead = TAG_SIZE if self._chacha else TAG_SIZE + EXPLICIT_NONCE_SIZE
        size = len(body) - overhead
        if len(record) < RECORD_HEADER_SIZE + overhead or number[:2] != EPOCH.to_bytes(2, "big"):
            return None
        if record[1:3] != VERSION or int.from_bytes(record[11:13], "big") != len(body):
            return None
        key, iv = self._remote
        if self._chacha:
            nonce, sealed = _mixed(iv, number), body
        else:
            nonce, sealed = iv + body[:EXPLICIT_NONCE_SIZE], body[EXPLICIT_NONCE_SIZE:]
        try:
            return self._cipher(key).decrypt(nonce, sealed, number + record[:3] + size.to_bytes(2, "big"))
        except InvalidTag:
            return None

    def seal(self, kind: int, content: bytes) -> bytes:
        """A record of ours.

        Args:
            kind: ContentType, such as 21 of an alert.
        """
        number = self._next_number.to_bytes(8, "big")
        self._next_number += 1
        head = bytes((kind,)) + VERSION
        key, iv = self._local
        nonce = _mixed(iv, number) if self._chacha else iv + number
        sealed = self._cipher(key).encrypt(nonce, content, number + head + len(content).to_bytes(2, "big"))
        body = sealed if self._chacha else number + sealed
        return head + number + len(body).to_bytes(2, "big") + body

    def _cipher(self, key: bytes) -> AESGCM | ChaCha20Poly1305:
        # made when it is needed: it takes more memory than the key
        return ChaCha20Poly1305(key) if self._chacha else AESGCM(key)


def _mixed(iv: bytes, number: bytes) -> bytes:
    return (int.from_bytes(iv, "big") ^ int.from_bytes(number, "big")).to_bytes(WHOLE_IV_SIZE, "big")


def _prf(digest: str, secret: bytes, seed: bytes, size: int) -> bytes:
    # RFC 5246 section 5; the seed begins with the label
    block, out = seed, b""
    while len(out) < size:
        block = hmac.digest(secret, block, digest)
        out += hmac.digest(secret, block + seed, digest)
    return out[:size]
