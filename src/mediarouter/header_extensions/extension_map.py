"""From the ids of header extensions to what they mean: one value by its URI, all of a packet by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from mediarouter import parameters as uris
from mediarouter.header_extensions.color_space import ColorSpace
from mediarouter.header_extensions.layers_allocation import VideoLayersAllocation
from mediarouter.header_extensions.values import (
    AbsCaptureTime,
    AbsSendTime,
    AudioLevel,
    PlayoutDelay,
    TransportCc02,
    VideoContentType,
    VideoOrientation,
    VideoTiming,
    check_range,
    check_size,
)
from mediarouter.parameters import RtpHeaderExtension, RtpHeaderExtensionParameters, RtpParameters
from mediarouter.rtp import RtpHeader, RtpPacket

MAX_MIXER_LEVELS = 15  # as many as there can be contributing sources
_MID = re.compile(r"[!#-'*+.\-0-9A-Z^-~]{1,255}")  # a token, RFC 8866 section 9
_RID = re.compile(r"[A-Za-z0-9_-]{1,255}")  # RFC 8851 section 4


class HeaderExtensions(Struct, frozen=True):
    """All header extensions of a packet, by name; None: it has none of that kind.

    Attributes:
        mid: of the media section (RFC 8843 section 15).
        rid: of the simulcast stream (RFC 8852).
        repaired_rid: of the stream that a retransmission stream repairs (RFC 8852).
        audio_level: RFC 6464.
        mixer_audio_levels: of the contributing sources, in their order, -dBov 0..127 (RFC 6465).
        transport_cc: transport-wide sequence number, 16 bits.
        toffset: RTP clock units that the packet was sent behind its timestamp, 24 bits with a sign (RFC 5450).
        dependency_descriptor: as on the wire; its structure may be that of an earlier packet.
        other: value by id of elements that the map does not know.
        malformed: names of those that could not be read, and are None here.
    """

    mid: str | None = None
    rid: str | None = None
    repaired_rid: str | None = None
    audio_level: AudioLevel | None = None
    mixer_audio_levels: tuple[int, ...] | None = None
    abs_send_time: AbsSendTime | None = None
    abs_capture_time: AbsCaptureTime | None = None
    transport_cc: int | None = None
    transport_cc_02: TransportCc02 | None = None
    video_orientation: VideoOrientation | None = None
    toffset: int | None = None
    playout_delay: PlayoutDelay | None = None
    video_content_type: VideoContentType | None = None
    video_timing: VideoTiming | None = None
    color_space: ColorSpace | None = None
    video_layers_allocation: VideoLayersAllocation | None = None
    dependency_descriptor: bytes | None = None
    other: dict[int, bytes] = {}
    malformed: tuple[str, ...] = ()


class Extension(NamedTuple):
    """How one kind is called, read and written."""

    name: str
    parse: Callable[[bytes], Any]
    build: Callable[[Any], bytes]


def _text(name: str, allowed: re.Pattern[str]) -> Extension:
    def read(data: bytes) -> str:
        # some senders fill the element up with zeros
        text = data.rstrip(b"\0").decode("ascii", "replace")
        if not allowed.fullmatch(text):
            raise ValueError(f"{name} {text[:20]!r} is no identifier")
        return text

    def write(value: str) -> bytes:
        if not allowed.fullmatch(value):
            raise ValueError(f"{name} {value[:20]!r} is no identifier")
        return value.encode()

    return Extension(name, read, write)


def _number(name: str, size: int, signed: bool) -> Extension:
    lowest = -(1 << 8 * size - 1) if signed else 0
    largest = lowest + (1 << 8 * size) - 1

    def read(data: bytes) -> int:
        check_size(name, data, size)
        return int.from_bytes(data, "big", signed=signed)

    def write(value: int) -> bytes:
        check_range(name, value, lowest, largest)
        return value.to_bytes(size, "big", signed=signed)

    return Extension(name, read, write)


def _parse_levels(data: bytes) -> tuple[int, ...]:
    check_range("number of mixer audio levels", len(data), 0, MAX_MIXER_LEVELS)
    return tuple([byte & 0x7F for byte in data])


def _build_levels(levels: Iterable[int]) -> bytes:
    values = tuple(levels)
    check_range("number of mixer audio levels", len(values), 0, MAX_MIXER_LEVELS)
    for level in values:
        check_range("level", level, 0, 127)
    return bytes(values)


def _opaque(value: bytes) -> bytes:
    if not value:
        raise ValueError("a dependency descriptor has at least one byte")
    return bytes(value)


EXTENSIONS: dict[str, Extension] = {
    uris.MID: _text("mid", _MID),
    uris.RID: _text("rid", _RID),
    uris.REPAIRED_RID: _text("repaired_rid", _RID),
    uris.AUDIO_LEVEL: Extension("audio_level", AudioLevel.parse, bytes),
    uris.MIXER_AUDIO_LEVEL: Extension("mixer_audio_levels", _parse_levels, _build_levels),
    uris.ABS_SEND_TIME: Extension("abs_send_time", AbsSendTime.parse, bytes),
    uris.ABS_CAPTURE_TIME: Extension("abs_capture_time", AbsCaptureTime.parse, bytes),
    uris.TRANSPORT_CC: _number("transport_cc", 2, signed=False),
    uris.TRANSPORT_CC_02: Extension("transport_cc_02", TransportCc02.parse, bytes),
    uris.VIDEO_ORIENTATION: Extension("video_orientation", VideoOrientation.parse, bytes),
    uris.TOFFSET: _number("toffset", 3, signed=True),
    uris.PLAYOUT_DELAY: Extension("playout_delay", PlayoutDelay.parse, bytes),
    uris.VIDEO_CONTENT_TYPE: Extension("video_content_type", VideoContentType.parse, VideoContentType.__bytes__),
    uris.VIDEO_TIMING: Extension("video_timing", VideoTiming.parse, bytes),
    uris.COLOR_SPACE: Extension("color_space", ColorSpace.parse, bytes),
    uris.VIDEO_LAYERS_ALLOCATION: Extension("video_layers_allocation", VideoLayersAllocation.parse, bytes),
    uris.DEPENDENCY_DESCRIPTOR: Extension("dependency_descriptor", _opaque, _opaque),
}


def parse(uri: str, data: bytes) -> Any:
    """The value of one element: what `HeaderExtensions` has under the extension's name.

    Raises:
        KeyError: no extension with that URI is known.
        ValueError: the bytes are no such value.
    """
    return EXTENSIONS[uri].parse(bytes(data))


def build(uri: str, value: Any) -> bytes:
    """The bytes of one element.

    Raises:
        KeyError: no extension with that URI is known.
        ValueError: the value is out of range.
    """
    return EXTENSIONS[uri].build(value)


class ExtensionMap:
    """Ids of header extensions as they were negotiated.

    Args:
        uri_of: URI by id, 1..255. Those that nobody here knows are allowed; their elements are `other`.

    Raises:
        ValueError: an id is out of range.
    """

    __slots__ = ("_by_id", "_by_name", "uri_of")

    def __init__(self, uri_of: Mapping[int, str]) -> None:
        for element_id in uri_of:
            check_range("header extension id", element_id, 1, 255)
        self.uri_of: dict[int, str] = dict(uri_of)
        self._by_id = {i: EXTENSIONS[uri] for i, uri in self.uri_of.items() if uri in EXTENSIONS}
        # of two ids with one URI the first is written
        self._by_name = {e.name: (i, e) for i, e in reversed(self._by_id.items())}

    @classmethod
    def of(
        cls, negotiated: RtpParameters | Iterable[RtpHeaderExtensionParameters | RtpHeaderExtension]
    ) -> ExtensionMap:
        """The map of an RtpParameters, or of the header extensions of parameters or capabilities."""
        extensions = negotiated.header_extensions if isinstance(negotiated, RtpParameters) else negotiated
        return cls({e.preferred_id if isinstance(e, RtpHeaderExtension) else e.id: e.uri for e in extensions})

    def id_of(self, uri: str) -> int | None:
        """The id of an extension; None when it was not negotiated."""
        return next((element_id for element_id, known in self.uri_of.items() if known == uri), None)

    def read(self, packet: RtpHeader | RtpPacket) -> HeaderExtensions:
        """All header extensions of a packet. Raises nothing: see `HeaderExtensions.malformed`."""
        found: dict[str, Any] = {}
        other: dict[int, bytes] = {}
        malformed: list[str] = []
        by_id = self._by_id
        for element_id, value in packet.extensions.items():
            extension = by_id.get(element_id)
            if extension is None:
                other[element_id] = value
                continue
            try:
                found[extension.name] = extension.parse(value)
            except ValueError:
                malformed.append(extension.name)
        return HeaderExtensions(**found, other=other, malformed=tuple(malformed))

    def write(self, extensions: HeaderExtensions) -> dict[int, bytes]:
        """Value by id, for `rtp.RtpPacket.extensions` and `rtp.build`; `other` as it is.

        Raises:
            ValueError: an extension has no id in this map, or a value is out of range.
        """
        elements: dict[int, bytes] = {}
        for name in HeaderExtensions.__struct_fields__:
            value = getattr(extensions, name)
            if value is None or name in ("other", "malformed"):
                continue
            if name not in self._by_name:
                raise ValueError(f"{name} was not negotiated")
            element_id, extension = self._by_name[name]
            elements[element_id] = extension.build(value)
        for element_id, value in extensions.other.items():
            if element_id in elements or element_id in self._by_id:
                raise ValueError(f"header extension {element_id} has a name")
            elements[element_id] = value
        return elements

    def __repr__(self) -> str:
        return f"ExtensionMap({self.uri_of!r})"
