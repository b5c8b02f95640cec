"""Whole RTCP datagrams as Python values: what is taken, what is refused and why, the same bytes again, malice."""

import copy
import pickle

import pytest
from aiortc import rtp as aiortc_rtp
from fuzz import rtcp as fuzz_rtcp
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import _rtcp, rtcp
from tests.rtcp_vectors import BROKEN, COMPOUND, CONTRADICTING, GOOD, all_captured, padded

CLASSES = {
    "sr": rtcp.SenderReport,
    "rr": rtcp.ReceiverReport,
    "sdes": rtcp.Sdes,
    "bye": rtcp.Bye,
    "app": rtcp.App,
    "nack": rtcp.Nack,
    "pli": rtcp.Pli,
    "sli": rtcp.Sli,
    "rpsi": rtcp.Rpsi,
    "fir": rtcp.Fir,
    "tmmbr": rtcp.Tmmbr,
    "tmmbn": rtcp.Tmmbn,
    "remb": rtcp.Remb,
    "twcc": rtcp.Twcc,
    "ccfb": rtcp.Ccfb,
    "xr": rtcp.Xr,
}
# built again from their fields these are shorter or written otherwise, and equal
UNTIDY = {
    "sdes_all_items": "a word of zeros behind the end of the chunk",
    "remb_three": "a mantissa that could be larger",
}
REBUILT = [name for name in GOOD if not name.startswith("twcc")]


@pytest.mark.parametrize("name", GOOD)
def test_one_packet_comes_as_its_class_and_goes_as_its_bytes(name):
    (packet,) = rtcp.parse(GOOD[name])
    expected = CLASSES.get(name.partition("_")[0], rtcp.UnknownPacket)
    assert type(packet) is (rtcp.UnknownPacket if name == "fir_of_rfc_2032" else expected)
    assert bytes(packet) == GOOD[name]
    assert rtcp.build([packet]) == GOOD[name]


@pytest.mark.parametrize("name", REBUILT)
def test_built_again_from_its_fields(name):
    (packet,) = rtcp.parse(GOOD[name])
    again = rtcp.replace(packet)
    assert (bytes(again) == GOOD[name]) == (name not in UNTIDY)
    assert again == packet
    assert hash(again) == hash(packet)
    assert repr(again) == repr(packet)


def test_a_compound_is_its_packets():
    packets = rtcp.parse(COMPOUND)
    kinds = [rtcp.SenderReport, rtcp.Sdes, rtcp.Nack, rtcp.Pli, rtcp.Remb, rtcp.Bye]
    assert [type(packet) for packet in packets] == kinds
    assert rtcp.build(packets) == COMPOUND
    assert rtcp.parse(b"".join(GOOD.values())) == [rtcp.parse(data)[0] for data in GOOD.values()]
    assert rtcp.parse(b"") == []


def test_reduced_size_datagrams_are_taken():
    assert rtcp.parse(GOOD["pli"]) == [rtcp.Pli(1, 2)]
    assert rtcp.parse(GOOD["nack"] + GOOD["twcc"])[0] == rtcp.Nack(1, 2, [100])


def test_anything_contiguous_is_taken_and_copied():
    memory = bytearray(GOOD["pli"])
    (packet,) = rtcp.parse(memory)
    memory[7] = 9
    assert packet.sender_ssrc == 1
    assert rtcp.parse(memoryview(memory)) == [rtcp.Pli(9, 2)]
    with pytest.raises(BufferError):
        rtcp.parse(memoryview(bytes(24))[::2])
    with pytest.raises(TypeError):
        rtcp.parse("text")


@pytest.mark.parametrize("name", BROKEN)
def test_what_no_walk_gets_through(name):
    data, why = BROKEN[name]
    with pytest.raises(rtcp.RtcpError, match=why) as caught:
        rtcp.parse(COMPOUND + data)
    walked, code = _rtcp.walk(COMPOUND + data)
    assert code < 0
    assert isinstance(caught.value, ValueError)
    assert len(caught.value.packets) == len(walked)
    assert caught.value.packets[:6] == rtcp.parse(COMPOUND)
    assert caught.value.offset == sum(len(bytes(packet)) for packet in caught.value.packets)
    with pytest.raises(rtcp.RtcpError, match=why):
        rtcp.parse(data, strict=False)


@pytest.mark.parametrize("name", CONTRADICTING)
def test_what_contradicts_itself(name):
    data, why = CONTRADICTING[name]
    with pytest.raises(rtcp.RtcpError, match=why) as caught:
        rtcp.parse(GOOD["rr_two"] + data + GOOD["pli"])
    assert caught.value.offset == len(GOOD["rr_two"])
    assert caught.value.packets == rtcp.parse(GOOD["rr_two"])
    assert str(caught.value.offset) in str(caught.value)
    packets = rtcp.parse(GOOD["rr_two"] + data + GOOD["pli"], strict=False)
    assert packets[1] == rtcp.UnknownPacket(data[1], data[0] & 0x1F, data[4:])
    assert (len(packets), bytes(packets[1])) == (3, data)


def test_more_than_a_datagram_is_refused():
    largest = rtcp.UnknownPacket(250, 0, bytes(65528))
    assert rtcp.parse(bytes(largest)) == [largest]
    with pytest.raises(ValueError, match="more than a datagram"):
        rtcp.parse(bytes(largest) + GOOD["pli"])
    with pytest.raises(ValueError, match="at most 65535 bytes"):
        rtcp.build([largest, rtcp.Pli(1, 2)])
    with pytest.raises(ValueError, match="at most 65532 bytes"):
        rtcp.UnknownPacket(250, 0, bytes(65532))
    with pytest.raises(ValueError, match="multiple of 4"):
        rtcp.UnknownPacket(250, 0, bytes(3))


@pytest.mark.parametrize("name", [name for name in GOOD if name != "twcc_padded"])
@pytest.mark.parametrize("size", [4, 8, 252])
def test_padding_does_not_count_and_stays(name, size):
    data = padded(GOOD[name], size)
    bare, first, last = rtcp.parse(GOOD[name]) + rtcp.parse(data + data)
    assert first == last == bare
    assert hash(first) == hash(bare)
    assert bytes(first) == data
    assert rtcp.build([first, last]) == data + data
    if name != "twcc":
        assert (first.padding_size, bare.padding_size) == (size, 0)
        assert bytes(rtcp.replace(first)) == bytes(rtcp.replace(bare))


def test_padding_of_1_to_3_bytes_as_browsers_do():
    # RFC 3550 section 6.4.1 wants multiples of 4, and on the last packet only
    data = GOOD["twcc_padded"] * 3 + GOOD["pli"]
    packets = rtcp.parse(data)
    assert [type(packet) for packet in packets] == [rtcp.Twcc] * 3 + [rtcp.Pli]
    assert rtcp.build(packets) == data


@pytest.mark.parametrize("name", ["rr_two", "nack", "remb", "sdes_cname", "app"])
@pytest.mark.parametrize("size", [4, 8, 252])
def test_padding_is_added(name, size):
    assert rtcp.build(rtcp.parse(GOOD["pli"] + GOOD[name]), padding_size=size) == GOOD["pli"] + padded(GOOD[name], size)


@pytest.mark.parametrize("size", [-4, 1, 2, 3, 253, 256])
def test_padding_that_cannot_be(size):
    with pytest.raises(ValueError, match="padding_size must be"):
        rtcp.build([rtcp.Pli(1, 2)], padding_size=size)


def test_what_cannot_be_built():
    with pytest.raises(ValueError, match="padding already"):
        rtcp.build(rtcp.parse(GOOD["twcc_padded"]), padding_size=4)
    with pytest.raises(ValueError, match="at least one"):
        rtcp.build([])


def test_p14_several_reports_of_one_compound_come_in_their_order():
    reports = [rtcp.Twcc(1, 2, 100 * i, [1000 * i, None, 1000 * i + 250], i) for i in range(5)]
    packets = rtcp.parse(GOOD["rr_empty"] + b"".join(map(bytes, reports)))
    assert packets[1:] == reports
    assert [packet.feedback_packet_count for packet in packets[1:]] == list(range(5))


def test_what_browsers_sent():
    datagrams = all_captured()
    assert len(datagrams) == 164
    for data in datagrams:
        packets = rtcp.parse(data)
        assert [type(packet) for packet in packets] == [rtcp.SenderReport, rtcp.Sdes]
        assert rtcp.build(packets) == data
        # nor is anything written otherwise than we would
        assert rtcp.build([rtcp.replace(packet) for packet in packets]) == data
        assert packets[1].chunks[0].ssrc == packets[0].ssrc
        agree(data)


# ---- the judge


def agree(data: bytes) -> None:
    """What we and aiortc make of a datagram. aiortc drops types it does not know and reads each transport feedback as a
    NACK, so these are compared where they are NACKs; it does not look into payload-specific feedback."""
    ours = [packet for packet in rtcp.parse(data) if 200 <= bytes(packet)[1] <= 206 and bytes(packet)[1] != 204]
    for packet, theirs in zip(ours, aiortc_rtp.RtcpPacket.parse(data), strict=True):
        match packet:
            case rtcp.SenderReport():
                info = theirs.sender_info
                assert packet.ssrc == theirs.ssrc
                assert packet.ntp_timestamp == info.ntp_timestamp
                assert packet.rtp_timestamp == info.rtp_timestamp
                assert (packet.packet_count, packet.octet_count) == (info.packet_count, info.octet_count)
                assert [plain(block) for block in packet.reports] == [bytes(block) for block in theirs.reports]
            case rtcp.ReceiverReport():
                assert packet.ssrc == theirs.ssrc
                assert [plain(block) for block in packet.reports] == [bytes(block) for block in theirs.reports]
            case rtcp.Sdes():
                chunks = [(chunk.ssrc, list(chunk.items)) for chunk in packet.chunks]
                assert chunks == [(chunk.ssrc, chunk.items) for chunk in theirs.chunks]
            case rtcp.Bye():
                assert list(packet.ssrcs) == theirs.sources
            case rtcp.Nack():
                assert list(packet.sequence_numbers) == [number & 0xFFFF for number in theirs.lost]
                assert (packet.sender_ssrc, packet.media_ssrc) == (theirs.ssrc, theirs.media_ssrc)
            case rtcp.Remb():
                assert (packet.bitrate_bps, list(packet.ssrcs)) == aiortc_rtp.unpack_remb_fci(theirs.fci)
            case rtcp.Pli() | rtcp.Sli() | rtcp.Rpsi() | rtcp.Fir():
                assert (packet.sender_ssrc, packet.media_ssrc) == (theirs.ssrc, theirs.media_ssrc)
                assert bytes(packet)[12 : len(bytes(packet)) - packet.padding_size] == theirs.fci


def plain(block: rtcp.ReportBlock) -> bytes:
    return bytes(rtcp.ReceiverReport(0, [block]))[8:]


# where we and aiortc differ on vectors
THEY_REFUSE = {
    "sr_extension": "profile-specific extensions are none of theirs",
    "rr_extension": "the same",
    "twcc_padded": "padded by one byte it is no whole number of NACK pairs",
    "sdes_two_chunks": "chunks do not begin on words there",
}
WE_REFUSE = {
    "sdes_without_end": "they stop at the end of the packet",
    "sdes_more": "they do not look behind the last chunk",
    "bye_reason_cut": "they do not look at the reason",
    "bye_more": "the same",
    "app_short": "they do not know APP",
    "nack_empty": "RFC 4585 section 6.2.1 asks for one pair at least",
    "pli_more": "they do not look into payload-specific feedback",
    "sli_empty": "the same",
    "rpsi_short": "the same",
    "rpsi_all_padding": "the same",
    "fir_empty": "the same",
    "fir_cut": "the same",
    "remb_cut": "the same",
    "remb_more": "the same",
    "tmmbr_empty": "they read it as a NACK of nothing",
    "tmmbn_cut": "they read it as a NACK",
    "twcc_cut": "the same",
    "ccfb_cut": "the same",
    "ccfb_more": "the same",
    "xr_short": "they do not know XR",
    "xr_block_cut": "the same",
}


def theirs_refuses(data: bytes) -> bool:
    try:
        aiortc_rtp.RtcpPacket.parse(data)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("name", GOOD)
def test_good_ones_against_aiortc(name):
    if name in THEY_REFUSE:
        assert theirs_refuses(GOOD[name])
    elif name == "ccfb_nothing" or not name.startswith(("twcc", "ccfb", "tmmb")):
        agree(GOOD[name])


@pytest.mark.parametrize("name", [*CONTRADICTING, *BROKEN])
def test_bad_ones_against_aiortc(name):
    data, _ = (CONTRADICTING | BROKEN)[name]
    assert theirs_refuses(data) == (name not in WE_REFUSE)


def why_they_refuse(packet) -> str | None:
    """What aiortc has against a packet that we take."""
    size = len(bytes(packet)) - (bytes(packet)[-1] if bytes(packet)[0] & 0x20 else 0)
    match packet:
        case rtcp.SenderReport() | rtcp.ReceiverReport() if packet.extension:
            return "profile-specific extensions are none of theirs"
        case rtcp.Sdes() if len(packet.chunks) > 1:
            return "chunks do not begin on words there"
        case rtcp.Sdes([chunk]) if any(bytes(packet)[8 + sum(2 + len(item.value) for item in chunk.items) :]):
            return "the byte behind the end of a chunk is a length there, whatever it is"
        case rtcp.Twcc() | rtcp.Ccfb() | rtcp.UnknownPacket() if bytes(packet)[1] in (205, 206):
            return "they read two SSRCs and NACK pairs" if size < 12 or size % 4 else None
    return None


def why_we_refuse(data: bytes) -> str | None:
    """What we have against a packet that aiortc takes."""
    match data[1]:
        case 204 | 207:
            return "they do not look into types that they do not know"
        case 205 | 206:
            return "they do not look into feedback but NACKs"
        case 202:
            return "they take any end of a chunk, and anything behind it"
        case 203:
            return "they do not look at the reason of a BYE"
    return None


def judge(data: bytes) -> None:
    """Both take a datagram and find the same, or both refuse it, or there is a reason."""
    try:
        packets = rtcp.parse(data)
    except rtcp.RtcpError as error:
        assert theirs_refuses(data) or why_we_refuse(data[error.offset :]), str(error)
        return
    if theirs_refuses(data):
        assert any(why_they_refuse(packet) for packet in packets), packets
    elif not any(why_they_refuse(packet) for packet in packets):
        agree(data)


@pytest.mark.parametrize("name", [*GOOD, "compound"])
def test_every_bit_flipped_against_aiortc(name):
    data = GOOD.get(name, COMPOUND)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 0x80 >> bit % 8
        judge(bytes(flipped))


@given(st.binary(max_size=60), st.integers(0, 63), st.sampled_from([200, 201, 202, 203, 205, 206]))
def test_any_body_against_aiortc(body, head, packet_type):
    body += bytes(-len(body) % 4)
    judge(bytes([0x80 | head, packet_type]) + (len(body) // 4).to_bytes(2, "big") + body)


# ---- malice


def survives(data: bytes) -> None:
    """Packets that are the same bytes again and can be looked into, or the one exception."""
    walked, code = _rtcp.walk(data)
    try:
        packets = rtcp.parse(data)
    except rtcp.RtcpError as error:
        assert code < 0 or len(error.packets) < len(walked)
        assert data.startswith(b"".join(map(bytes, error.packets)))
        if code == 0:
            assert b"".join(map(bytes, rtcp.parse(data, strict=False))) == data
        return
    assert (len(packets), code) == (len(walked), 0)
    assert b"".join(map(bytes, packets)) == data
    for packet in packets:
        repr(packet)
        hash(packet)


@pytest.mark.parametrize("name", [*GOOD, "compound"])
def test_truncation_at_every_length(name):
    data = GOOD.get(name, COMPOUND)
    ends = {0}
    if name == "compound":
        for packet in rtcp.parse(data):
            ends.add(max(ends) + len(bytes(packet)))
    for size in range(len(data)):
        survives(data[:size])
        if size not in ends:
            with pytest.raises(rtcp.RtcpError):
                rtcp.parse(data[:size])


@pytest.mark.parametrize("name", GOOD)
def test_truncation_that_the_header_admits(name):
    data = bytearray(GOOD[name])
    for words in range(len(data) // 4):
        data[2:4] = words.to_bytes(2, "big")
        survives(bytes(data[: 4 * words + 4]))


@pytest.mark.parametrize("name", [*GOOD, "compound"])
def test_every_bit_flipped(name):
    data = GOOD.get(name, COMPOUND)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 0x80 >> bit % 8
        survives(bytes(flipped))


@given(st.binary(max_size=100), st.integers(0, 31), st.sampled_from([*range(192, 212)]))
def test_any_body_behind_a_good_header(body, count, packet_type):
    body += bytes(-len(body) % 4)
    survives(bytes([0x80 | count, packet_type]) + (len(body) // 4).to_bytes(2, "big") + body)


@given(st.lists(st.sampled_from(sorted(GOOD)), max_size=8), st.binary(max_size=8))
def test_any_compound(names, rest):
    survives(b"".join(GOOD[name] for name in names) + rest)


@pytest.mark.parametrize("seed", fuzz_rtcp.SEEDS)
def test_the_fuzz_target_over_its_seeds(seed):
    fuzz_rtcp.fuzz_one(seed)
    fuzz_rtcp.fuzz_one(bytes(reversed(seed)) * 8)


# ---- values


@pytest.mark.parametrize("name", GOOD)
def test_values_are_copied_and_pickled(name):
    for packet in rtcp.parse(GOOD[name] + padded(GOOD["rr_two"], 8)):
        for other in (pickle.loads(pickle.dumps(packet)), copy.copy(packet), copy.deepcopy(packet)):
            assert other == packet
            assert bytes(other) == bytes(packet)


def test_values_do_not_change():
    (packet,) = rtcp.parse(GOOD["sr_block"])
    for owner in (packet, packet.reports[0]):
        for name in owner.__match_args__:
            with pytest.raises(AttributeError):
                setattr(owner, name, 1)
        with pytest.raises(AttributeError):
            owner.other = 1
    assert packet.reports is packet.reports


def test_values_are_compared_by_type_and_fields():
    assert rtcp.Pli(1, 2) == rtcp.Pli(1, 2) != rtcp.Pli(1, 3)
    assert rtcp.Tmmbr(1, [(2, 3, 4)]) != rtcp.Tmmbn(1, [(2, 3, 4)])
    assert rtcp.Pli(1, 2) != "something else"
    assert len({rtcp.Pli(1, 2), rtcp.parse(padded(GOOD["pli"], 4))[0], rtcp.Pli(2, 1)}) == 2


def test_values_match_patterns():
    match rtcp.parse(GOOD["nack_two"])[0]:
        case rtcp.Nack(sender, media_ssrc=media, sequence_numbers=[first, *_]):
            assert (sender, media, first) == (1, 2, 0xFFFE)
        case _:
            raise AssertionError


def test_replace_takes_fields_and_nothing_else():
    (packet,) = rtcp.parse(padded(GOOD["nack_two"], 4))
    other = rtcp.replace(packet, media_ssrc=7)
    assert (other.media_ssrc, other.sequence_numbers, other.padding_size) == (7, packet.sequence_numbers, 0)
    with pytest.raises(TypeError):
        rtcp.replace(packet, bitrate_bps=1)
    with pytest.raises(ValueError, match="media_ssrc must be 0..4294967295"):
        rtcp.replace(packet, media_ssrc=1 << 32)


def test_what_was_never_made_is_an_error_and_no_crash():
    with pytest.raises(TypeError, match="base of the packet types"):
        rtcp.RtcpPacket()
    for kind in {*CLASSES.values(), rtcp.UnknownPacket} - {rtcp.Twcc}:
        empty = kind.__new__(kind)
        for use in (bytes, repr, hash, pickle.dumps, rtcp.replace):
            with pytest.raises(ValueError, match="never initialised"):
                use(empty)


def test_a_pickle_of_something_else_is_refused():
    load, (_, wire, size) = rtcp.Pli(1, 2).__reduce__()
    with pytest.raises(ValueError, match="not one Fir"):
        load(rtcp.Fir, wire, size)
