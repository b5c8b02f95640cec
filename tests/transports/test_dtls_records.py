"""Records without OpenSSL, judged by OpenSSL: what it seals is opened, what is sealed it opens, and nothing else."""

import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from mediarouter.transports.dtls import ALERT, APPLICATION_DATA, DtlsEndpoint
from mediarouter.transports.dtls_records import DtlsRecords, _prf
from tests.transports.openssl_peer import ROLES, OpenSslPeer, Role, other_role, records_of
from tests.transports.test_dtls import CERTIFICATE, OTHER, drain, endpoint, renumbered, run

SUITES = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
]


def connected(role: Role, suite: str) -> tuple[DtlsRecords, OpenSslPeer]:
    """Our records of a fresh association, and OpenSSL on its other end."""
    peer = OpenSslPeer(other_role(role), ciphers=suite.encode())
    ours = DtlsEndpoint(CERTIFICATE, role, [peer.fingerprint()])
    ours.start()
    while ours.state == "connecting" or peer.state == "connecting":
        while (datagram := peer.poll_transmit()) is not None:
            ours.handle_datagram(datagram)
        while (datagram := ours.poll_transmit()) is not None:
            peer.handle_datagram(datagram)
    assert (ours.state, peer.state) == ("connected", "connected")
    other = peer.connection
    secret, client_random, server_random = other.master_key(), other.client_random(), other.server_random()
    assert other.get_cipher_name() == suite and secret and client_random and server_random
    return DtlsRecords(suite, secret, client_random, server_random, role), peer


def sealed_by(peer: OpenSslPeer, content: bytes) -> bytes:
    peer.connection.send(content)
    [record] = records_of(peer.connection.bio_read(65536))
    return record


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("suite", SUITES)
def test_openssl_and_we_open_each_others_records(role: Role, suite: str) -> None:
    records, peer = connected(role, suite)
    for content in (b"x", b"hello", bytes(1000)):
        assert records.open(sealed_by(peer, content)) == content
        peer.connection.bio_write(records.seal(APPLICATION_DATA, content))
        assert peer.connection.recv(4096) == content
    peer.connection.bio_write(records.seal(ALERT, b"\1\0"))
    with pytest.raises(SSL.ZeroReturnError):
        peer.connection.recv(4096)


@pytest.mark.parametrize("suite", SUITES)
def test_our_records_have_numbers_of_their_own(suite: str) -> None:
    records, _ = connected("server", suite)
    numbers = [int.from_bytes(records.seal(ALERT, b"\1\0")[3:11], "big") for _ in range(3)]
    assert numbers == [(1 << 48 | 1 << 32) + turn for turn in range(3)], "epoch 1, and above any of the handshake"


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_cut_flipped_or_foreign_is_not_opened(suite: str) -> None:
    records, peer = connected("server", suite)
    record = sealed_by(peer, b"hello")
    for size in range(len(record)):
        assert records.open(record[:size]) is None
    assert records.open(record + b"\0") is None
    for bit in range(len(record) * 8):
        damaged = bytearray(record)
        damaged[bit // 8] ^= 1 << bit % 8
        assert records.open(bytes(damaged)) is None
    stranger, _ = connected("server", suite)
    assert stranger.open(record) is None
    assert records.open(records.seal(APPLICATION_DATA, b"hello")) is None, "our own, come back"
    assert records.open(record) == b"hello"


SHARED = connected("server", SUITES[0])


@given(st.binary(max_size=200))
def test_noise_is_not_opened(noise: bytes) -> None:
    records, _ = SHARED
    assert records.open(noise) is None
    head = bytes((APPLICATION_DATA,)) + b"\xfe\xfd\0\1" + bytes(6) + len(noise).to_bytes(2, "big")
    assert records.open(head + noise) is None


def test_the_prf_is_that_of_tls_1_2() -> None:
    # the vector that circulates as the one for P_SHA256 (IETF TLS list, 2009-02)
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    expected = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
    assert _prf("sha256", secret, b"test label" + seed, 48).hex() == expected


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA", "AES128-SHA256", ""])
def test_other_suites_are_refused(suite: str) -> None:
    with pytest.raises(ValueError, match="no records"):
        DtlsRecords(suite, bytes(48), bytes(32), bytes(32), "server")


# ---- an endpoint that has let OpenSSL go


@pytest.mark.parametrize("repetition", [0, 20], ids=["the same datagrams", "under new numbers"])
def test_a_client_that_repeats_its_finished_gets_ours_again(repetition: int) -> None:
    ours, peer = endpoint("server"), endpoint("client", peer=CERTIFICATE, certificate=OTHER)
    ours.handle_datagram(drain(peer)[0])
    for datagram in drain(ours):
        peer.handle_datagram(datagram)
    flight = drain(peer)
    for datagram in flight:
        ours.handle_datagram(datagram)
    lost = drain(ours)
    assert ours.state == "connected" and peer.state == "connecting" and lost
    for datagram in flight:
        ours.handle_datagram(renumbered(datagram, repetition))
    assert drain(ours) == lost
    for datagram in lost:
        peer.handle_datagram(datagram)
    assert peer.state == "connected"
    # and the client, who has all it needs, says nothing to a repetition: they would never stop
    for datagram in lost:
        peer.handle_datagram(datagram)
    assert drain(peer) == []


def test_a_flipped_bit_in_the_finished_is_not_answered() -> None:
    ours, peer = endpoint("server"), endpoint("client", peer=CERTIFICATE, certificate=OTHER)
    wire = run(ours, peer)
    [finished] = [r for datagram in wire[2:3] for r in records_of(datagram) if r[:5] == b"\x16\xfe\xfd\0\1"]
    ours.handle_datagram(finished)
    assert drain(ours)
    for bit in range(len(finished) * 8):
        damaged = bytearray(finished)
        damaged[bit // 8] ^= 1 << bit % 8
        ours.handle_datagram(bytes(damaged))
        assert drain(ours) == [] and ours.state == "connected"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("alert", "state"),
    [(b"\1\0", "closed"), (b"\2\x28", "failed"), (b"\1\x5a", "connected"), (b"\2", "connected"), (b"", "connected")],
)
def test_alerts_end_it_when_they_mean_to(role: Role, alert: bytes, state: str) -> None:
    ours, peer = endpoint(role), endpoint(other_role(role), peer=CERTIFICATE, certificate=OTHER)
    run(ours, peer)
    assert peer._records is not None
    ours.handle_datagram(peer._records.seal(ALERT, alert))
    assert ours.state == state
    assert ours.failure == ("the peer gave up: alert 40" if state == "failed" else "")
    assert [datagram[0] for datagram in drain(ours)] == ([ALERT] if state == "closed" else [])


def test_openssl_is_let_go_when_all_is_done() -> None:
    ours, peer = endpoint("server"), endpoint("client", peer=CERTIFICATE, certificate=OTHER)
    connection = weakref.ref(ours._connection)
    run(ours, peer)
    assert ours.state == "connected"
    assert connection() is None, "some 90 KB a connection"


SERVER, CLIENT = endpoint("server"), endpoint("client", CERTIFICATE, OTHER)
run(SERVER, CLIENT)
SAID = CLIENT._records
assert SAID is not None
SEEDS = [
    SAID.seal(kind, content) for kind, content in ((APPLICATION_DATA, b"data"), (22, b"\x0b\0\0"), (ALERT, b"\1\x5a"))
]


@settings(max_examples=2000, deadline=None)
@given(seed=st.sampled_from(SEEDS), at=st.integers(0, 60), change=st.binary(max_size=40), kind=st.integers(0, 255))
def test_only_what_is_under_the_clients_keys_says_anything(seed: bytes, at: int, change: bytes, kind: int) -> None:
    assert SAID is not None
    changed = seed[:at] + change + seed[at + len(change) :]
    SERVER.handle_datagram(changed)
    SERVER.handle_datagram(changed[:13] + seed)
    assert SERVER.state == "connected" and SERVER.poll_transmit() is None
    SERVER.handle_datagram(SAID.seal(kind, change))
    assert SERVER.state == "connected" or kind == ALERT
    assert all(len(datagram) < 100 for datagram in drain(SERVER)), "who asks is not rewarded"
    SERVER.state, SERVER.failure = "connected", ""
