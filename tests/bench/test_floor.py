"""The floor sends what it says: real SRTP, bursts cut by the kernel, to every destination."""

import socket
import struct
import threading

import pytest

from mediarouter import rtp
from mediarouter.bench._floor import Floor
from mediarouter.bench.floor import floor_alone
from mediarouter.bench.load import Load
from mediarouter.bench.meeting import SETTLE_S
from mediarouter.srtp import Profile, SrtpSession


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("profile", [Profile.AEAD_AES_128_GCM, Profile.AES128_CM_SHA1_80])
def test_each_destination_gets_every_packet_under_its_own_key(profile, one_by_one):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        floor = Floor(
            sender.fileno(),
            profile=profile,
            packet_size=1100,
            packets_per_frame=6,
            frames_per_second=200,
            one_by_one=one_by_one,
        )
        receivers, keys = [], []
        for index in range(3):
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(5)
            key = bytes([index]) * (profile.key_size + profile.salt_size)
            name = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", receiver.getsockname()[1], b"\x7f\0\0\1")
            floor.add(key, name)
            receivers.append(receiver)
            keys.append(key)
        thread = threading.Thread(target=floor.run, daemon=True)
        thread.start()
        for receiver, key in zip(receivers, keys, strict=True):
            session = SrtpSession(profile, key, key)
            headers = [rtp.parse(session.unprotect(receiver.recv(2048))) for _ in range(12)]
            assert [header.sequence_number for header in headers] == list(range(12))
            assert [header.marker for header in headers] == [False] * 5 + [True] + [False] * 5 + [True]
            assert {len(bytes(header)) for header in headers} == {1100}
            receiver.close()
        floor.stop()
        thread.join()
        assert floor.figures()["sent"] >= 36


@pytest.mark.parametrize("changed", [{"packets_per_frame": 0}, {"packets_per_frame": 41}, {"packet_size": 1500}])
def test_senseless_bursts_are_refused(changed):
    options = {"profile": 7, "packet_size": 1100, "packets_per_frame": 6, "frames_per_second": 30}
    with pytest.raises(ValueError, match="bursts"):
        Floor(0, **(options | changed))


@pytest.mark.e2e
@pytest.mark.parametrize("one_by_one", [False, True])
def test_the_floor_can_be_measured_alone(one_by_one):
    figures = floor_alone(Load(2, 3, seconds=0.5), Profile.AEAD_AES_128_GCM, one_by_one=one_by_one)
    assert figures["packets"] == pytest.approx(2 * 3 * 180 * (SETTLE_S + 0.5), rel=0.2)
    assert figures["burst"] == (1 if one_by_one else 6) and 200 < figures["floor_ns_per_packet"]
