"""NACK, PLI, SLI, RPSI and FIR as Python values."""

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import _rtcp, rtcp
from tests.rtcp_vectors import GOOD, packet

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
FEEDBACK = [
    lambda **ssrcs: rtcp.Nack(**ssrcs, sequence_numbers=[1]),
    lambda **ssrcs: rtcp.Nack.from_pairs(**ssrcs, pairs=[(1, 0)]),
    lambda **ssrcs: rtcp.Pli(**ssrcs),
    lambda **ssrcs: rtcp.Sli(**ssrcs, entries=[(1, 2, 3)]),
    lambda **ssrcs: rtcp.Rpsi(**ssrcs, payload_type=1, bit_string=b""),
    lambda **ssrcs: rtcp.Fir(**ssrcs, entries=[(1, 2)]),
    lambda **ssrcs: rtcp.Tmmbr(**ssrcs, limits=[(1, 2, 3)]),
    lambda **ssrcs: rtcp.Tmmbn(**ssrcs),
    lambda **ssrcs: rtcp.Remb(**ssrcs, bitrate_bps=1),
]


@pytest.mark.parametrize("build", FEEDBACK)
def test_both_ssrcs_are_checked_and_kept(build):
    (found,) = rtcp.parse(bytes(build(sender_ssrc=0xFFFFFFFF, media_ssrc=0xFFFFFFFE)))
    assert (found.sender_ssrc, found.media_ssrc) == (0xFFFFFFFF, 0xFFFFFFFE)
    for name in ("sender_ssrc", "media_ssrc"):
        for value in (-1, 1 << 32):
            with pytest.raises(ValueError, match=f"{name} must be 0..4294967295"):
                build(**{"sender_ssrc": 1, "media_ssrc": 2, name: value})
        with pytest.raises(TypeError):
            build(**{"sender_ssrc": 1, "media_ssrc": 2, name: 1.5})


def test_nack_vectors():
    (found,) = rtcp.parse(GOOD["nack_two"])
    assert found.pairs == (rtcp.NackPair(0xFFFE, 5), rtcp.NackPair(256, 0x8001))
    assert found.sequence_numbers == (0xFFFE, 0xFFFF, 1, 256, 257, 272)
    assert bytes(rtcp.Nack(1, 2, found.sequence_numbers)) == GOOD["nack_two"]
    assert bytes(rtcp.Nack.from_pairs(1, 2, found.pairs)) == GOOD["nack_two"]
    assert bytes(rtcp.Nack(1, 2, [100])) == GOOD["nack"]


@given(st.lists(u16, min_size=1, max_size=60))
def test_nack_keeps_numbers_and_their_order(numbers):
    (found,) = rtcp.parse(bytes(rtcp.Nack(1, 2, numbers)))
    assert list(found.sequence_numbers) == numbers


@given(st.sets(u16, min_size=1, max_size=60), u16)
def test_nack_in_order_is_what_the_engine_writes(numbers, first):
    seqs = sorted(numbers, key=lambda seq: (seq - first) & 0xFFFF)
    data = bytes(rtcp.Nack(1, 2, seqs))
    assert data == _rtcp.write("nack", sender_ssrc=1, media_ssrc=2, seqs=seqs)
    (theirs,) = aiortc_rtp.RtcpPacket.parse(data)
    assert [number & 0xFFFF for number in theirs.lost] == seqs  # they let it run over 65535


@given(st.lists(st.tuples(u16, u16), min_size=1, max_size=30))
def test_nack_pairs_stay_as_they_are(pairs):
    (found,) = rtcp.parse(bytes(rtcp.Nack.from_pairs(1, 2, pairs)))
    assert list(found.pairs) == pairs
    assert len(found.sequence_numbers) == sum(1 + mask.bit_count() for _, mask in pairs)
    assert rtcp.replace(found) == found


def test_nack_ranges():
    for numbers in ([65536], [-1], [1 << 70]):
        with pytest.raises(ValueError, match="sequence_numbers must be 0..65535"):
            rtcp.Nack(1, 2, numbers)
    for numbers in ([], iter(())):
        with pytest.raises(ValueError, match="at least one"):
            rtcp.Nack(1, 2, numbers)
    for pairs, why in [([], "at least one"), ([(65536, 0)], "sequence_number"), ([(0, 65536)], "bitmask")]:
        with pytest.raises(ValueError, match=why):
            rtcp.Nack.from_pairs(1, 2, pairs)
    with pytest.raises(ValueError, match="at most 65532"):
        rtcp.Nack.from_pairs(1, 2, [(0, 0)] * 16381)


def test_pli_against_aiortc():
    assert bytes(rtcp.Pli(1, 2)) == GOOD["pli"] == bytes(aiortc_rtp.RtcpPsfbPacket(1, 1, 2))


def test_sli_vectors():
    (found,) = rtcp.parse(GOOD["sli"])
    assert found.entries == ((1, 2, 10), (0x11FF, 0x1FFF, 63))
    assert found.entries[0].picture_id == 10
    assert bytes(rtcp.Sli(1, 2, found.entries)) == GOOD["sli"]


@given(st.lists(st.tuples(st.integers(0, 8191), st.integers(0, 8191), st.integers(0, 63)), min_size=1, max_size=20))
def test_sli_written_is_read(entries):
    assert list(rtcp.parse(bytes(rtcp.Sli(1, 2, entries)))[0].entries) == entries


@pytest.mark.parametrize(
    ("entries", "why"),
    [([], "at least one"), ([(8192, 0, 0)], "first"), ([(0, 8192, 0)], "number"), ([(0, 0, 64)], "picture_id")],
)
def test_sli_ranges(entries, why):
    with pytest.raises(ValueError, match=why):
        rtcp.Sli(1, 2, entries)


def test_rpsi_vectors():
    (found,) = rtcp.parse(GOOD["rpsi"])
    assert (found.payload_type, found.bit_string, found.bit_count) == (96, bytes.fromhex("abcdef1234"), 40)
    assert bytes(rtcp.Rpsi(1, 2, 96, found.bit_string)) == GOOD["rpsi"]
    (found,) = rtcp.parse(GOOD["rpsi_bits"])
    assert (found.bit_string, found.bit_count) == (b"\xff\xe0", 11)
    assert bytes(rtcp.Rpsi(1, 2, 96, b"\xff\xff", 11)) == GOOD["rpsi_bits"]  # bits that do not count are cleared


@given(st.integers(0, 127), st.binary(max_size=40), st.integers(0, 7))
def test_rpsi_written_is_read(payload_type, content, spare):
    bits = max(0, 8 * len(content) - spare)
    (found,) = rtcp.parse(bytes(rtcp.Rpsi(1, 2, payload_type, content, bits)))
    assert (found.payload_type, found.bit_count, len(found.bit_string)) == (payload_type, bits, len(content))
    assert int.from_bytes(found.bit_string, "big") >> -bits % 8 == int.from_bytes(content, "big") >> -bits % 8


def test_rpsi_ranges():
    for bad, why in [
        ({"payload_type": 128}, "payload_type must be 0..127"),
        ({"bit_count": 8}, "must end in the last byte"),
        ({"bit_count": 17}, "bit_count must be 0..16"),
        ({"bit_count": -1}, "bit_count must be 0..16"),
    ]:
        with pytest.raises(ValueError, match=why):
            rtcp.Rpsi(**{"sender_ssrc": 1, "media_ssrc": 2, "payload_type": 0, "bit_string": b"ab", **bad})


def test_fir_vectors():
    (found,) = rtcp.parse(GOOD["fir_two"])
    assert found.entries == (rtcp.FullIntraRequest(2, 255), rtcp.FullIntraRequest(3, 0))
    assert bytes(rtcp.Fir(1, found.entries)) == GOOD["fir_two"]
    assert bytes(rtcp.Fir(1, [(2, 7)])) == GOOD["fir"] == _rtcp.write("fir", sender_ssrc=1, media_ssrc=2, command_seq=7)


def test_reserved_bits_of_a_fir_do_not_count():
    (found,) = rtcp.parse(packet("84 ce 0004 00000001 00000000 00000002 07 ffffff"))
    assert found == rtcp.Fir(1, [(2, 7)])
    assert bytes(found)[-3:] == b"\xff\xff\xff"


@pytest.mark.parametrize(
    ("entries", "why"), [([], "at least one"), ([(1 << 32, 0)], "ssrc"), ([(0, 256)], "sequence_number must be 0..255")]
)
def test_fir_ranges(entries, why):
    with pytest.raises(ValueError, match=why):
        rtcp.Fir(1, entries)
