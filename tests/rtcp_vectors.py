"""RTCP written by hand from the layouts of the RFCs, and what browsers sent (tests/vectors/rtcp_browsers.json)."""

import json
import struct
from pathlib import Path

CAPTURED = Path(__file__).parent / "vectors" / "rtcp_browsers.json"

BLOCK = "00000010 40 000005 00010203 00000064 aabbccdd 00010000"  # SSRC 16, a quarter lost, 5 in all, ...
BLOCK_NEGATIVE = "00000011 00 fffffe ffffffff 00000000 00000000 00000000"  # two more than were expected
SENDER_INFO = "e1e2e3e4 80000000 00000005 00000006 00000007"


def packet(text: str) -> bytes:
    """Bytes of hexadecimal digits, blanks between them."""
    return bytes.fromhex(text)


# name -> one packet; each is a good one
GOOD = {
    # RFC 3550 section 6.4.1
    "sr_empty": packet(f"80 c8 0006 00000001 {SENDER_INFO}"),
    "sr_block": packet(f"81 c8 000c 00000001 {SENDER_INFO} {BLOCK}"),
    "sr_extension": packet(f"80 c8 0008 00000001 {SENDER_INFO} 0102030405060708"),
    # 6.4.2
    "rr_empty": packet("80 c9 0001 00000001"),
    "rr_two": packet(f"82 c9 000d 00000001 {BLOCK} {BLOCK_NEGATIVE}"),
    "rr_extension": packet(f"81 c9 0008 00000001 {BLOCK} cafebabe"),
    "rr_31": packet("9f c9 00bb 00000001" + BLOCK * 31),
    # 6.5: an item ends where it ends, the chunk on a word, with a zero byte at least
    "sdes_empty": packet("80 ca 0000"),
    "sdes_bare": packet("81 ca 0002 00000001 00000000"),
    "sdes_cname": packet("81 ca 0003 00000001 01 04 61626364 0000"),
    "sdes_cname_1_zero": packet("81 ca 0003 00000001 01 05 6162636465 00"),
    "sdes_cname_4_zeros": packet("81 ca 0003 00000001 01 02 6162 00000000"),
    "sdes_all_items": packet(
        "81 ca 000d 00000001 0101 61 0201 62 0301 63 0401 64 0501 65 0601 66 0701 67 "
        "0808 03 782d79 7a7a7a7a 0c01 68 0f01 69 ff00 ff01 6a 0000 00000000"
    ),
    "sdes_two_chunks": packet("82 ca 0005 00000001 01 01 61 00 00000002 01 02 6263 00000000"),
    "sdes_empty_cname": packet("81 ca 0002 00000001 01000000"),
    # 6.6
    "bye": packet("81 cb 0001 00000001"),
    "bye_nobody": packet("80 cb 0000"),
    "bye_two": packet("82 cb 0002 00000001 00000002"),
    "bye_reason": packet("81 cb 0006 00000001 12 63616d657261206d616c66756e6374696f6e 00"),
    "bye_reason_word": packet("81 cb 0002 00000001 03 616263"),
    "bye_reason_empty": packet("81 cb 0002 00000001 00 000000"),
    # 6.7
    "app": packet("85 cc 0003 00000001 6e616d65 01020304"),
    "app_empty": packet("9f cc 0002 00000001 20202020"),
    # RFC 4585 section 6.2.1
    "nack": packet("81 cd 0003 00000001 00000002 0064 0000"),
    "nack_two": packet("81 cd 0004 00000001 00000002 fffe 0005 0100 8001"),
    # 6.3.1, 6.3.2, 6.3.3
    "pli": packet("81 ce 0002 00000001 00000002"),
    "sli": packet("82 ce 0004 00000001 00000002 0008 008a 8fff ffff"),
    "rpsi": packet("83 ce 0004 00000001 00000002 08 60 abcd ef 123400"),
    "rpsi_bits": packet("83 ce 0003 00000001 00000002 05 60 ffe0"),
    # RFC 5104 sections 4.3.1, 4.2.1, 4.2.2
    "fir": packet("84 ce 0004 00000001 00000000 00000002 07 000000"),
    "fir_two": packet("84 ce 0006 00000001 00000000 00000002 ff 000000 00000003 00 000000"),
    "tmmbr": packet("83 cd 0004 00000001 00000000 00000002 0b d0 9028"),
    "tmmbn": packet("84 cd 0006 00000001 00000000 00000002 0bd09028 00000003 ffffffff"),
    "tmmbn_empty": packet("84 cd 0002 00000001 00000000"),
    # draft-alvestrand-rmcat-remb-03 section 2.2: 0x3ffff * 2**3
    "remb": packet("8f ce 0005 00000001 00000000 52454d42 01 0f ffff 00000002"),
    "remb_three": packet("8f ce 0007 00000001 00000000 52454d42 03 08 6a00 00000002 00000003 00000004"),
    "remb_nobody": packet("8f ce 0004 00000001 00000000 52454d42 00 00 0000"),
    # draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1; padded as Chromium does
    "twcc": packet("8f cd 0005 00000001 00000002 0005 0002 000007 03 2002 0408"),
    "twcc_padded": packet("af cd 0005 00000001 00000002 0005 0001 000007 03 2001 04 01"),
    # RFC 8888 section 3.1: 65535, 0 and 1, of which 0 was lost and 1 came with CE at a time not told
    "ccfb": packet("8b cd 0006 00000001 00000002 ffff 0003 8400 0000 ffff 0000 12345678"),
    "ccfb_two": packet("8b cd 0008 00000001 00000002 0010 0001 bffe 0000 00000003 0000 0002 8000 a001 00000000"),
    "ccfb_nothing": packet("8b cd 0002 00000001 12345678"),
    # RFC 3611 sections 4.4, 4.5, 4.7; block type 1 is a loss run length block
    "xr_empty": packet("80 cf 0001 00000001"),
    "xr_rrtr": packet("80 cf 0004 00000001 04 00 0002 e1e2e3e4 80000000"),
    "xr_dlrr": packet("80 cf 0008 00000001 05 00 0006 00000002 aabbccdd 00010000 00000003 00000000 00000000"),
    "xr_many": packet(
        "80 cf 000d 00000001 01 03 0003 00000002 0001 0003 8000 0000 04 00 0002 00000001 00000002 "
        "05 00 0003 00000002 00000003 00000004 fe aa 0000"
    ),
    "xr_voip": packet("80 cf 000a 00000001 07 00 0008 " + "0102030405060708" * 4),
    # nobody here knows these
    "extended_jitter": packet("82 c3 0002 00000001 00000002"),
    "fir_of_rfc_2032": packet("80 c0 0001 00000001"),
    "rtpfb_of_format_7": packet("87 cd 0003 00000001 00000002 01020304"),
    "psfb_of_format_15": packet("8f ce 0003 00000001 00000002 6a6b6c6d"),
    "token": packet("80 d2 0000"),
}

# name -> one packet that contradicts itself, and what `rtcp.parse` says about it; its frame is good
CONTRADICTING = {
    "sr_short": (packet(f"80 c8 0005 00000001 {SENDER_INFO[:-9]}"), "sender report is shorter"),
    "sr_block_missing": (packet(f"81 c8 0006 00000001 {SENDER_INFO}"), "sender report is shorter"),
    "rr_short": (packet("80 c9 0000"), "receiver report is shorter"),
    "rr_block_cut": (packet("81 c9 0006 00000001 00000010 40000005 00010203 00000064 aabbccdd"), "receiver report is"),
    "sdes_no_chunk": (packet("81 ca 0000"), "SDES chunk"),
    "sdes_item_cut": (packet("81 ca 0002 00000001 01 05 6162"), "SDES item"),
    "sdes_second_missing": (packet("82 ca 0003 00000001 01 04 61626364 0000"), "SDES chunk"),
    "sdes_without_end": (packet("81 ca 0003 00000001 01 06 616263646566"), "SDES chunk has no end"),
    "sdes_more": (packet("80 ca 0001 00000001"), "more than its SDES chunks"),
    "bye_short": (packet("82 cb 0001 00000001"), "BYE"),
    "bye_reason_cut": (packet("81 cb 0002 00000001 04 616263"), "BYE"),
    "bye_more": (packet("81 cb 0003 00000001 03 616263 00000001"), "BYE"),
    "app_short": (packet("80 cc 0001 00000001"), "APP"),
    "nack_short": (packet("81 cd 0001 00000001"), "NACK"),
    "nack_empty": (packet("81 cd 0002 00000001 00000002"), "NACK"),
    "pli_short": (packet("81 ce 0001 00000001"), "PLI"),
    "pli_more": (packet("81 ce 0003 00000001 00000002 00000003"), "PLI"),
    "sli_empty": (packet("82 ce 0002 00000001 00000002"), "SLI"),
    "rpsi_short": (packet("83 ce 0002 00000001 00000002"), "RPSI"),
    "rpsi_all_padding": (packet("83 ce 0003 00000001 00000002 11 60 0000"), "RPSI"),
    "fir_empty": (packet("84 ce 0002 00000001 00000000"), "FIR"),
    "fir_cut": (packet("84 ce 0005 00000001 00000000 00000002 07000000 00000003"), "FIR"),
    "tmmbr_empty": (packet("83 cd 0002 00000001 00000000"), "TMMBR"),
    "tmmbn_cut": (packet("84 cd 0003 00000001 00000000 00000002"), "TMMBN"),
    "remb_cut": (packet("8f ce 0004 00000001 00000000 52454d42 01 0fffff"), "REMB"),
    "remb_more": (packet("8f ce 0005 00000001 00000000 52454d42 00 0fffff 00000001"), "REMB"),
    "twcc_cut": (packet("8f cd 0004 00000001 00000002 0005 0001 000007 03"), "transport-wide feedback"),
    "ccfb_short": (packet("8b cd 0001 00000001"), "RFC 8888"),
    "ccfb_cut": (packet("8b cd 0004 00000001 00000002 0001 0003 12345678"), "RFC 8888"),
    "ccfb_more": (packet("8b cd 0003 00000001 00000002 12345678"), "RFC 8888"),
    "xr_short": (packet("80 cf 0000"), "XR"),
    "xr_block_cut": (packet("80 cf 0003 00000001 04 00 0002 e1e2e3e4"), "XR"),
}

# name -> a datagram that no walk gets through, and what `rtcp.parse` says about it
BROKEN = {
    "three_bytes": (packet("80 c9 00"), "fewer than 4 bytes"),
    "version_1": (packet("40 c9 0001 00000001"), "version is not 2"),
    "version_0": (packet("00 c9 0001 00000001"), "version is not 2"),
    "version_3": (packet("c0 c9 0001 00000001"), "version is not 2"),
    "truncated": (packet("80 c9 0002 00000001"), "longer than the datagram"),
    "padding_0": (packet("a0 c9 0002 00000001 00000000"), "padding"),
    "padding_of_all": (packet("a0 c9 0001 00000005"), "padding"),
    "padding_without_room": (packet("a0 ca 0000"), "padding"),
    "one_byte_behind": (packet("80 c9 0001 00000001 80"), "fewer than 4 bytes"),
    "rtp_behind": (packet("80 c9 0001 00000001 00000000"), "version is not 2"),
}

COMPOUND = GOOD["sr_block"] + GOOD["sdes_cname"] + GOOD["nack_two"] + GOOD["pli"] + GOOD["remb"] + GOOD["bye_reason"]


def padded(data: bytes, size: int) -> bytes:
    """A packet with that many bytes of padding, a multiple of 4."""
    head, words = data[0] | 0x20, struct.unpack_from("!H", data, 2)[0] + size // 4
    return struct.pack("!BBH", head, data[1], words) + data[4:] + bytes(size - 1) + bytes([size])


def all_captured() -> list[bytes]:
    """What Chromium 156 and Firefox 153 sent while they published: all RTCP of eight calls, decrypted."""
    return [bytes.fromhex(text) for datagrams in json.loads(CAPTURED.read_text()).values() for text in datagrams]
