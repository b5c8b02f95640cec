"""video-layers-allocation00: laid out by hand after its document, and as Chromium sends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.header_extensions import AllocatedLayer, LayerResolution, VideoLayersAllocation

VECTORS = {
    "nothing is sent": ("00", VideoLayersAllocation()),
    "one layer": ("01 00 64", VideoLayersAllocation(0, 1, (AllocatedLayer(0, 0, (100,)),))),
    "two streams alike, resolutions": (
        "51 50 64 c801 b101 d804  027f 0167 1e 04ff 02cf 1e",
        VideoLayersAllocation(
            1,
            2,
            (
                AllocatedLayer(0, 0, (100, 200), LayerResolution(640, 360, 30)),
                AllocatedLayer(1, 0, (177, 600), LayerResolution(1280, 720, 30)),
            ),
        ),
    ),
    "three streams that differ": (
        "a0 1300 40 0a 14 1e 28",
        VideoLayersAllocation(
            2, 3, (AllocatedLayer(0, 0, (10, 20)), AllocatedLayer(1, 0, (30,)), AllocatedLayer(1, 1, (40,)))
        ),
    ),
    "five layers need two bytes of counts": (
        "17 0100 01 02 03 04 05 06 07".replace("0100", "0400"),
        VideoLayersAllocation(
            0,
            2,
            tuple(
                AllocatedLayer(i // 3, i % 3, rates) for i, rates in enumerate([(1,), (2,), (3, 4), (5,), (6,), (7,)])
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vector(name):
    text, value = VECTORS[name]
    data = bytes.fromhex(text)
    assert VideoLayersAllocation.parse(data) == value
    assert bytes(value) == data


@pytest.mark.parametrize("name", VECTORS)
def test_truncated_or_flipped(name):
    data = bytes.fromhex(VECTORS[name][0])
    for length in range(len(data)):
        assert_survives_or_is_refused(data[:length])
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 0x80 >> (bit & 7)
        assert_survives_or_is_refused(bytes(flipped))


@given(st.binary(max_size=60))
def test_any_bytes(data):
    assert_survives_or_is_refused(data)


def assert_survives_or_is_refused(data):
    try:
        value = VideoLayersAllocation.parse(data)
    except ValueError:
        return
    assert VideoLayersAllocation.parse(bytes(value)) == value


@st.composite
def allocations(draw):
    count = draw(st.integers(1, 4))
    masks = draw(st.lists(st.integers(0, 15), min_size=count, max_size=count).filter(any))
    sizes = st.builds(LayerResolution, st.integers(1, 65536), st.integers(1, 65536), st.integers(0, 255))
    told = draw(st.booleans())
    layers = [
        AllocatedLayer(
            stream,
            spatial,
            tuple(draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4))),
            draw(sizes) if told else None,
        )
        for stream, mask in enumerate(masks)
        for spatial in range(4)
        if mask >> spatial & 1
    ]
    return VideoLayersAllocation(draw(st.integers(0, 3)), count, tuple(layers))


@given(allocations())
def test_any_allocation_survives_a_round_trip(value):
    assert VideoLayersAllocation.parse(bytes(value)) == value


@pytest.mark.parametrize(
    "data, why",
    [
        ("", "truncated"),
        ("10", "truncated"),
        ("1000", "without any layer"),
        ("01 00", "truncated"),
        ("01 00 80", "truncated"),
        ("01 00 ffffffff7f", "nobody"),
        ("01 00 64 0000", "some layers"),
    ],
)
def test_malformed(data, why):
    with pytest.raises(ValueError, match=why):
        VideoLayersAllocation.parse(bytes.fromhex(data))


LAYER = AllocatedLayer(0, 0, (1,))


@pytest.mark.parametrize(
    "make",
    [
        lambda: LayerResolution(0, 1, 1),
        lambda: LayerResolution(1, 65537, 1),
        lambda: LayerResolution(1, 1, 256),
        lambda: AllocatedLayer(4, 0, (1,)),
        lambda: AllocatedLayer(0, 4, (1,)),
        lambda: AllocatedLayer(0, 0, ()),
        lambda: AllocatedLayer(0, 0, (1, 2, 3, 4, 5)),
        lambda: AllocatedLayer(0, 0, (2**32,)),
        lambda: VideoLayersAllocation(0, 5),
        lambda: VideoLayersAllocation(4, 1),
        lambda: VideoLayersAllocation(0, 1, (LAYER, LAYER)),
        lambda: VideoLayersAllocation(0, 1, (AllocatedLayer(1, 0, (1,)),)),
        lambda: VideoLayersAllocation(0, 2, (LAYER, AllocatedLayer(1, 0, (1,), LayerResolution(1, 1, 1)))),
        lambda: bytes(VideoLayersAllocation(1, 2)),
    ],
)
def test_out_of_range(make):
    with pytest.raises(ValueError):
        make()
