"""Rows inside RTCP packets: tuples with names. Packets that are built take plain tuples too.

Their fields are checked by the packet that is built from them.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, Self

__all__ = [
    "ARRIVAL_OVER_RANGE",
    "ARRIVAL_UNKNOWN",
    "BitrateLimit",
    "CcfbArrival",
    "CcfbStream",
    "DlrrReport",
    "FullIntraRequest",
    "NackPair",
    "SdesChunk",
    "SdesItem",
    "SdesType",
    "SliceLoss",
]

ARRIVAL_OVER_RANGE = 0x1FFE  # more than 8189/1024 s before the report (RFC 8888 section 3.1)
ARRIVAL_UNKNOWN = 0x1FFF  # at no time known, or after the report


class SdesType(enum.IntEnum):
    """What an item of a source description is (RFC 3550 section 6.5, RFC 7941, RFC 8852, RFC 9143)."""

    CNAME = 1
    NAME = 2
    EMAIL = 3
    PHONE = 4
    LOC = 5
    TOOL = 6
    NOTE = 7
    PRIV = 8
    RTP_STREAM_ID = 12
    REPAIRED_RTP_STREAM_ID = 13
    MID = 15


class SdesItem(NamedTuple):
    """One item of a source description (RFC 3550 section 6.5)."""

    type: int
    """1..255, see `SdesType`."""
    value: bytes
    """At most 255 bytes; text is UTF-8. A str is taken for building."""

    @property
    def text(self) -> str:
        """The value as text; bytes that are no UTF-8 become surrogates, and bytes again when built from."""
        return self.value.decode("utf-8", "surrogateescape")

    @classmethod
    def private(cls, prefix: bytes, value: bytes) -> Self:
        """A PRIV item (RFC 3550 section 6.5.8). Raises ValueError when both are more than 254 bytes."""
        if len(prefix) + len(value) > 254:
            raise ValueError("prefix and value of a PRIV item must be at most 254 bytes")
        return cls(SdesType.PRIV, bytes([len(prefix)]) + prefix + value)

    @property
    def private_parts(self) -> tuple[bytes, bytes] | None:
        """Prefix and value of a PRIV item; None when it is none, or its prefix is longer than it."""
        if self.type != SdesType.PRIV or not self.value or self.value[0] >= len(self.value):
            return None
        end = 1 + self.value[0]
        return self.value[1:end], self.value[end:]


class SdesChunk(NamedTuple):
    """What is told about one source (RFC 3550 section 6.5)."""

    ssrc: int
    items: tuple[SdesItem, ...]

    def text(self, item_type: int) -> str | None:
        """Text of the first item of that type, None when there is none."""
        return next((SdesItem(*item).text for item in self.items if item[0] == item_type), None)

    @property
    def cname(self) -> str | None:
        """The canonical name (RFC 3550 section 6.5.1)."""
        return self.text(SdesType.CNAME)


class NackPair(NamedTuple):
    """A lost packet and which of the 16 behind it were lost too (RFC 4585 section 6.2.1)."""

    sequence_number: int
    bitmask: int
    """Bit 0 stands for `sequence_number` + 1."""


class SliceLoss(NamedTuple):
    """Lost macroblocks in scan order (RFC 4585 section 6.3.2)."""

    first: int
    """0..8191."""
    number: int
    """0..8191."""
    picture_id: int
    """Low 6 bits of a codec's own, 0..63."""


class FullIntraRequest(NamedTuple):
    """Whose key frame is asked for (RFC 5104 section 4.3.1)."""

    ssrc: int
    sequence_number: int
    """0..255, one more with each new request, the same with a repeated one."""


class BitrateLimit(NamedTuple):
    """A limit on the bitrate of one source (RFC 5104 section 4.2)."""

    ssrc: int
    bitrate_bps: int
    """Maximum total media bitrate, bit/s: 17 significant bits; what is written is rounded down."""
    overhead: int
    """Measured bytes a packet from IP header to RTP payload, 0..511."""


class CcfbArrival(NamedTuple):
    """How one packet arrived (RFC 8888 section 3.1)."""

    ecn: int
    """0 not-ECT, 1 ECT(1), 2 ECT(0), 3 congestion experienced."""
    offset: int
    """How long before the report, in 1/1024 s, 0..8189; or `ARRIVAL_OVER_RANGE`, `ARRIVAL_UNKNOWN`."""

    @classmethod
    def before(cls, age_us: int | None, ecn: int = 0) -> Self:
        """`age_us` microseconds before the report, to the nearest; clamped as the RFC says: negative (behind it) or
        None is unknown, more than 8189/1024 s over range."""
        if age_us is None or age_us < 0:
            return cls(ecn, ARRIVAL_UNKNOWN)
        return cls(ecn, min((age_us * 1024 + 500_000) // 1_000_000, ARRIVAL_OVER_RANGE))

    @property
    def age_us(self) -> int | None:
        """Microseconds before the report; None when not known. Over range it is the least it can be."""
        return None if self.offset == ARRIVAL_UNKNOWN else (self.offset * 1_000_000 + 512) // 1024


class CcfbStream(NamedTuple):
    """The packets of one stream, one after the other (RFC 8888 section 3.1)."""

    ssrc: int
    begin_sequence_number: int
    """Of the first, 0..65535; it wraps."""
    arrivals: tuple[CcfbArrival | None, ...]
    """At most 16384, None for a packet that did not arrive."""


class DlrrReport(NamedTuple):
    """Answers a receiver reference time (RFC 3611 section 4.5)."""

    ssrc: int
    """Of the receiver."""
    last_rr: int
    """Middle 32 bits of its reference time, 0 when there was none."""
    delay_since_last_rr: int
    """Between that report's arrival and this one's sending, in 1/65536 s."""
