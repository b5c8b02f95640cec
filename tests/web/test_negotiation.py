"""Offers of real clients, and what is answered."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from aiortc.sdp import SessionDescription as AiortcDescription

from mediarouter.errors import NegotiationError
from mediarouter.ortc import get_consumer_rtp_parameters, get_router_rtp_capabilities, reports_by_stream
from mediarouter.parameters import (
    DEFAULT_CODECS,
    TRANSPORT_CC,
    TRANSPORT_CC_02,
    DtlsFingerprint,
    DtlsParameters,
    IceCandidate,
    IceParameters,
)
from mediarouter.sdp import SessionDescription
from mediarouter.web.negotiation import read_fragment, read_offer, write_answer, write_fragment

VECTORS = Path(__file__).parent.parent / "vectors" / "sdp"
ROUTER = get_router_rtp_capabilities(DEFAULT_CODECS)
TRANSPORT = SimpleNamespace(
    ice_parameters=IceParameters("AAAAufrag", "p" * 24, True),
    ice_candidates=(
        IceCandidate("u", 2, "127.0.0.1", "udp", 5000),
        IceCandidate("t", 1, "127.0.0.1", "tcp", 5000, tcp_type="passive"),
    ),
    dtls_parameters=DtlsParameters((DtlsFingerprint("sha-256", ":".join(["AB"] * 32)),), "server"),
)
ALL = sorted(VECTORS.glob("*.txt"))


def offer_of(name: str):
    return read_offer((VECTORS / f"{name}.txt").read_text(), ROUTER)


def producers_for(offer):
    return {s.mid: SimpleNamespace(rtp_parameters=s.rtp_parameters) for s in offer.sending()}


def answer_to(offer, **given) -> SessionDescription:
    return SessionDescription.parse(write_answer(offer, TRANSPORT, **given))


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_answers_mirror_their_offers(path):
    offer = read_offer(path.read_text(), ROUTER)
    answer = answer_to(offer, producers=producers_for(offer))
    assert [m.kind for m in answer.media] == [m.kind for m in offer.description.media]
    assert answer.get("ice-lite") == ""
    accepted = [s.mid for s in offer.sections if not s.rejected]
    assert answer.bundle == accepted
    for media, section in zip(answer.media, offer.sections, strict=True):
        assert (media.port == 0) == section.rejected
        if not section.rejected:
            assert media.get("setup") == "passive" and media.get("fingerprint") and media.get("ice-ufrag")
            assert set(media.formats) <= set(offer.description.media[answer.media.index(media)].formats)
    first = next(m for m in answer.media if m.port)
    assert len(first.all("candidate")) == 2
    AiortcDescription.parse(str(answer))


def test_simulcast_is_taken_and_turned_round():
    offer = offer_of("chromium-vp8sim")
    video = answer_to(offer, producers=producers_for(offer)).media[1]
    assert video.all("rid") == ["q recv", "h recv", "f recv"]
    assert video.get("simulcast") == "recv q;h;f"
    assert not any("dependency" in e or "layers-allocation" in e for e in video.all("extmap"))
    assert video.direction == "recvonly"


def test_firefox_directions_are_turned_round():
    offer = offer_of("firefox-vp8sim")
    video = answer_to(offer, producers=producers_for(offer)).media[1]
    assert any(value.startswith("9/recvonly ") and value.endswith("rtp-stream-id") for value in video.all("extmap"))


def test_cryptex_is_not_echoed():
    offer = offer_of("wrtc-VP8-sim")
    assert "cryptex" not in str(answer_to(offer, producers=producers_for(offer)))


def test_data_channels_are_declined_and_the_rest_goes_on():
    offer = offer_of("wrtc-VP9-L3T3_KEY")
    answer = answer_to(offer, producers=producers_for(offer))
    assert [m.port == 0 for m in answer.media] == [False, False, True]


def test_a_viewer_is_told_its_streams_or_to_wait():
    offer = offer_of("chromium-recvonly-video")
    (section,) = offer.receiving("video")
    sent = offer_of("chromium-vp8sim").sending()[1].rtp_parameters
    parameters = get_consumer_rtp_parameters(
        sent, section.rtp_capabilities, mid=section.mid, ssrc=11, rtx_ssrc=12, cname="cn"
    )
    consumer = SimpleNamespace(rtp_parameters=parameters, producer_id="track")
    media = answer_to(offer, consumers={section.mid: consumer}).media[0]
    assert media.get("ssrc-group") == "FID 11 12" and media.get("msid") == "cn track"
    assert media.direction == "sendonly"
    waiting = answer_to(offer, waiting=[section.mid]).media[0]
    assert waiting.direction == "sendonly" and waiting.get("ssrc") is None
    idle = answer_to(offer).media[0]
    assert idle.direction == "inactive" and idle.port


def test_a_client_that_insists_on_being_the_server_is_called():
    text = (VECTORS / "chromium-h264.txt").read_text().replace("setup:actpass", "setup:passive")
    offer = read_offer(text, ROUTER)
    assert offer.dtls_parameters.role == "server"
    client = SimpleNamespace(
        **{**vars(TRANSPORT), "dtls_parameters": DtlsParameters(TRANSPORT.dtls_parameters.fingerprints, "client")}
    )
    assert SessionDescription.parse(write_answer(offer, client)).media[0].get("setup") == "active"


def offer_with_ccfb(*without: str):
    """A real offer, with the feedback of RFC 8888 in each section, and without lines that hold one of some words."""
    lines = (VECTORS / "chromium-vp8sim.txt").read_text().splitlines()
    kept = [line for line in lines if not any(word in line for word in without)]
    text = [more for line in kept for more in ((line, "a=rtcp-fb:* ack ccfb") if line == "a=rtcp-mux" else (line,))]
    return read_offer("\r\n".join(text) + "\r\n", ROUTER)


@pytest.mark.parametrize("without", [("rtcp-fb:111 transport-cc", "rtcp-fb:96 transport-cc"), ("transport-wide-cc",)])
def test_where_there_are_no_transport_wide_numbers_rfc_8888_is_agreed(without):
    offer = offer_with_ccfb(*without)
    for section in offer.sending():
        assert reports_by_stream(section.rtp_parameters)
    answer = answer_to(offer, producers=producers_for(offer))
    accepted = [media for media in answer.media if media.port]
    assert accepted and all(media.all("rtcp-fb").count("* ack ccfb") == 1 for media in accepted)


def test_where_one_section_has_transport_wide_numbers_rfc_8888_is_not_agreed():
    """Both in one answer would leave it to the client which to give."""
    for without in ((), ("rtcp-fb:111 transport-cc",)):
        offer = offer_with_ccfb(*without)
        for section in offer.sending():
            assert not reports_by_stream(section.rtp_parameters)
        for given in ({"producers": producers_for(offer)}, {"waiting": [s.mid for s in offer.sections]}, {}):
            assert "ccfb" not in str(answer_to(offer, **given))


@pytest.mark.parametrize("both", [False, True])
def test_numbers_with_feedback_on_request_are_taken_where_there_are_no_others(both):
    text = (VECTORS / "chromium-vp8sim.txt").read_text()
    line = f"a=extmap:3 {TRANSPORT_CC}"
    assert text.count(line) == 2
    asked = f"a=extmap:13 {TRANSPORT_CC_02}"
    offer = read_offer(text.replace(line, f"{line}\r\n{asked}" if both else asked), ROUTER)
    for section in offer.sending():
        uris = [extension.uri for extension in section.rtp_parameters.header_extensions]
        assert (TRANSPORT_CC in uris, TRANSPORT_CC_02 in uris) == (both, not both)
    answer = str(answer_to(offer, producers=producers_for(offer)))
    assert (line in answer, asked in answer) == (both, not both)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("a=ice-ufrag", "a=x-ufrag", "credentials"),
        ("a=fingerprint", "a=x-fingerprint", "fingerprint"),
        ("a=setup:actpass", "a=setup:holdconn", "holdconn"),
        ("a=mid:1", "a=mid:0", "twice"),
        ("a=group:BUNDLE", "a=group:LS", "bundle"),
    ],
)
def test_offers_that_cannot_be_answered_say_why(old, new, reason):
    text = (VECTORS / "chromium-vp8sim.txt").read_text().replace(old, new)
    with pytest.raises(NegotiationError, match=reason):
        read_offer(text, ROUTER)


@pytest.mark.parametrize("cut", range(0, 3800, 37))
def test_a_truncated_offer_is_refused_or_read(cut):
    try:
        read_offer((VECTORS / "chromium-vp8sim.txt").read_text()[:cut], ROUTER)
    except NegotiationError:
        pass


def test_fragments():
    fragment = read_fragment(
        "a=ice-ufrag:abcd\r\na=ice-pwd:efgh\r\nm=audio 9 x 0\r\na=candidate:1 1 udp 1 1.2.3.4 5 typ host"
    )
    assert fragment.ice_parameters == IceParameters("abcd", "efgh") and fragment.candidate_count == 1
    assert read_fragment(write_fragment(TRANSPORT)).candidate_count == 2
    for text in ("", "a=ice-ufrag:x", "nonsense"):
        with pytest.raises(NegotiationError):
            read_fragment(text)
