"""Sender and receiver reports as Python values: fields, ranges, aiortc and scapy as judges."""

from functools import partial

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.rtcp import RTCP

from mediarouter import rtcp
from tests.rtcp_vectors import GOOD

u32 = st.integers(0, 0xFFFFFFFF)
BLOCK = rtcp.ReportBlock(16, 64, 5, 0x10203, 100, 0xAABBCCDD, 65536)
BLOCK_NEGATIVE = rtcp.ReportBlock(17, 0, -2, 0xFFFFFFFF)
FIELDS = {
    "ssrc": 0xFFFFFFFF,
    "fraction_lost": 0xFF,
    "cumulative_lost": 0x7FFFFF,
    "highest_sequence_number": 0xFFFFFFFF,
    "jitter": 0xFFFFFFFF,
    "last_sr": 0xFFFFFFFF,
    "delay_since_last_sr": 0xFFFFFFFF,
}
SENDER = {
    "ssrc": 0xFFFFFFFF,
    "ntp_timestamp": (1 << 64) - 1,
    "rtp_timestamp": 0xFFFFFFFF,
    "packet_count": 0xFFFFFFFF,
    "octet_count": 0xFFFFFFFF,
}
blocks = st.builds(
    rtcp.ReportBlock, u32, st.integers(0, 255), st.integers(-(1 << 23), (1 << 23) - 1), u32, u32, u32, u32
)


def values(block):
    return tuple(getattr(block, name) for name in block.__match_args__)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sr_empty", rtcp.SenderReport(1, 0xE1E2E3E480000000, 5, 6, 7)),
        ("sr_block", rtcp.SenderReport(1, 0xE1E2E3E480000000, 5, 6, 7, [BLOCK])),
        ("sr_extension", rtcp.SenderReport(1, 0xE1E2E3E480000000, 5, 6, 7, extension=bytes(range(1, 9)))),
        ("rr_empty", rtcp.ReceiverReport(1)),
        ("rr_two", rtcp.ReceiverReport(1, [BLOCK, BLOCK_NEGATIVE])),
        ("rr_extension", rtcp.ReceiverReport(1, [BLOCK], b"\xca\xfe\xba\xbe")),
        ("rr_31", rtcp.ReceiverReport(1, [BLOCK] * 31)),
    ],
)
def test_vectors(name, expected):
    (packet,) = rtcp.parse(GOOD[name])
    assert bytes(expected) == GOOD[name]
    for field in expected.__match_args__:
        assert getattr(packet, field) == getattr(expected, field)


def test_fields_of_the_vectors():
    (packet,) = rtcp.parse(GOOD["sr_block"])
    assert (packet.packet_type, packet.ssrc, packet.ntp_timestamp) == (200, 1, 0xE1E2E3E480000000)
    assert (packet.rtp_timestamp, packet.packet_count, packet.octet_count) == (5, 6, 7)
    assert [values(block) for block in packet.reports] == [(16, 64, 5, 0x10203, 100, 0xAABBCCDD, 65536)]
    (packet,) = rtcp.parse(GOOD["rr_two"])
    assert values(packet.reports[1]) == (17, 0, -2, 0xFFFFFFFF, 0, 0, 0)
    assert rtcp.parse(GOOD["rr_extension"])[0].extension == b"\xca\xfe\xba\xbe"


@pytest.mark.parametrize("name", FIELDS)
def test_a_block_takes_its_range_and_no_more(name):
    least = -(1 << 23) if name == "cumulative_lost" else 0
    for value in (least, FIELDS[name]):
        block = rtcp.ReportBlock(**{"ssrc": 1, name: value})
        (packet,) = rtcp.parse(bytes(rtcp.ReceiverReport(1, [block])))
        assert getattr(packet.reports[0], name) == value
    for value in (least - 1, FIELDS[name] + 1, 1 << 70):
        with pytest.raises(ValueError, match=f"{name} must be"):
            rtcp.ReportBlock(**{"ssrc": 1, name: value})
    with pytest.raises(TypeError):
        rtcp.ReportBlock(**{"ssrc": 1, name: "1"})


@pytest.mark.parametrize("name", SENDER)
def test_a_sender_report_takes_its_range_and_no_more(name):
    good = dict.fromkeys(SENDER, 0)
    for value in (0, SENDER[name]):
        (packet,) = rtcp.parse(bytes(rtcp.SenderReport(**{**good, name: value})))
        assert getattr(packet, name) == value
    for value in (-1, SENDER[name] + 1):
        with pytest.raises(ValueError, match=f"{name} must be 0..{SENDER[name]}"):
            rtcp.SenderReport(**{**good, name: value})


def test_what_a_report_does_not_take():
    for build in (partial(rtcp.SenderReport, 1, 2, 3, 4, 5), partial(rtcp.ReceiverReport, 1)):
        with pytest.raises(ValueError, match="at most 31"):
            build(reports=[BLOCK] * 32)
        with pytest.raises(ValueError, match="multiple of 4"):
            build(extension=b"abc")
        with pytest.raises(TypeError, match="ReportBlock"):
            build(reports=[(1, 2)])
    with pytest.raises(ValueError, match="ssrc must be"):
        rtcp.ReceiverReport(-1)


def test_blocks_are_values():
    assert BLOCK == rtcp.ReportBlock(*values(BLOCK))
    assert len({BLOCK, rtcp.ReportBlock(*values(BLOCK)), BLOCK_NEGATIVE}) == 2
    assert BLOCK != "something else"
    assert rtcp.replace(BLOCK, ssrc=3).ssrc == 3
    assert repr(BLOCK_NEGATIVE) == (
        "ReportBlock(ssrc=17, fraction_lost=0, cumulative_lost=-2, highest_sequence_number=4294967295, jitter=0, "
        "last_sr=0, delay_since_last_sr=0)"
    )


@given(u32, st.integers(0, (1 << 64) - 1), u32, u32, u32, st.lists(blocks, max_size=31))
def test_against_aiortc(ssrc, ntp, rtp, packets, octets, reports):
    theirs = [aiortc_rtp.RtcpReceiverInfo(*values(block)) for block in reports]
    info = aiortc_rtp.RtcpSenderInfo(ntp, rtp, packets, octets)
    sender = rtcp.SenderReport(ssrc, ntp, rtp, packets, octets, reports)
    assert bytes(sender) == bytes(aiortc_rtp.RtcpSrPacket(ssrc, info, theirs))
    receiver = rtcp.ReceiverReport(ssrc, reports)
    assert bytes(receiver) == bytes(aiortc_rtp.RtcpRrPacket(ssrc, theirs))
    again = rtcp.parse(bytes(sender) + bytes(receiver))
    assert again == [sender, receiver]
    assert again[0].reports == again[1].reports == tuple(reports)


@given(st.lists(blocks.filter(lambda block: block.cumulative_lost >= 0), max_size=31))
def test_against_scapy(reports):
    # scapy has cumulative losses without their sign
    theirs = RTCP(bytes(rtcp.SenderReport(7, 1 << 40, 8, 9, 10, reports)))
    info = theirs.sender_info
    assert (theirs.sourcesync, theirs.count, info.ntp_timestamp) == (7, len(reports), 1 << 40)
    assert (info.rtp_timestamp, info.sender_packet_count, info.sender_octet_count) == (8, 9, 10)
    names = ["sourcesync", "fraction_lost", "cumulative_lost", "highest_seqnum_recv", "interarrival_jitter"]
    names += ["last_SR_timestamp", "delay_since_last_SR"]
    found = [tuple(getattr(block, name) for name in names) for block in theirs.report_blocks]
    assert found == [values(block) for block in reports]


def test_times():
    assert rtcp.ntp_timestamp(0) == 2_208_988_800 << 32
    assert rtcp.ntp_timestamp(500_000) == (2_208_988_800 << 32) + (1 << 31)
    assert rtcp.ntp_timestamp(2_085_978_496_000_000) == 0  # 2036-02-07 06:28:16
    for time_us in (0, 1, 1_700_000_000_123_457, 2_000_000_000_999_999):
        assert rtcp.unix_us(rtcp.ntp_timestamp(time_us)) == time_us


def test_round_trip_time():
    # the figures of RFC 3550 section 6.4.1, figure 2
    assert rtcp.round_trip_us(0xB7108000 << 16, 0xB7052000, 0x00054000) == 6_125_000
    assert rtcp.round_trip_us(0x00008000 << 16, 0xFFFF8000, 0x00008000) == 500_000  # the middle 32 bits wrapped
    assert rtcp.round_trip_us(5 << 32, 0, 7) is None
    assert rtcp.round_trip_us(0x10000 << 16, 0xFFFF, 5) == 0  # answered before it was asked
