"""RTCP for those who have datagrams of their own: read, look, build.

    for packet in rtcp.parse(data):             # a compound or reduced-size datagram
        match packet:
            case rtcp.ReceiverReport(ssrc, reports):
                ...
            case rtcp.Nack(media_ssrc=ssrc, sequence_numbers=lost):
                ...

    data = rtcp.build([rtcp.ReceiverReport(1), rtcp.Sdes([(1, [(rtcp.SdesType.CNAME, "me")])]), rtcp.Pli(1, 2)])
    other = rtcp.replace(packet, sender_ssrc=5)

Values do not change. `bytes(packet)` of what was parsed is what came, bit for bit, whatever its type. Times are as they
are on the wire; `ntp_timestamp`, `unix_us` and `round_trip_us` turn them into microseconds.
Sources: RFC 3550 section 6, RFC 3611, RFC 4585, RFC 5104, RFC 5506, RFC 8888, and the drafts that `Remb` and `Twcc`
name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from mediarouter._rtcp_bitrates import Remb, Tmmbn, Tmmbr
from mediarouter._rtcp_ccfb import Ccfb
from mediarouter._rtcp_feedback import Fir, Nack, Pli, Rpsi, Sli
from mediarouter._rtcp_packet import RtcpPacket, UnknownPacket
from mediarouter._rtcp_parse import RtcpError, parse
from mediarouter._rtcp_reports import ReceiverReport, ReportBlock, SenderReport
from mediarouter._rtcp_sources import App, Bye, Sdes
from mediarouter._rtcp_xr import Xr
from mediarouter._transport_feedback import Twcc
from mediarouter.rtcp_rows import (
    ARRIVAL_OVER_RANGE,
    ARRIVAL_UNKNOWN,
    BitrateLimit,
    CcfbArrival,
    CcfbStream,
    DlrrReport,
    FullIntraRequest,
    NackPair,
    SdesChunk,
    SdesItem,
    SdesType,
    SliceLoss,
)
from mediarouter.rtcp_xr_blocks import Dlrr, Rrtr, XrBlock

__all__ = [
    "ARRIVAL_OVER_RANGE",
    "ARRIVAL_UNKNOWN",
    "App",
    "BitrateLimit",
    "Bye",
    "Ccfb",
    "CcfbArrival",
    "CcfbStream",
    "Dlrr",
    "DlrrReport",
    "Fir",
    "FullIntraRequest",
    "Nack",
    "NackPair",
    "Pli",
    "ReceiverReport",
    "Remb",
    "ReportBlock",
    "Rpsi",
    "Rrtr",
    "RtcpError",
    "RtcpPacket",
    "Sdes",
    "SdesChunk",
    "SdesItem",
    "SdesType",
    "SenderReport",
    "SliceLoss",
    "Sli",
    "Tmmbn",
    "Tmmbr",
    "Twcc",
    "UnknownPacket",
    "Xr",
    "XrBlock",
    "build",
    "ntp_timestamp",
    "parse",
    "replace",
    "round_trip_us",
    "unix_us",
]

DATAGRAM_SIZE_MAX = 65535
PADDING_SIZE_MAX = 252
NTP_EPOCH_US = 2_208_988_800_000_000  # from 1900 to 1970

Packet = TypeVar("Packet", RtcpPacket, ReportBlock)


def build(packets: Iterable[RtcpPacket | Twcc], *, padding_size: int = 0) -> bytes:
    """One datagram of these packets, in this order.

    That a compound begins with a report and has a CNAME (RFC 3550 section 6.1) is the caller's affair, since
    reduced-size datagrams need neither (RFC 5506). Padding that packets came with stays.

    Args:
        padding_size: bytes added to the last packet, a multiple of 4 up to 252 (RFC 3550 section 6.4.1).

    Raises:
        ValueError: there is no packet, more than a datagram holds, or no way to pad the last one.
    """
    parts = [bytes(packet) for packet in packets]
    if not parts:
        raise ValueError("a datagram needs at least one packet")
    if padding_size:
        parts[-1] = _padded(parts[-1], padding_size)
    data = b"".join(parts)
    if len(data) > DATAGRAM_SIZE_MAX:
        raise ValueError(f"a datagram is at most {DATAGRAM_SIZE_MAX} bytes, this would be {len(data)}")
    return data


def _padded(data: bytes, padding_size: int) -> bytes:
    if not 0 < padding_size <= PADDING_SIZE_MAX or padding_size % 4:
        raise ValueError("padding_size must be 0..252, a multiple of 4")
    if data[0] & 0x20:
        raise ValueError("the last packet has padding already")
    words = (len(data) + padding_size) // 4 - 1
    head = bytes([data[0] | 0x20, data[1]]) + words.to_bytes(2, "big")
    return head + data[4:] + bytes(padding_size - 1) + bytes([padding_size])


def replace(packet: Packet, **changes: Any) -> Packet:
    """A packet or report block with some fields changed; the names are those of its constructor.

    The packet is built anew: padding and reserved bits of one that was parsed go. `Twcc` has times for fields and is
    built by its constructor only.

    Raises:
        ValueError: a field is out of range.
        TypeError: there is no such field.
    """
    return packet.__replace__(**changes)


def ntp_timestamp(time_us: int) -> int:
    """Microseconds since 1970 as an NTP timestamp of 64 bits, rounded down (RFC 3550 section 4); it wraps in 2036."""
    return (time_us + NTP_EPOCH_US << 32) // 1_000_000 & 0xFFFFFFFFFFFFFFFF


def unix_us(ntp: int) -> int:
    """An NTP timestamp of 64 bits in microseconds since 1970, to the nearest; its era is the one of 1900 to 2036."""
    return (ntp * 1_000_000 + (1 << 31) >> 32) - NTP_EPOCH_US


def round_trip_us(arrival_ntp: int, last_sr: int, delay_since_last_sr: int) -> int | None:
    """Round trip time in microseconds, from a report block, or from a row of a `Dlrr` (RFC 3550 section 6.4.1).

    Args:
        arrival_ntp: when the report arrived, by the clock that the sender reports were made with, 64 bits.
        last_sr: of the report block; `last_rr` of the row.
        delay_since_last_sr: of it.

    Returns:
        None when the reporter has had nothing to answer. Never less than 0, for clocks are not that exact.
    """
    if last_sr == 0:
        return None
    elapsed = ((arrival_ntp >> 16) - last_sr - delay_since_last_sr) & 0xFFFFFFFF
    return 0 if elapsed & 0x80000000 else elapsed * 1_000_000 >> 16
