"""A guest comes in to a full ICE agent, in either part of ICE and of DTLS, and both ends have the same keys."""

import socket
import threading

import pytest

from mediarouter import _stun
from mediarouter.bench.clients import JoinError
from mediarouter.bench.peers import guest as guest_module
from mediarouter.bench.peers.descriptions import RemoteTransport
from mediarouter.bench.peers.guest import Guest
from mediarouter.parameters import DtlsFingerprint, DtlsParameters, IceCandidate, IceParameters
from mediarouter.testing.checks import binding_request
from mediarouter.transports.dtls import DtlsCertificate, DtlsEndpoint

CERTIFICATE = DtlsCertificate.generate()
ICE = IceParameters("theirs", "their password of ICE")


class FullAgent:
    """A router of one client: it answers checks, sends one, and speaks DTLS once it was answered."""

    def __init__(self, guest: Guest, role) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.guest = guest.local
        self.endpoint = DtlsEndpoint(CERTIFICATE, role, (guest.local.fingerprint,))
        self.seen = {}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @property
    def remote(self) -> RemoteTransport:
        port = self.socket.getsockname()[1]
        far = IceCandidate("1", 9, "203.0.113.1", "udp", 9)
        return RemoteTransport(
            ICE,
            DtlsParameters(CERTIFICATE.fingerprints, self.endpoint.role),
            (far, IceCandidate("1", 1, "127.0.0.1", "udp", port)),
        )

    def run(self) -> None:
        password = self.guest.ice.password.encode()
        check = binding_request(f"{self.guest.ice.username_fragment}:theirs".encode(), password)
        address = (self.guest.address, self.guest.port)
        self.socket.sendto(b"\x00\x01" + check[2:40], address)  # cut: to be passed over
        while self.endpoint.state in ("new", "connecting"):
            try:
                data, source = self.socket.recvfrom(4096)
            except OSError:  # nobody speaks any more
                return
            if data[:2] == b"\x00\x01":
                self.seen = _stun.parse(data, ICE.password.encode())
                self.socket.sendto(
                    _stun.binding_response(data, b"\x7f\0\0\1", source[1], ICE.password.encode()), source
                )
                self.socket.sendto(check, source)
            elif data[:2] == b"\x01\x01":
                self.answer = _stun.parse(data, password)
                self.endpoint.start()
            else:
                self.endpoint.start()
                self.endpoint.handle_datagram(data)
            while (datagram := self.endpoint.poll_transmit()) is not None:
                self.socket.sendto(datagram, source)

    def close(self) -> None:
        self.thread.join()
        self.socket.close()


@pytest.mark.parametrize("controlling", [True, False])
@pytest.mark.parametrize("role", ["client", "server"])
def test_both_ends_have_the_same_keys(role, controlling):
    guest = Guest(CERTIFICATE)
    agent = FullAgent(guest, role)
    guest.connect(agent.remote, controlling=controlling)
    agent.close()
    assert agent.endpoint.export_srtp_keys() == (guest.remote_key, guest.local_key)
    assert agent.endpoint.srtp_profile == guest.profile
    assert agent.seen["integrity"] and agent.seen["username"] == b"theirs:" + guest.local.ice.username_fragment.encode()
    assert (agent.seen["use_candidate"], agent.seen["ice_controlling"] is not None) == (controlling, controlling)
    assert agent.answer["integrity"]
    assert guest.check and guest.password == guest.local.ice.password.encode()
    guest.close()


def test_another_certificate_is_refused():
    guest = Guest(CERTIFICATE)
    agent = FullAgent(guest, "server")
    other = DtlsParameters((DtlsFingerprint("sha-256", ":".join(["00"] * 32)),), "server")
    with pytest.raises(JoinError, match="certificate"):
        guest.connect(RemoteTransport(ICE, other, agent.remote.candidates), controlling=True)
    guest.close()
    agent.socket.settimeout(0.1)
    agent.close()


def test_silence_is_told_in_time(monkeypatch):
    monkeypatch.setattr(guest_module, "JOIN_TIMEOUT_S", 0.2)
    guest = Guest(CERTIFICATE)
    dtls = DtlsParameters(CERTIFICATE.fingerprints, "server")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        silent = RemoteTransport(ICE, dtls, (IceCandidate("1", 1, "127.0.0.1", "udp", port),))
        with pytest.raises(JoinError, match="no connection"):
            guest.connect(silent, controlling=True)
    with pytest.raises(JoinError, match="no connection"):  # now the port is closed, and the kernel says so
        guest.connect(silent, controlling=True)
    only = (IceCandidate("1", 1, "fd00::1", "udp", 9), IceCandidate("1", 1, "x.local", "udp", 9))
    with pytest.raises(JoinError, match="IPv4"):
        guest.connect(RemoteTransport(ICE, dtls, only), controlling=True)
    guest.close()
