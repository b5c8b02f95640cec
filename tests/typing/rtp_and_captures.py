"""What type checkers see of RTP, header extensions and captures. Not run: read by mypy and pyright."""

from typing import Any, assert_type

import numpy
from numpy.typing import NDArray

from mediarouter import capture, rtp
from mediarouter import header_extensions as ext
from mediarouter.inspect import Description, Report, StreamReport, inspect_capture
from mediarouter.parameters import RtpParameters


def one_packet(data: bytes) -> None:
    header = rtp.parse(data)
    assert_type(header, rtp.RtpHeader)
    assert_type(header.ssrc, int)
    assert_type(header.csrc, tuple[int, ...])
    assert_type(header.extensions, dict[int, bytes])
    assert_type(header.get_extension(1), bytes | None)
    header.csrc = [1, 2]
    header.marker = True
    assert_type(rtp.RtpPacket.parse(bytearray(data)), rtp.RtpPacket)
    assert_type(bytes(rtp.RtpPacket.of(header)), bytes)
    assert_type(rtp.packet_kind(data), rtp.PacketKind)
    assert_type(rtp.parse_batch(data, [0, 12]), NDArray[Any])
    assert_type(rtp.unwrap_seq(5, 6), int)


def extensions(parameters: RtpParameters, header: rtp.RtpHeader) -> None:
    extmap = ext.ExtensionMap.of(parameters)
    found = extmap.read(header)
    assert_type(found, ext.HeaderExtensions)
    assert_type(found.mid, str | None)
    assert_type(found.transport_cc, int | None)
    if found.audio_level is not None:
        assert_type(found.audio_level, ext.AudioLevel)
        assert_type(found.audio_level.level, int)
        assert_type(found.audio_level.voice, bool)
    if found.color_space is not None:
        assert_type(found.color_space.hdr, ext.HdrMetadata | None)
    assert_type(extmap.write(found), dict[int, bytes])
    assert_type(ext.VideoOrientation.parse(b"\0"), ext.VideoOrientation)


def captures(path: str) -> None:
    found = capture.read(path)
    assert_type(found, capture.Capture)
    assert_type(found.time_us, NDArray[Any])
    assert_type(found.source(0), tuple[str, int])
    report = inspect_capture(found, Description.of("v=0"))
    assert_type(report, Report)
    assert_type(report.streams, list[StreamReport])
    assert_type(report.streams[0].jitter_ms, float | None)
    total: numpy.int64 = found.sizes.sum()
    assert_type(total, numpy.int64)
