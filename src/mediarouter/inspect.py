"""What a capture of decrypted RTP tells: `mediarouter inspect`.

    report = inspect_capture(capture.read("call.pcap"), Description.of(sdp_text))
    for stream in report.streams: print(stream.ssrc, stream.lost, stream.jitter_ms)

A stream is one SSRC between one pair of addresses. Without a description the clock rates and the ids of mid and rid are
guessed from the packets, and `Report.guessed` says so; codecs, and with them layers and key frames, are not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy
from msgspec import Struct
from numpy.typing import NDArray

from mediarouter import header_extensions as ext
from mediarouter import rtp
from mediarouter.capture import Capture, CaptureCounts
from mediarouter.codecs import _codec
from mediarouter.inspect_feedback import FeedbackReport, inspect_feedback
from mediarouter.sdp import SessionDescription, read_extmaps, read_rtpmaps

BIN_US = 1_000_000  # of bitrates over time
MAX_BINS = 86_400  # a day; a capture that lasts longer has a broken clock, or needs no bitrate by the second
GUESSED_CLOCKS = (8000, 16000, 48000, 90000)
STATIC_CLOCKS = {0: 8000, 3: 8000, 8: 8000, 9: 8000, 18: 8000}  # RFC 3551 section 6
GUESS_AFTER_US = 500_000  # a stream must last as long to show its clock
CLOCK_TOLERANCE = 0.1
MATCH = 0.9  # of its packets that a stream must share with another to be its retransmission


class Codec(NamedTuple):
    """Of a payload type."""

    mime_type: str
    clock_rate: int


class Description(Struct, frozen=True):
    """What was negotiated: codecs by payload type, header extensions by id."""

    codecs: dict[int, Codec]
    extensions: dict[int, str]

    @classmethod
    def of(cls, sdp: str) -> Description:
        """Of an offer or an answer. Raises NegotiationError when it is malformed."""
        session = SessionDescription.parse(sdp)
        codecs = {
            m.payload_type: Codec(f"{s.kind}/{m.name}", m.clock_rate) for s in session.media for m in read_rtpmaps(s)
        }
        return cls(codecs, {e.id: e.uri for section in session.media for e in read_extmaps(section)})


class LayerReport(Struct, frozen=True):
    """Packets and payload bytes of one layer of a stream."""

    spatial: int
    temporal: int
    packets: int
    bytes: int


class StreamReport(Struct):
    """One SSRC between one pair of addresses.

    Attributes:
        payload_types: packets by payload type.
        codec: MIME type of the most frequent one; None: unknown.
        rtx_of: SSRC of the stream that this one retransmits (RFC 4588), by its packets, else by mid and rid.
        bytes: whole RTP packets.
        padding_packets: without payload.
        lost: sequence numbers between the lowest and the highest that never came.
        recovered: of those, how many came as retransmissions.
        duplicates: packets whose number had come.
        reordered: packets, not duplicates, that came after a higher number.
        jitter_ms: interarrival jitter at the end (RFC 3550 A.8); `max_jitter_ms` the largest.
            None without a clock rate, and for retransmissions, which come when they are asked for.
        bitrate_bps: over the stream's duration.
        bitrates_bps: in each second of the capture; empty when that lasts for more than a day.
        frames: distinct timestamps of packets with payload.
    """

    ssrc: int
    source: str
    destination: str
    payload_types: dict[int, int]
    codec: str | None
    clock_rate: int | None
    packets: int
    bytes: int
    padding_packets: int
    start_us: int
    duration_us: int
    bitrate_bps: int
    bitrates_bps: list[int]
    frames: int
    lost: int = 0
    duplicates: int = 0
    reordered: int = 0
    jitter_ms: float | None = None
    max_jitter_ms: float | None = None
    mid: str | None = None
    rid: str | None = None
    rtx_of: int | None = None
    recovered: int = 0
    key_frames: int | None = None
    layers: list[LayerReport] = []


class Report(Struct):
    """All of a capture.

    Attributes:
        duration_us: from the first RTP packet to the last.
        rtcp: RTCP datagrams.
        other: datagrams that are neither.
        guessed: what was not told but concluded from the packets.
    """

    counts: CaptureCounts
    start_us: int
    duration_us: int
    rtcp: int
    other: int
    streams: list[StreamReport]
    feedback: list[FeedbackReport]
    guessed: list[str]


def inspect_capture(found: Capture, description: Description | None = None) -> Report:
    """Look at everything in a capture of decrypted packets, given what was negotiated, if that is known."""
    rows = found.rtp()
    is_rtcp = _is_rtcp(found)
    media = numpy.flatnonzero((rows["status"] == 0) & ~is_rtcp)
    times = found.time_us[media]
    start_us, end_us = (int(times.min()), int(times.max())) if len(media) else (0, 0)
    guessed: list[str] = []
    groups = _grouped(found, rows, media)
    extensions = description.extensions if description else _guess_identifiers(found, rows, groups, guessed)
    clocks = _clock_rates(found, rows, groups, description, guessed)
    context = _Context(found, rows, description.codecs if description else {}, clocks, start_us, end_us)
    streams = [_stream(context, group) for group in groups]
    for stream, group in zip(streams, groups, strict=True):
        stream.mid = _identifier(found, rows, group, extensions, ext.MID)
        stream.rid = _identifier(found, rows, group, extensions, ext.RID)
        if stream.rid is None:
            stream.rid = _identifier(found, rows, group, extensions, ext.REPAIRED_RID)
    _pair_retransmissions(found, rows, groups, streams)
    _pair_by_name(streams)
    twcc_id = next((i for i, uri in extensions.items() if uri == ext.TRANSPORT_CC), None)
    feedback = inspect_feedback(found, rows, media, numpy.flatnonzero(is_rtcp), twcc_id)
    other = len(found) - len(media) - int(is_rtcp.sum())
    order = sorted(streams, key=lambda s: (s.start_us, s.ssrc))
    return Report(found.counts, start_us, end_us - start_us, int(is_rtcp.sum()), other, order, feedback, guessed)


def _is_rtcp(found: Capture) -> NDArray[Any]:
    """RFC 5761 section 4, by the first two bytes."""
    data = numpy.frombuffer(found.buffer, numpy.uint8)
    long_enough = found.sizes >= 8
    at = numpy.where(long_enough, found.offsets, 0).astype(numpy.int64)
    first, second = data[at], data[at + 1]
    return numpy.asarray(long_enough & (first >= 128) & (first < 192) & (second >= 192) & (second <= 223))


def _grouped(found: Capture, rows: NDArray[Any], media: NDArray[Any]) -> list[NDArray[Any]]:
    """Indices of each stream's packets, in the order of the capture."""
    if not len(media):
        return []
    names = ["source", "destination", "source_port", "destination_port"]
    parts = [
        numpy.ascontiguousarray(found.packets[name][media]).view(numpy.uint8).reshape(len(media), -1) for name in names
    ]
    parts.append(numpy.ascontiguousarray(rows["ssrc"][media]).view(numpy.uint8).reshape(len(media), -1))
    keys = numpy.ascontiguousarray(numpy.concatenate(parts, axis=1))
    _, which = numpy.unique(keys.view(f"V{keys.shape[1]}").ravel(), return_inverse=True)
    order = numpy.argsort(which, kind="stable")
    return numpy.split(media[order], numpy.flatnonzero(numpy.diff(which[order])) + 1)


def _payload_type(rows: NDArray[Any], group: NDArray[Any]) -> int:
    return int(numpy.bincount(rows["payload_type"][group]).argmax())


def _clock_rates(
    found: Capture,
    rows: NDArray[Any],
    groups: list[NDArray[Any]],
    description: Description | None,
    guessed: list[str],
) -> dict[int, int]:
    """By payload type, of those that are known, static, or seen for long enough."""
    clocks = (
        {payload_type: codec.clock_rate for payload_type, codec in description.codecs.items()} if description else {}
    )
    for group in sorted(groups, key=len, reverse=True):
        payload_type = _payload_type(rows, group)
        if payload_type in clocks:
            continue
        if payload_type in STATIC_CLOCKS:
            clocks[payload_type] = STATIC_CLOCKS[payload_type]
            continue
        times = found.time_us[group]
        span_us = int(times[-1]) - int(times[0])
        if span_us < GUESS_AFTER_US:
            continue
        ticks = rtp.unwrap(rows["timestamp"][group], 32)
        rate = float(ticks[-1] - ticks[0]) * 1e6 / span_us
        clock = min(GUESSED_CLOCKS, key=lambda clock: abs(clock - rate))
        if abs(clock - rate) > CLOCK_TOLERANCE * clock:
            continue
        clocks[payload_type] = clock
        guessed.append(f"clock rate of payload type {payload_type}: {clocks[payload_type]}")
    return clocks


class _Context(NamedTuple):
    """What all streams of a capture share."""

    found: Capture
    rows: NDArray[Any]
    codecs: dict[int, Codec]
    clocks: dict[int, int]
    start_us: int
    end_us: int


def _stream(context: _Context, group: NDArray[Any]) -> StreamReport:
    found, packets, times = context.found, context.rows[group], context.found.time_us[group]
    payload_type = _payload_type(context.rows, group)
    codec, clock = context.codecs.get(payload_type), context.clocks.get(payload_type)
    duration_us = int(times.max()) - int(times.min())
    seconds = (context.end_us - context.start_us) // BIN_US + 1
    bins: NDArray[Any] = numpy.zeros(0)
    if seconds <= MAX_BINS:
        bins = numpy.bincount((times - context.start_us) // BIN_US, packets["size"], seconds)
    types, uses = numpy.unique(packets["payload_type"], return_counts=True)
    size = int(packets["size"].sum())
    stream = StreamReport(
        ssrc=int(packets["ssrc"][0]),
        source=_address(*found.source(int(group[0]))),
        destination=_address(*found.destination(int(group[0]))),
        payload_types=dict(zip(types.tolist(), uses.tolist(), strict=True)),
        codec=codec.mime_type if codec else None,
        clock_rate=clock,
        packets=len(group),
        bytes=size,
        padding_packets=int((packets["payload_size"] == 0).sum()),
        start_us=int(times.min()),
        duration_us=duration_us,
        bitrate_bps=size * 8_000_000 // duration_us if duration_us else 0,
        bitrates_bps=[int(size) * 8 for size in bins],
        frames=len(numpy.unique(packets["timestamp"][packets["payload_size"] > 0])),
    )
    _count_numbers(rtp.unwrap(packets["sequence_number"]), stream)
    if clock:
        stream.jitter_ms, stream.max_jitter_ms = _jitter_ms(packets["timestamp"], times, clock)
    if codec and _codec.kind_of(codec.mime_type):
        _look_inside(found, packets, codec.mime_type, stream)
    return stream


def _count_numbers(numbers: NDArray[Any], stream: StreamReport) -> None:
    distinct, first_of = numpy.unique(numbers, return_index=True)
    is_first = numpy.zeros(len(numbers), bool)
    is_first[first_of] = True
    stream.lost = int(distinct[-1] - distinct[0]) + 1 - len(distinct)
    stream.duplicates = len(numbers) - len(distinct)
    stream.reordered = int((is_first & (numbers < numpy.maximum.accumulate(numbers))).sum())


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _jitter_ms(timestamps: NDArray[Any], times_us: NDArray[Any], clock: int) -> tuple[float, float]:
    """The last and the largest value of RFC 3550 A.8, without its rounding to whole clock units."""
    ticks = rtp.unwrap(timestamps, 32)
    transit = times_us - times_us[0] - (ticks - ticks[0]) * (1e6 / clock)
    jitter = largest = 0.0
    for step in numpy.abs(numpy.diff(transit)).tolist():
        jitter += (step - jitter) / 16
        largest = max(largest, jitter)
    return round(jitter / 1000, 6), round(largest / 1000, 6)


def _look_inside(found: Capture, packets: NDArray[Any], mime_type: str, stream: StreamReport) -> None:
    """Layers and key frames, by the payloads' descriptors."""
    layers: dict[tuple[int, int], list[int]] = {}
    key_frames = set()
    offsets = (packets["offset"] + packets["payload_offset"]).tolist()
    sizes, timestamps = packets["payload_size"].tolist(), packets["timestamp"].tolist()
    for offset, size, timestamp in zip(offsets, sizes, timestamps, strict=True):
        info = _codec.parse(mime_type, found.buffer[offset : offset + size]) if size else None
        if info is None:
            continue
        layer = layers.setdefault((info["spatial_layer"], info["temporal_layer"]), [0, 0])
        layer[0] += 1
        layer[1] += size
        if info["key_frame"] and info["frame_start"]:
            key_frames.add(timestamp)
    stream.key_frames = len(key_frames)
    stream.layers = [LayerReport(*place, *counts) for place, counts in sorted(layers.items())]


def _element(found: Capture, row: Any, element_id: int) -> bytes:
    at = int(row["offset"]) + int(row["element_offset"][element_id])
    return bytes(found.buffer[at : at + int(row["element_size"][element_id])])


def _with_element(rows: NDArray[Any], group: NDArray[Any], element_id: int) -> NDArray[Any]:
    return numpy.asarray(group[(rows["located"][group] >> element_id & 1).astype(bool)])


def _identifier(
    found: Capture, rows: NDArray[Any], group: NDArray[Any], extensions: dict[int, str], uri: str
) -> str | None:
    for element_id, known in extensions.items():
        if known == uri and element_id < 15:
            for index in _with_element(rows, group, element_id)[:1]:
                try:
                    return str(ext.parse(uri, _element(found, rows[index], element_id)))
                except ValueError:
                    return None
    return None


def _guess_identifiers(
    found: Capture, rows: NDArray[Any], groups: list[NDArray[Any]], guessed: list[str]
) -> dict[int, str]:
    """An element that always has the same few letters in a stream is a name: in most streams a mid, in others a rid."""
    seen: dict[int, int] = {}
    for element_id in range(1, 15):
        for group in groups:
            values = {_element(found, rows[i], element_id) for i in _with_element(rows, group, element_id)[:100]}
            if not values:
                continue
            if len(values) > 1 or not min(values).isalnum() or len(min(values)) > 16:
                seen.pop(element_id, None)
                break
            seen[element_id] = seen.get(element_id, 0) + 1
    ranked = sorted(seen, key=lambda element_id: -seen[element_id])
    names = dict(zip(ranked, (ext.MID, ext.RID, ext.REPAIRED_RID), strict=False))
    guessed.extend(f"header extension {i} is {uri.rpartition(':')[2]}" for i, uri in names.items())
    return names


def _pair_retransmissions(
    found: Capture, rows: NDArray[Any], groups: list[NDArray[Any]], streams: list[StreamReport]
) -> None:
    """A retransmission has the timestamp of its original, and that one's number before its payload (RFC 4588)."""
    data = numpy.frombuffer(found.buffer, numpy.uint8)
    placed = [_placed(rows[group]) for group in groups]
    for stream, group in zip(streams, groups, strict=True):
        packets = rows[group]
        packets = packets[packets["payload_size"] > 2]
        if stream.codec and not _is_rtx(stream) or not len(packets):
            continue
        at = (packets["offset"] + packets["payload_offset"]).astype(numpy.int64)
        originals = data[at].astype(numpy.int64) << 8 | data[at + 1]
        for other, (numbers, ticks) in zip(streams, placed, strict=True):
            alike = (other.source, other.destination) == (stream.source, stream.destination)
            if other is stream or not alike or other.payload_types.keys() & stream.payload_types.keys():
                continue
            if _fit(originals, packets["timestamp"], numbers, ticks) >= MATCH:
                stream.rtx_of = other.ssrc
                other.recovered = len(
                    numpy.setdiff1d(_unwrapped(originals, packets["timestamp"], numbers, ticks), numbers)
                )
                break


def _placed(packets: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """A stream's numbers, ascending, and their timestamps; both unwrapped."""
    numbers, first_of = numpy.unique(rtp.unwrap(packets["sequence_number"]), return_index=True)
    return numbers, rtp.unwrap(packets["timestamp"], 32)[first_of]


def _window(
    timestamps: NDArray[Any], numbers: NDArray[Any], ticks: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The numbers of a stream around each timestamp, and which of these lie within the stream's own."""
    wanted = ticks[0] + ((timestamps.astype(numpy.int64) - ticks[0]) & 0xFFFFFFFF)
    below = numpy.maximum(numpy.searchsorted(ticks, wanted, "left") - 1, 0)
    above = numpy.minimum(numpy.searchsorted(ticks, wanted, "right"), len(numbers) - 1)
    return numbers[below], numbers[above], wanted <= ticks[-1]


def _fit(originals: NDArray[Any], timestamps: NDArray[Any], numbers: NDArray[Any], ticks: NDArray[Any]) -> float:
    """How many of the retransmissions have a number that lies, in the other stream, where their timestamp lies."""
    below, above, inside = _window(timestamps, numbers, ticks)
    return float((inside & ((originals - below & 0xFFFF) <= above - below)).mean())


def _unwrapped(
    originals: NDArray[Any], timestamps: NDArray[Any], numbers: NDArray[Any], ticks: NDArray[Any]
) -> NDArray[Any]:
    """The distinct numbers, as the other stream counts, of the retransmissions that fit into it."""
    below, above, inside = _window(timestamps, numbers, ticks)
    steps = originals - below & 0xFFFF
    return numpy.unique((below + steps)[inside & (steps <= above - below)])


def _pair_by_name(streams: list[StreamReport]) -> None:
    """Where the packets did not tell: a retransmission stream has the mid and the rid of its original."""
    for stream in streams:
        if stream.rtx_of is None and _is_rtx(stream) and (stream.mid or stream.rid):
            named = [s for s in streams if (s.mid, s.rid) == (stream.mid, stream.rid) and not _is_rtx(s)]
            stream.rtx_of = named[0].ssrc if len(named) == 1 else None
        if stream.rtx_of is not None or _is_rtx(stream):
            stream.jitter_ms = stream.max_jitter_ms = None


def _is_rtx(stream: StreamReport) -> bool:
    return stream.codec is not None and stream.codec.lower().endswith("/rtx")
