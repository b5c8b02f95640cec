"""What every transport needs of the world, and what a router needs of every transport."""

from collections.abc import Callable
from typing import Any, Protocol

from mediarouter._engine import Engine
from mediarouter.parameters import IceCandidate
from mediarouter.transports.dtls import DtlsCertificate


class Timer(Protocol):
    """A call that will happen."""

    def cancel(self) -> None:
        """Make it not happen."""


class Environment(Protocol):
    """The world as a transport sees it: the worker gives clocks and dice, tests give their own."""

    engine: Engine
    certificate: DtlsCertificate
    pipes: "dict[Environment, tuple[int, int]]"  # the ends here and there of the pipe to another worker

    @property
    def ice_candidates(self) -> tuple[IceCandidate, ...]:
        """Where the worker's sockets can be reached."""

    def random_number(self, bits: int) -> int:
        """Unpredictable."""

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Timer:
        """Call once, in the loop's thread."""

    def route(self, kind: str, handle: int, receiver: Any | None) -> None:
        """Bring events about this handle ("transport", "producer", "consumer") to `receiver`; None: no more."""


_ICE_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def random_letters(environment: Environment, count: int) -> str:
    """ice-chars (RFC 8839 section 5.4), six bits each."""
    number = environment.random_number(6 * count)
    return "".join(_ICE_LETTERS[(number >> (6 * i)) & 63] for i in range(count))


def random_id(environment: Environment) -> str:
    """A fresh id for an object, 32 hex digits."""
    return f"{environment.random_number(128):032x}"


def random_ssrc(environment: Environment) -> int:
    """A synchronisation source, never 0 (which means "none" inside)."""
    return environment.random_number(32) or 1
