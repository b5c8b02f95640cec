"""Connectivity checks as a client sends them (RFC 8445 section 7.2, RFC 8489)."""

import hashlib
import hmac
import struct
import zlib

MAGIC_COOKIE = 0x2112A442
BINDING_REQUEST = 1
USERNAME, MESSAGE_INTEGRITY, PRIORITY, USE_CANDIDATE = 0x0006, 0x0008, 0x0024, 0x0025
FINGERPRINT, ICE_CONTROLLED, ICE_CONTROLLING = 0x8028, 0x8029, 0x802A
FINGERPRINT_XOR = 0x5354554E


def binding_request(
    username: bytes, password: bytes, *, nominate: bool = True, priority: int = 1, controlled: bool = False
) -> bytes:
    """A check with integrity and fingerprint; the same arguments give the same bytes.

    Args:
        username: "theirs:ours", the two ufrags.
        password: theirs.
        nominate: with USE-CANDIDATE.
        controlled: claim the controlled role, which an ICE-lite agent answers by an error.
    """
    body = _attribute(USERNAME, username) + _attribute(PRIORITY, struct.pack("!I", priority))
    body += _attribute(ICE_CONTROLLED if controlled else ICE_CONTROLLING, bytes(8))
    if nominate:
        body += _attribute(USE_CANDIDATE, b"")
    transaction = hashlib.sha256(username + body).digest()[:12]

    def head(size: int) -> bytes:
        return struct.pack("!HHI", BINDING_REQUEST, size, MAGIC_COOKIE) + transaction

    body += _attribute(MESSAGE_INTEGRITY, hmac.digest(password, head(len(body) + 24) + body, "sha1"))
    crc = zlib.crc32(head(len(body) + 8) + body) ^ FINGERPRINT_XOR
    return head(len(body) + 8) + body + _attribute(FINGERPRINT, struct.pack("!I", crc))


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
