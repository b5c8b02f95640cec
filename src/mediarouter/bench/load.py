"""What a benchmark sends to whom, and how it is signalled."""

from dataclasses import dataclass

from mediarouter.parameters import (
    ABS_SEND_TIME,
    MID,
    TRANSPORT_CC,
    RtcpFeedback,
    RtpCapabilities,
    RtpCodecCapability,
    RtpCodecParameters,
    RtpEncodingParameters,
    RtpHeaderExtension,
    RtpHeaderExtensionParameters,
    RtpParameters,
    RtxParameters,
)

MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID = 4, 2, 3
VIDEO_PAYLOAD_TYPE, AUDIO_PAYLOAD_TYPE = 96, 111
FEEDBACK = (RtcpFeedback("nack"), RtcpFeedback("nack", "pli"), RtcpFeedback("transport-cc"))
EXTENSIONS = ((MID, MID_ID), (ABS_SEND_TIME, SEND_TIME_ID), (TRANSPORT_CC, TRANSPORT_CC_ID))
EXTENSION_BYTES = 16  # of the three, as the router writes them
FIRST_SSRC, FIRST_RTX_SSRC = 1000, 500_000


@dataclass(frozen=True)
class Load:
    """What is sent to whom.

    Attributes:
        publishers, subscribers: each subscriber gets every publisher.
        kind: "video" (VP8) or "audio" (Opus, one packet a frame).
        payload_size: bytes of an RTP payload.
        packets_per_frame, frames_per_second, gap_us: of a publisher's bursts.
        seconds: of one measurement.
        scattered: publishers' frames come at random distances, else evenly spread over the frame interval.
    """

    publishers: int = 1
    subscribers: int = 100
    kind: str = "video"
    payload_size: int = 1080
    packets_per_frame: int = 6
    frames_per_second: int = 30
    gap_us: int = 50
    seconds: float = 5.0
    scattered: bool = False

    @property
    def packets_per_second(self) -> int:
        """Forwarded, when all goes well."""
        return self.publishers * self.subscribers * self.packets_per_frame * self.frames_per_second

    @property
    def payload_type(self) -> int:
        """Of what is sent."""
        return VIDEO_PAYLOAD_TYPE if self.kind == "video" else AUDIO_PAYLOAD_TYPE

    @property
    def clock_rate(self) -> int:
        """Of RTP timestamps."""
        return 90000 if self.kind == "video" else 48000


def audio_load(*, publishers: int, subscribers: int, seconds: float = 5.0) -> Load:
    """Opus: 100 bytes every 20 ms."""
    return Load(publishers, subscribers, "audio", 100, 1, 50, 0, seconds)


def rtp_parameters(load: Load, index: int) -> RtpParameters:
    """Of the publisher with this number."""
    video = load.kind == "video"
    codecs = [
        RtpCodecParameters(
            "video/VP8" if video else "audio/opus",
            load.payload_type,
            load.clock_rate,
            None if video else 2,
            rtcp_feedback=FEEDBACK if video else FEEDBACK[2:],
        )
    ]
    if video:
        codecs.append(
            RtpCodecParameters("video/rtx", load.payload_type + 1, 90000, parameters={"apt": load.payload_type})
        )
    rtx = RtxParameters(FIRST_RTX_SSRC + index) if video else None
    return RtpParameters(
        tuple(codecs),
        "0",
        tuple(RtpHeaderExtensionParameters(uri, id) for uri, id in EXTENSIONS),
        (RtpEncodingParameters(FIRST_SSRC + index, rtx=rtx),),
    )


def capabilities() -> RtpCapabilities:
    """Of a subscriber: what a browser has, as far as it matters here."""
    return RtpCapabilities(
        (
            RtpCodecCapability(
                "audio", "audio/opus", 48000, 2, preferred_payload_type=111, rtcp_feedback=FEEDBACK[2:]
            ),
            RtpCodecCapability("video", "video/VP8", 90000, rtcp_feedback=FEEDBACK, preferred_payload_type=96),
            RtpCodecCapability(
                "video", "video/rtx", 90000, parameters={"apt": 96}, preferred_payload_type=97
            ),
        ),
        tuple(RtpHeaderExtension(kind, uri, id) for kind in ("audio", "video") for uri, id in EXTENSIONS),
    )
