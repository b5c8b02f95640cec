"""RTP packets written by hand, and packets that browsers sent (tests/vectors/rtp_*.pcap, read by dpkt)."""

from pathlib import Path

import dpkt

VECTORS = Path(__file__).parent / "vectors"
CAPTURES = sorted(VECTORS.glob("rtp_*.pcap"))

FIXED = bytes.fromhex("80 60 0001 00000002 00000003")  # V=2, payload type 96, seq 1, timestamp 2, ssrc 3
WITH_X = bytes.fromhex("90 60 0001 00000002 00000003")
PAYLOAD = bytes.fromhex("aabbccdd")

# name -> packet; each is a good one
GOOD = {
    "bare": FIXED,
    "payload": FIXED + PAYLOAD,
    "marker": bytes.fromhex("80 e0 ffff ffffffff ffffffff 01"),
    "csrc": bytes.fromhex("82 60 0001 00000002 00000003 00000010 ffffffff") + PAYLOAD,
    "csrc_15": bytes.fromhex("8f 60 0001 00000002 00000003") + bytes(range(60)) + PAYLOAD,
    "padding": bytes.fromhex("a0 60 0001 00000002 00000003") + PAYLOAD + bytes.fromhex("000003"),
    "padding_only": bytes.fromhex("a0 60 0001 00000002 00000003 00000004"),
    "padding_one": bytes.fromhex("a0 60 0001 00000002 00000003 01"),
    "one_byte": WITH_X + bytes.fromhex("bede 0002 10aa 32bbccdd 0000") + PAYLOAD,
    "one_byte_full": WITH_X + bytes.fromhex("bede 0003 10aa 32bbccdd 52010203 e0ff") + PAYLOAD,
    "one_byte_16": WITH_X + bytes.fromhex("bede 0005 1f") + bytes(range(16)) + bytes.fromhex("000000") + PAYLOAD,
    "one_byte_padding_between": WITH_X + bytes.fromhex("bede 0002 10aa 0000 20bb 0000") + PAYLOAD,
    "one_byte_id_15_stops": WITH_X + bytes.fromhex("bede 0002 10aa f0 20bb 000000") + PAYLOAD,
    "one_byte_id_0_with_length_stops": WITH_X + bytes.fromhex("bede 0002 10aa 01 20bb 000000") + PAYLOAD,
    "one_byte_overrun": WITH_X + bytes.fromhex("bede 0001 10aa 27bb") + PAYLOAD,
    "one_byte_repeated": WITH_X + bytes.fromhex("bede 0001 10aa 10bb") + PAYLOAD,
    "one_byte_empty": WITH_X + bytes.fromhex("bede 0000") + PAYLOAD,
    "one_byte_all_padding": WITH_X + bytes.fromhex("bede 0001 00000000") + PAYLOAD,
    "two_byte": WITH_X + bytes.fromhex("1000 0003 0101aa 0203bbccdd 0000 2000") + PAYLOAD,
    "two_byte_appbits": WITH_X + bytes.fromhex("100f 0001 0101aa 00") + PAYLOAD,
    "two_byte_empty_value": WITH_X + bytes.fromhex("1000 0001 0100 0000") + PAYLOAD,
    "two_byte_high_ids": WITH_X + bytes.fromhex("1000 0002 0f01aa ff01bb 0000") + PAYLOAD,
    "two_byte_255": WITH_X + bytes.fromhex("1000 0041 0eff") + bytes(range(255)) + bytes(3) + PAYLOAD,
    "two_byte_overrun": WITH_X + bytes.fromhex("1000 0002 0101aa 0209bbcc dd") + PAYLOAD,
    "two_byte_id_at_the_end": WITH_X + bytes.fromhex("1000 0001 0101aa 02") + PAYLOAD,
    "opaque": WITH_X + bytes.fromhex("abac 0002 0102030405060708") + PAYLOAD,
    "opaque_profile_0": WITH_X + bytes.fromhex("0000 0001 01020304") + PAYLOAD,
    "everything": bytes.fromhex("b1 e0 0001 00000002 00000003 00000010 bede 0001 10aa 0000 aabbccdd 0002"),
}

# name -> packet and what `parse` says about it
BAD = {
    "empty": (b"", "RTP packet is truncated"),
    "eleven_bytes": (FIXED[:11], "RTP packet is truncated"),
    "version_0": (b"\x00" + FIXED[1:], "RTP version is not 2"),
    "version_1": (b"\x40" + FIXED[1:], "RTP version is not 2"),
    "version_3": (b"\xc0" + FIXED[1:], "RTP version is not 2"),
    "csrc_truncated": (b"\x81" + FIXED[1:] + b"\0\0\0", "RTP packet is truncated"),
    "extension_without_header": (WITH_X + b"\xbe\xde\x00", "RTP header extension is truncated"),
    "extension_truncated": (WITH_X + bytes.fromhex("bede 0002 10aa 0000"), "RTP header extension is truncated"),
    "extension_of_65535_words": (WITH_X + bytes.fromhex("bede ffff 10aa 0000"), "RTP header extension is truncated"),
    "padding_without_count": (b"\xa0" + FIXED[1:], "RTP padding length is invalid"),
    "padding_0": (b"\xa0" + FIXED[1:] + b"\x00", "RTP padding length is invalid"),
    "padding_too_large": (b"\xa0" + FIXED[1:] + b"\x00\x03", "RTP padding length is invalid"),
    "padding_into_the_extension": (
        b"\xb0" + FIXED[1:] + bytes.fromhex("bede 0001 10aa 0002"),
        "RTP padding length is invalid",
    ),
    "too_large": (FIXED + bytes(65536 - 12), "RTP packet is larger than 65535 bytes"),
}


def captured(path: Path) -> list[bytes]:
    """The RTP packets of a capture; RTCP is left out."""
    with path.open("rb") as file:
        datagrams = [dpkt.ip.IP(frame).data for _, frame in dpkt.pcap.Reader(file)]
    return [bytes(datagram.data) for datagram in datagrams if datagram.dport == 5004]


def all_captured() -> list[bytes]:
    return [packet for path in CAPTURES for packet in captured(path)]
