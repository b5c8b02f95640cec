"""VP9 payload descriptors (RFC 9628)."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.codecs import _codec
from tests.codecs.streams import frames, read


def parse(payload: bytes) -> dict[str, int] | None:
    return _codec.parse("video/VP9", payload)


def test_what_chromium_sends():
    packets = read("vp9_chromium_svc")
    infos = [parse(packet.payload) for packet in packets]
    layers = [(info["spatial_layer"], info["temporal_layer"]) for info in infos]
    assert {layer: layers.count(layer) for layer in set(layers)} == {
        (0, 0): 51, (1, 0): 104, (2, 0): 216, (0, 1): 34, (1, 1): 66, (2, 1): 131, (0, 2): 69, (1, 2): 141, (2, 2): 283,
    }  # fmt: skip
    assert len(frames(packets)) == 138
    assert sum(bool(info["key_frame"] and info["frame_start"]) for info in infos) == 2


def test_behind_the_descriptor_of_a_first_packet_a_frame_begins():
    # an uncompressed header begins with frame_marker, two bits that are 2 (VP9 bitstream specification 6.2)
    begun = [
        (packet.payload[info["descriptor_size"]], info)
        for packet in read("vp9_chromium_svc")
        if (info := parse(packet.payload))["frame_start"]
    ]
    assert len(begun) == 413
    assert all(byte >> 6 == 2 for byte, _ in begun)
    assert {info["descriptor_size"] for _, info in begun} == {4, 5, 17}


def test_pictures_of_chromium():
    pictures = frames(read("vp9_chromium_svc"))
    heads = [parse(picture[0].payload) for picture in pictures]
    assert all((b["picture_id"] - a["picture_id"]) % 32768 == 1 for a, b in zip(heads, heads[1:], strict=False))
    start = 0
    for i, (picture, head) in enumerate(zip(pictures, heads, strict=True)):
        infos = [parse(packet.payload) for packet in picture]
        start = i if head["key_frame"] else start
        assert {info["temporal_layer"] for info in infos} == {(0, 2, 1, 2)[(i - start) % 4]}
        assert [info["spatial_layer"] for info in infos] == sorted(info["spatial_layer"] for info in infos)
        layers = {info["spatial_layer"] for info in infos}
        assert sum(bool(info["frame_start"]) for info in infos) == len(layers)


layer_indices = st.tuples(st.integers(0, 7), st.booleans(), st.integers(0, 7), st.booleans())
of_group = st.tuples(st.integers(0, 7), st.booleans(), st.lists(st.integers(1, 255), max_size=3))
structures = st.tuples(
    st.lists(st.tuples(st.integers(1, 65535), st.integers(1, 65535)), min_size=1, max_size=8),  # of each spatial layer
    st.booleans(),  # sizes are given
    st.none() | st.lists(of_group, max_size=12),
)


def written(flags, picture_id, layers, tl0, references, structure) -> bytes:
    """A descriptor as the sections of RFC 9628 say, field by field."""
    predicted, flexible, begins, ends, not_reference = flags
    first, rest = 0, b""
    if picture_id is not None:
        first |= 0x80
        rest += bytes((picture_id,)) if picture_id < 128 else struct.pack("!H", 0x8000 | picture_id)
    if layers is not None:
        tid, up, sid, inter_layer = layers
        first |= 0x20
        rest += bytes((tid << 5 | up << 4 | sid << 1 | inter_layer,))
        rest += b"" if flexible else bytes((tl0,))
    if flexible and predicted:
        for i, distance in enumerate(references):
            rest += bytes((distance << 1 | (i + 1 < len(references)),))
    if structure is not None:
        sizes, with_sizes, pictures = structure
        first |= 0x02
        rest += bytes(((len(sizes) - 1) << 5 | with_sizes << 4 | (pictures is not None) << 3,))
        rest += b"".join(struct.pack("!HH", *size) for size in sizes) if with_sizes else b""
        if pictures is not None:
            rest += bytes((len(pictures),))
            for tid, up, distances in pictures:
                rest += bytes((tid << 5 | up << 4 | len(distances) << 2, *distances))
    first |= predicted << 6 | flexible << 4 | begins << 3 | ends << 2 | not_reference
    return bytes((first,)) + rest


@settings(max_examples=500, deadline=None)
@given(
    st.tuples(*[st.booleans()] * 5),
    st.none() | st.integers(0, 0x7FFF),
    st.none() | layer_indices,
    st.integers(0, 255),
    st.lists(st.integers(1, 127), min_size=1, max_size=3),
    st.none() | structures,
    st.binary(min_size=1, max_size=5),
)
def test_every_form_of_descriptor(flags, picture_id, layers, tl0, references, structure, body):
    descriptor = written(flags, picture_id, layers, tl0, references, structure)
    predicted, flexible, begins, *_ = flags
    info = parse(descriptor + body)
    if len(descriptor) + len(body) < 2:
        assert info is None
        return
    assert info["descriptor_size"] == len(descriptor)
    assert info["picture_id"] == (picture_id or 0)
    assert info["picture_id_bits"] == (0 if picture_id is None else 7 if picture_id < 128 else 15)
    tid, up, sid, _ = layers or (0, False, 0, False)
    assert (info["temporal_layer"], bool(info["layer_sync"]), info["spatial_layer"]) == (tid, up, sid)
    assert bool(info["tl0_offset"]) == (layers is not None and not flexible)
    assert info["tl0"] == (tl0 if info["tl0_offset"] else 0)
    assert bool(info["frame_start"]) == begins
    assert bool(info["key_frame"]) == (not predicted and sid == 0)
    for size in range(len(descriptor) + 1):
        assert parse(descriptor[:size]) is None


def test_a_fourth_reference_is_refused():
    four = bytes((0x50, 0x03, 0x05, 0x07, 0x08, 0x82))
    assert parse(four) is None
    assert parse(bytes((0x50, 0x03, 0x05, 0x06, 0x82)))["descriptor_size"] == 4


def test_a_structure_too_long_for_any_packet_is_refused():
    assert parse(bytes((0x0A, 0x08, 255)) + bytes(range(256)) * 4) is None
