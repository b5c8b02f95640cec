"""One media domain, usually a meeting: what one transport produces in it, the others may consume."""

from collections.abc import Callable, Iterable
from typing import Any

from mediarouter.errors import InvalidStateError
from mediarouter.events import Emitter
from mediarouter.ortc import can_consume, get_router_rtp_capabilities
from mediarouter.parameters import RtpCapabilities, RtpCodecCapability
from mediarouter.producer import Producer
from mediarouter.transports.base import Environment, random_id
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
        self._owners: dict[str, WebRtcTransport] = {}
        self.id = random_id(environment)
        self.rtp_capabilities: RtpCapabilities = get_router_rtp_capabilities(tuple(media_codecs))
        self.producers: dict[str, Producer] = {}
        self.transports: dict[str, WebRtcTransport] = {}
        self.closed = False
        self.app_data: dict[str, Any] = {}

    async def create_webrtc_transport(self) -> WebRtcTransport:
        """A path for one client's peer connection.

        Raises:
            InvalidStateError: the router is closed.
        """
        if self.closed:
            raise InvalidStateError("router closed")
        transport = WebRtcTransport(self, self._environment)
        self.transports[transport.id] = transport
        return transport

    def can_consume(self, producer_id: str, rtp_capabilities: RtpCapabilities) -> bool:
        """Whether a client with these capabilities takes what the producer sends; False for an unknown producer."""
        producer = self.producers.get(producer_id)
        return producer is not None and can_consume(producer.rtp_parameters, rtp_capabilities)

    def close(self) -> None:
        """Close it and its transports. Closing twice is no error."""
        if self.closed:
            return
        self.closed = True
        for transport in tuple(self.transports.values()):
            transport.close()
        self._on_close(self)
        self.emit("close")

    def _add_producer(self, producer: Producer, owner: WebRtcTransport) -> None:
        self.producers[producer.id] = producer
        self._owners[producer.id] = owner
        self.emit("new_producer", producer)

    def _forget_producer(self, producer: Producer) -> None:
        self.producers.pop(producer.id, None)
        self._owners.pop(producer.id, None)

    def _forget_transport(self, transport: WebRtcTransport) -> None:
        self.transports.pop(transport.id, None)

    def _cname_of(self, producer: Producer) -> str:
        return self._owners[producer.id].cname
