"""Negotiation by parameters."""

import logging

import pytest

from mediarouter.errors import NegotiationError, UnsupportedError
from mediarouter.ortc import (
    can_consume,
    get_consumer_rtp_parameters,
    get_router_rtp_capabilities,
    matches,
    name_of,
    reports_by_stream,
    validate_producer_parameters,
)
from mediarouter.parameters import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    DEFAULT_CODECS,
    MID,
    RID,
    TRANSPORT_CC,
    TRANSPORT_CC_02,
    RtcpFeedback,
    RtpCapabilities,
    RtpCodecCapability,
    RtpCodecParameters,
    RtpEncodingParameters,
    RtpHeaderExtension,
    RtpHeaderExtensionParameters,
    RtpParameters,
)

ROUTER = get_router_rtp_capabilities(DEFAULT_CODECS)
NACK = (RtcpFeedback("nack"),)


def codec(name: str, payload_type: int = 96, **parameters) -> RtpCodecParameters:
    kind, clock = ("audio", 48000) if name == "opus" else ("video", 90000)
    return RtpCodecParameters(f"{kind}/{name}", payload_type, clock, 2 if name == "opus" else None, parameters)


def vp8(**fields) -> RtpParameters:
    return RtpParameters((codec("VP8"), codec("rtx", 97, apt=96)), "v", **fields)


def test_a_router_has_a_payload_type_for_each_codec_and_rtx_for_video():
    types = [c.preferred_payload_type for c in ROUTER.codecs]
    assert len(set(types)) == len(types) and all(t is not None and 96 <= t < 128 for t in types)
    for one in ROUTER.codecs:
        repairs = [c for c in ROUTER.codecs if c.parameters.get("apt") == one.preferred_payload_type]
        assert len(repairs) == (one.kind == "video" and name_of(one) != "rtx")
    many = [RtpCodecCapability("video", f"video/X{n}", 90000) for n in range(40)]
    with pytest.raises(UnsupportedError):
        get_router_rtp_capabilities(many)


def test_the_descriptor_that_hides_vp8_layers_is_not_offered():
    assert not any("dependency-descriptor" in e.uri for e in ROUTER.header_extensions)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (codec("VP8"), codec("vp8"), True),
        (codec("VP8"), codec("VP9"), False),
        (codec("VP9", **{"profile-id": "0"}), codec("VP9"), True),
        (codec("VP9", **{"profile-id": "2"}), codec("VP9"), False),
        (
            codec("H264", **{"profile-level-id": "42e01f", "packetization-mode": 1}),
            codec("H264", **{"profile-level-id": "42e034", "packetization-mode": "1"}),
            True,
        ),
        (
            codec("H264", **{"profile-level-id": "42e01f", "packetization-mode": 1}),
            codec("H264", **{"profile-level-id": "42e01f"}),
            False,
        ),
        (
            codec("H264", **{"profile-level-id": "42e01f", "packetization-mode": 1}),
            codec("H264", **{"profile-level-id": "42001f", "packetization-mode": 1}),
            False,
        ),
        (codec("H264", **{"profile-level-id": "zzz"}), codec("H264", **{"profile-level-id": "42e01f"}), False),
        (codec("VP9", **{"profile-id": "x"}), codec("VP9"), False),
    ],
)
def test_profiles_tell_streams_apart(a, b, same):
    assert matches(a, b) is matches(b, a) is same


@pytest.mark.parametrize(
    ("parameters", "error", "reason"),
    [
        (RtpParameters((codec("rtx", 97, apt=96),)), NegotiationError, "media codec"),
        (RtpParameters((codec("H263"),)), UnsupportedError, "H263"),
        (RtpParameters((codec("VP8", 64),)), NegotiationError, "payload type 64"),
        (RtpParameters((codec("VP8"), codec("rtx", 96, apt=96))), NegotiationError, "twice"),
        (vp8(header_extensions=(RtpHeaderExtensionParameters(MID, 15),)), NegotiationError, "id 15"),
        (vp8(header_extensions=(RtpHeaderExtensionParameters(MID, 0),)), NegotiationError, "id 0"),
        (
            vp8(header_extensions=(RtpHeaderExtensionParameters(MID, 1), RtpHeaderExtensionParameters(RID, 1))),
            NegotiationError,
            "twice",
        ),
        (vp8(encodings=(RtpEncodingParameters(rid="q"),)), NegotiationError, "rids"),
        (vp8(encodings=(RtpEncodingParameters(rid="a b"),)), NegotiationError, "malformed"),
        (vp8(encodings=(RtpEncodingParameters(), RtpEncodingParameters())), NegotiationError, "rid or an SSRC"),
        (vp8(encodings=(RtpEncodingParameters(ssrc=1), RtpEncodingParameters(ssrc=1))), NegotiationError, "twice"),
        (vp8(encodings=(RtpEncodingParameters(ssrc=1 << 32),)), NegotiationError, "range"),
        (vp8(encodings=tuple(RtpEncodingParameters(ssrc=n + 1) for n in range(5))), UnsupportedError, "5 encodings"),
        (RtpParameters((codec("VP8"),), "m" * 17), NegotiationError, "mid"),
    ],
)
def test_r23_what_contradicts_itself_is_refused_with_the_reason(parameters, error, reason):
    with pytest.raises(error, match=reason):
        validate_producer_parameters("video", parameters, ROUTER)


def test_r19_nack_without_rtx_is_said_aloud(caplog):
    loud = RtpParameters((RtpCodecParameters("video/VP8", 96, 90000, rtcp_feedback=NACK),))
    with caplog.at_level(logging.WARNING, "mediarouter"):
        validate_producer_parameters("video", loud, ROUTER)
    assert "no RTX" in caplog.text


def viewer(payload_type: int = 120, rtx: bool = True) -> RtpCapabilities:
    codecs = [
        RtpCodecCapability(
            "video",
            "video/VP8",
            90000,
            rtcp_feedback=(*NACK, RtcpFeedback("ack", "rpsi")),
            preferred_payload_type=payload_type,
        )
    ]
    if rtx:
        codecs.append(
            RtpCodecCapability(
                "video",
                "video/rtx",
                90000,
                parameters={"apt": str(payload_type)},
                preferred_payload_type=payload_type + 1,
            )
        )
    extensions = (
        RtpHeaderExtension("video", MID, 11),
        RtpHeaderExtension("video", RID, 12),
        RtpHeaderExtension("audio", AUDIO_LEVEL, 3),
        RtpHeaderExtension("video", "urn:unknown", 4),
        RtpHeaderExtension("video", ABS_SEND_TIME, 5, direction="sendonly"),
    )
    return RtpCapabilities(tuple(codecs), extensions)


def test_r23_a_receiver_gets_its_own_numbers_and_nothing_unknown():
    got = get_consumer_rtp_parameters(vp8(), viewer(), mid="7", ssrc=1, rtx_ssrc=2, cname="c")
    assert [(name_of(c), c.payload_type) for c in got.codecs] == [("vp8", 120), ("rtx", 121)]
    assert [(e.uri, e.id) for e in got.header_extensions] == [(MID, 11)]
    assert got.codecs[0].rtcp_feedback == NACK
    assert (got.mid, got.encodings[0].ssrc, got.encodings[0].rtx.ssrc, got.rtcp.cname) == ("7", 1, 2, "c")


def test_without_rtx_there_is_no_second_stream():
    got = get_consumer_rtp_parameters(vp8(), viewer(rtx=False), mid="7", ssrc=1, rtx_ssrc=2, cname="c")
    assert got.encodings[0].rtx is None and len(got.codecs) == 1


def test_who_takes_nothing_gets_nothing():
    assert not can_consume(vp8(), RtpCapabilities())
    with pytest.raises(UnsupportedError):
        get_consumer_rtp_parameters(vp8(), RtpCapabilities(), mid="7", ssrc=1, rtx_ssrc=2, cname="c")
    nameless = RtpCapabilities((RtpCodecCapability("video", "video/VP8", 90000),))
    with pytest.raises(NegotiationError, match="payload type"):
        get_consumer_rtp_parameters(vp8(), nameless, mid="7", ssrc=1, rtx_ssrc=2, cname="c")


BOTH = (RtcpFeedback("transport-cc"), RtcpFeedback("ack", "ccfb"))


@pytest.mark.parametrize(
    ("uris", "feedback", "by_stream"),
    [
        ((), BOTH, True),
        ((TRANSPORT_CC,), BOTH, False),
        ((TRANSPORT_CC_02,), BOTH, False),
        ((TRANSPORT_CC,), BOTH[1:], True),
        ((), BOTH[:1], False),
        ((TRANSPORT_CC,), BOTH[:1], False),
    ],
)
def test_rfc_8888_is_agreed_only_where_transport_wide_feedback_is_not(uris, feedback, by_stream):
    extensions = tuple(RtpHeaderExtensionParameters(uri, 3 + i) for i, uri in enumerate(uris))
    sent = RtpParameters((RtpCodecParameters("video/VP8", 96, 90000, rtcp_feedback=feedback),), "v", extensions)
    assert reports_by_stream(sent) == by_stream


@pytest.mark.parametrize("numbered", [False, True])
def test_a_viewer_is_told_one_form_of_feedback(numbered):
    extensions = (RtpHeaderExtension("video", TRANSPORT_CC, 5),) if numbered else ()
    wanted = RtpCodecCapability("video", "video/VP8", 90000, rtcp_feedback=BOTH, preferred_payload_type=100)
    capabilities = RtpCapabilities((wanted,), extensions)
    got = get_consumer_rtp_parameters(vp8(), capabilities, mid="0", ssrc=1, rtx_ssrc=2, cname="c")
    assert got.codecs[0].rtcp_feedback == (BOTH[:1] if numbered else BOTH)
    assert reports_by_stream(got) != numbered


def test_what_a_router_offers_leaves_no_choice_of_feedback():
    assert not any(RtcpFeedback("ack", "ccfb") in codec.rtcp_feedback for codec in ROUTER.codecs)
    assert TRANSPORT_CC_02 not in {extension.uri for extension in ROUTER.header_extensions}
