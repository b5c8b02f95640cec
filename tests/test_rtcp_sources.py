"""Source descriptions, goodbyes and application packets as Python values; rows of SDES."""

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.rtcp import RTCP

from mediarouter import rtcp
from mediarouter.rtcp import SdesChunk, SdesItem, SdesType
from tests.rtcp_vectors import GOOD, packet

u32 = st.integers(0, 0xFFFFFFFF)
items = st.tuples(st.integers(1, 255), st.binary(max_size=255))


@pytest.mark.parametrize(
    ("name", "chunks"),
    [
        ("sdes_empty", []),
        ("sdes_bare", [(1, ())]),
        ("sdes_cname", [(1, ((1, b"abcd"),))]),
        ("sdes_cname_1_zero", [(1, ((1, b"abcde"),))]),
        ("sdes_cname_4_zeros", [(1, ((1, b"ab"),))]),
        ("sdes_two_chunks", [(1, ((1, b"a"),)), (2, ((1, b"bc"),))]),
        ("sdes_empty_cname", [(1, ((1, b""),))]),
    ],
)
def test_sdes_vectors(name, chunks):
    (found,) = rtcp.parse(GOOD[name])
    assert list(found.chunks) == chunks
    assert bytes(rtcp.Sdes(chunks)) == GOOD[name]


def test_every_item():
    (found,) = rtcp.parse(GOOD["sdes_all_items"])
    (chunk,) = found.chunks
    types = [1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 255, 255]
    assert [item.type for item in chunk.items] == types
    assert [item.text for item in chunk.items] == [*"abcdefg", "\x03x-yzzzz", "h", "i", "", "j"]
    assert chunk.items[7].private_parts == (b"x-y", b"zzzz")
    assert (chunk.cname, chunk.text(SdesType.MID), chunk.text(200)) == ("a", "i", None)


def test_private_items():
    item = SdesItem.private(b"x-y", b"zzzz")
    assert item == (8, b"\x03x-yzzzz")
    assert item.private_parts == (b"x-y", b"zzzz")
    assert SdesItem.private(b"", b"").private_parts == (b"", b"")
    assert SdesItem.private(bytes(254), b"").private_parts == (bytes(254), b"")
    with pytest.raises(ValueError, match="at most 254"):
        SdesItem.private(bytes(100), bytes(155))
    assert SdesItem(8, b"").private_parts is None
    assert SdesItem(8, b"\x05abcd").private_parts is None
    assert SdesItem(1, b"\x01ab").private_parts is None


def test_text_is_taken_and_comes_again_whatever_it_is():
    sdes = rtcp.Sdes([SdesChunk(1, (SdesItem(1, "žluťoučký"),))])
    assert sdes.chunks[0].cname == "žluťoučký"
    broken = rtcp.Sdes([(1, [(1, b"\xff\xfe")])])
    assert rtcp.Sdes([(1, [(1, broken.chunks[0].cname)])]) == broken


def test_sdes_ranges():
    for item_type in (0, 256, -1):
        with pytest.raises(ValueError, match="type of an SDES item"):
            rtcp.Sdes([(1, [(item_type, b"")])])
    with pytest.raises(ValueError, match="at most 255"):
        rtcp.Sdes([(1, [(1, bytes(256))])])
    with pytest.raises(ValueError, match="ssrc must be"):
        rtcp.Sdes([(1 << 32, [])])
    with pytest.raises(ValueError, match="at most 31"):
        rtcp.Sdes([(1, [])] * 32)
    with pytest.raises(TypeError):
        rtcp.Sdes([(1, [(1, 5)])])


def test_more_zeros_than_needed_are_taken_as_aiortc_writes_them():
    theirs = bytes(aiortc_rtp.RtcpSdesPacket([aiortc_rtp.RtcpSourceInfo(1, [(1, b"abcde")])]))
    (found,) = rtcp.parse(theirs)
    assert found == rtcp.Sdes([(1, [(1, b"abcde")])])
    assert bytes(found) == theirs == bytes(rtcp.Sdes([(1, [(1, b"abcde")])]))[:3] + b"\x04" + theirs[4:]


@given(st.lists(st.tuples(u32, st.lists(items, max_size=5)), max_size=31))
def test_what_is_written_is_read(chunks):
    (found,) = rtcp.parse(bytes(rtcp.Sdes(chunks)))
    assert [(chunk.ssrc, list(chunk.items)) for chunk in found.chunks] == chunks


@given(u32, st.lists(items, max_size=9))
def test_one_chunk_against_aiortc(ssrc, chunk):
    # several chunks do not begin on words there
    (theirs,) = aiortc_rtp.RtcpPacket.parse(bytes(rtcp.Sdes([(ssrc, chunk)])))
    assert theirs == aiortc_rtp.RtcpSdesPacket([aiortc_rtp.RtcpSourceInfo(ssrc, chunk)])
    assert rtcp.parse(bytes(theirs)) == [rtcp.Sdes([(ssrc, chunk)])]


def test_one_chunk_against_scapy():
    chunk = RTCP(bytes(rtcp.Sdes([(5, [(1, b"abcd"), (6, b"tool")])]))).sdes_chunks[0]
    assert chunk.sourcesync == 5
    assert [(item.chunk_type, item.value) for item in chunk.items[:2]] == [(1, b"abcd"), (6, b"tool")]


@pytest.mark.parametrize(
    ("name", "ssrcs", "reason"),
    [
        ("bye", [1], None),
        ("bye_nobody", [], None),
        ("bye_two", [1, 2], None),
        ("bye_reason", [1], b"camera malfunction"),
        ("bye_reason_word", [1], b"abc"),
        ("bye_reason_empty", [1], b""),
    ],
)
def test_bye_vectors(name, ssrcs, reason):
    (found,) = rtcp.parse(GOOD[name])
    assert (list(found.ssrcs), found.reason) == (ssrcs, reason)
    assert bytes(rtcp.Bye(ssrcs, reason)) == GOOD[name]


def test_a_bye_may_give_a_reason_for_nobody():
    (found,) = rtcp.parse(packet("80 cb 0001 03 616263"))
    assert (found.ssrcs, found.reason) == ((), b"abc")


@given(st.lists(u32, max_size=31), st.none() | st.binary(max_size=255))
def test_bye_against_aiortc(ssrcs, reason):
    data = bytes(rtcp.Bye(ssrcs, reason))
    (theirs,) = aiortc_rtp.RtcpPacket.parse(data)
    (ours,) = rtcp.parse(data)
    assert list(ours.ssrcs) == theirs.sources == ssrcs
    assert ours.reason == reason
    assert reason is not None or bytes(theirs) == data


def test_bye_ranges():
    assert rtcp.Bye([1], "až").reason == b"a\xc5\xbe"
    with pytest.raises(ValueError, match="at most 31"):
        rtcp.Bye([1] * 32)
    with pytest.raises(ValueError, match="at most 255"):
        rtcp.Bye([1], bytes(256))
    with pytest.raises(ValueError, match="ssrcs must be"):
        rtcp.Bye([-1])


def test_app_vectors():
    (found,) = rtcp.parse(GOOD["app"])
    assert (found.ssrc, found.name, found.data, found.subtype) == (1, b"name", b"\1\2\3\4", 5)
    assert bytes(rtcp.App(1, "name", b"\1\2\3\4", 5)) == GOOD["app"]
    assert bytes(rtcp.App(1, b"    ", subtype=31)) == GOOD["app_empty"]


@given(u32, st.binary(min_size=4, max_size=4), st.binary(max_size=40), st.integers(0, 31))
def test_app_written_is_read(ssrc, name, data, subtype):
    data += bytes(-len(data) % 4)
    (found,) = rtcp.parse(bytes(rtcp.App(ssrc, name, data, subtype)))
    assert (found.ssrc, found.name, found.data, found.subtype) == (ssrc, name, data, subtype)


def test_app_ranges():
    for bad, why in [
        ({"ssrc": 1 << 32}, "ssrc"),
        ({"name": "five!"}, "4 bytes"),
        ({"name": "ž🙂"}, "4 bytes"),
        ({"data": b"abc"}, "multiple of 4"),
        ({"subtype": 32}, "subtype must be 0..31"),
        ({"data": bytes(65524)}, "at most 65532"),
    ]:
        with pytest.raises(ValueError, match=why):
            rtcp.App(**{"ssrc": 1, "name": "name", **bad})
