"""Offers and answers of the benchmark's clients: what routers said is read, what clients say others can read."""

from pathlib import Path

import pytest
import sdp_transform
from aiortc.sdp import SessionDescription as AiortcDescription
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.bench.peers.descriptions import (
    LocalTransport,
    publishing_offer,
    read_candidate,
    read_transport,
    receiving_answer,
    subscribing_offer,
    transport_cc_id,
)
from mediarouter.errors import NegotiationError
from mediarouter.parameters import DtlsFingerprint, IceParameters

VECTORS = Path(__file__).parents[2] / "vectors" / "peers"
TOLD = sorted(VECTORS.glob("*.txt"))
JANUS_OFFER = (VECTORS / "janus_subscriber.txt").read_text()
LOCAL = LocalTransport(
    IceParameters("ours", "p" * 32), DtlsFingerprint("sha-256", ":".join(["AB"] * 32)), "127.0.0.1", 40000
)


@pytest.mark.parametrize("path", TOLD, ids=lambda p: p.stem)
def test_transports_that_routers_told_are_read_as_sdp_transform_reads_them(path):
    text = path.read_text()
    remote, theirs = read_transport(text), sdp_transform.parse(text)
    section = theirs["media"][0]
    assert remote.ice.username_fragment == str(section["iceUfrag"])
    assert remote.ice.password == str(section["icePwd"])
    fingerprint = section.get("fingerprint") or theirs["fingerprint"]
    assert [f.value for f in remote.dtls.fingerprints] == [fingerprint["hash"]]
    told = [c for c in section.get("candidates", ()) if c["component"] == 1 and c["protocol"] == "udp"]
    assert [(c.address, c.port) for c in remote.candidates] == [(c["ip"], c["port"]) for c in told]
    roles = {"active": "client", "passive": "server", "actpass": "auto"}
    assert remote.dtls.role == roles[section["setup"]]


def test_an_offer_to_publish_is_what_aiortc_expects():
    offer = publishing_offer(LOCAL, payload_type=96, extension_ids=(4, 2, 3), ssrc=1000)
    media = AiortcDescription.parse(offer).media[0]
    assert (media.kind, media.direction, media.rtcp_mux) == ("video", "sendonly", True)
    assert [(c.mimeType, c.payloadType) for c in media.rtp.codecs] == [("video/VP8", 96)]
    assert [e.id for e in media.rtp.headerExtensions] == [4, 2, 3]
    assert [(c.ip, c.port, c.protocol) for c in media.ice_candidates] == [("127.0.0.1", 40000, "udp")]
    assert (media.dtls.role, media.ice.usernameFragment, media.ssrc[0].ssrc) == ("client", "ours", 1000)
    assert transport_cc_id(offer) == 3


def test_an_offer_to_subscribe_has_a_section_for_each_stream():
    offer = AiortcDescription.parse(subscribing_offer(LOCAL, 3, payload_type=96, extension_ids=(4, 2, 3)))
    assert [(m.kind, m.direction, m.rtp.muxId) for m in offer.media] == [
        ("video", "recvonly", str(index)) for index in range(3)
    ]
    assert offer.group[0].items == ["0", "1", "2"]


def test_an_answer_takes_vp8_with_the_offerers_numbers():
    answer = AiortcDescription.parse(receiving_answer(JANUS_OFFER, LOCAL)).media[0]
    assert (answer.direction, answer.rtp.muxId, answer.fmt) == ("recvonly", "0", [96])
    offered = {e.uri: e.id for e in AiortcDescription.parse(JANUS_OFFER).media[0].rtp.headerExtensions}
    assert {e.uri: e.id for e in answer.rtp.headerExtensions} == offered
    feedback = {f"{f.type} {f.parameter or ''}".strip() for f in answer.rtp.codecs[0].rtcpFeedback}
    assert feedback == {"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"}
    assert transport_cc_id(JANUS_OFFER) == 3


def test_an_answer_refuses_everything_else():
    audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n"
    video = JANUS_OFFER[JANUS_OFFER.index("m=video") :]
    sent = audio + video.replace("a=sendonly", "a=recvonly").replace("a=mid:0", "a=mid:2")
    answer = sdp_transform.parse(receiving_answer(JANUS_OFFER + sent, LOCAL))
    assert [(m["port"], m["mid"]) for m in answer["media"]] == [(9, 0), (0, 1), (0, 2)]
    assert answer["groups"][0]["mids"] == 0
    assert transport_cc_id(audio := "v=0\r\n" + audio) == 0
    with pytest.raises(NegotiationError, match="credentials"):
        read_transport(audio)
    with pytest.raises(NegotiationError, match="refused"):
        read_transport("v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\n")


def test_data_channels_may_carry_the_transport_alone():
    begin = (VECTORS / "livekit_begin.txt").read_text()
    answer = sdp_transform.parse(receiving_answer(begin, LOCAL))
    assert [(m["type"], m["port"], m["sctpPort"]) for m in answer["media"]] == [("application", 9, 5000)]
    later = sdp_transform.parse(receiving_answer((VECTORS / "livekit_subscriber.txt").read_text(), LOCAL))
    assert [(m["type"], m["port"]) for m in later["media"]] == [("application", 9), ("video", 9)]
    assert later["groups"][0]["mids"] == "0 1" and later["media"][1]["payloads"] == 96
    assert read_transport(begin).ice.ice_lite and not read_transport(JANUS_OFFER).ice.ice_lite


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("candidate:1 1 udp 2130706431 127.0.0.1 60226 typ host", ("127.0.0.1", 60226)),
        ("9 1 UDP 5 fd00::2 1 typ host generation 0", ("fd00::2", 1)),
        ("1 2 udp 5 127.0.0.1 60226 typ host", None),
        ("1 1 tcp 5 127.0.0.1 9 typ host tcptype active", None),
        ("1 1 udp 5 203.0.113.5 99 typ srflx raddr 0.0.0.0 rport 0", None),
        ("1 1 udp 5 127.0.0.1 0 typ host", None),
        ("1 1 udp 5 127.0.0.1 65536 typ host", None),
    ],
)
def test_candidates_of_hosts_for_udp_are_taken(value, found):
    candidate = read_candidate(value)
    assert (candidate and (candidate.address, candidate.port)) == found


@pytest.mark.parametrize(
    "value", ["", "1 1 udp 5 127.0.0.1", "1 1 udp \u00b2 127.0.0.1 9 typ host", "1 1 udp 5 a -1 typ host"]
)
def test_malformed_candidates_are_told(value):
    with pytest.raises(NegotiationError, match="malformed"):
        read_candidate(value)


@pytest.mark.parametrize("path", TOLD, ids=lambda p: p.stem)
def test_what_is_cut_or_flipped_raises_one_error_at_most(path):
    data = path.read_bytes()
    cut = [data[:size] for size in range(len(data))]
    flipped = [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(7)]
    errors = 0
    for text in (changed.decode("latin-1") for changed in cut + flipped):
        try:
            read_transport(text)
            receiving_answer(text, LOCAL)
        except NegotiationError:
            errors += 1
    assert len(cut) // 2 < errors < len(cut) + len(flipped)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text):
    for read in (read_transport, read_candidate, transport_cc_id, lambda text: receiving_answer(text, LOCAL)):
        try:
            read(f"v=0\nm=video 9 X 96\na={text}")
        except NegotiationError:
            pass
