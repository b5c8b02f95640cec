"""Header extensions under SRTP (RFC 6904): what every backend masks, against the RFC written out in Python."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.srtp import Profile, SrtpError, SrtpSession, available
from tests import srtp_reference as reference
from tests.srtp_packets import key_of, rtp

BACKENDS = pytest.mark.parametrize("backend", available())
PROFILES = pytest.mark.parametrize("profile", Profile)
IDS = {2, 5, 14, 200}

BLOCKS = {
    "padding between": b"\xbe\xde\0\4" + b"\x21ab" + b"\0\0\0" + b"\x52cde" + b"\0" + b"\xe0f" + b"\0\0\0",
    "padding before": b"\xbe\xde\0\3" + b"\0\0\0" + b"\x22abc" + b"\x30g" + b"\0\0\0",
    "two-byte, padding between": b"\x10\0\0\5" + b"\2\2ab" + b"\0\0\0\0\0" + b"\xc8\4cdef" + b"\0" + b"\5\0" + b"\0\0",
    "two-byte, padding before": b"\x10\0\0\2" + b"\0\0\0" + b"\2\3abc",
    "two-byte, appbits": b"\x10\x07\0\2" + b"\2\1a\0" + b"\5\2bc",
    "nothing but padding": b"\xbe\xde\0\2" + bytes(8),
    "no bytes at all": b"\xbe\xde\0\0",
}


def sessions(profile, **options):
    keys = key_of(profile, 1), key_of(profile, 2)
    return [SrtpSession(profile, *keys, backend=b, encrypted_extensions=IDS, **options) for b in available()]


def receivers(profile):
    keys = key_of(profile, 2), key_of(profile, 1)
    return [SrtpSession(profile, *keys, backend=name, encrypted_extensions=IDS) for name in available()]


def expected(profile, packet, roc=0):
    master = key_of(profile, 1)
    keys = reference.derived(profile, master, reference.RTP)
    return reference.protected(profile, keys, reference.masked(profile, master, packet, IDS, roc), roc)


def outcome(function, packet):
    try:
        return function(packet)
    except SrtpError as error:
        return error.reason


@PROFILES
@pytest.mark.parametrize("name", BLOCKS)
def test_padding_takes_its_bytes_of_the_keystream(profile, name):
    """Section 4; libsrtp's own loop takes none for it, so that its values behind padding are other ones."""
    packet = rtp(7, csrcs=(1, 2), extension=BLOCKS[name])
    for sender, receiver in zip(sessions(profile), receivers(profile), strict=True):
        protected = sender.protect(packet)
        assert protected == expected(profile, packet)
        assert receiver.unprotect(protected) == packet


ELEMENT = st.tuples(st.sampled_from([1, 2, 5, 9, 14]), st.binary(min_size=1, max_size=16), st.integers(0, 5))
LONG_ELEMENT = st.tuples(st.sampled_from([1, 2, 15, 200, 255]), st.binary(max_size=255), st.integers(0, 5))


def block_of(elements, two_byte, before):
    body = bytes(before)
    for element, value, padding in elements:
        head = bytes((element, len(value))) if two_byte else bytes((element << 4 | len(value) - 1,))
        body += head + value + bytes(padding)
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", 0x1000 if two_byte else 0xBEDE, len(body) // 4) + body


@st.composite
def blocks(draw):
    two_byte = draw(st.booleans())
    elements = draw(st.lists(LONG_ELEMENT if two_byte else ELEMENT, max_size=6))
    return block_of(elements, two_byte, draw(st.integers(0, 3)))


@PROFILES
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-60, 30000), blocks()), min_size=1, max_size=12), st.integers(0, 0x7FFF))
def test_backends_mask_alike_over_wraps_and_out_of_order(profile, steps, seq):
    senders, takers, newest, sent = sessions(profile), receivers(profile), seq, []
    for step, block in steps:
        seq = max(newest + step, 0)
        newest = max(newest, seq)
        packet = rtp(seq, extension=block)
        made = {sender.protect(packet) for sender in senders}
        assert made == {expected(profile, packet, seq >> 16)}
        sent.append((made.pop(), packet))
    for taker in takers:
        opened = [outcome(taker.unprotect, protected) for protected, _ in sent]
        first = {protected: packet for protected, packet in sent}
        for (protected, _), got in zip(sent, opened, strict=True):
            assert got in (first[protected], "srtp_replay", "srtp_old")


@PROFILES
def test_a_first_packet_behind_a_wrap_and_one_of_a_told_counter(profile):
    packet = rtp(5, extension=BLOCKS["padding between"])
    for receiver in receivers(profile):
        assert receiver.unprotect(expected(profile, packet, roc=1)) == packet
        assert receiver.rollover_counter(0x1234) == 1
    for receiver in receivers(profile):
        receiver.set_rollover_counter(0x1234, 77)
        assert receiver.unprotect(expected(profile, packet, roc=77)) == packet
    for sender in sessions(profile):
        sender.set_rollover_counter(0x1234, 77, remote=False)
        assert sender.protect(packet) == expected(profile, packet, roc=77)


@PROFILES
def test_every_flipped_bit_and_every_truncation_is_named_alike(profile):
    for block in BLOCKS.values():
        protected = expected(profile, rtp(7, extension=block))
        takers = receivers(profile)
        for bit in range(8 * len(protected)):
            damaged = bytearray(protected)
            damaged[bit // 8] ^= 1 << bit % 8
            said = {outcome(taker.unprotect, damaged) for taker in takers}
            assert len(said) == 1 and said <= {"srtp_auth", "srtp_failed"}, (bit, said)
        for size in range(len(protected)):
            said = {outcome(taker.unprotect, protected[:size]) for taker in takers}
            assert len(said) == 1 and said <= {"srtp_auth", "srtp_failed", "srtp_short"}, (size, said)
        assert len({outcome(taker.unprotect, protected) for taker in takers}) == 1


@BACKENDS
@pytest.mark.parametrize(
    "block",
    [
        b"\xbe\xde\0\1\x2f\0\0\0",  # a value that runs past the end
        b"\x10\0\0\1\2\3ab",
        b"\x77\x77\0\1abcd",  # no form of RFC 8285
        b"\xbe\xde\4\1" + bytes(4100),  # larger than is masked
    ],
)
def test_what_cannot_be_masked_is_refused_and_changes_nothing(backend, block):
    profile = Profile.AEAD_AES_128_GCM
    session = SrtpSession(profile, key_of(profile, 1), key_of(profile, 2), backend=backend, encrypted_extensions=IDS)
    assert outcome(session.protect, rtp(40000, extension=block)) == "srtp_failed"
    assert session.ssrc_count == (0, 0)
    assert session.packets_left[0] == 1 << 48
    good = rtp(1, extension=BLOCKS["padding before"])
    assert session.protect(good) == expected(profile, good)
