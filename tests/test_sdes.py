"""Keys in SDP: RFC 4568's examples, malice, and FFmpeg at the other end."""

import base64
import os
import socket
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.errors import NegotiationError
from mediarouter.sdes import SUITES, CryptoAttribute, MasterKey, answer, choose, create_session
from mediarouter.srtp import Profile, SrtpError, available
from tests.srtp_packets import rtp

# RFC 4568 sections 4.1, 5.1.2 (folded lines joined) and 6.1
RFC = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32"
F8 = "a=crypto:2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4 FEC_ORDER=FEC_SRTP"
TWO_KEYS = (
    "a=crypto:2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;"
    "inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4 FEC_ORDER=FEC_SRTP"
)
SHORT = "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32"


def line(suite="AES_CM_128_HMAC_SHA1_80", tag=1, fill=7, **options):
    size = SUITES[suite].key_size + SUITES[suite].salt_size
    return CryptoAttribute(tag, suite, (MasterKey(bytes((fill,)) * size, **options),))


@pytest.mark.parametrize("text", [RFC, F8, TWO_KEYS, SHORT])
def test_the_rfcs_examples(text):
    parsed = CryptoAttribute.parse(text)
    assert str(parsed) == text
    assert parsed.keys[0].lifetime == 1 << 20 and parsed.keys[0].mki[-1] == 1
    assert len(parsed.keys[0].key) == 30


def test_what_we_cannot_do_is_not_chosen():
    offer = [CryptoAttribute.parse(text) for text in (F8, TWO_KEYS, SHORT + " KDR=3", SHORT + " UNENCRYPTED_SRTP", RFC)]
    assert [item.usable for item in offer] == [False, False, False, False, True]
    assert choose(offer) is offer[4] and choose(offer[:4]) is None
    assert choose(offer, ["AEAD_AES_128_GCM"]) is None
    assert CryptoAttribute.parse(SHORT + " -X=1 KDR=0").usable and not CryptoAttribute.parse(SHORT + " X=1").usable
    with pytest.raises(NegotiationError, match="not known"):
        create_session(offer[3], offer[3])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a=crypto:",
        "a=crypto:x AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        "a=crypto:1 AEAD_AES_256_GCM inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 uri:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVB=",
        RFC.replace("2^20", "2^49"),
        RFC.replace("2^20", "0"),
        RFC.replace("1:32", "256:1"),
        RFC.replace("1:32", "1:0"),
        RFC.replace("1:32", "1:121"),
        RFC.replace("|1:32", "") + ";inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR",
        RFC + "\na=x",
        "a=crypto:1234567890 " + RFC[11:],
    ],
)
def test_malformed_lines_are_refused(text):
    with pytest.raises(NegotiationError):
        CryptoAttribute.parse(text)


@pytest.mark.parametrize("suite", SUITES)
def test_truncations_and_flips_are_lines_or_errors(suite):
    text = str(line(suite, lifetime=1 << 31, mki=b"\0\2"))
    damaged = [text[:size] for size in range(len(text))]
    damaged += [text[:i] + chr(ord(text[i]) ^ 1 << bit) + text[i + 1 :] for i in range(len(text)) for bit in range(8)]
    for item in damaged:
        try:
            again = CryptoAttribute.parse(item)
        except NegotiationError:
            continue
        assert CryptoAttribute.parse(str(again)) == again


@given(
    st.text(max_size=80)
    | st.from_regex(r"a=crypto:\d+ \w+ inline:[A-Za-z0-9+/=]+(\|2\^\d\d)?(\|\d+:\d+)?", fullmatch=True)
)
def test_any_text_is_a_line_or_an_error(text):
    try:
        parsed = CryptoAttribute.parse(text)
    except NegotiationError:
        return
    assert CryptoAttribute.parse(str(parsed)) == parsed


@pytest.mark.parametrize("backend", available())
@pytest.mark.parametrize("suite", SUITES)
def test_offer_and_answer_make_sessions_that_understand_each_other(suite, backend):
    offer = CryptoAttribute.parse(str(line(suite, tag=5, lifetime=4, mki=b"\1")))
    size = len(offer.keys[0].key)
    reply = CryptoAttribute.parse(str(answer(choose([offer]), bytes(range(size)), mki=b"\0\0\0\2")))
    assert (reply.tag, reply.suite) == (5, suite)
    alice, bob = create_session(offer, reply, backend=backend), create_session(reply, offer, backend=backend)
    assert bob.unprotect(alice.protect(rtp(1))) == rtp(1)
    assert alice.unprotect(bob.protect(rtp(1))) == rtp(1)
    assert alice.packets_left[0] == 3 and bob.packets_left[0] == (1 << 48) - 1


def test_a_caller_is_told_what_was_wrong():
    offer = line()
    with pytest.raises(ValueError, match="another than the offer's"):
        answer(offer, offer.keys[0].key)
    with pytest.raises(ValueError, match="3 bytes"):
        answer(offer, b"key")
    for other in (line(tag=2), line("AES_CM_128_HMAC_SHA1_32")):
        with pytest.raises(NegotiationError, match="another tag or suite"):
            create_session(offer, other)


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"])
def test_ffmpeg_sends_what_we_can_open(suite):
    key = os.urandom(30)
    text = f"a=crypto:1 {suite} inline:{base64.b64encode(key).decode()}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(20)
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=0.5", "-c:a", "pcm_mulaw", "-ar", "8000"]
        command += ["-f", "rtp", "-srtp_out_suite", suite, "-srtp_out_params", base64.b64encode(key).decode()]
        port = receiver.getsockname()[1]
        with subprocess.Popen([*command, f"srtp://127.0.0.1:{port}"], stdout=subprocess.DEVNULL) as ffmpeg:
            received = [receiver.recv(2048) for _ in range(15)]
            ffmpeg.kill()
    offer = CryptoAttribute.parse(text)
    for backend in available():
        session = create_session(answer(offer, bytes(30)), offer, backend=backend)
        opened = [session.unprotect(p) for p in received if not 192 <= p[1] <= 223]
        assert len(opened) > 5 and all(p[1] & 0x7F == 0 for p in opened)
        assert any(len(set(p[12:])) > 8 for p in opened)
        with pytest.raises(SrtpError):
            session.unprotect(received[-1])
    assert offer.profile in (Profile.AES128_CM_SHA1_80, Profile.AES128_CM_SHA1_32)
