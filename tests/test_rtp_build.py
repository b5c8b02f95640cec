"""`RtpPacket`: built, taken apart, put together; read back by `parse` and by aiortc."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import rtp
from tests.rtp_vectors import FIXED, GOOD, all_captured

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)


def test_packet_with_defaults():
    packet = rtp.RtpPacket(payload_type=96, sequence_number=1, timestamp=2, ssrc=3)
    assert bytes(packet) == FIXED


# where the block holds more than its elements: padding between them, an id twice, something behind the last one
UNTIDY = {
    "one_byte_padding_between",
    "one_byte_repeated",
    "one_byte_all_padding",
    "one_byte_overrun",
    "one_byte_id_15_stops",
    "one_byte_id_0_with_length_stops",
    "two_byte",
    "two_byte_overrun",
    "two_byte_id_at_the_end",
}


@pytest.mark.parametrize("name", GOOD)
def test_packet_comes_together_again(name):
    packet = rtp.RtpPacket.parse(GOOD[name])
    again = rtp.RtpPacket.parse(bytes(packet))
    assert again == packet
    assert (bytes(packet) == GOOD[name]) == (name not in UNTIDY)


def test_captures_come_together_as_the_same_bytes():
    packets = all_captured()
    assert len(packets) > 250
    for data in packets:
        assert bytes(rtp.RtpPacket.parse(data)) == data


def test_add_and_remove_extensions():
    packet = rtp.RtpPacket.parse(GOOD["one_byte"])
    packet.extensions[2] = b"\x01\x02"
    del packet.extensions[1]
    assert rtp.parse(bytes(packet)).extensions == {3: b"\xbb\xcc\xdd", 2: b"\x01\x02"}
    packet.extensions.clear()
    header = rtp.parse(bytes(packet))
    assert (header.extension, header.extension_data) == (True, b"")
    packet.extension_profile = None
    assert not rtp.parse(bytes(packet)).extension


def test_renumber_packet():
    packet = rtp.RtpPacket.parse(GOOD["one_byte_full"])
    packet.renumber_extensions({1: 3, 3: 1, 5: 0, 14: 20})
    assert packet.extensions == {3: b"\xaa", 1: b"\xbb\xcc\xdd", 20: b"\xff"}
    with pytest.raises(ValueError, match="id 3"):
        packet.renumber_extensions({1: 3})
    assert rtp.parse(bytes(packet)).extension_profile == rtp.TWO_BYTE_PROFILE  # id 20 needs it


@pytest.mark.parametrize(
    "extensions, profile",
    [
        ({1: b"x"}, rtp.ONE_BYTE_PROFILE),
        ({14: bytes(16)}, rtp.ONE_BYTE_PROFILE),
        ({15: b"x"}, rtp.TWO_BYTE_PROFILE),
        ({1: b""}, rtp.TWO_BYTE_PROFILE),
        ({1: bytes(17)}, rtp.TWO_BYTE_PROFILE),
        ({255: bytes(255)}, rtp.TWO_BYTE_PROFILE),
    ],
)
def test_form_is_chosen_by_what_must_fit(extensions, profile):
    header = rtp.parse(bytes(rtp.RtpPacket(payload_type=0, sequence_number=0, timestamp=0, ssrc=0,
                                           extensions=extensions)))  # fmt: skip
    assert (header.extension_profile, header.extensions) == (profile, extensions)


@pytest.mark.parametrize(
    "field, value",
    [
        ("payload_type", 128),
        ("payload_type", -1),
        ("sequence_number", 65536),
        ("timestamp", 2**32),
        ("ssrc", -1),
        ("csrc", (2**32,)),
        ("csrc", tuple(range(16))),
        ("padding_size", 256),
        ("padding_size", -1),
        ("extension_profile", 65536),
        ("extensions", {0: b"x"}),
        ("extensions", {256: b"x"}),
        ("extensions", {1: bytes(256)}),
        ("extension_data", b"1234"),
        ("payload", bytes(65536 - 12)),
    ],
)
def test_field_out_of_range(field, value):
    packet = rtp.RtpPacket(payload_type=96, sequence_number=1, timestamp=2, ssrc=3)
    setattr(packet, field, value)
    with pytest.raises(ValueError):
        bytes(packet)


def test_opaque_block_rules():
    packet = rtp.RtpPacket(
        payload_type=96, sequence_number=1, timestamp=2, ssrc=3, extension_profile=0xABAC, extension_data=b"12345678"
    )
    header = rtp.parse(bytes(packet))
    assert (header.extension_profile, header.extension_data) == (0xABAC, b"12345678")
    packet.extension_data = b"123"
    with pytest.raises(ValueError, match="multiple of 4"):
        bytes(packet)
    packet.extension_data = b""
    packet.extensions = {1: b"x"}
    with pytest.raises(ValueError, match="opaque"):
        bytes(packet)


def rtp_packets():
    return st.builds(
        rtp.RtpPacket,
        payload_type=st.integers(0, 127),
        sequence_number=u16,
        timestamp=u32,
        ssrc=u32,
        marker=st.booleans(),
        csrc=st.lists(u32, max_size=15).map(tuple),
        extensions=st.dictionaries(st.integers(1, 255), st.binary(max_size=40), max_size=8),
        payload=st.binary(max_size=100),
        padding_size=st.integers(0, 255),
    )


@given(rtp_packets())
def test_any_packet_survives_a_round_trip(packet):
    again = rtp.RtpPacket.parse(bytes(packet))
    packet.extension_profile = again.extension_profile  # it was chosen
    assert again == packet
    assert bytes(again) == bytes(packet)
    assert len(bytes(packet)) == len(rtp.parse(bytes(packet)))


@given(rtp_packets())
def test_aiortc_reads_what_is_built(packet):
    judge = pytest.importorskip("aiortc.rtp")
    data = bytes(packet)
    other = judge.RtpPacket.parse(data)
    header = rtp.parse(data)
    assert (other.payload_type, other.sequence_number) == (packet.payload_type, packet.sequence_number)
    assert (other.timestamp, other.ssrc, bool(other.marker)) == (packet.timestamp, packet.ssrc, packet.marker)
    assert (tuple(other.csrc), other.payload) == (packet.csrc, packet.payload)
    assert other.padding_size == packet.padding_size
    if header.extension:
        elements = judge.unpack_header_extensions(header.extension_profile, header.extension_data)
        assert dict(elements) == packet.extensions
