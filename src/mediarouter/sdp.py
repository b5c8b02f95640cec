"""SDP as a tree of lines (RFC 8866), lossless: what is not understood is kept and written back.

A description is lines; an attribute is a name and a value. The readers below the tree turn the attributes that WebRTC
uses into values (RFC 8829, RFC 8839, RFC 8842, RFC 8851, RFC 8853). Malformed text raises `NegotiationError` with the
number of the line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mediarouter.errors import NegotiationError
from mediarouter.parameters import (
    DtlsFingerprint,
    RtcpFeedback,
)

MAX_SIZE = 256 * 1024
MAX_SECTIONS = 512
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass
class Attribute:
    """An `a=` line: `a=name` or `a=name:value`."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return f"a={self.name}" if self.value is None else f"a={self.name}:{self.value}"


@dataclass
class Section:
    """A run of lines with its attributes: the session's, or of one media description."""

    lines: list[str] = field(default_factory=list)  # all but attributes, as they stand
    attributes: list[Attribute] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """The value of the first attribute of that name, "" when it has none, None when there is no such attribute."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute.value or ""
        return None

    def all(self, name: str) -> list[str]:
        """Values of all attributes of that name, in order."""
        return [attribute.value or "" for attribute in self.attributes if attribute.name == name]

    def add(self, name: str, value: str | None = None) -> None:
        """Append an attribute."""
        self.attributes.append(Attribute(name, value))

    def _text(self) -> Iterator[str]:
        yield from self.lines
        yield from map(str, self.attributes)


@dataclass
class MediaSection(Section):
    """An `m=` line and what belongs to it."""

    kind: str = "audio"
    port: int = 9
    protocol: str = "UDP/TLS/RTP/SAVPF"
    formats: list[str] = field(default_factory=list)

    @property
    def mid(self) -> str | None:
        """`a=mid` (RFC 5888)."""
        return self.get("mid")

    @property
    def direction(self) -> str:
        """`a=sendrecv` and its like; sendrecv when there is none."""
        return next((a.name for a in self.attributes if a.name in DIRECTIONS), "sendrecv")

    @property
    def rejected(self) -> bool:
        """Port 0, and not merely bundled with another (RFC 8843 section 6)."""
        return self.port == 0 and self.get("bundle-only") is None


@dataclass
class SessionDescription(Section):
    """A whole description."""

    media: list[MediaSection] = field(default_factory=list)

    @classmethod
    def parse(cls, text: str) -> "SessionDescription":
        """Read a description.

        Raises:
            NegotiationError: it is malformed or too large.
        """
        if len(text) > MAX_SIZE:
            raise NegotiationError(f"SDP of {len(text)} letters where {MAX_SIZE} are the most")
        session = cls()
        section: Section = session
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
            if not line.strip():
                continue
            if len(line) < 2 or line[1] != "=" or not line[0].isalpha():
                raise NegotiationError(f"SDP line {number}: {line[:40]!r} is no type=value")
            if number == 1 and line != "v=0":
                raise NegotiationError("SDP line 1: a description begins with v=0")
            if line[0] == "m":
                if len(session.media) == MAX_SECTIONS:
                    raise NegotiationError(f"SDP line {number}: more than {MAX_SECTIONS} media sections")
                section = _parse_media(line, number)
                session.media.append(section)
            elif line[0] == "a":
                name, colon, value = line[2:].partition(":")
                section.attributes.append(Attribute(name, value if colon else None))
            else:
                section.lines.append(line)
        if not any(line.startswith("v=") for line in session.lines):
            raise NegotiationError("SDP is empty")
        return session

    def __str__(self) -> str:
        lines = list(self._text())
        for media in self.media:
            lines.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}")
            lines.extend(media._text())
        return "\r\n".join(lines) + "\r\n"

    def inherited(self, media: MediaSection, name: str) -> str | None:
        """An attribute of the section, else of the session, else of the section that carries its bundle."""
        value = media.get(name)
        if value is None:
            value = self.get(name)
        if value is None and self.media:
            value = self.media[0].get(name)
        return value

    @property
    def bundle(self) -> list[str]:
        """Mids of the first BUNDLE group (RFC 8843)."""
        for group in self.all("group"):
            words = group.split()
            if words and words[0] == "BUNDLE":
                return words[1:]
        return []


def _parse_media(line: str, number: int) -> MediaSection:
    words = line[2:].split()
    if len(words) < 4:
        raise NegotiationError(f"SDP line {number}: {line[:60]!r} is no media description")
    port = words[1].partition("/")[0]
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise NegotiationError(f"SDP line {number}: port {words[1][:20]!r}")
    return MediaSection(kind=words[0], port=int(port), protocol=words[2], formats=words[3:])


# ---- readers of single attributes


@dataclass(frozen=True)
class RtpMap:
    """`a=rtpmap` with the `a=fmtp` and `a=rtcp-fb` of its payload type."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int | None
    parameters: dict[str, str | int]
    rtcp_feedback: tuple[RtcpFeedback, ...]


_RTPMAP = re.compile(r"(\d{1,3}) ([!-.0-~]+)/(\d{1,9})(?:/(\d{1,2}))?\s*\Z")


def read_rtpmaps(media: MediaSection) -> list[RtpMap]:
    """The codecs of a section in the order of its formats.

    Raises:
        NegotiationError: an `a=rtpmap` is malformed.
    """
    found: dict[int, RtpMap] = {}
    parameters = {payload_type: value for payload_type, value in map(_split_format, media.all("fmtp"))}
    feedback: dict[str, list[RtcpFeedback]] = {}
    for payload_type, value in map(_split_format, media.all("rtcp-fb")):
        words = value.split(None, 1)
        if words:
            feedback.setdefault(payload_type, []).append(RtcpFeedback(words[0], words[1] if len(words) > 1 else ""))
    for value in media.all("rtpmap"):
        match = _RTPMAP.match(value)
        if match is None or int(match[1]) > 127 or int(match[3]) == 0:
            raise NegotiationError(f"a=rtpmap:{value[:60]} is malformed")
        found[int(match[1])] = RtpMap(
            int(match[1]),
            match[2],
            int(match[3]),
            int(match[4]) if match[4] else None,
            read_parameters(parameters.get(match[1], "")),
            tuple(feedback.get(match[1], []) + feedback.get("*", [])),
        )
    by_text = {str(payload_type): rtpmap for payload_type, rtpmap in found.items()}
    return [by_text[f] for f in dict.fromkeys(media.formats) if f in by_text]


def _split_format(value: str) -> tuple[str, str]:
    payload_type, _, rest = value.partition(" ")
    return payload_type, rest.strip()


def read_parameters(text: str) -> dict[str, str | int]:
    """Format parameters: `key=value;key=value`. What has no `=` is kept under its own text."""
    parameters: dict[str, str | int] = {}
    for item in text.split(";"):
        key, equals, value = item.strip().partition("=")
        if key:
            parameters[key if equals else item.strip()] = value.strip() if equals else ""
    return parameters


def write_parameters(parameters: dict[str, str | int]) -> str:
    """The reverse of `read_parameters`."""
    return ";".join(f"{key}={value}" if value != "" else key for key, value in parameters.items())


@dataclass(frozen=True)
class ExtMap:
    """`a=extmap` (RFC 8285 section 5)."""

    id: int
    uri: str
    direction: str


_EXTMAP = re.compile(r"(\d{1,5})(?:/(\w+))? (\S+)")


def read_extmaps(media: MediaSection) -> list[ExtMap]:
    """Header extensions of a section; those with ids that cannot be used are left out.

    Raises:
        NegotiationError: an `a=extmap` is malformed.
    """
    found = []
    for value in media.all("extmap"):
        match = _EXTMAP.match(value)
        if match is None or (match[2] and match[2] not in DIRECTIONS):
            raise NegotiationError(f"a=extmap:{value[:60]} is malformed")
        if 1 <= int(match[1]) <= 14 or 16 <= int(match[1]) <= 255:
            found.append(ExtMap(int(match[1]), match[3], match[2] or "sendrecv"))
    return found


FLIPPED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


def read_simulcast(media: MediaSection) -> list[str]:
    """Rids that the section sends, in their order, the first alternative of each (RFC 8853). Empty: no simulcast."""
    words = (media.get("simulcast") or "").split()
    for direction, streams in zip(words[::2], words[1::2], strict=False):
        if direction == "send":
            return [alternatives.split(",")[0].lstrip("~") for alternatives in streams.split(";") if alternatives]
    return []


@dataclass
class SsrcInfo:
    """What `a=ssrc` and `a=ssrc-group` tell of a section: (media, retransmission or None), and the CNAME."""

    pairs: list[tuple[int, int | None]] = field(default_factory=list)
    cname: str | None = None


def read_ssrcs(media: MediaSection) -> SsrcInfo:
    """Signalled SSRCs of a section (RFC 5576).

    Raises:
        NegotiationError: an SSRC is no 32-bit number.
    """
    info = SsrcInfo()
    seen: dict[int, None] = {}  # in order; a list would make a long offer slow
    for value in media.all("ssrc"):
        number, _, attribute = value.partition(" ")
        ssrc = _ssrc(number)
        seen[ssrc] = None
        if attribute.startswith("cname:"):
            info.cname = attribute[6:]
    repair: dict[int, int] = {}
    layers: list[int] = []
    for value in media.all("ssrc-group"):
        words = value.split()
        if words and words[0] == "FID" and len(words) == 3:
            repair[_ssrc(words[1])] = _ssrc(words[2])
        elif words and words[0] == "SIM":
            layers = [_ssrc(word) for word in words[1:]]
    repairing = set(repair.values())
    first = layers or [ssrc for ssrc in seen if ssrc not in repairing]
    info.pairs = [(ssrc, repair.get(ssrc)) for ssrc in first]
    return info


def _ssrc(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 0 < int(text) <= 0xFFFFFFFF:
        raise NegotiationError(f"SSRC {text[:20]!r} is no 32-bit number")
    return int(text)


_FINGERPRINT = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){15,63}\Z")


def read_fingerprints(values: list[str]) -> tuple[DtlsFingerprint, ...]:
    """`a=fingerprint` values (RFC 8122 section 5).

    Raises:
        NegotiationError: one is malformed.
    """
    found = []
    for value in values:
        algorithm, _, digest = value.strip().partition(" ")
        if not _FINGERPRINT.match(digest.strip().upper()):
            raise NegotiationError(f"a=fingerprint:{value[:40]} is malformed")
        found.append(DtlsFingerprint(algorithm.lower(), digest.strip().upper()))
    return tuple(found)
