"""Offers read, answers written: between a browser's SDP and the library's parameters. The client always offers.

`read_offer` turns an offer into what the library understands; the caller produces and consumes; `write_answer` tells
the client. A section that is not used yet is answered inactive, so that it can be used by a later offer; one that
receives and waits for its stream is answered sendonly.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from mediarouter.consumer import Consumer
from mediarouter.errors import NegotiationError
from mediarouter.ortc import CCFB, find_codec, media_codec, rtx_codec, takes_transport_feedback
from mediarouter.parameters import (
    EXTENSION_KINDS,
    RECEIVED_KINDS,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    TRANSPORT_CC_02,
    DtlsParameters,
    IceParameters,
    MediaKind,
    RtcpFeedback,
    RtcpParameters,
    RtpCapabilities,
    RtpCodecCapability,
    RtpCodecParameters,
    RtpEncodingParameters,
    RtpHeaderExtension,
    RtpHeaderExtensionParameters,
    RtpParameters,
    RtxParameters,
)
from mediarouter.producer import Producer
from mediarouter.sdp import (
    FLIPPED,
    MediaSection,
    RtpMap,
    SessionDescription,
    read_extmaps,
    read_fingerprints,
    read_rtpmaps,
    read_simulcast,
    read_ssrcs,
    write_parameters,
)
from mediarouter.transports.webrtc import WebRtcTransport

_REPAIR = ("rtx", "red", "ulpfec", "flexfec-03")


@dataclass
class OfferSection:
    """One media section of an offer.

    Attributes:
        direction: as seen by the offerer.
        rejected: it shall not be used (port 0, or nothing in it that the router knows).
        rtp_parameters: what the offerer would send, None when it does not send.
        rtp_capabilities: what it can receive, with its own payload types and ids, None when it does not receive.
    """

    mid: str
    kind: str
    direction: str
    rejected: bool
    rtp_parameters: RtpParameters | None = None
    rtp_capabilities: RtpCapabilities | None = None


@dataclass
class Offer:
    """An offer as the library understands it."""

    description: SessionDescription
    ice_parameters: IceParameters
    dtls_parameters: DtlsParameters
    sections: list[OfferSection] = field(default_factory=list)
    allow_mixed: bool = False

    def sending(self) -> list[OfferSection]:
        """Sections that bring media."""
        return [s for s in self.sections if not s.rejected and s.rtp_parameters is not None]

    def receiving(self, kind: str | None = None) -> list[OfferSection]:
        """Sections that want media, of one kind or of both."""
        return [
            s for s in self.sections if not s.rejected and s.rtp_capabilities is not None and kind in (None, s.kind)
        ]


def read_offer(text: str, router_capabilities: RtpCapabilities) -> Offer:
    """Read an offer.

    Args:
        text: SDP.
        router_capabilities: of the router it is meant for; other codecs and extensions are left out.

    Raises:
        NegotiationError: it is malformed, or lacks what a WebRTC offer must have.
    """
    description = SessionDescription.parse(text)
    if not description.media:
        raise NegotiationError("the offer has no media section")
    first = next((m for m in description.media if not m.rejected), description.media[0])
    ufrag, password = description.inherited(first, "ice-ufrag"), description.inherited(first, "ice-pwd")
    if not ufrag or not password:
        raise NegotiationError("the offer has no ICE credentials (a=ice-ufrag, a=ice-pwd)")
    values = first.all("fingerprint") or description.all("fingerprint")
    if not values:
        raise NegotiationError("the offer has no a=fingerprint")
    setup = description.inherited(first, "setup") or "actpass"
    if setup not in ("actpass", "active", "passive"):
        raise NegotiationError(f"a=setup:{setup} cannot be answered")
    role: Literal["auto", "client", "server"] = (
        "client" if setup == "active" else "server" if setup == "passive" else "auto"
    )
    offer = Offer(
        description,
        IceParameters(ufrag, password, ice_lite=description.get("ice-lite") is not None),
        DtlsParameters(read_fingerprints(values), role),
        allow_mixed=description.get("extmap-allow-mixed") is not None
        or any(m.get("extmap-allow-mixed") is not None for m in description.media),
    )
    numbered = any(_offers_numbers(media) for media in description.media)
    mids: set[str] = set()
    for index, media in enumerate(description.media):
        mid = media.mid if media.mid is not None else str(index)
        if mid in mids:
            raise NegotiationError(f"mid {mid!r} is given twice")
        mids.add(mid)
        offer.sections.append(_read_section(media, mid, router_capabilities, offer.allow_mixed))
        if numbered:
            offer.sections[-1] = _without_ccfb(offer.sections[-1])
    if len([s for s in offer.sections if not s.rejected]) > 1 and not description.bundle:
        raise NegotiationError("the offer does not bundle its sections (a=group:BUNDLE)")
    return offer


def _offers_numbers(media: MediaSection) -> bool:
    # one form of feedback for all of a transport: RFC 8888's where no section has transport-wide numbers
    uris = [extension.uri for extension in read_extmaps(media)]
    return not media.rejected and any(takes_transport_feedback(m.rtcp_feedback, uris) for m in read_rtpmaps(media))


def _without_ccfb(section: OfferSection) -> OfferSection:
    if section.rtp_parameters is not None:
        codecs = tuple(replace(codec, rtcp_feedback=_others(codec)) for codec in section.rtp_parameters.codecs)
        section.rtp_parameters = replace(section.rtp_parameters, codecs=codecs)
    if section.rtp_capabilities is not None:
        known = tuple(replace(codec, rtcp_feedback=_others(codec)) for codec in section.rtp_capabilities.codecs)
        section.rtp_capabilities = replace(section.rtp_capabilities, codecs=known)
    return section


def _others(codec: RtpCodecCapability | RtpCodecParameters) -> tuple[RtcpFeedback, ...]:
    return tuple(feedback for feedback in codec.rtcp_feedback if feedback != CCFB)


def _read_section(media: MediaSection, mid: str, router: RtpCapabilities, mixed: bool) -> OfferSection:
    section = OfferSection(mid, media.kind, media.direction, media.rejected)
    if media.kind not in ("audio", "video") or "RTP/SAVPF" not in media.protocol:
        section.rejected = True
        return section
    if media.rejected:
        return section
    maps = read_rtpmaps(media)
    kind: MediaKind = "audio" if media.kind == "audio" else "video"
    known = [m for m in maps if _known(kind, m, router)]
    if not known:
        section.rejected = True
        return section
    if media.direction in ("sendrecv", "sendonly"):
        section.rtp_parameters = _sent_parameters(media, mid, kind, known[0], maps, router, mixed)
    if media.direction in ("sendrecv", "recvonly"):
        section.rtp_capabilities = _received_capabilities(media, kind, known, maps)
    return section


def _capability(kind: MediaKind, rtpmap: RtpMap) -> RtpCodecCapability:
    return RtpCodecCapability(
        kind,
        f"{kind}/{rtpmap.name}",
        rtpmap.clock_rate,
        rtpmap.channels,
        rtpmap.parameters,
        rtpmap.rtcp_feedback,
        rtpmap.payload_type,
    )


def _known(kind: MediaKind, rtpmap: RtpMap, router: RtpCapabilities) -> bool:
    return rtpmap.name.lower() not in _REPAIR and find_codec(_capability(kind, rtpmap), router.codecs) is not None


def _rtx_of(payload_type: int, maps: Iterable[RtpMap]) -> RtpMap | None:
    return next(
        (m for m in maps if m.name.lower() == "rtx" and str(m.parameters.get("apt")) == str(payload_type)), None
    )


def _codec(kind: MediaKind, rtpmap: RtpMap, feedback: tuple[RtcpFeedback, ...]) -> RtpCodecParameters:
    return RtpCodecParameters(
        f"{kind}/{rtpmap.name}",
        rtpmap.payload_type,
        rtpmap.clock_rate,
        rtpmap.channels,
        rtpmap.parameters,
        feedback,
    )


def _sent_parameters(
    media: MediaSection,
    mid: str,
    kind: MediaKind,
    chosen: RtpMap,
    maps: list[RtpMap],
    router: RtpCapabilities,
    mixed: bool,
) -> RtpParameters:
    ours = find_codec(_capability(kind, chosen), router.codecs)
    assert ours is not None
    shared = tuple(f for f in chosen.rtcp_feedback if f in ours.rtcp_feedback or f == CCFB)
    codecs = [_codec(kind, chosen, shared)]
    rtx = _rtx_of(chosen.payload_type, maps)
    if rtx is not None:
        codecs.append(_codec(kind, rtx, ()))
    extensions = tuple(
        RtpHeaderExtensionParameters(e.uri, e.id)
        for e in read_extmaps(media)
        if e.uri in RECEIVED_KINDS and e.direction in ("sendrecv", "sendonly")
    )
    if any(e.uri == TRANSPORT_CC for e in extensions):
        extensions = tuple(e for e in extensions if e.uri != TRANSPORT_CC_02)
    ssrcs = read_ssrcs(media)
    rids = read_simulcast(media)
    if rids and any(e.uri == RID for e in extensions):
        encodings = [RtpEncodingParameters(rid=rid) for rid in rids]
    else:
        encodings = [
            RtpEncodingParameters(ssrc=ssrc, rtx=RtxParameters(repair) if repair and rtx else None)
            for ssrc, repair in ssrcs.pairs
        ] or [RtpEncodingParameters()]
    return RtpParameters(
        codecs=tuple(codecs),
        mid=mid,
        header_extensions=extensions,
        encodings=tuple(encodings),
        rtcp=RtcpParameters(ssrcs.cname, media.get("rtcp-rsize") is not None),
        allow_mixed=mixed,
    )


def _received_capabilities(
    media: MediaSection, kind: MediaKind, known: list[RtpMap], maps: list[RtpMap]
) -> RtpCapabilities:
    codecs = []
    for rtpmap in known:
        codecs.append(_capability(kind, rtpmap))
        rtx = _rtx_of(rtpmap.payload_type, maps)
        if rtx is not None:
            codecs.append(_capability(kind, rtx))
    extensions = tuple(
        RtpHeaderExtension(kind, e.uri, e.id)
        for e in read_extmaps(media)
        if e.uri in EXTENSION_KINDS and e.direction in ("sendrecv", "recvonly")
    )
    return RtpCapabilities(tuple(codecs), extensions)


# ---- answers


def write_answer(
    offer: Offer,
    transport: WebRtcTransport,
    *,
    producers: Mapping[str, Producer] = {},
    consumers: Mapping[str, Consumer] = {},
    waiting: Iterable[str] = (),
    version: int = 1,
) -> str:
    """The answer to an offer.

    Args:
        producers: by mid, what was produced from its sections.
        consumers: by mid, what its sections receive.
        waiting: mids that will be sent something later, without another offer.
        version: of the session (RFC 8866 section 5.2), growing with every answer on the transport.
    """
    answer = SessionDescription(lines=["v=0", f"o=mediarouter 1 {version} IN IP4 127.0.0.1", "s=-", "t=0 0"])
    later = set(waiting)
    accepted: list[str] = []
    for theirs, section in zip(offer.description.media, offer.sections, strict=True):
        if section.rejected:
            media = MediaSection(kind=theirs.kind, port=0, protocol=theirs.protocol, formats=theirs.formats)
            media.lines.append("c=IN IP4 0.0.0.0")
            media.add("inactive")
            media.add("mid", section.mid)
        else:
            media = _answer_section(theirs, section, offer, producers, consumers, later)
            _add_transport(media, transport, with_candidates=not accepted)
            accepted.append(section.mid)
        answer.media.append(media)
    answer.add("group", " ".join(["BUNDLE", *accepted]))
    answer.add("ice-lite")
    if offer.allow_mixed:
        answer.add("extmap-allow-mixed")
    answer.add("msid-semantic", " WMS *")
    return str(answer)


def _add_transport(media: MediaSection, transport: WebRtcTransport, *, with_candidates: bool) -> None:
    ours = transport.dtls_parameters
    media.add("ice-ufrag", transport.ice_parameters.username_fragment)
    media.add("ice-pwd", transport.ice_parameters.password)
    media.add("fingerprint", f"{ours.fingerprints[0].algorithm} {ours.fingerprints[0].value}")
    media.add("setup", "active" if ours.role == "client" else "passive")
    if with_candidates:
        for candidate in candidate_lines(transport):
            media.add("candidate", candidate)
        media.add("end-of-candidates")


def candidate_lines(transport: WebRtcTransport) -> list[str]:
    """Values of `a=candidate` (RFC 8839 section 5.1)."""
    return [
        f"{c.foundation} 1 {c.protocol} {c.priority} {c.address} {c.port} typ {c.type}"
        + (f" tcptype {c.tcp_type}" if c.tcp_type else "")
        for c in transport.ice_candidates
    ]


def _answer_section(
    theirs: MediaSection,
    section: OfferSection,
    offer: Offer,
    producers: Mapping[str, Producer],
    consumers: Mapping[str, Consumer],
    later: set[str],
) -> MediaSection:
    media = MediaSection(kind=theirs.kind, port=9, protocol=theirs.protocol)
    media.lines.append("c=IN IP4 0.0.0.0")
    media.add("mid", section.mid)
    media.add("rtcp-mux")
    if theirs.get("rtcp-rsize") is not None:
        media.add("rtcp-rsize")
    producer, consumer = producers.get(section.mid), consumers.get(section.mid)
    if consumer is not None:
        _describe_sent(media, consumer.rtp_parameters, consumer.producer_id)
    elif producer is not None:
        _describe_received(media, theirs, producer.rtp_parameters)
    elif section.mid in later and section.rtp_capabilities is not None:
        _describe_waiting(media, section.rtp_capabilities)
    else:
        _describe_unused(media, section)
    return media


def _write_codec(media: MediaSection, codec: RtpCodecParameters | RtpCodecCapability, payload_type: int) -> None:
    name = codec.mime_type.partition("/")[2]
    channels = f"/{codec.channels}" if codec.channels and codec.channels > 1 else ""
    media.formats.append(str(payload_type))
    media.add("rtpmap", f"{payload_type} {name}/{codec.clock_rate}{channels}")
    if codec.parameters:
        media.add("fmtp", f"{payload_type} {write_parameters(codec.parameters)}")
    for feedback in codec.rtcp_feedback:
        line = f"{'*' if feedback == CCFB else payload_type} {feedback.type} {feedback.parameter}".rstrip()
        if line not in media.all("rtcp-fb"):           # RFC 8888 section 6: of all payload types, and so once
            media.add("rtcp-fb", line)


def _write_parameters(media: MediaSection, parameters: RtpParameters) -> None:
    _write_codec(media, media_codec(parameters), media_codec(parameters).payload_type)
    rtx = rtx_codec(parameters)
    if rtx is not None:
        _write_codec(media, rtx, rtx.payload_type)


def _describe_received(media: MediaSection, theirs: MediaSection, parameters: RtpParameters) -> None:
    media.add("recvonly")
    _write_parameters(media, parameters)
    directions = {e.id: e.direction for e in read_extmaps(theirs)}
    for extension in parameters.header_extensions:
        # an offer that names a direction wants it answered in kind, or the extension is not sent (Firefox)
        flipped = FLIPPED[directions.get(extension.id, "sendrecv")]
        media.add("extmap", f"{extension.id}{'' if flipped == 'sendrecv' else '/' + flipped} {extension.uri}")
    rids = [encoding.rid for encoding in parameters.encodings if encoding.rid is not None]
    for rid in rids:
        media.add("rid", f"{rid} recv")
    if rids:
        media.add("simulcast", f"recv {';'.join(rids)}")


def _describe_sent(media: MediaSection, parameters: RtpParameters, track: str) -> None:
    media.add("sendonly")
    _write_parameters(media, parameters)
    for extension in parameters.header_extensions:
        media.add("extmap", f"{extension.id} {extension.uri}")
    cname = parameters.rtcp.cname or "-"
    media.add("msid", f"{cname} {track}")
    encoding = parameters.encodings[0]
    if encoding.rtx is not None:
        media.add("ssrc-group", f"FID {encoding.ssrc} {encoding.rtx.ssrc}")
    for ssrc in [encoding.ssrc] + ([encoding.rtx.ssrc] if encoding.rtx else []):
        media.add("ssrc", f"{ssrc} cname:{cname}")


def _write_capabilities(media: MediaSection, capabilities: RtpCapabilities) -> None:
    for codec in capabilities.codecs:
        assert codec.preferred_payload_type is not None
        _write_codec(media, codec, codec.preferred_payload_type)
    for extension in capabilities.header_extensions:
        if extension.uri not in (RID, REPAIRED_RID):
            media.add("extmap", f"{extension.preferred_id} {extension.uri}")


def _describe_waiting(media: MediaSection, capabilities: RtpCapabilities) -> None:
    # no SSRC yet: the client will know the stream by its mid
    media.add("sendonly")
    _write_capabilities(media, capabilities)


def _describe_unused(media: MediaSection, section: OfferSection) -> None:
    media.add("inactive")
    if section.rtp_capabilities is not None:
        _write_capabilities(media, section.rtp_capabilities)
    elif section.rtp_parameters is not None:
        _write_parameters(media, section.rtp_parameters)


# ---- fragments of trickle ICE (RFC 8840)


@dataclass(frozen=True)
class Fragment:
    """`application/trickle-ice-sdpfrag`: credentials when it has some, and the number of its candidates."""

    ice_parameters: IceParameters | None
    candidate_count: int


def read_fragment(text: str) -> Fragment:
    """Read a fragment.

    Raises:
        NegotiationError: it is malformed.
    """
    description = SessionDescription.parse("v=0\r\n" + text)
    sections = [description, *description.media]
    ufrag = next((value for s in sections if (value := s.get("ice-ufrag"))), None)
    password = next((value for s in sections if (value := s.get("ice-pwd"))), None)
    candidates = sum(len(s.all("candidate")) for s in sections)
    if ufrag is None and not candidates and not any(s.get("end-of-candidates") is not None for s in sections):
        raise NegotiationError("the fragment has neither credentials nor candidates")
    if (ufrag is None) != (password is None):
        raise NegotiationError("a=ice-ufrag and a=ice-pwd come together")
    return Fragment(IceParameters(ufrag, password) if ufrag and password else None, candidates)


def write_fragment(transport: WebRtcTransport) -> str:
    """Our credentials and candidates, the answer to a restart."""
    lines = [
        "a=ice-lite",
        f"a=ice-ufrag:{transport.ice_parameters.username_fragment}",
        f"a=ice-pwd:{transport.ice_parameters.password}",
        *(f"a=candidate:{candidate}" for candidate in candidate_lines(transport)),
        "a=end-of-candidates",
    ]
    return "\r\n".join(lines) + "\r\n"


__all__ = [
    "Fragment",
    "Offer",
    "OfferSection",
    "candidate_lines",
    "read_fragment",
    "read_offer",
    "write_answer",
    "write_fragment",
]
