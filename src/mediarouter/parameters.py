"""What two sides tell each other about media: capabilities, parameters, ICE and DTLS (ORTC's dictionaries).

The fields are snake_case here and camelCase in JSON: `msgspec.json.encode(parameters)` is what a browser library such
as mediasoup-client reads, `msgspec.json.decode(data, type=RtpParameters)` checks what it sends.
"""

from typing import Any, Literal

from msgspec import Struct

MediaKind = Literal["audio", "video"]
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
TOFFSET = "urn:ietf:params:rtp-hdrext:toffset"
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
VIDEO_CONTENT_TYPE = "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"
VIDEO_TIMING = "http://www.webrtc.org/experiments/rtp-hdrext/video-timing"
COLOR_SPACE = "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
MIXER_AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:csrc-audio-level"
TRANSPORT_CC_02 = "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02"
DEPENDENCY_DESCRIPTOR = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
VIDEO_LAYERS_ALLOCATION = "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"

# ExtensionKind of the engine (`_rtp.pxd`) by URI. The dependency descriptor and the layers allocation are left out on
# purpose: a browser that may send the descriptor sends VP8 without picture ids, and layers could not be told apart.
EXTENSION_KINDS = {
    MID: 1,
    RID: 2,
    REPAIRED_RID: 3,
    AUDIO_LEVEL: 4,
    ABS_SEND_TIME: 5,
    TRANSPORT_CC: 6,
    VIDEO_ORIENTATION: 7,
    TOFFSET: 8,
    PLAYOUT_DELAY: 9,
    VIDEO_CONTENT_TYPE: 10,
    VIDEO_TIMING: 11,
    COLOR_SPACE: 12,
    ABS_CAPTURE_TIME: 13,
}
# What is understood of a publisher besides, but neither offered nor sent: numbers with feedback on request
RECEIVED_KINDS = EXTENSION_KINDS | {TRANSPORT_CC_02: 17}


class RtcpFeedback(Struct, frozen=True, rename="camel"):
    """One kind of feedback: `nack`, `nack pli`, `ccm fir`, `transport-cc`, `ack ccfb` (RFC 4585 section 4.2)."""

    type: str
    parameter: str = ""


class RtpCodecCapability(Struct, frozen=True, rename="camel"):
    """A codec that can be sent or received.

    Attributes:
        mime_type: "audio/opus", "video/VP8"; letters' case does not count.
        clock_rate: of RTP timestamps, Hz.
        channels: of audio.
        parameters: format-specific (`a=fmtp`), values as text or numbers.
        preferred_payload_type: 0..127; None: any.
    """

    kind: MediaKind
    mime_type: str
    clock_rate: int
    channels: int | None = None
    parameters: dict[str, str | int] = {}
    rtcp_feedback: tuple[RtcpFeedback, ...] = ()
    preferred_payload_type: int | None = None


class RtpHeaderExtension(Struct, frozen=True, rename="camel"):
    """A header extension that can be used (RFC 8285).

    Attributes:
        preferred_id: 1..14, or up to 255 in the two-byte form.
        direction: as seen by whoever has this capability.
    """

    kind: MediaKind
    uri: str
    preferred_id: int
    preferred_encrypt: bool = False
    direction: Direction = "sendrecv"


class RtpCapabilities(Struct, frozen=True, rename="camel"):
    """What one side can do."""

    codecs: tuple[RtpCodecCapability, ...] = ()
    header_extensions: tuple[RtpHeaderExtension, ...] = ()


class RtpCodecParameters(Struct, frozen=True, rename="camel"):
    """A codec in use; RTX is one of its own, with `apt` among its parameters (RFC 4588)."""

    mime_type: str
    payload_type: int
    clock_rate: int
    channels: int | None = None
    parameters: dict[str, str | int] = {}
    rtcp_feedback: tuple[RtcpFeedback, ...] = ()


class RtpHeaderExtensionParameters(Struct, frozen=True, rename="camel"):
    """A header extension in use."""

    uri: str
    id: int
    encrypt: bool = False
    parameters: dict[str, Any] = {}


class RtxParameters(Struct, frozen=True, rename="camel"):
    """The retransmission stream of an encoding."""

    ssrc: int


class RtpEncodingParameters(Struct, frozen=True, rename="camel"):
    """One stream: a simulcast layer has its `rid`, a signalled one its `ssrc`, lowest first.

    Attributes:
        max_bitrate: bit/s.
    """

    ssrc: int | None = None
    rid: str | None = None
    codec_payload_type: int | None = None
    rtx: RtxParameters | None = None
    dtx: bool = False
    scalability_mode: str | None = None
    max_bitrate: int | None = None


class WantedLayer(Struct, frozen=True, rename="camel"):
    """Whether an encoding of a producer is of any use: what a service forwards to the client that publishes it.

    Attributes:
        rid: of the encoding, None where it has none.
        active: somebody may use it; `RTCRtpSender.setParameters` has it under this name.
        temporal: 0..7, the highest temporal layer that is of use; None: all, or none where it is not active.
    """

    rid: str | None
    active: bool
    temporal: int | None = None


class RtcpParameters(Struct, frozen=True, rename="camel"):
    """RTCP of a sender.

    Attributes:
        cname: what ties its streams together (RFC 3550 6.5.1).
        reduced_size: RFC 5506.
    """

    cname: str | None = None
    reduced_size: bool = True


class RtpParameters(Struct, frozen=True, rename="camel"):
    """What is sent, or shall be received.

    Attributes:
        mid: of the media section, 1..16 letters; None without one.
        allow_mixed: one- and two-byte header extensions may come in one stream (RFC 8285 4.1.2).
    """

    codecs: tuple[RtpCodecParameters, ...]
    mid: str | None = None
    header_extensions: tuple[RtpHeaderExtensionParameters, ...] = ()
    encodings: tuple[RtpEncodingParameters, ...] = ()
    rtcp: RtcpParameters = RtcpParameters()
    allow_mixed: bool = False


class IceParameters(Struct, frozen=True, rename="camel"):
    """Credentials of one side (RFC 8445 section 5.3)."""

    username_fragment: str
    password: str
    ice_lite: bool = False


class IceCandidate(Struct, frozen=True, rename="camel"):
    """An address to reach one side at.

    Attributes:
        address: IPv4 or IPv6, as text.
        protocol: "udp" or "tcp".
        tcp_type: "passive" for ICE-TCP (RFC 6544).
    """

    foundation: str
    priority: int
    address: str
    protocol: Literal["udp", "tcp"]
    port: int
    type: Literal["host", "srflx", "prflx", "relay"] = "host"
    tcp_type: Literal["passive", "active", "so"] | None = None


class DtlsFingerprint(Struct, frozen=True, rename="camel"):
    """A certificate's digest (RFC 8122 section 5).

    Attributes:
        algorithm: "sha-256", "sha-384" or "sha-512".
        value: upper-case hex pairs with colons.
    """

    algorithm: str
    value: str


class DtlsParameters(Struct, frozen=True, rename="camel"):
    """Certificates of one side, and which part it takes in the handshake."""

    fingerprints: tuple[DtlsFingerprint, ...]
    role: Literal["auto", "client", "server"] = "auto"


class Bandwidth(Struct, frozen=True, rename="camel"):
    """What may be assumed of the network of one viewer, bit/s with IP, UDP and SRTP: 1,000 <= min <= start <= max.

    Attributes:
        start_bps: what it carries until its feedback has told.
        min_bps, max_bps: limits of the estimate.

    Raises:
        ValueError: limits out of range or order.
    """

    start_bps: int = 1_000_000
    min_bps: int = 10_000
    max_bps: int = 20_000_000

    def __post_init__(self) -> None:
        if not 1_000 <= self.min_bps <= self.start_bps <= self.max_bps <= 1_000_000_000:
            raise ValueError(f"bandwidth must be 1,000 <= min <= start <= max <= 1,000,000,000 bit/s, not {self}")


DEFAULT_BANDWIDTH = Bandwidth()


_AUDIO_FEEDBACK = (RtcpFeedback("transport-cc"),)
_VIDEO_FEEDBACK = (
    RtcpFeedback("nack"),
    RtcpFeedback("nack", "pli"),
    RtcpFeedback("ccm", "fir"),
    RtcpFeedback("ccm", "tmmbr"),
    RtcpFeedback("goog-remb"),
    RtcpFeedback("transport-cc"),
)


def _video(name: str, **parameters: str | int) -> RtpCodecCapability:
    return RtpCodecCapability("video", f"video/{name}", 90000, parameters=parameters, rtcp_feedback=_VIDEO_FEEDBACK)


def _h264(profile_level_id: str) -> RtpCodecCapability:
    parameters: dict[str, str | int] = {
        "packetization-mode": 1,
        "level-asymmetry-allowed": 1,
        "profile-level-id": profile_level_id,
    }
    return RtpCodecCapability("video", "video/H264", 90000, parameters=parameters, rtcp_feedback=_VIDEO_FEEDBACK)


DEFAULT_CODECS: tuple[RtpCodecCapability, ...] = (
    RtpCodecCapability(
        "audio",
        "audio/opus",
        48000,
        channels=2,
        parameters={"minptime": 10, "useinbandfec": 1},
        rtcp_feedback=_AUDIO_FEEDBACK,
    ),
    _video("VP8"),
    _h264("42e01f"),
    _h264("42001f"),
    _h264("640c1f"),
    RtpCodecCapability("video", "video/VP9", 90000, parameters={"profile-id": 0}, rtcp_feedback=_VIDEO_FEEDBACK),
    _video("AV1"),
)
