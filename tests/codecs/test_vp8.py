"""VP8 payload descriptors (RFC 7741), with browsers and aiortc as judges."""

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.codecs import _codec, _vp8
from tests.codecs.streams import frames, read


def parse(payload: bytes) -> dict[str, int] | None:
    return _codec.parse("video/VP8", payload)


# name: packets, frames, key frames, width, height, packets of each temporal layer
BROWSERS = {
    "vp8_chromium_q": (154, 142, 2, 320, 180, {0: 48, 1: 35, 2: 71}),
    "vp8_chromium_h": (297, 142, 2, 640, 360, {0: 87, 1: 63, 2: 147}),
    "vp8_chromium_f": (603, 142, 2, 1280, 720, {0: 174, 1: 116, 2: 313}),
    "vp8_firefox_q": (206, 206, 4, 320, 180, {0: 104, 1: 102}),
    "vp8_firefox_h": (249, 203, 3, 640, 360, {0: 146, 1: 103}),
    "vp8_firefox_f": (499, 200, 2, 1280, 720, {0: 302, 1: 197}),
    "vp8_chromium_bare_q": (177, 160, 2, 320, 180, {0: 177}),
}


@pytest.mark.parametrize("name", BROWSERS)
def test_what_browsers_send(name):
    packet_count, frame_count, key_frame_count, width, height, layers = BROWSERS[name]
    packets = read(name)
    infos = [parse(packet.payload) for packet in packets]
    assert len(packets) == packet_count
    assert len(frames(packets)) == sum(info["frame_start"] for info in infos) == frame_count
    assert sum(info["key_frame"] for info in infos) == key_frame_count
    sizes = [_vp8.dimensions(packet.payload) for packet in packets]
    assert [size for size in sizes if size] == [(width, height)] * key_frame_count
    assert [size is not None for size in sizes] == [bool(info["key_frame"]) for info in infos]
    found = [info["temporal_layer"] for info in infos]
    assert {layer: found.count(layer) for layer in set(found)} == layers


@pytest.mark.parametrize("name", BROWSERS)
def test_a_frame_starts_with_its_first_packet_and_is_of_one_layer(name):
    for frame in frames(read(name)):
        infos = [parse(packet.payload) for packet in frame]
        assert [bool(info["frame_start"]) for info in infos] == [True] + [False] * (len(frame) - 1)
        assert len({(info["temporal_layer"], info["picture_id"], info["tl0"]) for info in infos}) == 1
        assert [packet.marker for packet in frame] == [False] * (len(frame) - 1) + [True]


@pytest.mark.parametrize("name", [name for name in BROWSERS if "bare" not in name])
def test_picture_ids_count_pictures_and_tl0_counts_base_layers(name):
    heads = [parse(frame[0].payload) for frame in frames(read(name))]
    assert all(head["picture_id_bits"] == 15 and head["descriptor_size"] == 6 for head in heads)
    for before, after in zip(heads, heads[1:], strict=False):
        assert (after["picture_id"] - before["picture_id"]) % 32768 == 1
        assert (after["tl0"] - before["tl0"]) % 256 == (after["temporal_layer"] == 0)


@pytest.mark.parametrize("name", ["vp8_chromium_q", "vp8_chromium_h", "vp8_chromium_f"])
def test_chromium_sends_three_temporal_layers_in_a_pattern_of_four(name):
    heads = [parse(frame[0].payload) for frame in frames(read(name))]
    pattern = [head["temporal_layer"] for head in heads]
    start = 0
    for i, head in enumerate(heads):  # a key frame begins the pattern anew
        start = i if head["key_frame"] else start
        assert pattern[i] == (0, 2, 1, 2)[(i - start) % 4]
    assert all(head["layer_sync"] for head in heads[1:3])  # after the key frame both layers may be entered


def test_chromium_with_the_dependency_descriptor_sends_one_byte():
    for packet in read("vp8_chromium_bare_q"):
        info = parse(packet.payload)
        assert (info["descriptor_size"], info["picture_id_bits"], info["tl0_offset"]) == (1, 0, 0)
        assert _codec.rewrite("video/VP8", packet.payload, 77, 88) == packet.payload


@settings(max_examples=500, deadline=None)
@given(st.binary(min_size=1, max_size=12), st.booleans())
def test_aiortc_reads_the_same(data, extended):
    payload = bytes((data[0] & 0x77 | 0x80 * extended,)) + data[1:]
    try:
        theirs, rest = VpxPayloadDescriptor.parse(payload)
    except ValueError:
        theirs, rest = None, b""
    ours = parse(payload)
    if not rest:
        assert ours is None
        return
    assert ours["descriptor_size"] == len(payload) - len(rest)
    assert bool(ours["picture_id_bits"]) == (theirs.picture_id is not None)
    assert ours["picture_id"] == (theirs.picture_id or 0)
    assert bool(ours["tl0_offset"]) == (theirs.tl0picidx is not None)
    assert ours["tl0"] == (theirs.tl0picidx or 0)
    assert (ours["temporal_layer"], int(ours["layer_sync"])) == (theirs.tid or (0, 0))
    assert bool(ours["keyidx_offset"]) == (theirs.tid is not None or theirs.keyidx is not None)
    begins = theirs.partition_start == 1 and theirs.partition_id == 0
    assert bool(ours["frame_start"]) == begins
    assert bool(ours["key_frame"]) == (begins and rest[0] & 1 == 0)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 0x7FFF),
    st.none() | st.integers(0, 255),
    st.none() | st.tuples(st.integers(0, 3), st.integers(0, 1)),
    st.none() | st.integers(0, 31),
    st.integers(0, 0x7FFF),
    st.integers(0, 255),
    st.binary(min_size=1, max_size=20),
)
def test_aiortc_reads_what_was_rewritten(picture_id, tl0, tid, keyidx, new_picture_id, new_tl0, body):
    written = bytes(VpxPayloadDescriptor(1, 0, picture_id, tl0, tid, keyidx)) + body
    read_back, rest = VpxPayloadDescriptor.parse(_codec.rewrite("video/VP8", written, new_picture_id, new_tl0))
    assert rest == body
    assert (read_back.picture_id, read_back.tl0picidx) == (new_picture_id, None if tl0 is None else new_tl0)
    assert (read_back.tid, read_back.keyidx) == (tid, keyidx)


def test_a_short_picture_id_stays_short():
    payload = bytes((0x90, 0x80, 0x15, 0x01))
    assert parse(payload)["picture_id_bits"] == 7
    assert _codec.rewrite("video/VP8", payload, 0x1234, 0) == bytes((0x90, 0x80, 0x34, 0x01))


@pytest.mark.parametrize("first", [0x00, 0x10 | 0x01, 0x07, 0x10 | 0x04])
def test_only_the_first_packet_of_partition_zero_tells_a_key_frame(first):
    info = parse(bytes((first, 0x00, 0x00)))
    assert not info["frame_start"] and not info["key_frame"]


def test_a_temporal_layer_without_its_bit_means_nothing():
    info = parse(bytes((0x90, 0x10, 0xFF, 0x01)))  # K alone: the bits of TID and Y are to be ignored
    assert (info["temporal_layer"], info["layer_sync"]) == (0, False)


@pytest.mark.parametrize(
    "frame",
    [
        bytes.fromhex("100000 9d012a 4001b4"),  # cut short
        bytes.fromhex("100000 9d012b 4001b400"),  # not the start code
        bytes.fromhex("110000 9d012a 4001b400"),  # an inter frame
    ],
)
def test_no_dimensions_where_none_are(frame):
    assert _vp8.dimensions(b"\x10" + frame) is None


def test_dimensions_leave_the_scaling_bits_out():
    assert _vp8.dimensions(b"\x10" + bytes.fromhex("100000 9d012a 4041b4c0")) == (320, 180)
