"""What every router under comparison can do, whatever its signalling."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mediarouter.bench.load import Load
from mediarouter.srtp import Profile
from mediarouter.transports.dtls import DtlsCertificate

RECIPES = Path(__file__).parents[4] / "bench" / "peers"  # of a checkout; packages come without


class Connected(Protocol):
    """A client that a router let in.

    Attributes:
        socket: connected to the router, not blocking.
        local_key, remote_key: SRTP master keys with salts.
        check: a connectivity check that renews consent.
        password: the client's own of ICE.
    """

    @property
    def socket(self) -> socket.socket: ...
    @property
    def profile(self) -> Profile: ...
    @property
    def local_key(self) -> bytes: ...
    @property
    def remote_key(self) -> bytes: ...
    @property
    def check(self) -> bytes: ...
    @property
    def password(self) -> bytes: ...


class Peer(Protocol):
    """A running router.

    Attributes:
        version: of the program, for the table.
        pid: of its process, whose time is taken.
        transport_cc_id: of what subscribers get, 0 for none; known once one is there.
    """

    version: str
    transport_cc_id: int

    @property
    def pid(self) -> int: ...

    def publish(self, ssrc: int) -> Connected:
        """Let a publisher in; all of them come before the first subscriber."""

    def subscribe(self) -> Connected:
        """Let a subscriber in, who gets every publisher. The publishers are sending."""

    def close(self) -> None:
        """End the router."""


@dataclass(frozen=True)
class Setting:
    """What a router is started with.

    Attributes:
        load: what it is going to forward.
        certificate: of all clients.
        folder: empty, for its configuration and log.
        address: of an interface that is not loopback, "" when there is none for it.
    """

    load: Load
    certificate: DtlsCertificate
    folder: Path
    address: str = ""


class Missing(Exception):
    """This machine lacks what a router needs; the text says what, and how to come by it."""
