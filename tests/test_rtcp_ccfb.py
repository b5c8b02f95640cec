"""Congestion control feedback of RFC 8888 as a Python value: wrap, clamps, ECN."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import rtcp
from mediarouter.rtcp import ARRIVAL_OVER_RANGE, ARRIVAL_UNKNOWN, CcfbArrival
from tests.rtcp_vectors import GOOD, packet

arrivals = st.lists(st.none() | st.tuples(st.integers(0, 3), st.integers(0, 0x1FFF)), max_size=40)
streams = st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFF), arrivals), max_size=5)


def test_vectors():
    (found,) = rtcp.parse(GOOD["ccfb"])
    (stream,) = found.streams
    assert (found.sender_ssrc, found.report_timestamp) == (1, 0x12345678)
    assert (stream.ssrc, stream.begin_sequence_number) == (2, 0xFFFF)  # and on with 0 and 1
    assert stream.arrivals == ((0, 1024), None, (3, ARRIVAL_UNKNOWN))
    assert [arrival and arrival.age_us for arrival in stream.arrivals] == [1_000_000, None, None]
    assert bytes(rtcp.Ccfb(1, 0x12345678, found.streams)) == GOOD["ccfb"]
    (found,) = rtcp.parse(GOOD["ccfb_two"])
    assert found.streams == ((2, 16, ((1, ARRIVAL_OVER_RANGE),)), (3, 0, ((0, 0), (1, 1))))
    assert bytes(rtcp.Ccfb(1, 0, found.streams)) == GOOD["ccfb_two"]
    assert bytes(rtcp.Ccfb(1, 0x12345678)) == GOOD["ccfb_nothing"]


def test_a_lost_packet_has_no_other_field():
    # RFC 8888 section 3.1: with R = 0 the other 15 bits are to be ignored
    (found,) = rtcp.parse(packet("8b cd 0005 00000001 00000002 0000 0002 7fff 8000 00000000"))
    assert found.streams[0].arrivals == (None, (0, 0))
    assert found == rtcp.Ccfb(1, 0, [(2, 0, [None, (0, 0)])])


@pytest.mark.parametrize(
    ("age_us", "offset"),
    [
        (0, 0),
        (488, 0),
        (489, 1),
        (1_000_000, 1024),
        (7_997_070, 8189),
        (7_997_559, ARRIVAL_OVER_RANGE),
        (60_000_000, ARRIVAL_OVER_RANGE),
        (-1, ARRIVAL_UNKNOWN),
        (None, ARRIVAL_UNKNOWN),
    ],
)
def test_offsets_are_clamped(age_us, offset):
    assert CcfbArrival.before(age_us, ecn=2) == (2, offset)


@given(st.integers(0, 7_990_000))
def test_ages_are_rounded_to_the_nearest(age_us):
    read_us = CcfbArrival.before(age_us).age_us
    assert read_us is not None
    assert abs(read_us - age_us) <= 489


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), streams)
def test_what_is_written_is_read(sender, timestamp, rows):
    ours = rtcp.Ccfb(sender, timestamp, rows)
    (found,) = rtcp.parse(bytes(ours))
    assert found == ours
    assert (found.sender_ssrc, found.report_timestamp) == (sender, timestamp)
    assert [(ssrc, begin, list(told)) for ssrc, begin, told in found.streams] == rows
    assert len(bytes(ours)) == 12 + sum(8 + (len(told) + 1) // 2 * 4 for _, _, told in rows)


def test_the_largest_number_of_reports():
    most = rtcp.Ccfb(1, 2, [(3, 40_000, [(1, 5)] * 16384)])
    assert rtcp.parse(bytes(most)) == [most]
    with pytest.raises(ValueError, match="at most 16384"):
        rtcp.Ccfb(1, 2, [(3, 40_000, [None] * 16385)])
    data = bytearray(bytes(rtcp.Ccfb(1, 2, [(3, 0, [None] * 16384)])) + bytes(4))
    data[2:4] = (len(data) // 4 - 1).to_bytes(2, "big")
    data[14:16] = (16385).to_bytes(2, "big")
    with pytest.raises(ValueError, match="more than 16384"):
        rtcp.parse(bytes(data))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((1 << 32, 0, []), "sender_ssrc"),
        ((0, 1 << 32, []), "report_timestamp"),
        ((0, 0, [(1 << 32, 0, [])]), "ssrc"),
        ((0, 0, [(0, 65536, [])]), "begin_sequence_number"),
        ((0, 0, [(0, 0, [(4, 0)])]), "ecn must be 0..3"),
        ((0, 0, [(0, 0, [(0, 0x2000)])]), "offset must be 0..8191"),
    ],
)
def test_ranges(arguments, why):
    with pytest.raises(ValueError, match=why):
        rtcp.Ccfb(*arguments)
