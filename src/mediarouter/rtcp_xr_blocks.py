"""The blocks of an extended report (RFC 3611 section 3). `bytes(block)` checks the fields and writes it."""

from __future__ import annotations

import operator
import struct

import msgspec

from mediarouter.rtcp_rows import DlrrReport

__all__ = ["Dlrr", "Rrtr", "XrBlock"]

RRTR = 4
DLRR = 5
WORDS_MAX = 0xFFFF


def block_bytes(block_type: int, type_specific: int, data: bytes) -> bytes:
    """Header and content of a block (RFC 3611 section 3)."""
    if len(data) % 4 or len(data) > 4 * WORDS_MAX:
        raise ValueError("data of an XR block must be a multiple of 4 bytes, at most 262140")
    return struct.pack("!BBH", block_type, type_specific, len(data) // 4) + data


def checked(value: int, bits: int, name: str) -> int:
    number = operator.index(value)
    if not 0 <= number < 1 << bits:
        raise ValueError(f"{name} must be 0..{(1 << bits) - 1}")
    return number


class XrBlock(msgspec.Struct, frozen=True):
    """Any block as it is: loss runs, receipt times, statistics, VoIP metrics (sections 4.1 to 4.3, 4.6, 4.7)."""

    block_type: int
    """BT, 0..255."""
    type_specific: int
    """0..255."""
    data: bytes = b""
    """Behind the four bytes of the block's header, a multiple of 4 bytes."""

    def __bytes__(self) -> bytes:
        kind = checked(self.block_type, 8, "block_type")
        return block_bytes(kind, checked(self.type_specific, 8, "type_specific"), self.data)


class Rrtr(msgspec.Struct, frozen=True):
    """Receiver reference time: one who sends no media asks for a round trip time (section 4.4)."""

    ntp_timestamp: int
    """64 bits: seconds since 1900, then 1/2**32 s."""

    def __bytes__(self) -> bytes:
        return block_bytes(RRTR, 0, checked(self.ntp_timestamp, 64, "ntp_timestamp").to_bytes(8, "big"))


class Dlrr(msgspec.Struct, frozen=True):
    """Delay since the last receiver reference time: the answer (section 4.5)."""

    reports: tuple[DlrrReport, ...]
    """One a receiver: its SSRC, middle 32 bits of its reference time, delay in 1/65536 s."""

    def __bytes__(self) -> bytes:
        names = DlrrReport._fields
        values = [checked(value, 32, name) for row in self.reports for name, value in zip(names, row, strict=True)]
        return block_bytes(DLRR, 0, struct.pack(f"!{len(values)}I", *values))
