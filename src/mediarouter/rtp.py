"""RTP for those who have packets of their own: read, rewrite, build, and read by the million.

    header = rtp.parse(data)                    # one packet, nothing copied
    header.sequence_number, header.extensions, header.payload

    header = rtp.parse(bytearray(data))         # over writable memory: rewrite in place
    header.ssrc = 0x1234

    packet = rtp.RtpPacket.parse(data)          # take apart, change anything, put together
    packet.extensions[4] = b"audio"
    data = bytes(packet)

    rows = rtp.parse_batch(buffer, offsets)     # a numpy row a packet

What the header extensions mean is in `mediarouter.header_extensions`; captures are read by `mediarouter.capture`.
Sources: RFC 3550 section 5, RFC 8285, RFC 7983, RFC 5761.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy

from mediarouter import _rtp
from mediarouter._rtp import RtpHeader, parse
from mediarouter._rtp_batch import BATCH_DTYPE, parse_batch
from mediarouter._rtp_build import build
from mediarouter._rtp_numbers import seq_diff, timestamp_diff, unwrap_seq, unwrap_timestamp

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Buffer

__all__ = [
    "BATCH_DTYPE",
    "ONE_BYTE_PROFILE",
    "TWO_BYTE_PROFILE",
    "PacketKind",
    "RtpHeader",
    "RtpPacket",
    "build",
    "packet_kind",
    "parse",
    "parse_batch",
    "seq_diff",
    "timestamp_diff",
    "unwrap",
    "unwrap_seq",
    "unwrap_timestamp",
]

ONE_BYTE_PROFILE = 0xBEDE  # extension_profile of one-byte elements, RFC 8285 section 4.2
TWO_BYTE_PROFILE = 0x1000  # of two-byte elements; the low four bits are the application's, section 4.3


@dataclass(slots=True, kw_only=True)
class RtpPacket:
    """An RTP packet in parts; `bytes(packet)` puts it together. Fields are checked there.

    What `parse` took apart comes together as the same bytes, unless its sender had put padding between header
    extensions, or more than one with the same id, or anything but zeros into the packet's padding.
    """

    payload_type: int
    """0..127."""
    sequence_number: int
    """0..65535."""
    timestamp: int
    """RTP clock units, 32 bits."""
    ssrc: int
    """Synchronisation source, 32 bits."""
    marker: bool = False
    """M bit."""
    csrc: tuple[int, ...] = ()
    """Contributing sources, at most 15."""
    extensions: dict[int, bytes] = field(default_factory=dict)
    """Header extensions: value by id, written in this order (RFC 8285)."""
    extension_profile: int | None = None
    """None: the form is chosen, and there is no extension block without extensions. `ONE_BYTE_PROFILE` gives way to the
    two-byte form where an id is above 14 or a value not 1..16 bytes long. `TWO_BYTE_PROFILE` + 0..15 is the two-byte
    form with these appbits. Anything else is opaque: `extension_data` is the block."""
    extension_data: bytes = b""
    """Behind an opaque profile, a multiple of 4 bytes."""
    payload: bytes = b""
    """Without padding."""
    padding_size: int = 0
    """Bytes of padding behind the payload, their count included: 0..255."""

    @classmethod
    def parse(cls, data: Buffer) -> RtpPacket:
        """Take a packet apart. Raises ValueError when it is none."""
        return cls.of(parse(data))

    @classmethod
    def of(cls, header: RtpHeader) -> RtpPacket:
        """A packet with the header's fields and payload, independent of it."""
        profile = header.extension_profile
        opaque = profile != ONE_BYTE_PROFILE and profile & 0xFFF0 != TWO_BYTE_PROFILE
        return cls(
            payload_type=header.payload_type,
            sequence_number=header.sequence_number,
            timestamp=header.timestamp,
            ssrc=header.ssrc,
            marker=header.marker,
            csrc=header.csrc,
            extensions=header.extensions,
            extension_profile=profile if header.extension else None,
            extension_data=header.extension_data if opaque else b"",
            payload=header.payload,
            padding_size=header.padding_size,
        )

    def renumber_extensions(self, new_ids: Mapping[int, int]) -> None:
        """Give header extensions other ids: {old: new}. New id 0 takes one out; ids not named stay.

        Raises:
            ValueError: two would have one id; nothing was changed.
        """
        renumbered: dict[int, bytes] = {}
        for old, value in self.extensions.items():
            new = new_ids.get(old, old)
            if new in renumbered:
                raise ValueError(f"two header extensions would have id {new}")
            if new:
                renumbered[new] = value
        self.extensions = renumbered

    def __bytes__(self) -> bytes:
        return build(
            payload_type=self.payload_type,
            sequence_number=self.sequence_number,
            timestamp=self.timestamp,
            ssrc=self.ssrc,
            marker=self.marker,
            csrc=self.csrc,
            extensions=self.extensions,
            extension_profile=self.extension_profile,
            extension_data=self.extension_data,
            payload=self.payload,
            padding_size=self.padding_size,
        )


class PacketKind(enum.IntEnum):
    """What comes over one port (RFC 7983, RFC 5761)."""

    UNKNOWN = 0
    STUN = 1
    DTLS = 2
    RTP = 3
    RTCP = 4


_KINDS = {kind.name.lower(): kind for kind in PacketKind}


def packet_kind(data: Buffer) -> PacketKind:
    """What a datagram is, by its first two bytes; encrypted or not."""
    return _KINDS[_rtp.kind_of_datagram(data)]


def unwrap(values: ArrayLike, bits: int = 16) -> NDArray[Any]:
    """Unwrap a whole column, in the order of arrival: each number becomes the one nearest to its predecessor.

    Args:
        values: sequence numbers (`bits=16`), RTP timestamps (`bits=32`) or any counter that comes round.
        bits: of the counter, 1..62.

    Returns:
        int64; the first is as it was.
    """
    numbers = numpy.asarray(values).astype(numpy.int64)
    if numbers.size < 2:
        return numbers
    half = 1 << (bits - 1)
    steps = ((numpy.diff(numbers) + half) & ((1 << bits) - 1)) - half
    return numpy.concatenate((numbers[:1], numbers[0] + numpy.cumsum(steps)))
