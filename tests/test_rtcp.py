"""RTCP that the engine reads and writes, in C: vectors, malice, aiortc as the judge."""

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import _drop, _rtcp, rtcp
from tests.rtcp_vectors import BROKEN, COMPOUND, CONTRADICTING, GOOD, all_captured, padded

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
blocks = st.fixed_dictionaries(
    {
        "ssrc": u32,
        "fraction_lost": u8,
        "cumulative_lost": st.integers(-(1 << 23), (1 << 23) - 1),
        "highest_seq": u32,
        "jitter": u32,
        "last_sr": u32,
        "delay_since_last_sr": u32,
    }
)
BLOCK = {
    "ssrc": 16,
    "fraction_lost": 64,
    "cumulative_lost": 5,
    "highest_seq": 0x10203,
    "jitter": 100,
    "last_sr": 0xAABBCCDD,
    "delay_since_last_sr": 65536,
}
BLOCK_NEGATIVE = {
    "ssrc": 17,
    "fraction_lost": 0,
    "cumulative_lost": -2,
    "highest_seq": 0xFFFFFFFF,
    "jitter": 0,
    "last_sr": 0,
    "delay_since_last_sr": 0,
}
INFO = {"ssrc": 1, "ntp": 0xE1E2E3E480000000, "rtp_timestamp": 5, "packets": 6, "octets": 7}


def name_of(code: int) -> str:
    return _drop.NAMES[-code]


@pytest.mark.parametrize("name", GOOD)
def test_walk_over_one_packet(name):
    data = GOOD[name]
    unpadded = data[: len(data) - data[-1]] if data[0] & 0x20 else data
    assert _rtcp.walk(data) == ([(data[1], data[0] & 0x1F, unpadded)], 0)


def test_walk_over_all_of_them():
    found, code = _rtcp.walk(b"".join(GOOD.values()))
    assert code == 0
    assert [(kind, count) for kind, count, _ in found] == [(data[1], data[0] & 0x1F) for data in GOOD.values()]


@pytest.mark.parametrize("name", BROKEN)
def test_what_was_before_a_broken_packet_stands(name):
    found, code = _rtcp.walk(GOOD["pli"] + BROKEN[name][0])
    assert found[0] == (206, 1, GOOD["pli"])
    assert name_of(code) in ("rtcp_short", "rtcp_version", "rtcp_length")


def test_padding_is_taken_anywhere_in_a_compound():
    for size in (4, 8, 252):
        data = padded(GOOD["rr_two"], size) + GOOD["twcc_padded"] * 2 + padded(GOOD["pli"], size)
        found, code = _rtcp.walk(data)
        assert (len(found), code) == (4, 0)
        assert (found[0][2][4:], found[3][2][4:]) == (GOOD["rr_two"][4:], GOOD["pli"][4:])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sr_empty", {"sender_info": INFO, "reports": []}),
        ("sr_block", {"sender_info": INFO, "reports": [BLOCK]}),
        ("sr_extension", {"sender_info": INFO, "reports": []}),
        ("rr_two", {"reports": [BLOCK, BLOCK_NEGATIVE]}),
        ("rr_31", {"reports": [BLOCK] * 31}),
        ("bye_two", {"bye": [1, 2]}),
        ("bye_reason", {"bye": [1]}),
        ("nack", {"ssrcs": (1, 2), "nack": [100]}),
        ("nack_two", {"ssrcs": (1, 2), "nack": [0xFFFE, 0xFFFF, 1, 256, 257, 272]}),
        ("pli", {"ssrcs": (1, 2)}),
        ("fir_two", {"ssrcs": (1, 0), "fir": [(2, 255), (3, 0)]}),
        ("remb", {"ssrcs": (1, 0), "remb": 0x3FFFF << 3}),
        ("remb_three", {"ssrcs": (1, 0), "remb": 0x6A00 << 2}),
        ("psfb_of_format_15", {"ssrcs": (1, 2), "remb": 0}),
        ("xr_rrtr", {"rrtr": 0xE1E2E3E480000000}),
        ("xr_many", {"rrtr": 0x100000002}),
        ("xr_dlrr", {"rrtr": 0}),
    ],
)
def test_read(name, expected):
    data = GOOD[name]
    assert _rtcp.read(data) == {"packet_type": data[1], "count": data[0] & 0x1F, **expected}


@pytest.mark.parametrize(
    ("name", "field"),
    [("sr_short", "sender_info"), ("nack_short", "ssrcs"), ("nack_empty", "nack"), ("pli_short", "ssrcs")]
    + [("remb_cut", "remb"), ("xr_block_cut", "rrtr")],
)
def test_what_contradicts_itself_is_a_drop(name, field):
    assert name_of(_rtcp.read(CONTRADICTING[name][0])[field]) == "rtcp_length"


def test_of_reports_that_are_missing_those_that_are_there_are_read():
    assert _rtcp.read(CONTRADICTING["sr_block_missing"][0])["reports"] == []
    assert _rtcp.read(b"\x83" + GOOD["rr_two"][1:])["reports"] == [BLOCK, BLOCK_NEGATIVE]
    assert _rtcp.read(CONTRADICTING["bye_short"][0])["bye"] == [1]
    assert _rtcp.read(CONTRADICTING["fir_cut"][0])["fir"] == [(2, 7)]


def test_a_bitrate_beyond_64_bits_is_a_drop():
    data = bytearray(GOOD["remb"])
    data[17:20] = (46 << 18 | 0x3FFFF).to_bytes(3, "big")
    assert _rtcp.read(bytes(data))["remb"] == 0x3FFFF << 46
    data[17:20] = (47 << 18 | 0x3FFFF).to_bytes(3, "big")
    assert name_of(_rtcp.read(bytes(data))["remb"]) == "rtcp_length"
    data[17:20] = (63 << 18 | 1).to_bytes(3, "big")
    assert _rtcp.read(bytes(data))["remb"] == 1 << 63


def test_written_vectors():
    ssrcs = {"sender_ssrc": 1, "media_ssrc": 2}
    assert _rtcp.write("sr", info=INFO, blocks=[BLOCK]) == GOOD["sr_block"]
    assert _rtcp.write("rr", sender_ssrc=1, blocks=[BLOCK, BLOCK_NEGATIVE]) == GOOD["rr_two"]
    assert _rtcp.write("sdes", sender_ssrc=1, cname=b"abcd") == GOOD["sdes_cname"]
    assert _rtcp.write("sdes", sender_ssrc=1, cname=b"abcde") == GOOD["sdes_cname_1_zero"]
    assert _rtcp.write("sdes", sender_ssrc=1, cname=b"ab") == GOOD["sdes_cname_4_zeros"]
    assert _rtcp.write("bye", ssrcs=[1, 2]) == GOOD["bye_two"]
    assert _rtcp.write("nack", seqs=[0xFFFE, 0xFFFF, 1, 256, 257, 272], **ssrcs) == GOOD["nack_two"]
    assert _rtcp.write("pli", **ssrcs) == GOOD["pli"]
    assert _rtcp.write("fir", command_seq=7, **ssrcs) == GOOD["fir"]
    assert _rtcp.write("remb", sender_ssrc=1, bitrate_bps=0x3FFFF << 3, ssrcs=[2]) == GOOD["remb"]
    assert _rtcp.write("tmmbr", sender_ssrc=1, rates_bps=[500_000], ssrcs=[2], overhead=40) == GOOD["tmmbr"]
    dlrr = _rtcp.write("dlrr", last_rr=0xAABBCCDD, delay_since_last_rr=65536, **ssrcs)
    assert dlrr[8:] == bytes.fromhex("05000003 00000002 aabbccdd 00010000")
    assert _rtcp.walk(dlrr) == ([(207, 0, dlrr)], 0)


def test_a_writer_without_room_writes_nothing():
    assert _rtcp.write("sdes", sender_ssrc=1, cname=bytes(256)) == b""
    assert _rtcp.write("bye", ssrcs=[]) == _rtcp.write("bye", ssrcs=[1] * 32) == b""
    assert _rtcp.write("nack", seqs=[]) == b""
    assert _rtcp.write("tmmbr", sender_ssrc=1, rates_bps=[], ssrcs=[], overhead=0) == b""
    assert _rtcp.write("tmmbr", sender_ssrc=1, rates_bps=[1] * 200, ssrcs=[1] * 200, overhead=0) == b""


@given(st.lists(st.tuples(u32, st.integers(0, 1 << 60)), min_size=1, max_size=20), u32, st.integers(0, 511))
def test_limits_of_streams_are_rounded_down_by_less_than_their_precision(limits, sender, overhead):
    ssrcs, rates_bps = zip(*limits, strict=True)
    data = _rtcp.write("tmmbr", sender_ssrc=sender, ssrcs=ssrcs, rates_bps=rates_bps, overhead=overhead)
    (request,) = rtcp.parse(data)
    assert request.sender_ssrc == sender
    for (ssrc, rate_bps), limit in zip(limits, request.limits, strict=True):
        assert (limit.ssrc, limit.overhead) == (ssrc, overhead)
        assert rate_bps - (rate_bps >> 16) - 1 <= limit.bitrate_bps <= rate_bps
    assert data == bytes(rtcp.Tmmbr(sender, [(ssrc, rate_bps, overhead) for ssrc, rate_bps in limits]))


def test_of_a_nack_that_does_not_fit_the_first_are_written():
    data = _rtcp.write("nack", seqs=range(0, 17 * 500, 17))
    assert len(data) == 1500
    assert _rtcp.read(data)["nack"] == list(range(0, 17 * 372, 17))


@given(st.lists(blocks, max_size=31), u32, st.integers(0, (1 << 64) - 1), u32, u32, u32)
def test_reports_against_aiortc(reports, ssrc, ntp, rtp_timestamp, packets, octets):
    info = {"ssrc": ssrc, "ntp": ntp, "rtp_timestamp": rtp_timestamp, "packets": packets, "octets": octets}
    theirs = aiortc_rtp.RtcpSrPacket(
        ssrc=ssrc,
        sender_info=aiortc_rtp.RtcpSenderInfo(ntp, rtp_timestamp, packets, octets),
        reports=[aiortc_rtp.RtcpReceiverInfo(*(block[name] for name in BLOCK)) for block in reports],
    )
    data = bytes(theirs)
    assert _rtcp.write("sr", info=info, blocks=reports) == data
    assert _rtcp.read(data)["sender_info"] == info
    assert _rtcp.read(data)["reports"] == reports
    data = bytes(aiortc_rtp.RtcpRrPacket(ssrc, theirs.reports))
    assert _rtcp.write("rr", sender_ssrc=ssrc, blocks=reports) == data
    assert _rtcp.read(data)["reports"] == reports


@given(u32, u32, st.sets(u16, min_size=1, max_size=60), u16)
def test_nack_against_aiortc(sender, media, numbers, first):
    seqs = sorted(numbers, key=lambda seq: (seq - first) & 0xFFFF)
    data = _rtcp.write("nack", sender_ssrc=sender, media_ssrc=media, seqs=seqs)
    (theirs,) = aiortc_rtp.RtcpPacket.parse(data)
    assert (theirs.fmt, theirs.ssrc, theirs.media_ssrc) == (1, sender, media)
    assert [seq & 0xFFFF for seq in theirs.lost] == seqs  # it does not wrap
    assert _rtcp.read(data) == {"packet_type": 205, "count": 1, "ssrcs": (sender, media), "nack": seqs}


@given(u32, st.integers(0, (1 << 64) - 1), st.lists(u32, max_size=255))
def test_remb_against_aiortc(sender, bitrate_bps, ssrcs):
    data = _rtcp.write("remb", sender_ssrc=sender, bitrate_bps=bitrate_bps, ssrcs=ssrcs)
    fci = aiortc_rtp.pack_remb_fci(bitrate_bps, ssrcs)
    assert data == bytes(aiortc_rtp.RtcpPsfbPacket(15, sender, 0, fci))
    read = _rtcp.read(data)["remb"]
    assert (read, ssrcs) == aiortc_rtp.unpack_remb_fci(fci)
    assert 0 <= bitrate_bps - read <= bitrate_bps >> 17


@given(u32, st.binary(max_size=255), st.lists(u32, min_size=1, max_size=31))
def test_sdes_and_bye_against_aiortc(ssrc, cname, ssrcs):
    sdes, bye = aiortc_rtp.RtcpPacket.parse(
        _rtcp.write("sdes", sender_ssrc=ssrc, cname=cname) + _rtcp.write("bye", ssrcs=ssrcs)
    )
    assert sdes == aiortc_rtp.RtcpSdesPacket([aiortc_rtp.RtcpSourceInfo(ssrc, [(1, cname)])])
    assert bye == aiortc_rtp.RtcpByePacket(ssrcs)


def test_what_browsers_sent_is_read():
    datagrams = all_captured()
    assert len(datagrams) == 164
    for data in datagrams:
        found, code = _rtcp.walk(data)
        assert code == 0
        assert [kind for kind, _, _ in found] == [200, 202]
        report, _ = aiortc_rtp.RtcpPacket.parse(data)
        info = _rtcp.read(data)["sender_info"]
        assert (info["ssrc"], info["ntp"]) == (report.ssrc, report.sender_info.ntp_timestamp)
        assert (info["packets"], info["octets"]) == (report.sender_info.packet_count, report.sender_info.octet_count)


def read_all(data: bytes) -> None:
    found, _ = _rtcp.walk(data)
    assert sum(len(view) for _, _, view in found) <= len(data)
    for _, _, view in found:
        try:
            _rtcp.read(view)
        except ValueError:
            assert view[0] & 0x20 or len(view) & 3  # cut off behind its padding it is no packet


@pytest.mark.parametrize("name", [*GOOD, "compound"])
def test_truncation_at_every_length(name):
    data = GOOD.get(name, COMPOUND)
    for size in range(len(data)):
        found, code = _rtcp.walk(data[:size])
        assert code < 0 or b"".join(view for _, _, view in found) == data[:size]
        read_all(data[:size])


@pytest.mark.parametrize("name", [*GOOD, "compound"])
def test_every_bit_flipped(name):
    data = GOOD.get(name, COMPOUND)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 0x80 >> bit % 8
        read_all(bytes(flipped))


@given(st.binary(max_size=200))
def test_any_bytes(data):
    read_all(data)
