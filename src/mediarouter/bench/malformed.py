"""Packets that no honest client sends, of the kinds a router must shrug off."""

import struct
from collections.abc import Callable
from random import Random

from mediarouter import rtp
from mediarouter.srtp import SrtpSession

SIZE = 1100
STRAYS = 1000  # streams of one session; none knows more than 4096
FIRST_BYTES = {"rtp": range(128, 192), "stun": range(4), "dtls": range(20, 64)}


class Malformed:
    """Made of what an honest client would send.

    Args:
        session: the client's; what is to pass authentication is protected by it.
        another: makes one more session with the same keys, for streams that are never seen again.
        ssrc: of its own stream.
        payload_type: of that stream.
        seed: the same one gives the same packets, for the same keys.

    Attributes:
        KINDS: in turn.
    """

    KINDS = (
        "bit_flipped",
        "truncated",
        "random_rtp",
        "random_rtcp",
        "random_stun",
        "random_dtls",
        "wrong_ssrc",
        "huge_extension",
        "garbage_in_valid_rtcp",
    )

    def __init__(
        self, session: SrtpSession, another: Callable[[], SrtpSession], ssrc: int, payload_type: int, seed: int = 0
    ) -> None:
        self._session = session
        self._another = another
        self._stray = another()
        self._ssrc = ssrc
        self._payload_type = payload_type
        self._die = Random(seed)
        self._seq = 0
        self._strays = 0

    def make(self, kind: str) -> bytes:
        """A datagram of a kind."""
        return bytes(getattr(self, kind)())

    def bit_flipped(self) -> bytes:
        """SRTP of which one bit is another."""
        data = bytearray(self._protected(self._ssrc, self._session))
        bit = self._die.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        return bytes(data)

    def truncated(self) -> bytes:
        """The first bytes of SRTP."""
        data = self._protected(self._ssrc, self._session)
        return data[: self._die.randrange(1, len(data))]

    def random_rtp(self) -> bytes:
        """What begins as RTP does."""
        return self._random("rtp")

    def random_rtcp(self) -> bytes:
        """What begins as RTCP does."""
        return bytes((self._die.randrange(128, 192), self._die.randrange(192, 224))) + self._noise()

    def random_stun(self) -> bytes:
        """What begins as STUN does."""
        return self._random("stun")

    def random_dtls(self) -> bytes:
        """What begins as DTLS does, to a transport that is connected."""
        return self._random("dtls")

    def wrong_ssrc(self) -> bytes:
        """Valid SRTP of a stream that nobody signalled."""
        self._strays += 1
        if self._strays % STRAYS == 0:
            self._stray = self._another()
        return self._protected(self._die.getrandbits(32), self._stray)

    def huge_extension(self) -> bytes:
        """A header extension that is said to be 262,140 bytes long."""
        head = struct.pack("!BBHII", 0x90, self._payload_type, self._seq & 0xFFFF, 0, self._ssrc)
        return head + b"\xbe\xde\xff\xff" + self._noise()

    def garbage_in_valid_rtcp(self) -> bytes:
        """Authentic RTCP whose types, counts and lengths contradict each other."""
        body = self._die.randbytes(4 * self._die.randrange(1, 40))
        head = struct.pack(
            "!BBHI", 0x80 | self._die.randrange(32), self._die.randrange(200, 208), self._die.randrange(64), self._ssrc
        )
        return bytes(self._session.protect_rtcp(head + body))

    def _protected(self, ssrc: int, session: SrtpSession) -> bytes:
        self._seq += 1
        packet = rtp.build(
            payload_type=self._payload_type,
            sequence_number=self._seq & 0xFFFF,
            timestamp=0,
            ssrc=ssrc,
            payload=bytes(SIZE),
        )
        return bytes(session.protect(packet))

    def _random(self, kind: str) -> bytes:
        return bytes((self._die.choice(FIRST_BYTES[kind]),)) + self._noise()

    def _noise(self) -> bytes:
        return self._die.randbytes(self._die.randrange(1, SIZE))
