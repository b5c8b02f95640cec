"""AV1 aggregation headers (RTP Payload Format For AV1, section 4.4)."""

import pytest

from mediarouter.codecs import _codec
from tests.codecs.streams import frames, read

# OBU types (AV1 bitstream specification 6.2.2)
SEQUENCE_HEADER, FRAME_HEADER, FRAME = 1, 3, 6


def parse(payload: bytes) -> dict[str, int] | None:
    return _codec.parse("video/AV1", payload)


# name: packets, pictures, layer frames in a picture
BROWSERS = {"av1_chromium_svc": (1097, 142, 3), "av1_firefox": (153, 153, 1)}


@pytest.mark.parametrize("name", BROWSERS)
def test_what_browsers_send(name):
    packet_count, picture_count, layer_count = BROWSERS[name]
    packets = read(name)
    pictures = frames(packets)
    assert (len(packets), len(pictures)) == (packet_count, picture_count)
    key_pictures = 0
    for picture in pictures:
        infos = [parse(packet.payload) for packet in picture]
        assert infos[0]["frame_start"]
        assert sum(bool(info["frame_start"]) for info in infos) == layer_count
        assert not any(info["key_frame"] for info in infos[1:])
        key_pictures += bool(infos[0]["key_frame"])
        # one element without its size (W = 1), or with it (W = 2): its header follows the aggregation header
        element = picture[0].payload[1] if picture[0].payload[0] & 0x30 == 0x10 else picture[0].payload[2]
        kinds = {FRAME_HEADER, FRAME} if not infos[0]["key_frame"] else {SEQUENCE_HEADER}
        assert element >> 3 & 0x0F in kinds
    assert key_pictures == 2


@pytest.mark.parametrize(
    ("header", "frame_start", "key_frame"),
    [(0x18, True, True), (0x10, True, False), (0x90, False, False), (0x50, True, False), (0xD0, False, False)],
)
def test_header_bits(header, frame_start, key_frame):
    info = parse(bytes((header, 0x30, 0)))
    assert (bool(info["frame_start"]), bool(info["key_frame"]), info["descriptor_size"]) == (frame_start, key_frame, 1)


def test_a_sequence_cannot_begin_amid_an_element():
    # Z and N together contradict each other (section 4.4): not a place to begin
    info = parse(bytes((0x98, 0x0A, 0)))
    assert (bool(info["frame_start"]), bool(info["key_frame"])) == (False, False)
