"""What a recording holds is what clients of a meeting send: real SRTP, right numbers, at their rates."""

import pytest

from mediarouter import rtcp, rtp
from mediarouter.bench._recording import COPY_SSRC, FIRST_SEQ, MEDIA_SSRC, MID_ID, TRANSPORT_CC_ID, Recording
from mediarouter.bench.stage import key_of
from mediarouter.srtp import Profile, SrtpSession

PROFILE = Profile.AEAD_AES_128_GCM
CHECK = bytes((0, 1)) + bytes(60)
SECOND_US = 1_000_000
WAY_US = 21_000  # a little more than a packet takes to a subscriber


def recorded(publishers: int, subscribers: int, *durations_us: int, profile: Profile = PROFILE, **shape) -> Recording:
    recording = Recording(publishers=publishers, subscribers=subscribers, **shape)
    for client in range(publishers + subscribers):
        recording.add(profile, key_of(profile, client), CHECK)
    for duration_us in durations_us:
        recording.record(duration_us)
    return recording


def datagrams(recording: Recording) -> list[tuple[int, int, bytes]]:
    return [recording.datagram(i) for i in range(len(recording))]


def opened(recording: Recording, client: int, profile: Profile = PROFILE) -> tuple[list, list]:
    """What a client sent, decrypted: (time, RtpHeader), (time, RTCP packet)."""
    key = key_of(profile, client)
    session = SrtpSession(profile, key, key)
    media, control = [], []
    for at_us, sender, data in datagrams(recording):
        kind = rtp.packet_kind(data)
        if sender == client and kind is rtp.PacketKind.RTP:
            media.append((at_us, rtp.parse(session.unprotect(data))))
        elif sender == client and kind is rtp.PacketKind.RTCP:
            control += [(at_us, packet) for packet in rtcp.parse(session.unprotect_rtcp(data))]
    return media, control


@pytest.mark.parametrize("profile", [Profile.AEAD_AES_128_GCM, Profile.AES128_CM_SHA1_80])
def test_publishers_send_bursts_whose_numbers_go_on(profile):
    recording = recorded(2, 1, SECOND_US, profile=profile)
    for publisher in (0, 1):
        media, _ = opened(recording, publisher, profile)
        headers = [header for _, header in media]
        assert [header.sequence_number for header in headers] == list(range(180))
        assert [header.marker for header in headers] == [False, False, False, False, False, True] * 30
        assert {header.ssrc for header in headers} == {MEDIA_SSRC + publisher}
        assert [header.timestamp for header in headers] == [3000 * (i // 6) for i in range(180)]
        assert [header.payload_size for header in headers[:4]] == [1080, 1079, 1080, 1079]
        assert all(header.extensions[MID_ID] == b"0" for header in headers)
        assert [int.from_bytes(header.extensions[TRANSPORT_CC_ID], "big") for header in headers] == list(range(180))
        times = [at_us for at_us, _ in media]
        assert times[6] - times[0] in (33_333, 33_334) and times[1] - times[0] == 50
    assert opened(recording, 0, profile)[0][0][0] != opened(recording, 1, profile)[0][0][0]


def test_feedback_tells_of_every_packet_once_and_in_time():
    recording = recorded(3, 2, 2 * SECOND_US)
    for subscriber in (3, 4):
        _, control = opened(recording, subscriber)
        feedback = [(at_us, packet) for at_us, packet in control if isinstance(packet, rtcp.Twcc)]
        assert 15 <= len(feedback) <= 20
        number, latest_us = 0, 0
        for at_us, packet in feedback:
            assert packet.base_sequence_number == number
            numbers, times = zip(*packet.arrivals, strict=True)
            assert list(numbers) == list(range(number, number + len(numbers)))
            assert all(time_us is not None and latest_us <= time_us <= at_us + 250 for time_us in times)
            number += len(times)
            latest_us = times[-1]
        assert number == pytest.approx(3 * 180 * 2, abs=3 * 180 // 10 + 2 * 18)


def test_reports_and_checks_come_at_their_rates():
    recording = recorded(1, 4, 5 * SECOND_US)
    for client in range(5):
        checks = [at for at, sender, data in datagrams(recording) if sender == client and data == CHECK]
        assert len(checks) == 2 and checks[1] - checks[0] == 2_500_000
        _, control = opened(recording, client)
        kind = rtcp.SenderReport if client == 0 else rtcp.ReceiverReport
        reports = [(at, packet) for at, packet in control if isinstance(packet, kind)]
        assert len(reports) == 5
        if client:
            (block,) = reports[-1][1].reports
            sent = (reports[-1][0] - WAY_US) * 180 // SECOND_US
            assert block.ssrc == COPY_SSRC
            assert block.highest_sequence_number == pytest.approx(FIRST_SEQ + sent, abs=7)


def test_times_ascend_and_pieces_make_the_same_as_the_whole():
    whole = datagrams(recorded(3, 7, 3 * SECOND_US))
    assert [at for at, _, _ in whole] == sorted(at for at, _, _ in whole)
    assert whole[-1][0] < 3 * SECOND_US
    assert datagrams(recorded(3, 7, 50, SECOND_US, 33_333, 2 * SECOND_US - 33_383)) == whole


@pytest.mark.parametrize(
    "changed",
    [
        {"publishers": 0},
        {"subscribers": -1},
        {"subscribers": 65_535},
        {"payload_size": 40},
        {"payload_size": 1500},
        {"packets_per_frame": 0},
        {"packets_per_frame": 33},
        {"gap_us": 200},
        {"gap_us": 0},
    ],
)
def test_meetings_that_cannot_be_are_refused(changed):
    with pytest.raises(ValueError):
        Recording(**({"publishers": 1, "subscribers": 1} | changed))


def test_clients_are_counted_and_their_keys_looked_at():
    recording = Recording(publishers=1, subscribers=0)
    with pytest.raises(ValueError, match="missing"):
        recording.record(1)
    with pytest.raises(ValueError, match="key"):
        recording.add(PROFILE, b"short", CHECK)
    recording.add(PROFILE, key_of(PROFILE, 0), CHECK)
    with pytest.raises(ValueError, match="too many"):
        recording.add(PROFILE, key_of(PROFILE, 0), CHECK)
    recording.record(0)
    assert len(recording) == 0
    with pytest.raises(ValueError, match="-1 us"):
        recording.record(-1)
    with pytest.raises(IndexError):
        recording.datagram(0)
