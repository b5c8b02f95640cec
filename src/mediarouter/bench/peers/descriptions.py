"""The offers and answers of the benchmark's clients: VP8 video and nothing else, all on one transport (RFC 8829)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mediarouter.errors import NegotiationError
from mediarouter.parameters import (
    ABS_SEND_TIME,
    MID,
    TRANSPORT_CC,
    DtlsFingerprint,
    DtlsParameters,
    IceCandidate,
    IceParameters,
)
from mediarouter.sdp import (
    MediaSection,
    SessionDescription,
    read_extmaps,
    read_fingerprints,
    read_rtpmaps,
)

EXTENSIONS = (MID, ABS_SEND_TIME, TRANSPORT_CC)
FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")
_NUMBER = re.compile(r"[0-9]{1,10}\Z")
# what a setup attribute makes of the one who wrote it (RFC 8842 section 5)
ROLES: dict[str, str] = {"active": "client", "passive": "server", "actpass": "auto"}


@dataclass(frozen=True)
class LocalTransport:
    """What a client tells of itself.

    Attributes:
        address, port: its only candidate.
        setup: its part in DTLS: "active" or "passive".
    """

    ice: IceParameters
    fingerprint: DtlsFingerprint
    address: str
    port: int
    setup: str = "active"

    @property
    def candidate(self) -> str:
        """The value of `a=candidate`."""
        return f"1 1 udp 2130706431 {self.address} {self.port} typ host"


@dataclass(frozen=True)
class RemoteTransport:
    """What a router told of itself.

    Attributes:
        candidates: those for UDP; more of them may be told later.
    """

    ice: IceParameters
    dtls: DtlsParameters
    candidates: tuple[IceCandidate, ...]


def publishing_offer(
    local: LocalTransport, *, payload_type: int, extension_ids: Sequence[int], ssrc: int, track: str = "camera"
) -> str:
    """An offer to send one VP8 stream.

    Args:
        extension_ids: of mid, abs-send-time and transport-cc.
        track: the id by which the stream's msid tells it apart.
    """
    media = MediaSection(kind="video", formats=[str(payload_type)])
    _describe(media, local, mid="0", direction="sendonly")
    _add_codec(media, payload_type, FEEDBACK)
    for uri, number in zip(EXTENSIONS, extension_ids, strict=True):
        media.add("extmap", f"{number} {uri}")
    media.add("msid", f"bench-{ssrc} {track}")
    for name in ("cname:bench", f"msid:bench-{ssrc} {track}"):
        media.add("ssrc", f"{ssrc} {name}")
    return _written([media], ["0"])


def subscribing_offer(local: LocalTransport, streams: int, *, payload_type: int, extension_ids: Sequence[int]) -> str:
    """An offer to receive so many VP8 streams."""
    sections = []
    for index in range(streams):
        media = MediaSection(kind="video", formats=[str(payload_type)])
        _describe(media, local, mid=str(index), direction="recvonly")
        _add_codec(media, payload_type, FEEDBACK)
        for uri, number in zip(EXTENSIONS, extension_ids, strict=True):
            media.add("extmap", f"{number} {uri}")
        sections.append(media)
    return _written(sections, [str(index) for index in range(streams)])


def receiving_answer(offer: str, local: LocalTransport) -> str:
    """The answer that takes every VP8 stream of an offer; and a section for data channels, since a transport may begin
    with that alone, but nobody will speak there. Everything else is refused.

    Raises:
        NegotiationError: the offer is malformed.
    """
    sections, mids = [], []
    for offered in SessionDescription.parse(offer).media:
        codec = next((c for c in read_rtpmaps(offered) if c.name.upper() == "VP8"), None)
        media = MediaSection(kind=offered.kind, protocol=offered.protocol, formats=offered.formats)
        mid = offered.mid or ""
        if offered.kind == "application" and not offered.rejected:
            _describe(media, local, mid=mid, direction="sendrecv")
            media.add("sctp-port", offered.get("sctp-port") or "5000")
            mids.append(mid)
        elif codec is None or offered.direction in ("recvonly", "inactive"):
            media.port = 0
            media.add("mid", mid)
            media.add("inactive")
        else:
            media.formats = [str(codec.payload_type)]
            _describe(media, local, mid=mid, direction="recvonly")
            feedback = [f"{f.type} {f.parameter}".strip() for f in codec.rtcp_feedback]
            _add_codec(media, codec.payload_type, [name for name in FEEDBACK if name in feedback])
            for extension in read_extmaps(offered):
                if extension.uri in EXTENSIONS:
                    media.add("extmap", f"{extension.id} {extension.uri}")
            mids.append(mid)
        sections.append(media)
    return _written(sections, mids)


def read_transport(text: str) -> RemoteTransport:
    """What the first section in use tells of the transport that all share.

    Raises:
        NegotiationError: it is malformed, or has no section in use, no credentials or no fingerprint.
    """
    session = SessionDescription.parse(text)
    media = next((section for section in session.media if not section.rejected), None)
    if media is None:
        raise NegotiationError("everything was refused")
    ufrag, password = session.inherited(media, "ice-ufrag"), session.inherited(media, "ice-pwd")
    fingerprints = read_fingerprints(media.all("fingerprint") or session.all("fingerprint"))
    setup = session.inherited(media, "setup") or "actpass"
    if not ufrag or not password or not fingerprints or setup not in ROLES:
        raise NegotiationError("credentials, a fingerprint or a setup is missing")
    candidates = [read_candidate(value) for value in media.all("candidate") or session.all("candidate")]
    return RemoteTransport(
        IceParameters(ufrag, password, session.get("ice-lite") is not None),
        DtlsParameters(fingerprints, ROLES[setup]),  # type: ignore[arg-type]
        tuple(candidate for candidate in candidates if candidate is not None),
    )


def read_candidate(value: str) -> IceCandidate | None:
    """A candidate for UDP, with or without the `candidate:` in front; None for any other (RFC 8839 section 5.1).

    Raises:
        NegotiationError: it is malformed.
    """
    words = value.removeprefix("candidate:").split()
    if len(words) < 8 or words[6] != "typ" or not _NUMBER.match(words[3]) or not _NUMBER.match(words[5]):
        raise NegotiationError(f"candidate {value[:60]!r} is malformed")
    foundation, component, protocol, priority, address, port, _, kind = words[:8]
    if protocol.lower() != "udp" or component != "1" or kind != "host" or not 0 < int(port) < 65536:
        return None
    return IceCandidate(foundation, int(priority), address, "udp", int(port))


def transport_cc_id(text: str) -> int:
    """The id of transport-wide sequence numbers in the first section that has them, 0 when there is none."""
    for media in SessionDescription.parse(text).media:
        for extension in read_extmaps(media):
            if extension.uri == TRANSPORT_CC and not media.rejected:
                return extension.id
    return 0


def _describe(media: MediaSection, local: LocalTransport, *, mid: str, direction: str) -> None:
    media.lines.append(f"c=IN IP4 {local.address}")
    media.add("candidate", local.candidate)
    media.add("end-of-candidates")
    media.add("ice-ufrag", local.ice.username_fragment)
    media.add("ice-pwd", local.ice.password)
    media.add("fingerprint", f"{local.fingerprint.algorithm} {local.fingerprint.value}")
    media.add("setup", local.setup)
    media.add("mid", mid)
    media.add(direction)
    media.add("rtcp-mux")
    media.add("rtcp-rsize")


def _add_codec(media: MediaSection, payload_type: int, feedback: Sequence[str]) -> None:
    media.add("rtpmap", f"{payload_type} VP8/90000")
    for name in feedback:
        media.add("rtcp-fb", f"{payload_type} {name}")


def _written(sections: list[MediaSection], mids: list[str]) -> str:
    session = SessionDescription(lines=["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"], media=sections)
    session.add("group", " ".join(["BUNDLE", *mids]))
    session.add("msid-semantic", "WMS *")
    return str(session)
