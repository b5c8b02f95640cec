"""What can be forwarded to whom: pure functions over capabilities and parameters (ORTC's negotiation, as mediasoup has
it, with one difference: payload types and header-extension ids are those of each receiver, never the router's own).
"""

import logging
import re
from collections.abc import Iterable, Sequence

from mediarouter.errors import NegotiationError, UnsupportedError
from mediarouter.parameters import (
    EXTENSION_KINDS,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    TRANSPORT_CC_02,
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

logger = logging.getLogger("mediarouter")

MAX_ENCODINGS = 4
FIRST_DYNAMIC_PAYLOAD_TYPE = 96
_AUXILIARY = ("rtx", "red", "ulpfec", "flexfec-03")
_RID = re.compile(r"[A-Za-z0-9_-]{1,16}\Z")
_SSRC_MAX = 0xFFFFFFFF


def get_router_rtp_capabilities(media_codecs: Iterable[RtpCodecCapability]) -> RtpCapabilities:
    """What a router with these codecs offers: payload types given, RTX beside each video codec.

    Raises:
        UnsupportedError: more codecs than payload types, or two with one payload type.
    """
    codecs: list[RtpCodecCapability] = []
    taken = {codec.preferred_payload_type for codec in media_codecs if codec.preferred_payload_type is not None}
    free = iter([*range(FIRST_DYNAMIC_PAYLOAD_TYPE, 128), *range(35, 64)])

    def next_payload_type() -> int:
        for payload_type in free:
            if payload_type not in taken:
                taken.add(payload_type)
                return int(payload_type)
        raise UnsupportedError("more codecs than there are payload types")

    for codec in media_codecs:
        payload_type = codec.preferred_payload_type
        if payload_type is None:
            payload_type = next_payload_type()
        codecs.append(_with_payload_type(codec, payload_type))
        if codec.kind == "video":
            codecs.append(
                RtpCodecCapability(
                    "video",
                    "video/rtx",
                    codec.clock_rate,
                    parameters={"apt": payload_type},
                    preferred_payload_type=next_payload_type(),
                )
            )
    extensions = tuple(
        RtpHeaderExtension(kind, uri, number, direction="recvonly" if uri in (RID, REPAIRED_RID) else "sendrecv")
        for uri, number in EXTENSION_KINDS.items()
        for kind in _kinds_of(uri)
    )
    return RtpCapabilities(tuple(codecs), extensions)


def _kinds_of(uri: str) -> Sequence[MediaKind]:
    if uri.endswith("ssrc-audio-level"):
        return ("audio",)
    if "mid" in uri or "abs-" in uri or "transport-wide" in uri:
        return ("audio", "video")
    return ("video",)


def _with_payload_type(codec: RtpCodecCapability, payload_type: int) -> RtpCodecCapability:
    return RtpCodecCapability(
        codec.kind,
        codec.mime_type,
        codec.clock_rate,
        codec.channels,
        codec.parameters,
        codec.rtcp_feedback,
        payload_type,
    )


def name_of(codec: RtpCodecCapability | RtpCodecParameters) -> str:
    """The codec's name in small letters: "opus", "vp8", "rtx"."""
    return codec.mime_type.partition("/")[2].lower()


def matches(a: RtpCodecCapability | RtpCodecParameters, b: RtpCodecCapability | RtpCodecParameters) -> bool:
    """Whether two descriptions mean streams that one decoder takes: name, clock, channels, profile."""
    if a.mime_type.lower() != b.mime_type.lower() or a.clock_rate != b.clock_rate:
        return False
    if (a.channels or 1) != (b.channels or 1):
        return False
    name = name_of(a)
    if name == "h264":
        return _h264_profile(a) == _h264_profile(b) and _number(a, "packetization-mode") == _number(
            b, "packetization-mode"
        )
    if name == "vp9":
        return _number(a, "profile-id") == _number(b, "profile-id")
    if name == "av1":
        return _number(a, "profile") == _number(b, "profile")
    return True


def _number(codec: RtpCodecCapability | RtpCodecParameters, parameter: str) -> int:
    try:
        return int(codec.parameters.get(parameter, 0))
    except ValueError:
        return -1


def _h264_profile(codec: RtpCodecCapability | RtpCodecParameters) -> str:
    # profile_idc and the constraint flags that set its meaning (RFC 6184 section 8.1, table 5); the level may differ
    text = str(codec.parameters.get("profile-level-id", "420010")).lower()
    if not re.fullmatch(r"[0-9a-f]{6}", text):
        return f"invalid {text}"
    idc, flags = text[:2], int(text[2:4], 16)
    if idc == "42":
        return "constrained-baseline" if flags & 0x40 else "baseline"
    if idc == "4d":
        return "constrained-baseline" if flags & 0x80 else "main"
    if idc == "64":
        return "constrained-high" if flags & 0x0C == 0x0C else "high"
    return f"{idc}-{flags:02x}"


def find_codec(
    wanted: RtpCodecCapability | RtpCodecParameters, offered: Iterable[RtpCodecCapability]
) -> RtpCodecCapability | None:
    """The first offered codec that matches."""
    return next((codec for codec in offered if matches(wanted, codec)), None)


def media_codec(parameters: RtpParameters) -> RtpCodecParameters:
    """The codec that is really sent: the first that repairs nothing.

    Raises:
        NegotiationError: there is none.
    """
    for codec in parameters.codecs:
        if name_of(codec) not in _AUXILIARY:
            return codec
    raise NegotiationError("RTP parameters without a media codec")


def rtx_codec(parameters: RtpParameters) -> RtpCodecParameters | None:
    """The RTX codec of the media codec, None without retransmission streams."""
    payload_type = media_codec(parameters).payload_type
    for codec in parameters.codecs:
        if name_of(codec) == "rtx" and str(codec.parameters.get("apt")) == str(payload_type):
            return codec
    return None


def has_feedback(codec: RtpCodecCapability | RtpCodecParameters, type: str, parameter: str = "") -> bool:
    """Whether a kind of feedback is among the codec's."""
    return RtcpFeedback(type, parameter) in codec.rtcp_feedback


CCFB = RtcpFeedback("ack", "ccfb")  # RFC 8888 section 6
_TRANSPORT_CC = RtcpFeedback("transport-cc")


def takes_transport_feedback(feedback: Iterable[RtcpFeedback], uris: Iterable[str]) -> bool:
    """Whether transport-wide feedback can be given and taken: it is named, and an extension with its numbers is among
    these."""
    return _TRANSPORT_CC in feedback and not {TRANSPORT_CC, TRANSPORT_CC_02}.isdisjoint(uris)


def reports_by_stream(parameters: RtpParameters) -> bool:
    """Whether the feedback of RFC 8888 is agreed: it is named, and transport-wide feedback cannot be had."""
    feedback = media_codec(parameters).rtcp_feedback
    return CCFB in feedback and not takes_transport_feedback(feedback, (e.uri for e in parameters.header_extensions))


def validate_producer_parameters(kind: str, parameters: RtpParameters, capabilities: RtpCapabilities) -> None:
    """Check what a client wants to send against what the router takes.

    Raises:
        UnsupportedError: a codec the router has not.
        NegotiationError: parameters that contradict themselves; the text says which.
    """
    codec = media_codec(parameters)
    if codec.mime_type.partition("/")[0].lower() != kind:
        raise NegotiationError(f"{codec.mime_type} is not {kind}")
    if find_codec(codec, [c for c in capabilities.codecs if name_of(c) not in _AUXILIARY]) is None:
        raise UnsupportedError(f"the router takes no {codec.mime_type} with {codec.parameters or 'no parameters'}")
    _check_mid(parameters.mid)
    _check_payload_types(parameters.codecs)
    _check_extension_ids(parameters.header_extensions)
    _check_encodings(parameters)
    if kind == "video" and has_feedback(codec, "nack") and rtx_codec(parameters) is None:
        # lost packets are then repaired under their own numbers, which hides the repair from congestion control
        logger.warning("%s has NACK but no RTX: retransmissions come as plain packets", codec.mime_type)


def _check_mid(mid: str | None) -> None:
    if mid is not None and not (1 <= len(mid.encode()) <= 16 and mid.isprintable()):
        raise NegotiationError(f"mid {mid!r} is not 1 to 16 printable bytes")


def _check_payload_types(codecs: Iterable[RtpCodecParameters]) -> None:
    seen: set[int] = set()
    for codec in codecs:
        if not 0 <= codec.payload_type <= 127 or 64 <= codec.payload_type <= 95:
            # 64..95 look like RTCP when both share a port (RFC 5761 section 4)
            raise NegotiationError(f"payload type {codec.payload_type} of {codec.mime_type} cannot be used")
        if codec.payload_type in seen:
            raise NegotiationError(f"payload type {codec.payload_type} is given twice")
        seen.add(codec.payload_type)


def _check_extension_ids(extensions: Iterable[RtpHeaderExtensionParameters]) -> None:
    seen: set[int] = set()
    for extension in extensions:
        if not 1 <= extension.id <= 255 or extension.id == 15:
            raise NegotiationError(f"header extension id {extension.id} cannot be used")
        if extension.id in seen:
            raise NegotiationError(f"header extension id {extension.id} is given twice")
        seen.add(extension.id)


def _check_encodings(parameters: RtpParameters) -> None:
    encodings = parameters.encodings
    if len(encodings) > MAX_ENCODINGS:
        raise UnsupportedError(f"{len(encodings)} encodings where {MAX_ENCODINGS} are the most")
    rids: set[str] = set()
    ssrcs: set[int] = set()
    for encoding in encodings:
        if encoding.rid is not None:
            if not _RID.match(encoding.rid) or encoding.rid in rids:
                raise NegotiationError(f"rid {encoding.rid!r} is malformed or given twice")
            rids.add(encoding.rid)
        for ssrc in (encoding.ssrc, encoding.rtx.ssrc if encoding.rtx else None):
            if ssrc is None:
                continue
            if not 0 < ssrc <= _SSRC_MAX or ssrc in ssrcs:
                raise NegotiationError(f"SSRC {ssrc} is out of range or given twice")
            ssrcs.add(ssrc)
    if len(encodings) > 1 and any(e.rid is None and e.ssrc is None for e in encodings):
        raise NegotiationError("several encodings need a rid or an SSRC each")
    if rids and not any(extension.uri == RID for extension in parameters.header_extensions):
        raise NegotiationError("rids are given, but the header extension that carries them is not")


def can_consume(producer: RtpParameters, capabilities: RtpCapabilities) -> bool:
    """Whether a receiver takes what the producer sends."""
    return find_codec(media_codec(producer), capabilities.codecs) is not None


def get_consumer_rtp_parameters(
    producer: RtpParameters,
    capabilities: RtpCapabilities,
    *,
    mid: str | None,
    ssrc: int,
    rtx_ssrc: int,
    cname: str,
) -> RtpParameters:
    """What a receiver is sent: its own payload types and header-extension ids, one encoding.

    Args:
        producer: what comes in.
        capabilities: of the receiver.
        rtx_ssrc: used when the receiver takes RTX.

    Raises:
        UnsupportedError: the receiver takes no such codec.
        NegotiationError: its capabilities are malformed.
    """
    source = media_codec(producer)
    codec = find_codec(source, capabilities.codecs)
    if codec is None:
        raise UnsupportedError(f"the receiver takes no {source.mime_type}")
    if codec.preferred_payload_type is None:
        raise NegotiationError(f"the receiver gave no payload type for {codec.mime_type}")
    numbered = takes_transport_feedback(
        codec.rtcp_feedback, (e.uri for e in capabilities.header_extensions if e.uri == TRANSPORT_CC)
    )
    codecs = [
        RtpCodecParameters(
            codec.mime_type,
            codec.preferred_payload_type,
            codec.clock_rate,
            codec.channels,
            codec.parameters,
            tuple(f for f in codec.rtcp_feedback if _is_served(f, codec.kind) and not (numbered and f == CCFB)),
        )
    ]
    rtx = next(
        (
            c
            for c in capabilities.codecs
            if name_of(c) == "rtx" and str(c.parameters.get("apt")) == str(codec.preferred_payload_type)
        ),
        None,
    )
    if rtx is not None and rtx.preferred_payload_type is not None:
        codecs.append(
            RtpCodecParameters(rtx.mime_type, rtx.preferred_payload_type, rtx.clock_rate, parameters=rtx.parameters)
        )
    extensions = tuple(
        RtpHeaderExtensionParameters(extension.uri, extension.preferred_id)
        for extension in capabilities.header_extensions
        if extension.kind == codec.kind
        and extension.uri in EXTENSION_KINDS
        and extension.uri not in (RID, REPAIRED_RID)
        and extension.direction in ("sendrecv", "recvonly")
    )
    parameters = RtpParameters(
        codecs=tuple(codecs),
        mid=mid,
        header_extensions=extensions,
        encodings=(RtpEncodingParameters(ssrc=ssrc, rtx=RtxParameters(rtx_ssrc) if len(codecs) > 1 else None),),
        rtcp=RtcpParameters(cname=cname),
    )
    _check_mid(mid)
    _check_payload_types(parameters.codecs)
    _check_extension_ids(extensions)
    return parameters


def _is_served(feedback: RtcpFeedback, kind: str) -> bool:
    served = {("transport-cc", ""), ("ack", "ccfb"), ("goog-remb", "")}
    if kind == "video":
        served |= {("nack", ""), ("nack", "pli"), ("ccm", "fir")}
    return (feedback.type, feedback.parameter) in served
