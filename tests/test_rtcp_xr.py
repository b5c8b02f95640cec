"""Extended reports as Python values, and their blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import _rtcp, rtcp
from mediarouter.rtcp import Dlrr, DlrrReport, Rrtr, Xr, XrBlock
from tests.rtcp_vectors import GOOD, packet

u32 = st.integers(0, 0xFFFFFFFF)
opaque = st.builds(
    XrBlock, st.integers(0, 255).filter(lambda kind: kind not in (4, 5)), st.integers(0, 255), st.just(b"abcd" * 3)
)
rrtr = st.builds(Rrtr, st.integers(0, (1 << 64) - 1))
dlrr = st.builds(Dlrr, st.lists(st.builds(DlrrReport, u32, u32, u32), max_size=4).map(tuple))


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("xr_empty", []),
        ("xr_rrtr", [Rrtr(0xE1E2E3E480000000)]),
        ("xr_dlrr", [Dlrr((DlrrReport(2, 0xAABBCCDD, 65536), DlrrReport(3, 0, 0)))]),
        ("xr_voip", [XrBlock(7, 0, bytes.fromhex("0102030405060708" * 4))]),
        (
            "xr_many",
            [
                XrBlock(1, 3, bytes.fromhex("00000002 0001 0003 8000 0000")),
                Rrtr(0x100000002),
                Dlrr((DlrrReport(2, 3, 4),)),
                XrBlock(254, 0xAA),
            ],
        ),
    ],
)
def test_vectors(name, blocks):
    (found,) = rtcp.parse(GOOD[name])
    assert (found.ssrc, list(found.blocks)) == (1, blocks)
    assert bytes(Xr(1, blocks)) == GOOD[name]


def test_blocks_against_the_engine():
    assert _rtcp.read(bytes(Xr(1, [Rrtr(1 << 63)])))["rrtr"] == 1 << 63
    written = _rtcp.write("dlrr", sender_ssrc=1, media_ssrc=2, last_rr=3, delay_since_last_rr=4)
    assert rtcp.parse(written) == [Xr(1, [Dlrr((DlrrReport(2, 3, 4),))])]


@pytest.mark.parametrize("block", ["04 00 0001 00000001", "04 01 0002 0000000100000002", "05 00 0001 00000001"])
def test_blocks_of_another_shape_than_their_type_has_stay_as_they_are(block):
    content = packet(block)
    (found,) = rtcp.parse(bytes(Xr(1, [XrBlock(content[0], content[1], content[4:])])))
    assert found.blocks == (XrBlock(content[0], content[1], content[4:]),)
    assert bytes(rtcp.replace(found)) == bytes(found)


@given(u32, st.lists(opaque | rrtr | dlrr, max_size=6))
def test_what_is_written_is_read(ssrc, blocks):
    ours = Xr(ssrc, blocks)
    (found,) = rtcp.parse(bytes(ours))
    assert (found.ssrc, list(found.blocks)) == (ssrc, blocks)
    assert hash(found) == hash(ours)


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (XrBlock(256, 0), "block_type must be 0..255"),
        (XrBlock(0, -1), "type_specific must be 0..255"),
        (XrBlock(0, 0, b"abc"), "multiple of 4"),
        (XrBlock(0, 0, bytes(262144)), "at most 262140"),
        (XrBlock(0, 0, bytes(65536)), "at most 65532 bytes"),
        (Rrtr(1 << 64), "ntp_timestamp must be"),
        (Rrtr(-1), "ntp_timestamp must be"),
        (Dlrr((DlrrReport(1 << 32, 0, 0),)), "ssrc must be"),
        (Dlrr((DlrrReport(0, 1 << 32, 0),)), "last_rr must be"),
        (Dlrr((DlrrReport(0, 0, -1),)), "delay_since_last_rr must be"),
    ],
)
def test_ranges(block, why):
    with pytest.raises(ValueError, match=why):
        Xr(1, [block])


def test_what_is_no_block_is_refused():
    with pytest.raises(TypeError, match="blocks must be"):
        Xr(1, [b"\0\0\0\0"])
    with pytest.raises(ValueError, match="ssrc must be"):
        Xr(1 << 32)
    with pytest.raises(AttributeError):
        Rrtr(1).ntp_timestamp = 2
