"""One packet under many keys, against the same packet under each key alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter._srtp_fanout import measure
from mediarouter.srtp import Profile, SrtpError, SrtpSession, available, protect_fanout
from tests.srtp_packets import key_of, rtp

LABELS = st.tuples(st.sampled_from(list(Profile)), st.sampled_from(available()), st.sampled_from([b"", b"mki"]))


def session(profile, backend, mki=b"", seed=3, **options):
    return SrtpSession(profile, key_of(profile, seed), key_of(profile, seed), backend=backend, local_mki=mki, **options)


def cut(made, offsets):
    return [bytes(made[a:b]) for a, b in zip(offsets[::2], offsets[1::2], strict=True)]


@settings(max_examples=150, deadline=None)
@given(st.lists(LABELS, max_size=40), st.binary(max_size=1300), st.booleans())
def test_each_destination_gets_what_it_would_get_alone(labels, payload, with_headers):
    packet = rtp(40, payload=payload, csrcs=(1,), extension=b"\xbe\xde\0\1\x10a\0\0")
    many = [session(*label, seed=i) for i, label in enumerate(labels)]
    alone = [session(*label, seed=i) for i, label in enumerate(labels)]
    headers = [rtp(50 + i, ssrc=i, payload=b"", csrcs=(i,) * (i % 4)) for i in range(len(many))]
    wanted = [s.protect(h + payload if with_headers else packet) for s, h in zip(alone, headers, strict=True)]
    assert cut(*protect_fanout(packet, many, headers=headers if with_headers else None)) == wanted


@pytest.mark.parametrize("backend", available())
@pytest.mark.parametrize("profile", Profile)
def test_one_refusal_spoils_no_other(profile, backend):
    many = [session(profile, backend, seed=i, local_lifetime=0 if i in (0, 3, 4, 9) else 5) for i in range(10)]
    packets = cut(*protect_fanout(rtp(7), many))
    for i, packet in enumerate(packets):
        assert packet == (b"" if i in (0, 3, 4, 9) else session(profile, backend, seed=i).protect(rtp(7)))
        assert many[i].packets_left[0] == (0 if i in (0, 3, 4, 9) else 4)


@pytest.mark.parametrize("profile", Profile)
def test_cryptex_in_a_fan_out(profile):
    packet = rtp(7, csrcs=(1, 2), extension=b"\xbe\xde\0\1\x10a\0\0")
    many = [session(profile, "ipsec-mb", seed=i, cryptex=i % 2 == 0) for i in range(6)]
    alone = [session(profile, "ipsec-mb", seed=i, cryptex=i % 2 == 0) for i in range(6)]
    assert cut(*protect_fanout(packet, many)) == [s.protect(packet) for s in alone]


def test_a_buffer_of_the_caller_is_used():
    many = [session(Profile.AEAD_AES_128_GCM, None, seed=i) for i in range(3)]
    room = bytearray(b"\xee") * (3 * (len(rtp(1)) + 144) + 5)
    made, offsets = protect_fanout(rtp(1), many, room)
    assert made is room and len(offsets) == 6 and room[-5:] == b"\xee" * 5
    assert protect_fanout(rtp(1), [], room) == (room, [])


def test_a_caller_is_told_what_was_wrong():
    one = session(Profile.AEAD_AES_128_GCM, None)
    for packet in (b"", bytes(11), bytes(65536), rtp(1)[:1] + b"\xff" * 11, b"\x9f" + bytes(20)):
        with pytest.raises(ValueError):
            protect_fanout(packet if packet[:1] != b"\x80" else b"\x90" + bytes(11), [one])
    with pytest.raises(ValueError, match="twice"):
        protect_fanout(rtp(1), [one, one])
    with pytest.raises(ValueError, match="header a session"):
        protect_fanout(rtp(1), [one], headers=[])
    with pytest.raises(ValueError, match="last byte"):
        protect_fanout(rtp(1), [one], headers=[bytes(13)])
    with pytest.raises(ValueError, match="room for 20"):
        protect_fanout(rtp(1), [one], bytearray(20))
    with pytest.raises(TypeError):
        protect_fanout(rtp(1), [None])
    with pytest.raises((BufferError, ValueError)):
        protect_fanout(rtp(1), [one], bytes(300))
    assert one.ssrc_count == (0, 0)
    with pytest.raises(SrtpError):
        one.unprotect(one.protect(rtp(1))[:-1])


@pytest.mark.parametrize("backend", available())
@pytest.mark.parametrize("profile", Profile)
def test_the_measure_protects_what_it_says(profile, backend):
    many = [session(profile, backend, seed=i) for i in range(20)]
    assert measure(rtp(1, payload=bytes(100)), many, 5) == 100
    assert {s.packets_left[0] for s in many} == {(1 << 48) - 5}
