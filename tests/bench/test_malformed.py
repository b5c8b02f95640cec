"""Malformed packets are what they are said to be, and a router counts each and forwards none."""

import struct

import pytest

from mediarouter import rtp
from mediarouter.bench.malformed import Malformed
from mediarouter.srtp import Profile, SrtpError, SrtpSession
from tests.virtual import CLIENT_KEY, ROUTER_KEY, Call, publish_video, watch

PROFILE = Profile.AEAD_AES_128_GCM


def session() -> SrtpSession:
    return SrtpSession(PROFILE, CLIENT_KEY, ROUTER_KEY)


def makers() -> tuple[Malformed, SrtpSession]:
    return Malformed(session(), session, 5, 96), SrtpSession(PROFILE, ROUTER_KEY, CLIENT_KEY)


@pytest.mark.parametrize("kind", ["bit_flipped", "truncated", "random_rtp", "huge_extension"])
def test_what_is_broken_does_not_pass_authentication(kind):
    malformed, other = makers()
    for _ in range(200):
        data = malformed.make(kind)
        with pytest.raises((SrtpError, ValueError)):
            rtp.parse(other.unprotect(data))


def test_what_is_authentic_passes_and_is_wrong_inside():
    malformed, other = makers()
    assert {rtp.parse(other.unprotect(malformed.make("wrong_ssrc"))).ssrc for _ in range(50)} - {5}
    for _ in range(50):
        assert len(other.unprotect_rtcp(malformed.make("garbage_in_valid_rtcp"))) >= 12


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("random_rtp", "RTP"), ("random_rtcp", "RTCP"), ("random_stun", "STUN"), ("random_dtls", "DTLS")],
)
def test_first_bytes_are_those_of_a_protocol(kind, expected):
    malformed, _ = makers()
    kinds = [rtp.packet_kind(data).name for data in (malformed.make(kind) for _ in range(100)) if len(data) > 1]
    assert kinds.count(expected) >= 0.7 * len(kinds)


def test_strays_never_end_though_no_session_knows_so_many():
    malformed, _ = makers()
    assert len({malformed.make("wrong_ssrc")[8:12] for _ in range(6000)}) > 5900


def test_the_same_seed_makes_the_same():
    first, second = makers()[0], makers()[0]
    assert [first.make(kind) for kind in Malformed.KINDS] == [second.make(kind) for kind in Malformed.KINDS]


def test_a_huge_extension_says_so():
    data = makers()[0].make("huge_extension")
    assert data[0] & 0x10 and struct.unpack_from("!H", data, 14) == (0xFFFF,)


def test_a_router_forwards_nothing_of_it():
    call = Call()
    publisher, viewer = call.peer(), call.peer()
    watch(viewer, publish_video(publisher, ("q",)))
    malformed = Malformed(publisher.srtp, session, 5, 96)
    for number in range(40 * len(Malformed.KINDS)):
        data = malformed.make(Malformed.KINDS[number % len(Malformed.KINDS)])
        call.deliver(data, publisher.address)
        call.run(1000)
    assert viewer.rtp == []
    assert sum(call.dropped().values()) >= 7 * 40
