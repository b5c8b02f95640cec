"""RTP, one packet and many, for users of Python."""

from pathlib import Path

from mediarouter import capture, rtp

EVERY = 100  # of the inputs in C that come here, one of so many
VECTORS = Path(__file__).parents[1] / "tests" / "vectors"
HAND_MADE = (
    "8060000100000002000000030badcafe",
    "b1e0000100000002000000030000001 0bede000110aa0000aabbccdd0002".replace(" ", ""),
    "9060000100000002000000031000000301 01aa0203bbccdd00002000aabbccdd".replace(" ", ""),
    "906000010000000200000003abac0001010203 04".replace(" ", ""),
    "906000010000000200000003bede000210aaf020bb000000ff",
)


def seeds() -> list[bytes]:
    """Some packets of each capture, and some that no browser sends."""
    found = [bytes.fromhex(text) for text in HAND_MADE]
    for path in sorted(VECTORS.glob("rtp_*.pcap")):
        packets = capture.read(path)
        found += [bytes(packets.datagram(i)) for i in range(0, len(packets), 5)]
    return found


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm; what is read must be consistent, and read alike in every way."""
    accepted = check(data)
    check_rows([data, SEEDS[len(data) % len(SEEDS)], data[: len(data) // 2]])
    return accepted, not accepted


def check(data: bytes) -> bool:
    """Whether it is RTP."""
    try:
        header = rtp.parse(data)
    except ValueError:
        return False
    assert header.payload_offset + header.payload_size + header.padding_size == len(data)
    assert bytes(header) == data
    assert repr(header)
    elements = header.extensions
    assert all(header.get_extension(i) == elements.get(i) for i in (*range(18), *elements, 255))
    packet = rtp.RtpPacket.parse(data)
    again = rtp.RtpPacket.parse(bytes(packet))
    assert again == packet
    check_rewritten(data, elements)
    return True


def check_rewritten(data: bytes, elements: dict[int, bytes]) -> None:
    memory = bytearray(data)
    header = rtp.parse(memory)
    header.marker = not header.marker
    header.payload_type ^= 0x7F
    header.sequence_number ^= 0xFFFF
    header.timestamp ^= 0xFFFFFFFF
    header.ssrc ^= 0xFFFFFFFF
    header.csrc = [source ^ 0xFFFFFFFF for source in header.csrc]
    flipped = bytes(byte ^ 0xFF for byte in data[1 : 12 + 4 * len(header.csrc)])
    assert bytes(memory) == data[:1] + flipped + data[1 + len(flipped) :]
    for element_id, value in elements.items():
        header.set_extension(element_id, value[::-1])
    assert rtp.parse(memory).extensions == {i: value[::-1] for i, value in elements.items()}
    highest = 14 if header.extension_profile == rtp.ONE_BYTE_PROFILE else 255
    new_ids = {i: (highest + 1 - i if i % 3 else 0) for i in range(1, highest + 1)}
    header.renumber_extensions(new_ids)
    reread = rtp.parse(memory)
    assert reread.extensions == header.extensions
    assert reread.extensions.keys() <= {new_ids[i] for i in elements} - {0}
    assert len(memory) == len(data) and reread.payload == rtp.parse(data).payload


def check_rows(packets: list[bytes]) -> None:
    offsets = [0]
    for packet in packets:
        offsets.append(offsets[-1] + len(packet))
    for row, packet in zip(rtp.parse_batch(b"".join(packets), offsets), packets, strict=True):
        try:
            header = rtp.parse(packet)
        except ValueError:
            assert row["status"] < 0 and row["ssrc"] == row["payload_size"] == row["located"] == 0
            continue
        assert row["status"] == 0
        for name in ("marker", "payload_type", "sequence_number", "timestamp", "ssrc", "payload_offset",
                     "payload_size", "padding_size", "extension_profile"):  # fmt: skip
            assert row[name] == getattr(header, name)
        for element_id, value in header.extensions.items():
            if element_id < 15:
                start = row["element_offset"][element_id]
                assert row["located"] >> element_id & 1
                assert packet[start : start + row["element_size"][element_id]] == value


SEEDS = seeds()
