"""One media domain, usually a meeting: what one transport produces in it, the others may consume."""

from collections.abc import Callable, Iterable
from typing import Any

from mediarouter.errors import InvalidStateError
from mediarouter.events import Emitter
from mediarouter.ortc import can_consume, get_router_rtp_capabilities, validate_producer_parameters
from mediarouter.parameters import DEFAULT_BANDWIDTH, Bandwidth, RtpCapabilities, RtpCodecCapability
from mediarouter.producer import Producer
from mediarouter.transports.base import Environment, random_id
from mediarouter.transports.pipe import Owner, PipeTransport, lay_pipe
from mediarouter.transports.webrtc import WebRtcTransport


class Router(Emitter):
    """Made by `Worker.create_router`.

    Events:
        new_producer(producer): somebody produces something.
        close(): its transports are closed.
    """

    events = frozenset({"new_producer", "close"})

    def __init__(
        self,
        environment: Environment,
        media_codecs: Iterable[RtpCodecCapability],
        on_close: Callable[["Router"], None],
    ) -> None:
        super().__init__()
        self._environment = environment
        self._on_close = on_close
        self._owners: dict[str, Owner] = {}
        self._find_home: Callable[[str], Router | None] = lambda producer_id: None
        self.id = random_id(environment)
        self.rtp_capabilities: RtpCapabilities = get_router_rtp_capabilities(tuple(media_codecs))
        self.producers: dict[str, Producer] = {}
        self.transports: dict[str, WebRtcTransport] = {}
        self.pipe_transports: dict[str, PipeTransport] = {}  # by the id of the router at the other end
        self.closed = False
        self.app_data: dict[str, Any] = {}

    async def create_webrtc_transport(self, *, bandwidth: Bandwidth | None = DEFAULT_BANDWIDTH) -> WebRtcTransport:
        """A path for one client's peer connection.

        Args:
            bandwidth: what to assume of the client's network until its transport-wide feedback tells; None: send it
                all that it watches, whatever its network carries.

        Raises:
            InvalidStateError: the router is closed.
        """
        if self.closed:
            raise InvalidStateError("router closed")
        transport = WebRtcTransport(self, self._environment, bandwidth)
        self.transports[transport.id] = transport
        return transport

    def can_consume(self, producer_id: str, rtp_capabilities: RtpCapabilities) -> bool:
        """Whether a client with these capabilities takes what the producer sends; False for an unknown producer."""
        producer = self.producers.get(producer_id)
        return producer is not None and can_consume(producer.rtp_parameters, rtp_capabilities)

    async def pipe_to_router(self, producer_id: str, *, router: "Router") -> Producer:
        """Bring a producer to another router of this process, on whatever worker: there it is a copy with the same id.

        The copy pauses, resumes and closes with the original, and may be closed alone. One pipe between two routers is
        laid with the first producer and carries all that follow, both ways. Both workers must belong to one event loop.

        Args:
            producer_id: of a producer of this router, which may be a copy itself.
            router: where to; if it has a producer of that id already, nothing changes.

        Returns:
            The producer in the other router.

        Raises:
            InvalidStateError: a router is closed, or there is no such producer here.
            UnsupportedError: the other router does not take its codec.
            ValueError: it is the same router.
        """
        if router is self:
            raise ValueError("a router is not piped to itself")
        if self.closed or router.closed:
            raise InvalidStateError("router closed")
        producer = self.producers.get(producer_id)
        if producer is None:
            raise InvalidStateError(f"no producer {producer_id} in this router")
        if producer_id in router.producers:
            return router.producers[producer_id]
        validate_producer_parameters(producer.kind, producer.rtp_parameters, router.rtp_capabilities)
        pipe = self.pipe_transports.get(router.id)
        if pipe is None:
            pipe = self.pipe_transports[router.id] = lay_pipe(self, router)
            router.pipe_transports[self.id] = pipe.peer
        return pipe._send(producer, self._owners[producer_id])

    def close(self) -> None:
        """Close it, its transports and its pipes. Closing twice is no error."""
        if self.closed:
            return
        self.closed = True
        for pipe in tuple(self.pipe_transports.values()):
            pipe.close()
        for transport in tuple(self.transports.values()):
            transport.close()
        self._on_close(self)
        self.emit("close")

    def _home_of(self, producer_id: str) -> "Router":
        # this one, or another member of a spanning router
        home = self if producer_id in self.producers else self._find_home(producer_id)
        if home is None:
            raise InvalidStateError(f"no producer {producer_id} in this router")
        return home

    def _add_producer(self, producer: Producer, owner: Owner) -> None:
        self.producers[producer.id] = producer
        self._owners[producer.id] = owner
        self.emit("new_producer", producer)

    def _forget_producer(self, producer: Producer) -> None:
        self.producers.pop(producer.id, None)
        self._owners.pop(producer.id, None)

    def _forget_transport(self, transport: WebRtcTransport) -> None:
        self.transports.pop(transport.id, None)

    def _forget_pipe(self, pipe: PipeTransport) -> None:
        self.pipe_transports.pop(pipe.peer.router.id, None)

    def _cname_of(self, producer: Producer) -> str:
        return self._owners[producer.id].cname
