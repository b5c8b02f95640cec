"""The router that is measured: what a benchmark asks of it, and ours in a process of its own."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from mediarouter.bench.child import Child
from mediarouter.bench.clients import Client, Joined
from mediarouter.bench.load import Load, capabilities, rtp_parameters
from mediarouter.parameters import DtlsParameters, IceCandidate, IceParameters
from mediarouter.transports.dtls import DtlsCertificate


class RouterUnderTest(Protocol):
    """What a meeting needs of a router."""

    def join(self, certificate: DtlsCertificate) -> tuple[int, Joined]:
        """Let a client in: the number of its transport, and the client."""

    def produce(self, transport: int, load: Load, index: int) -> int:
        """Take the stream of a publisher with this number, `rtp_parameters(load, index)`; the producer's number."""

    def consume(self, transport: int, producers: Sequence[int]) -> list[int]:
        """Send these to a subscriber; the consumers' numbers."""

    def pause(self, consumers: Sequence[int], paused: bool) -> None:
        """Let them fall silent, or go on."""

    def figures(self) -> dict[str, Any]:
        """Totals of now: cpu_ns, user_s, system_s, rss_bytes, and `counters` with rtp_packets_forwarded."""

    def close(self) -> None:
        """End it."""


class Opened(msgspec.Struct):
    """A transport of our router, and what its client must know."""

    transport: int
    ice: IceParameters
    candidates: tuple[IceCandidate, ...]
    dtls: DtlsParameters


class RouterProcess:
    """Our router; `router_process` tells the orders.

    Args:
        **options: of `Worker.create`.
    """

    def __init__(self, **options: Any) -> None:
        self.child = Child("mediarouter.bench.router_process", **options)
        self.port = int(self.child.welcome["port"])
        self._capabilities = msgspec.to_builtins(capabilities())

    def open(self, client: Client) -> Opened:
        """A transport for a client that is still to come."""
        self.ask(client)
        return self.opened()

    def ask(self, client: Client) -> None:
        """Ask for one, to be told by `opened` later."""
        self.child.send(
            do="open", dtls=msgspec.to_builtins(client.dtls_parameters), ice=msgspec.to_builtins(client.ice_parameters)
        )

    def opened(self) -> Opened:
        """The next that was asked for; waits for it."""
        return msgspec.convert(self.child.receive(), Opened)

    def join(self, certificate: DtlsCertificate) -> tuple[int, Joined]:
        """A transport and its client."""
        client = Client(certificate)
        opened = self.open(client)
        return opened.transport, client.join(opened.ice, opened.candidates, opened.dtls)

    def produce(self, transport: int, load: Load, index: int) -> int:
        """A producer."""
        rtp = msgspec.to_builtins(rtp_parameters(load, index))
        return int(self.child.order(do="produce", transport=transport, kind=load.kind, rtp=rtp)["producer"])

    def consume(self, transport: int, producers: Sequence[int]) -> list[int]:
        """Consumers."""
        answer = self.child.order(
            do="consume", transport=transport, producers=list(producers), capabilities=self._capabilities
        )
        return list(answer["consumers"])

    def pause(self, consumers: Sequence[int], paused: bool) -> None:
        """Let them fall silent, or go on."""
        self.child.order(do="pause", consumers=list(consumers), paused=paused)

    def figures(self) -> dict[str, Any]:
        """Totals of now."""
        return self.child.order(do="figures")

    def anonymous_bytes(self) -> int:
        """Its resident memory that is its own: what is shared with other processes or read from files is left out."""
        return int(self.child.order(do="memory")["anonymous"])

    def leave(self, transports: Sequence[int]) -> None:
        """Close these, with all on them."""
        self.child.order(do="leave", transports=list(transports))

    def sample(self) -> dict[str, Any]:
        """What could grow without end: rss_bytes, objects of Python, descriptors, threads, and `rows` of the engine."""
        return self.child.order(do="sample")

    def close(self) -> None:
        """End it."""
        self.child.close()
