"""SRTP sessions against another implementation, against damage, replays, wraps and many streams."""

import gc

import psutil
import pylibsrtp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.srtp import Profile, SrtpError, SrtpSession
from tests.srtp_packets import DTLS_PROFILES, Peer, key_of, rtcp, rtp

PROFILES = pytest.mark.parametrize("profile", Profile)
TAG = {Profile.AES128_CM_SHA1_32: 4, Profile.AES256_CM_SHA1_32: 4, Profile.AEAD_AES_128_GCM: 16}
TAG |= {Profile.AEAD_AES_256_GCM: 16, Profile.AES128_CM_SHA1_80: 10, Profile.AES256_CM_SHA1_80: 10}


def pair(profile, **options):
    ours, theirs = key_of(profile, 1), key_of(profile, 2)
    return SrtpSession(profile, ours, theirs, **options), SrtpSession(profile, theirs, ours, **options)


def refusal(function, packet):
    with pytest.raises(SrtpError) as caught:
        function(packet)
    return caught.value.reason


@PROFILES
def test_what_is_protected_comes_back(profile):
    alice, bob = pair(profile)
    for seq in range(100, 110):
        packet = rtp(seq, payload=bytes(range(seq)))
        protected = alice.protect(packet)
        assert len(protected) == len(packet) + TAG[profile] and protected[:12] == packet[:12]
        assert protected[12 : len(packet)] != packet[12:]
        assert bob.unprotect(protected) == packet
        report = rtcp(fill=seq)
        protected = alice.protect_rtcp(report)
        assert len(protected) == len(report) + 4 + (16 if TAG[profile] == 16 else 10)
        assert bob.unprotect_rtcp(protected) == report


def outcome(function, packet):
    try:
        return function(packet)
    except (SrtpError, pylibsrtp.Error):
        return None


JUMPS = st.integers(-200, 200) | st.sampled_from([-40000, 20000, 32767, 32768, 40000])


@pytest.mark.parametrize("profile", DTLS_PROFILES)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(JUMPS, st.integers(0, 2)), min_size=1, max_size=60),
    st.lists(st.integers(0, 1000), max_size=90),
    st.integers(0, 0x7FFF),
    st.binary(min_size=1, max_size=60),
)
def test_bytes_and_decisions_are_those_of_pylibsrtp(profile, steps, arrivals, start, payload):
    alice, bob = pair(profile)
    ours, theirs = key_of(profile, 1), key_of(profile, 2)
    alice_there, bob_there = Peer(profile, ours, theirs), Peer(profile, theirs, ours)
    seqs, first, sent = [start] * 3, {}, []
    for step, which in steps:
        seqs[which] += step
        packet = rtp(seqs[which], 0x1000 + which, payload)
        protected = outcome(alice.protect, packet)
        assert protected == outcome(alice_there.out.protect, packet)
        if protected is not None:
            # we find a rollover counter of 1 in an SSRC's first packet, libsrtp does not: let both see it at 0
            first.setdefault(which, protected)
            sent.append(protected)
    for protected in [*first.values(), *(sent[i % len(sent)] for i in arrivals), *sent]:
        assert outcome(bob.unprotect, protected) == outcome(bob_there.inn.unprotect, protected)


@pytest.mark.parametrize("profile", DTLS_PROFILES)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=300), st.lists(st.integers(0, 1000), max_size=300))
def test_rtcp_decisions_are_those_of_pylibsrtp(profile, ssrcs, arrivals):
    alice, bob = pair(profile)
    ours, theirs = key_of(profile, 1), key_of(profile, 2)
    alice_there, bob_there = Peer(profile, ours, theirs), Peer(profile, theirs, ours)
    sent = []
    for number, ssrc in enumerate(ssrcs):
        packet = rtcp(0x77 + ssrc, number)
        sent.append(alice.protect_rtcp(packet))
        assert sent[-1] == alice_there.out.protect_rtcp(packet)
    for place in arrivals:
        protected = sent[place % len(sent)]
        assert outcome(bob.unprotect_rtcp, protected) == outcome(bob_there.inn.unprotect_rtcp, protected)


@PROFILES
def test_every_flipped_bit_and_every_truncation_is_refused(profile):
    alice, bob = pair(profile)
    bob.unprotect(alice.protect(rtp(1)))
    bob.unprotect_rtcp(alice.protect_rtcp(rtcp()))
    block = b"\xbe\xde\x00\x01\x10\xaa\x00\x00"
    for function, protected in (
        (bob.unprotect, alice.protect(rtp(2, csrcs=(7, 8), extension=block))),
        (bob.unprotect_rtcp, alice.protect_rtcp(rtcp())),
    ):
        for bit in range(8 * len(protected)):
            damaged = bytearray(protected)
            damaged[bit // 8] ^= 1 << bit % 8
            assert refusal(function, damaged).startswith("srtp_"), bit
        for size in range(len(protected)):
            assert refusal(function, protected[:size]).startswith("srtp_"), size
        assert refusal(function, protected + b"\0").startswith("srtp_")
        function(protected)
        assert refusal(function, protected) == "srtp_replay"


@PROFILES
def test_the_replay_window_holds_128_packets(profile):
    alice, bob = pair(profile)
    sent = [alice.protect(rtp(seq)) for seq in range(1000, 1130)]
    bob.unprotect(sent[0])
    bob.unprotect(sent[129])
    assert refusal(bob.unprotect, sent[0]) == "srtp_old"
    assert refusal(bob.unprotect, sent[1]) == "srtp_old"
    assert bob.unprotect(sent[2]) == rtp(1002)
    assert refusal(bob.unprotect, sent[2]) == "srtp_replay"
    for protected in sent[3:129][::-1]:
        bob.unprotect(protected)
    assert {refusal(bob.unprotect, protected) for protected in sent[2:]} == {"srtp_replay"}
    reports = [alice.protect_rtcp(rtcp(fill=n)) for n in range(130)]
    bob.unprotect_rtcp(reports[129])
    assert refusal(bob.unprotect_rtcp, reports[0]) == "srtp_old"
    assert refusal(bob.unprotect_rtcp, reports[1]) == "srtp_old"
    assert bob.unprotect_rtcp(reports[2]) == rtcp(fill=2)
    assert refusal(bob.unprotect_rtcp, reports[2]) == "srtp_replay"


@PROFILES
def test_three_wraps_with_loss_and_reordering(profile):
    alice, bob = pair(profile)
    waiting = []
    for number, seq in enumerate(range(30000, 30000 + 3 * 65536 + 50, 7)):
        waiting.append((alice.protect(rtp(seq)), rtp(seq)))
        if len(waiting) == 5:
            del waiting[number % 5]
            for protected, packet in waiting[::-1]:
                assert bob.unprotect(protected) == packet
            waiting = []


def test_the_rtcp_index_counts_up_for_each_ssrc():
    alice, _ = pair(Profile.AEAD_AES_128_GCM)
    for index in range(1, 5):
        for ssrc in (1, 2):
            assert alice.protect_rtcp(rtcp(ssrc))[-4:] == (0x80000000 | index).to_bytes(4, "big")


@PROFILES
def test_many_ssrcs_have_each_their_own_counters(profile):
    alice, bob = pair(profile)
    for seq in (65535, 65536):
        for ssrc in range(500):
            protected = alice.protect(rtp(seq + ssrc, ssrc))
            assert bob.unprotect(protected) == rtp(seq + ssrc, ssrc)
    assert refusal(bob.unprotect, protected) == "srtp_replay"


def test_ssrcs_come_and_go_without_a_leak():
    alice, bob = pair(Profile.AEAD_AES_128_GCM)
    process = psutil.Process()

    def cycle(count):
        for ssrc in range(count):
            bob.unprotect(alice.protect(rtp(9, ssrc)))
            bob.unprotect_rtcp(alice.protect_rtcp(rtcp(ssrc)))
            alice.remove_ssrc(ssrc)
            bob.remove_ssrc(ssrc)

    cycle(5000)
    gc.collect()
    before = process.memory_info().rss
    cycle(100_000)
    gc.collect()
    assert process.memory_info().rss - before < 1 << 20
    bob.remove_ssrc(12345)


def test_a_removed_ssrc_begins_anew():
    alice, bob = pair(Profile.AES128_CM_SHA1_80)
    protected = alice.protect(rtp(5))
    bob.unprotect(protected)
    bob.remove_ssrc(0x1234)
    assert bob.unprotect(protected) == rtp(5)


def test_a_caller_is_told_what_was_wrong():
    key = key_of(Profile.AEAD_AES_128_GCM)
    with pytest.raises(ValueError, match="no SRTP profile 99"):
        SrtpSession(99, key, key)
    with pytest.raises(ValueError, match="27 and 28 bytes where the profile has 28"):
        SrtpSession(Profile.AEAD_AES_128_GCM, key[1:], key)
    session = SrtpSession(Profile.AEAD_AES_128_GCM, key, key)
    with pytest.raises(TypeError):
        session.protect("text")
    with pytest.raises(TypeError):
        session.protect(5)
    assert refusal(session.protect, bytes(65536)) == "too_large"
    for function in (session.protect, session.unprotect, session.protect_rtcp, session.unprotect_rtcp):
        assert refusal(function, b"") == "srtp_short"
    assert session.protect(memoryview(bytearray(rtp(1)))) == SrtpSession(
        Profile.AEAD_AES_128_GCM, key, key
    ).protect(rtp(1))
