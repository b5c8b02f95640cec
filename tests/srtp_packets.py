"""Packets, keys and a peer of pylibsrtp for the tests of SRTP."""

import struct
from typing import Any

import pylibsrtp

from mediarouter.srtp import Profile

DTLS_PROFILES = {
    Profile.AEAD_AES_128_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    Profile.AEAD_AES_256_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    Profile.AES128_CM_SHA1_80: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    Profile.AES128_CM_SHA1_32: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


def key_of(profile: Profile, seed: int = 1) -> bytes:
    return bytes((seed * 37 + i * 11) & 0xFF for i in range(profile.key_size + profile.salt_size))


def rtp(seq: int, ssrc: int = 0x1234, payload: bytes = b"plain media", **header: Any) -> bytes:
    """Args: extension: a block with its four bytes of header; csrcs: their numbers."""
    extension, csrcs = header.get("extension", b""), header.get("csrcs", ())
    first = 0x80 | (0x10 if extension else 0) | len(csrcs)
    packet = struct.pack("!BBHII", first, 96, seq & 0xFFFF, seq * 90 & 0xFFFFFFFF, ssrc)
    return packet + struct.pack(f"!{len(csrcs)}I", *csrcs) + extension + payload


def rtcp(ssrc: int = 0x1234, fill: int = 0) -> bytes:
    return struct.pack("!BBHI", 0x80, 200, 6, ssrc) + bytes((fill & 0xFF,)) * 20


class Peer:
    """pylibsrtp with the keys the other way round, and our window."""

    def __init__(self, profile: Profile, local: bytes, remote: bytes) -> None:
        self.out = self.session(profile, local, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.inn = self.session(profile, remote, pylibsrtp.Policy.SSRC_ANY_INBOUND)

    @staticmethod
    def session(profile: Profile, key: bytes, kind: int) -> pylibsrtp.Session:
        policy = pylibsrtp.Policy(key=key, ssrc_type=kind, srtp_profile=DTLS_PROFILES[profile])
        policy.window_size, policy.allow_repeat_tx = 128, True
        return pylibsrtp.Session(policy)
