"""Which layers of a video are sent, and at what rate (webrtc.org/experiments/rtp-hdrext/video-layers-allocation00).

Theory of operation
The first byte tells the packet's own stream (2 bits), the number of streams less one (2) and the spatial layers that
are active in each stream (4). When these differ between streams the four bits are 0, and four bits for each stream
follow. Then come, layer by layer, two bits of temporal layers less one, filled up to a byte; a bitrate in LEB128 for
each temporal layer; and, when the sender likes, width, height and frame rate of each layer. One byte of zero is the
whole of it when nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from mediarouter.header_extensions.values import check_range

MAX_STREAMS = 4
MAX_SPATIAL_LAYERS = 4
MAX_TEMPORAL_LAYERS = 4
MAX_BITRATE_KBPS = 2**32 - 1  # more than any sender can mean
_RESOLUTION_SIZE = 5


class LayerResolution(Struct, frozen=True):
    """Of a spatial layer: pixels, 1..65536, and frames a second, 0..255."""

    width: int
    height: int
    max_frame_rate: int

    def __post_init__(self) -> None:
        check_range("width", self.width, 1, 65536)
        check_range("height", self.height, 1, 65536)
        check_range("max_frame_rate", self.max_frame_rate, 0, 255)


class AllocatedLayer(Struct, frozen=True):
    """A spatial layer that is sent.

    Attributes:
        stream: index of the simulcast stream, 0..3.
        spatial_layer: 0..3, within that stream.
        bitrates_kbps: of temporal layer 0, of 0 and 1 together, and so on; 1..4 of them.
        resolution: None: not told.
    """

    stream: int
    spatial_layer: int
    bitrates_kbps: tuple[int, ...]
    resolution: LayerResolution | None = None

    def __post_init__(self) -> None:
        check_range("stream", self.stream, 0, MAX_STREAMS - 1)
        check_range("spatial_layer", self.spatial_layer, 0, MAX_SPATIAL_LAYERS - 1)
        check_range("temporal layers", len(self.bitrates_kbps), 1, MAX_TEMPORAL_LAYERS)
        for bitrate in self.bitrates_kbps:
            check_range("bitrate", bitrate, 0, MAX_BITRATE_KBPS)


class VideoLayersAllocation(Struct, frozen=True):
    """All layers that are sent.

    Attributes:
        stream: index of the simulcast stream that the packet belongs to, 0..3.
        stream_count: of simulcast streams, 1..4, those without an active layer too.
        layers: those that are sent, by stream and spatial layer, ascending. All have a resolution, or none has.
    """

    stream: int = 0
    stream_count: int = 1
    layers: tuple[AllocatedLayer, ...] = ()

    def __post_init__(self) -> None:
        check_range("stream_count", self.stream_count, 1, MAX_STREAMS)
        check_range("stream", self.stream, 0, MAX_STREAMS - 1)
        places = [(layer.stream, layer.spatial_layer) for layer in self.layers]
        if places != sorted(set(places)):
            raise ValueError("layers must ascend by stream and spatial layer")
        if places and places[-1][0] >= self.stream_count:
            raise ValueError("a layer belongs to a stream that is not counted")
        if len({layer.resolution is None for layer in self.layers}) > 1:
            raise ValueError("all layers have a resolution, or none has")

    @classmethod
    def parse(cls, data: bytes) -> VideoLayersAllocation:
        """Read an element's value. Raises ValueError when it is none."""
        if data == b"\0":
            return cls()
        try:
            return _read(cls, iter(data))
        except StopIteration:
            raise ValueError("video layers allocation is truncated") from None

    def __bytes__(self) -> bytes:
        if not self.layers:
            if self.stream or self.stream_count > 1:
                raise ValueError("without layers there is no stream to tell")
            return b"\0"
        masks = [0] * self.stream_count
        for layer in self.layers:
            masks[layer.stream] |= 1 << layer.spatial_layer
        shared = masks[0] if len(set(masks)) == 1 else 0
        out = bytearray([self.stream << 6 | self.stream_count - 1 << 4 | shared])
        if not shared:
            out += _packed(masks, 4)
        out += _packed([len(layer.bitrates_kbps) - 1 for layer in self.layers], 2)
        for layer in self.layers:
            for bitrate in layer.bitrates_kbps:
                out += _leb128(bitrate)
        for layer in self.layers:
            if layer.resolution is not None:
                out += (layer.resolution.width - 1).to_bytes(2, "big")
                out += (layer.resolution.height - 1).to_bytes(2, "big")
                out.append(layer.resolution.max_frame_rate)
        return bytes(out)


def _read(cls: type[VideoLayersAllocation], data: Iterator[int]) -> VideoLayersAllocation:
    head = next(data)
    stream, stream_count, shared = head >> 6, (head >> 4 & 3) + 1, head & 0x0F
    masks = [shared] * stream_count if shared else _unpacked(data, stream_count, 4)
    places = [(s, i) for s, mask in enumerate(masks) for i in range(MAX_SPATIAL_LAYERS) if mask >> i & 1]
    if not places:
        raise ValueError("video layers allocation has streams without any layer")
    counts = [count + 1 for count in _unpacked(data, len(places), 2)]
    bitrates = [tuple([_read_leb128(data) for _ in range(count)]) for count in counts]
    resolutions = _resolutions(bytes(data), len(places))
    layers = zip(places, bitrates, resolutions, strict=True)
    return cls(stream, stream_count, tuple(AllocatedLayer(s, i, rates, size) for (s, i), rates, size in layers))


def _resolutions(rest: bytes, count: int) -> list[LayerResolution | None]:
    if not rest:
        return [None] * count
    if len(rest) != count * _RESOLUTION_SIZE:
        raise ValueError("video layers allocation has the resolutions of some layers only")
    sizes = (rest[at : at + _RESOLUTION_SIZE] for at in range(0, len(rest), _RESOLUTION_SIZE))
    return [
        LayerResolution(int.from_bytes(size[:2], "big") + 1, int.from_bytes(size[2:4], "big") + 1, size[4])
        for size in sizes
    ]


def _packed(values: Iterable[int], bits: int) -> bytes:
    """Fields of 2 or 4 bits from the left, zeros behind."""
    out, room = bytearray(), 0
    for value in values:
        if room == 0:
            out.append(0)
            room = 8
        room -= bits
        out[-1] |= value << room
    return bytes(out)


def _unpacked(data: Iterator[int], count: int, bits: int) -> list[int]:
    values: list[int] = []
    while len(values) < count:
        byte = next(data)
        values.extend(byte >> shift & (1 << bits) - 1 for shift in range(8 - bits, -1, -bits))
    return values[:count]


def _leb128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_leb128(data: Iterator[int]) -> int:
    value, shift = 0, 0
    while True:
        byte = next(data)
        value |= (byte & 0x7F) << shift
        if value > MAX_BITRATE_KBPS:
            raise ValueError("video layers allocation has a bitrate that nobody can send")
        if byte < 0x80:
            return value
        shift += 7
