"""Colour space and HDR metadata of video (webrtc.org/experiments/rtp-hdrext/color-space)."""

from __future__ import annotations

import struct

from msgspec import Struct

from mediarouter.header_extensions.values import check_range, check_size

LUMINANCE_MIN_UNIT = 10_000  # to a cd/m2
CHROMATICITY_UNIT = 50_000  # to 1
_HDR = struct.Struct("!12H")


class Chromaticity(Struct, frozen=True):
    """A point in the CIE 1931 chart.

    Attributes:
        x: in units of 1/50000, 0..50000.
        y: the same.
    """

    x: int
    y: int

    def __post_init__(self) -> None:
        check_range("x", self.x, 0, CHROMATICITY_UNIT)
        check_range("y", self.y, 0, CHROMATICITY_UNIT)


class HdrMetadata(Struct, frozen=True):
    """The display the content was mastered on (SMPTE ST 2086), and its light levels (CTA-861.3).

    Attributes:
        luminance_max: cd/m2, 0..65535.
        luminance_min: in units of 1/10000 cd/m2, 0..65535.
        red, green, blue, white: primaries and white point.
        max_content_light_level: of the brightest pixel, cd/m2.
        max_frame_average_light_level: of the brightest frame, cd/m2.
    """

    luminance_max: int
    luminance_min: int
    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity
    max_content_light_level: int
    max_frame_average_light_level: int

    def __post_init__(self) -> None:
        for name in ("luminance_max", "luminance_min", "max_content_light_level", "max_frame_average_light_level"):
            check_range(name, getattr(self, name), 0, 0xFFFF)

    @classmethod
    def parse(cls, data: bytes) -> HdrMetadata:
        """Read 24 bytes. Raises ValueError when they are none."""
        check_size("HDR metadata", data, _HDR.size)
        words = _HDR.unpack(data)
        points = [Chromaticity(x, y) for x, y in zip(words[2:10:2], words[3:10:2], strict=True)]
        return cls(*words[:2], *points, *words[10:])

    def __bytes__(self) -> bytes:
        points = [value for point in (self.red, self.green, self.blue, self.white) for value in (point.x, point.y)]
        levels = (self.max_content_light_level, self.max_frame_average_light_level)
        return _HDR.pack(self.luminance_max, self.luminance_min, *points, *levels)


class ColorSpace(Struct, frozen=True):
    """What the numbers of a picture's samples mean: code points of ITU-T H.273, 0..255 each.

    Attributes:
        primaries: H.273 table 2; 1 is BT.709, 9 BT.2020.
        transfer: table 3; 1 is BT.709, 13 sRGB, 16 PQ, 18 HLG.
        matrix: table 4; 0 is RGB, 1 BT.709, 9 BT.2020.
        range: 0 unspecified, 1 limited, 2 full, 3 as matrix and transfer say.
        chroma_siting_horizontal: 0 unspecified, 1 collocated, 2 half.
        chroma_siting_vertical: the same.
        hdr: None: none was told.
    """

    primaries: int
    transfer: int
    matrix: int
    range: int = 0
    chroma_siting_horizontal: int = 0
    chroma_siting_vertical: int = 0
    hdr: HdrMetadata | None = None

    def __post_init__(self) -> None:
        for name in ("primaries", "transfer", "matrix"):
            check_range(name, getattr(self, name), 0, 255)
        check_range("range", self.range, 0, 3)
        check_range("chroma_siting_horizontal", self.chroma_siting_horizontal, 0, 2)
        check_range("chroma_siting_vertical", self.chroma_siting_vertical, 0, 2)

    @classmethod
    def parse(cls, data: bytes) -> ColorSpace:
        """Read an element's value: 4 bytes, 28 with HDR metadata. Raises ValueError when it is none."""
        check_size("color space", data, 4, 4 + _HDR.size)
        siting = data[3]
        hdr = HdrMetadata.parse(data[4:]) if len(data) > 4 else None
        return cls(data[0], data[1], data[2], siting >> 4 & 3, siting >> 2 & 3, siting & 3, hdr)

    def __bytes__(self) -> bytes:
        siting = self.range << 4 | self.chroma_siting_horizontal << 2 | self.chroma_siting_vertical
        return bytes([self.primaries, self.transfer, self.matrix, siting]) + (bytes(self.hdr) if self.hdr else b"")
