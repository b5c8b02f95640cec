"""The loops whose instructions are counted do the work they are named for, each time."""

import pytest

from mediarouter import rtcp, rtp
from mediarouter.bench import _loops
from mediarouter.srtp import Profile, SrtpSession, available

PROFILES = [Profile.AEAD_AES_128_GCM, Profile.AES128_CM_SHA1_80]
PACKET = rtp.build(payload_type=96, sequence_number=7, timestamp=1, ssrc=9, payload=bytes(1000))


def session(profile: Profile, backend: str) -> SrtpSession:
    key = bytes(range(profile.key_size + profile.salt_size))
    return SrtpSession(profile, key, key, backend=backend)


def test_what_is_counted_is_the_call_with_its_arguments_result_and_exception():
    assert _loops.counted(divmod, 7, 3) == (2, 1)
    assert _loops.counted(list) == []
    with pytest.raises(ZeroDivisionError):
        _loops.counted(divmod, 7, 0)


def test_a_function_is_called_so_many_times():
    calls: list[str] = []
    _loops.call_times(calls.append, "x", 5)
    assert calls == ["x"] * 5
    with pytest.raises(ZeroDivisionError):
        _loops.call_times(lambda value: 1 // value, 0, 2)


@pytest.mark.parametrize("backend", available())
@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.name)
def test_packets_are_protected_with_numbers_that_count_up(profile, backend):
    sender, other = session(profile, backend), session(profile, backend)
    assert _loops.protect_times(sender, PACKET, 7, 40) == 40
    for seq in range(7, 47):
        other.protect(PACKET[:2] + seq.to_bytes(2, "big") + PACKET[4:])
    following = PACKET[:2] + (47).to_bytes(2, "big") + PACKET[4:]
    assert sender.protect(following) == other.protect(following)


@pytest.mark.parametrize("backend", available())
@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.name)
def test_packets_are_unprotected_and_bad_ones_do_not_count(profile, backend):
    sender, receiver = session(profile, backend), session(profile, backend)
    packets = [sender.protect(PACKET[:2] + seq.to_bytes(2, "big") + PACKET[4:]) for seq in range(10)]
    damaged = packets[3][:-1] + bytes((packets[3][-1] ^ 1,))
    assert _loops.unprotect_each(receiver, [*packets[:3], damaged, *packets[4:], packets[0]]) == 9


def test_a_compound_is_read_whole():
    blocks = [rtcp.ReportBlock(2, 0, 0, 0, 0, 0, 0), rtcp.ReportBlock(3, 0, 0, 0, 0, 0, 0)]
    compound = rtcp.build(
        [
            rtcp.SenderReport(1, 2, 3, 4, 5, blocks),
            rtcp.Nack(1, 2, [5, 6, 9]),
            rtcp.Twcc(1, 2, 100, [1000, None, 2000, 3000]),
            rtcp.Remb(1, 500_000, [2]),
            rtcp.Pli(1, 2),
        ]
    )
    assert _loops.read_compound_times(compound, 1) == 1 + 2 + 3 + 4 + 1
    assert _loops.read_compound_times(compound, 3) == 33
    assert _loops.read_compound_times(compound[:28], 1) == 0


@pytest.mark.parametrize("size", [0, 11, 1501])
def test_what_is_no_packet_is_refused(size):
    with pytest.raises(ValueError, match="12 to 1500"):
        _loops.protect_times(session(PROFILES[0], "libsrtp"), bytes(size), 0, 1)
    with pytest.raises(ValueError, match="12 to 1500"):
        _loops.unprotect_each(session(PROFILES[0], "libsrtp"), [bytes(size)])
