"""TMMBR, TMMBN and REMB as Python values: every exponent, rounding down, aiortc as the judge."""

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import _rtcp, rtcp
from tests.rtcp_vectors import GOOD

u32 = st.integers(0, 0xFFFFFFFF)
LARGEST_TMMBR = 0x1FFFF << 63
LARGEST_REMB = 0x3FFFF << 63


def test_limits_of_the_vectors():
    (found,) = rtcp.parse(GOOD["tmmbr"])
    assert found.limits == (rtcp.BitrateLimit(2, 500_000, 40),)
    assert bytes(rtcp.Tmmbr(1, [(2, 500_000, 40)])) == GOOD["tmmbr"]
    (found,) = rtcp.parse(GOOD["tmmbn"])
    assert found.limits == ((2, 500_000, 40), (3, LARGEST_TMMBR, 511))
    assert bytes(rtcp.Tmmbn(1, found.limits)) == GOOD["tmmbn"]
    assert bytes(rtcp.Tmmbn(1)) == GOOD["tmmbn_empty"]


@pytest.mark.parametrize("exponent", range(64))
def test_every_exponent(exponent):
    for mantissa in (0x10000, 0x1FFFF):
        for kind in (rtcp.Tmmbr, rtcp.Tmmbn):
            (found,) = rtcp.parse(bytes(kind(1, [(2, mantissa << exponent, 3)])))
            assert found.limits == ((2, mantissa << exponent, 3),)
    for mantissa in (0x20000, 0x3FFFF):
        (found,) = rtcp.parse(bytes(rtcp.Remb(1, mantissa << exponent)))
        assert found.bitrate_bps == mantissa << exponent


@given(st.integers(0, LARGEST_TMMBR), st.integers(0, 511))
def test_limits_are_rounded_down(bitrate_bps, overhead):
    (limit,) = rtcp.Tmmbr(1, [(2, bitrate_bps, overhead)]).limits
    assert limit.overhead == overhead
    assert 0 <= bitrate_bps - limit.bitrate_bps <= bitrate_bps >> 16


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ((1 << 32, 0, 0), "ssrc must be"),
        ((0, LARGEST_TMMBR + 1, 0), "bitrate_bps must be"),
        ((0, -1, 0), "bitrate_bps must be"),
        ((0, 0, 512), "overhead must be 0..511"),
    ],
)
def test_limit_ranges(limit, why):
    for kind in (rtcp.Tmmbr, rtcp.Tmmbn):
        with pytest.raises(ValueError, match=why):
            kind(1, [limit])


def test_a_request_asks_for_something():
    with pytest.raises(ValueError, match="at least one limit"):
        rtcp.Tmmbr(1, [])


def test_remb_vectors():
    (found,) = rtcp.parse(GOOD["remb"])
    assert (found.sender_ssrc, found.media_ssrc, found.bitrate_bps, found.ssrcs) == (1, 0, 0x3FFFF << 3, (2,))
    assert bytes(rtcp.Remb(1, 0x3FFFF << 3, [2])) == GOOD["remb"]
    (found,) = rtcp.parse(GOOD["remb_three"])
    assert (found.bitrate_bps, found.ssrcs) == (0x6A00 << 2, (2, 3, 4))
    assert bytes(rtcp.Remb(1, 0)) == GOOD["remb_nobody"]


@given(u32, st.integers(0, LARGEST_REMB), st.lists(u32, max_size=255))
def test_remb_against_aiortc(sender, bitrate_bps, ssrcs):
    ours = rtcp.Remb(sender, bitrate_bps, ssrcs)
    fci = aiortc_rtp.pack_remb_fci(bitrate_bps, ssrcs)
    assert bytes(ours) == bytes(aiortc_rtp.RtcpPsfbPacket(15, sender, 0, fci))
    (found,) = rtcp.parse(bytes(ours))
    assert (found.bitrate_bps, list(found.ssrcs)) == aiortc_rtp.unpack_remb_fci(fci)
    assert 0 <= bitrate_bps - found.bitrate_bps <= bitrate_bps >> 17
    if found.bitrate_bps < 1 << 64:  # the engine counts in 64 bits
        assert _rtcp.read(bytes(ours))["remb"] == found.bitrate_bps


@given(st.integers(0, 0xFFFFFF))
def test_any_mantissa_and_exponent_is_read(packed):
    data = GOOD["remb"][:17] + packed.to_bytes(3, "big") + GOOD["remb"][20:]
    (found,) = rtcp.parse(data)
    assert found.bitrate_bps == aiortc_rtp.unpack_remb_fci(data[12:])[0]
    assert rtcp.replace(found) == found


def test_remb_ranges():
    for bad, why in [
        ({"bitrate_bps": -1}, "bitrate_bps must be"),
        ({"bitrate_bps": LARGEST_REMB + 1}, "bitrate_bps must be"),
        ({"ssrcs": [0] * 256}, "at most 255"),
        ({"ssrcs": [1 << 32]}, "ssrcs must be"),
    ]:
        with pytest.raises(ValueError, match=why):
            rtcp.Remb(**{"sender_ssrc": 1, "bitrate_bps": 1, **bad})
