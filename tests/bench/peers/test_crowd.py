"""A crowd in a real router: the plain one in asyncio, so that no other program is needed."""

import pytest

from mediarouter.bench.load import Load
from mediarouter.bench.peers import crowd, orders
from mediarouter.bench.peers.crowd import measure
from mediarouter.bench.peers.orders import start_asyncio, start_mediarouter
from mediarouter.bench.peers.peer import Missing, Setting
from mediarouter.bench.peers.processes import PeerError
from mediarouter.srtp import Profile
from mediarouter.transports.dtls import DtlsCertificate

pytestmark = pytest.mark.e2e


def setting(folder, load: Load, profile: Profile = Profile.AEAD_AES_128_GCM) -> Setting:
    certificate = DtlsCertificate.generate()
    certificate.context.set_tlsext_use_srtp(f"SRTP_{profile.name}".encode())
    return Setting(load, certificate, folder)


@pytest.mark.parametrize("profile", [Profile.AEAD_AES_128_GCM, Profile.AES128_CM_SHA1_80])
@pytest.mark.parametrize("start", [start_mediarouter, start_asyncio])
def test_everything_arrives_and_time_is_taken(tmp_path, start, profile, monkeypatch):
    monkeypatch.setattr(crowd, "SETTLE_S", 0.2)
    load = Load(publishers=2, subscribers=3)
    peer = start(setting(tmp_path, load, profile))
    try:
        found = measure(peer, load, 1.0)
    finally:
        peer.close()
    assert found.packets == pytest.approx(3 * found.sent, rel=0.1)
    assert found.sent == pytest.approx(2 * 180, rel=0.1)
    assert (found.lost, found.damaged, found.refused, found.padding) == (0, 0, 0, 0)
    assert 300 < found.ns_per_packet < 1_000_000
    assert found.packets_per_cpu_second == pytest.approx(1e9 / found.ns_per_packet)
    assert 0 < found.latency_us["p50"] <= found.latency_us["max"]


def test_a_router_that_does_not_forward_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(crowd, "FIRST_PACKET_TIMEOUT_S", 0.3)
    load = Load(publishers=1, subscribers=2)
    peer = start_asyncio(setting(tmp_path, load))
    monkeypatch.setattr(peer, "subscribe", lambda: peer._join()[1])  # in, but to no stream
    try:
        with pytest.raises(PeerError, match="of 2 streams only 0"):
            measure(peer, load, 0.1)
    finally:
        peer.close()


def test_without_its_program_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(orders, "RECIPES", tmp_path)
    with pytest.raises(Missing, match="only in a checkout"):
        start_asyncio(setting(tmp_path, Load()))
