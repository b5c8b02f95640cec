"""One media domain over several workers: a meeting that is larger than what one core carries."""

from collections.abc import Awaitable, Callable
from typing import Any

from mediarouter.errors import InvalidStateError
from mediarouter.events import Emitter
from mediarouter.parameters import DEFAULT_BANDWIDTH, Bandwidth, RtpCapabilities
from mediarouter.producer import Producer
from mediarouter.router import Router
from mediarouter.transports.webrtc import WebRtcTransport

Place = Callable[[tuple[Router, ...]], Awaitable[Router]]


class SpanningRouter(Emitter):
    """Routers on several workers that are used as one. Made by `WorkerPool.create_spanning_router`.

    It stands where a `Router` would: a transport is placed on one of the members, or on a new one, and may consume any
    producer of any of them. What is consumed away from home is piped there once, however many consume it, and no longer
    when nobody does. A transport stays where it was placed.

    Events:
        new_producer(producer): somebody produces something; copies on other members are not told.
        close(): its members are closed.
    """

    events = frozenset({"new_producer", "close"})

    def __init__(self, first: Router, place: Place, on_close: Callable[["SpanningRouter"], None]) -> None:
        super().__init__()
        self._place = place
        self._on_close = on_close
        self._routers: list[Router] = []
        self._homes: dict[str, Router] = {}
        self.id = first.id
        self.rtp_capabilities: RtpCapabilities = first.rtp_capabilities
        self.producers: dict[str, Producer] = {}
        self.closed = False
        self.app_data: dict[str, Any] = {}
        self._add(first)

    @property
    def routers(self) -> tuple[Router, ...]:
        """The members, each on a worker of its own."""
        return tuple(self._routers)

    @property
    def transports(self) -> dict[str, WebRtcTransport]:
        """Those of all members, by id."""
        return {id: transport for router in self._routers for id, transport in router.transports.items()}

    async def create_webrtc_transport(self, *, bandwidth: Bandwidth | None = DEFAULT_BANDWIDTH) -> WebRtcTransport:
        """A path for one client's peer connection, on the member that has most room, or on a new one.

        Args:
            bandwidth: as for `Router.create_webrtc_transport`.

        Raises:
            InvalidStateError: the router is closed, or there is no worker for it.
        """
        if self.closed:
            raise InvalidStateError("router closed")
        router = await self._place(self.routers)
        if router not in self._routers:
            self._add(router)
        return await router.create_webrtc_transport(bandwidth=bandwidth)

    def can_consume(self, producer_id: str, rtp_capabilities: RtpCapabilities) -> bool:
        """Whether a client with these capabilities takes what the producer sends; False for an unknown producer."""
        home = self._homes.get(producer_id)
        return home is not None and home.can_consume(producer_id, rtp_capabilities)

    def close(self) -> None:
        """Close it and its members. Closing twice is no error."""
        if self.closed:
            return
        self.closed = True
        for router in self.routers:
            router.close()
        self._on_close(self)
        self.emit("close")

    # ---- inside

    def _add(self, router: Router) -> None:
        self._routers.append(router)
        router._find_home = self._homes.get
        router.on("new_producer", lambda producer: self._produced(producer, router))
        router.on("close", lambda: self._member_closed(router))

    def _produced(self, producer: Producer, router: Router) -> None:
        if producer.id in self.producers:
            producer.on("unwatched", producer.close)  # a copy, as good as its viewers
            return
        self.producers[producer.id] = producer
        self._homes[producer.id] = router
        producer.on("close", lambda: self._forget(producer))
        self.emit("new_producer", producer)

    def _forget(self, producer: Producer) -> None:
        self.producers.pop(producer.id, None)
        self._homes.pop(producer.id, None)

    def _member_closed(self, router: Router) -> None:
        # with its worker; the others go on, but for the last
        self._routers.remove(router)
        if not self._routers:
            self.close()
