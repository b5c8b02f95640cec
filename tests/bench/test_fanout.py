"""The fan-out benchmark, small: every packet comes to everybody, whole, and the figures are of this world."""

import socket

import pytest

from mediarouter.bench.clients import Client, JoinError
from mediarouter.bench.fanout import fanout, gathered
from mediarouter.bench.load import Load, audio_load
from mediarouter.parameters import DtlsParameters, IceCandidate, IceParameters
from mediarouter.transports.dtls import DtlsCertificate

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    "load",
    [
        Load(publishers=2, subscribers=5, seconds=1),
        Load(publishers=3, subscribers=4, kind="audio", payload_size=90, packets_per_frame=1, seconds=1),
    ],
    ids=["video", "audio"],
)
def test_everything_arrives_and_is_counted_once(load):
    figures = fanout(load, rounds=1)
    assert figures["lost"] == figures["damaged"] == figures["refused"] == 0
    assert figures["packets"] == pytest.approx(load.packets_per_second * load.seconds, rel=0.1)
    assert figures["profile"] == "AEAD_AES_128_GCM"
    assert 200 < figures["floor_ns_per_packet"] and 200 < figures["cpu_ns_per_packet"]
    ours, floor = figures["rounds_ns"][0]
    assert figures["ratio"] == pytest.approx(ours / floor, rel=0.01)
    assert 1 <= figures["mean_burst"] <= load.packets_per_frame
    assert 0 < figures["latency_us"]["p50"] <= figures["latency_us"]["p99"]
    assert (figures.get("floor_gathered_ns_per_packet", 0) > 200) == (load.kind == "audio")


def test_audio_that_waits_would_go_in_fewer_bursts():
    audio = audio_load(publishers=50, subscribers=49)
    bursts = gathered(audio)
    assert (bursts.publishers, bursts.packets_per_frame) == (10, 5)
    assert bursts.packets_per_second == audio.packets_per_second
    assert gathered(audio_load(publishers=2, subscribers=3)).packets_per_frame == 1


def test_who_is_not_answered_gives_up(monkeypatch):
    monkeypatch.setattr("mediarouter.bench.clients.JOIN_TIMEOUT_S", 0.2)
    certificate = DtlsCertificate.generate()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        candidate = IceCandidate("1", 1, "127.0.0.1", "udp", nobody.getsockname()[1])
        with pytest.raises(JoinError, match="no connection"):
            Client(certificate).join(
                IceParameters("ufrag", "x" * 24), (candidate,), DtlsParameters(certificate.fingerprints, "server")
            )
