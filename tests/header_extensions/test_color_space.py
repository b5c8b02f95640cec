"""The color-space extension: its two sizes, its bits, its ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.header_extensions import Chromaticity, ColorSpace, HdrMetadata

# BT.2020 with PQ, full range, collocated / half; mastered at 1000 cd/m2, 0.005 cd/m2, P3 primaries, D65
WITH_HDR = bytes.fromhex("09100926 03e8 0032 84d0 3e80 33c2 86c4 1d4c 0bb8 3d13 4042 03e8 0190")
HDR = HdrMetadata(
    luminance_max=1000,
    luminance_min=50,
    red=Chromaticity(34000, 16000),
    green=Chromaticity(13250, 34500),
    blue=Chromaticity(7500, 3000),
    white=Chromaticity(15635, 16450),
    max_content_light_level=1000,
    max_frame_average_light_level=400,
)


def test_with_hdr_metadata():
    value = ColorSpace(9, 16, 9, range=2, chroma_siting_horizontal=1, chroma_siting_vertical=2, hdr=HDR)
    assert ColorSpace.parse(WITH_HDR) == value
    assert bytes(value) == WITH_HDR


def test_without_hdr_metadata():
    assert ColorSpace.parse(bytes.fromhex("01010110")) == ColorSpace(1, 1, 1, range=1)
    assert bytes(ColorSpace(1, 13, 0)) == bytes.fromhex("010d0000")


def test_sizes():
    for size in range(40):
        if size not in (4, 28):
            with pytest.raises(ValueError, match="bytes, not"):
                ColorSpace.parse(bytes(size))


@pytest.mark.parametrize("bit", range(8 * len(WITH_HDR)))
def test_every_single_bit_flip(bit):
    data = bytearray(WITH_HDR)
    data[bit >> 3] ^= 0x80 >> (bit & 7)
    assert_survives_or_is_refused(bytes(data))


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=28, max_size=28))
def test_any_bytes(data):
    assert_survives_or_is_refused(data)


def assert_survives_or_is_refused(data):
    try:
        value = ColorSpace.parse(data)
    except ValueError:
        assert 3 in (data[3] & 3, data[3] >> 2 & 3) or any(
            int.from_bytes(data[at : at + 2], "big") > 50000 for at in range(8, 24, 2)
        )
        return
    assert bytes(value)[:3] == data[:3] and bytes(value)[3] == data[3] & 0x3F and bytes(value)[4:] == data[4:]


@pytest.mark.parametrize(
    "make",
    [
        lambda: ColorSpace(256, 0, 0),
        lambda: ColorSpace(0, 0, 0, range=4),
        lambda: ColorSpace(0, 0, 0, chroma_siting_vertical=3),
        lambda: Chromaticity(50001, 0),
        lambda: Chromaticity(0, -1),
        lambda: HdrMetadata(65536, 0, HDR.red, HDR.green, HDR.blue, HDR.white, 0, 0),
        lambda: HdrMetadata.parse(bytes(23)),
    ],
)
def test_out_of_range(make):
    with pytest.raises(ValueError):
        make()
