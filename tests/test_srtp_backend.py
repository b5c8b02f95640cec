"""Which backend encrypts, and that both decide alike whatever comes."""

import os
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mediarouter.srtp
from mediarouter import _srtp_backend, _srtp_libsrtp, _srtp_policy, _srtp_streams
from mediarouter.srtp import Profile, SrtpError, SrtpSession, available
from tests.srtp_packets import key_of, rtcp, rtp


def run(backend):
    environment = {**os.environ, "MEDIAROUTER_SRTP_BACKEND": backend}
    script = "import mediarouter.srtp as s; print(s.backend, s.SrtpSession(7, bytes(28), bytes(28)).backend)"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)


def test_the_fastest_that_agrees_with_libsrtp_is_the_default():
    assert available()[0] == "libsrtp" and _srtp_backend.problems["libsrtp"] == ""
    if not os.environ.get("MEDIAROUTER_SRTP_BACKEND"):
        assert mediarouter.srtp.backend == available()[-1]
    assert _srtp_libsrtp.version.startswith("libsrtp2 2.")


def test_the_environment_forces_a_backend():
    for name in available():
        assert run(name).stdout.split() == [name, name]
    assert "no SRTP backend 'fast'" in run("fast").stderr


def test_key_sizes():
    assert {p: _srtp_policy.key_size(p) for p in Profile} == {p: p.key_size + p.salt_size for p in Profile}
    assert _srtp_policy.key_size(0x0003) is None


@given(st.lists(st.integers(0, 400) | st.integers(0, 1 << 48), max_size=100))
def test_a_replay_window_is_a_set_of_the_last_128(indexes):
    seen, newest, said = set(), 0, _srtp_streams.window_check(indexes)
    for index, drop in zip(indexes, said, strict=True):
        expected = -14 if index <= newest - 128 else -13 if index in seen else 0
        assert drop == expected
        if drop == 0:
            seen.add(index)
            newest = max(newest, index)


def outcome(function, packet):
    try:
        return function(packet)
    except SrtpError as error:
        return error.reason


@pytest.mark.parametrize("profile", Profile)
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.lists(st.integers(-300, 40000), min_size=1, max_size=50))
def test_backends_are_one_to_the_bit_and_to_the_reason(profile, seed, steps):
    dice = random.Random(seed)
    keys = key_of(profile, 1), key_of(profile, 2)
    senders = [SrtpSession(profile, *keys, backend=name) for name in available()]
    receivers = [SrtpSession(profile, *keys[::-1], backend=name) for name in available()]
    seq, sent = dice.randrange(65536), []
    for step in steps:
        seq = max(seq + step, 0)
        ssrc = dice.randrange(3)
        control = dice.random() < 0.2
        packet = rtcp(ssrc, seq) if control else rtp(seq, ssrc, dice.randbytes(dice.randrange(80)))
        if dice.random() < 0.1:
            packet = bytes((dice.randrange(256),)) + packet[1 : dice.randrange(1, len(packet) + 1)]
        made = {outcome(s.protect_rtcp if control else s.protect, packet) for s in senders}
        assert len(made) == 1
        sent += [(control, protected) for protected in made if isinstance(protected, bytes)]
    for _ in range(2 * len(sent)):
        control, protected = dice.choice(sent)
        if dice.random() < 0.3:
            damaged = bytearray(protected)
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
            protected = bytes(damaged[: dice.randrange(len(damaged) + 1)] if dice.random() < 0.3 else damaged)
        assert len({outcome(r.unprotect_rtcp if control else r.unprotect, protected) for r in receivers}) == 1
