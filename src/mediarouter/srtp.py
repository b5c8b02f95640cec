"""SRTP and SRTCP for gateways and tools: the sessions the engine uses, packet by packet (RFC 3711, RFC 7714)."""

from enum import IntEnum

from mediarouter._srtp import SrtpError, SrtpSession
from mediarouter._srtp_backend import available, backend
from mediarouter._srtp_fanout import protect_fanout

__all__ = ["Profile", "SrtpError", "SrtpSession", "available", "backend", "protect_fanout"]


class Profile(IntEnum):
    """Protection profiles: the numbers of DTLS-SRTP (RFC 5764, RFC 7714); those of AES-256-CM are our own, since only
    SDES names them (RFC 6188)."""

    AES128_CM_SHA1_80 = 0x0001
    AES128_CM_SHA1_32 = 0x0002
    AEAD_AES_128_GCM = 0x0007
    AEAD_AES_256_GCM = 0x0008
    AES256_CM_SHA1_80 = 0x0101
    AES256_CM_SHA1_32 = 0x0102

    @property
    def key_size(self) -> int:
        """Bytes of the master key."""
        return 32 if self in (Profile.AEAD_AES_256_GCM, Profile.AES256_CM_SHA1_80, Profile.AES256_CM_SHA1_32) else 16

    @property
    def salt_size(self) -> int:
        """Bytes of the master salt."""
        return 12 if self in (Profile.AEAD_AES_128_GCM, Profile.AEAD_AES_256_GCM) else 14
