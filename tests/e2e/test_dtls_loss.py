"""DTLS handshakes that lose a datagram. OpenSSL's timer knows the wall clock alone: these take real seconds."""

import time
from typing import Any

import pytest

from mediarouter.transports.dtls import DtlsCertificate, DtlsEndpoint
from tests.transports.openssl_peer import ROLES, OpenSslPeer, Role, other_role

pytestmark = pytest.mark.e2e
DATAGRAMS_MAX = 12  # of a handshake with every record of the peer in its own


class LossyCall:
    """A handshake between OpenSSL and us, of which the network drops the datagrams with these numbers."""

    def __init__(self, role: Role, lost: set[int], certificate: DtlsCertificate) -> None:
        self.peer = OpenSslPeer(other_role(role))
        self.ours = DtlsEndpoint(certificate, role, [self.peer.fingerprint()])
        self.ours.start()
        self.lost = lost
        self.sent = 0

    def pump(self) -> None:
        """Carry what there is, run what timers are due."""
        moved = True
        while moved:
            moved = self._carry(self.ours, self.peer) + self._carry(self.peer, self.ours) > 0
        for end in (self.ours, self.peer):
            if end.poll_timeout() == 0:
                end.handle_timeout()

    def _carry(self, source: Any, target: Any) -> int:
        count = 0
        while (datagram := source.poll_transmit()) is not None:
            if self.sent not in self.lost:
                target.handle_datagram(datagram)
            self.sent += 1
            count += 1
        return count

    @property
    def connected(self) -> bool:
        return self.ours.state == self.peer.state == "connected"


@pytest.mark.parametrize("width", [1, 2], ids=["one datagram", "two in a row"])
def test_a_handshake_survives_the_loss_of_any_datagram(width: int) -> None:
    certificate = DtlsCertificate.generate()
    calls = [
        LossyCall(role, set(range(first, first + width)), certificate)
        for role in ROLES
        for first in range(DATAGRAMS_MAX)
    ]
    deadline = time.monotonic() + 8
    while not all(call.connected for call in calls):
        for call in calls:
            call.pump()
        assert time.monotonic() < deadline, [(c.lost, c.ours.role, c.ours.state, c.peer.state) for c in calls]
        time.sleep(0.01)
    assert all(call.ours.export_srtp_keys() for call in calls)
    # every datagram of an undisturbed handshake was among the lost
    assert any(min(call.lost) >= call.sent for call in calls if call.ours.role == "server")
    assert any(min(call.lost) >= call.sent for call in calls if call.ours.role == "client")
