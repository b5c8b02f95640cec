"""Rooms of the demo service: who is in one, what they publish, who watches. The library knows none of this.

A room owns a router and closes when nobody is left in it. With a pool of workers it begins on the least loaded one, and
spans more of them when it outgrows that.
"""

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from mediarouter.consumer import Consumer
from mediarouter.errors import MediaRouterError, UnsupportedError
from mediarouter.net.pool import WorkerPool
from mediarouter.net.worker import Worker
from mediarouter.parameters import IceParameters, RtpCapabilities, RtpParameters, WantedLayer
from mediarouter.producer import Producer
from mediarouter.router import Router
from mediarouter.spanning import SpanningRouter
from mediarouter.transports.webrtc import WebRtcTransport
from mediarouter.web.negotiation import Offer, OfferSection, read_offer, write_answer

MAX_ROOMS = 1000
MAX_MEMBERS = 500
MAX_PRODUCERS = 8  # of one connection
CONNECT_TIMEOUT_US = 30_000_000  # as long as consent (RFC 7675 section 5.1)
_NAME = re.compile(r"[\w.~-]{1,64}\Z")

Layers = tuple[int | None, int | None]
Host = Worker | WorkerPool


class FullError(MediaRouterError):
    """There is no room for one more; somebody may leave."""


def is_name(text: str) -> bool:
    """Whether a room or a stream may have this name: 1 to 64 letters, digits, dots, hyphens, underscores, tildes."""
    return _NAME.match(text) is not None


class Connection:
    """One peer connection of somebody: publishing, watching, or both.

    It closes when its transport does, when its consent lapses, and when it is not connected within
    `CONNECT_TIMEOUT_US`: who asks for an answer and never comes leaves nothing behind.
    """

    def __init__(self, room: "Room", transport: WebRtcTransport, name: str) -> None:
        self.id = secrets.token_urlsafe(12)
        self.name = name
        self.transport = transport
        self.version = 0
        self.restarts = 0
        self.producers: dict[str, Producer] = {}  # by mid
        self.consumers: dict[str, Consumer] = {}  # by mid
        self.waiting: dict[str, OfferSection] = {}  # sections that will be sent something later, by mid
        self.layers: Layers = (None, None)
        self.stream: str | None = None
        self.allow_mixed = False
        self.on_wanted: Callable[[str, tuple[WantedLayer, ...]], None] | None = None  # mid of a video, its layers
        self.room = room
        self.closed = False
        self._sections: dict[str, OfferSection] = {}  # as answered, where the room chooses what they are sent
        self._peer: Offer | None = None
        self._deadline = room.host.call_later(CONNECT_TIMEOUT_US, self.close)
        transport.on("close", self.close)
        transport.on("dtls_state_change", self._dtls_changed)
        transport.on("ice_state_change", self._ice_changed)

    @property
    def etag(self) -> str:
        """Of the ICE session (RFC 9725 section 4.3.1): it changes with a restart."""
        return f'"{self.id}-{self.restarts}"'

    @property
    def watches(self) -> bool:
        """It has asked for media."""
        return bool(self._sections or self.waiting or self.consumers)

    def is_with(self, offer_text: str) -> bool:
        """Whether an offer comes from the peer connection at the other end, told by its certificate.

        Raises:
            NegotiationError: it is malformed.
        """
        offer = read_offer(offer_text, self.room.router.rtp_capabilities)
        return self._peer is None or offer.dtls_parameters.fingerprints == self._peer.dtls_parameters.fingerprints

    async def publish(self, offer_text: str) -> str:
        """Answer an offer that brings media.

        Raises:
            NegotiationError, UnsupportedError: it cannot be used.
        """
        offer = await self._open(offer_text)
        sections = offer.sending()
        if not self.producers and not sections:
            raise UnsupportedError("the offer brings no audio or video that this server takes")
        wanted = {section.mid for section in sections}
        for mid in [mid for mid in self.producers if mid not in wanted]:
            self.producers.pop(mid).close()
        for section in sections[:MAX_PRODUCERS]:
            if section.mid not in self.producers and section.rtp_parameters is not None:
                kind: Literal["audio", "video"] = "audio" if section.kind == "audio" else "video"
                producer = await self.transport.produce(kind=kind, rtp_parameters=section.rtp_parameters)
                producer.app_data["connection"] = self.id
                self.producers[section.mid] = producer
                self._pass_on_wanted(section.mid, producer)
        answer = self._answer(offer)
        self.room.announce(self)
        return answer

    async def watch(self, offer_text: str, wanted: dict[str, str] | None = None) -> str:
        """Answer an offer that wants media.

        Args:
            wanted: producer ids by mid; None: the room chooses, in the order of who came first.

        Raises:
            NegotiationError, UnsupportedError: it cannot be used.
        """
        offer = await self._open(offer_text)
        self.allow_mixed = offer.allow_mixed
        if not offer.receiving():
            raise UnsupportedError("the offer wants no audio or video that this server has")
        if wanted is not None:
            await self._attach(offer, wanted)
        else:
            self._sections = {s.mid: s for s in offer.receiving()}
            self.waiting = {mid: s for mid, s in self._sections.items() if mid not in self.consumers}
            await self.fill()
            for mid, consumer in self.consumers.items():
                if mid in self._sections:
                    self._sections[mid] = _as_answered(self._sections[mid], consumer.rtp_parameters)
        return self._answer(offer)

    async def fill(self) -> None:
        """Give sections that wait what the room has by now."""
        for mid, section in list(self.waiting.items()):
            assert section.rtp_capabilities is not None
            taken = {c.producer_id for c in self.consumers.values()}
            for producer in self.room.producers_for(self, section.kind):
                if producer.id in taken or not self.room.router.can_consume(producer.id, section.rtp_capabilities):
                    continue
                # taken out first: another publisher may come while this one is attached
                self.waiting.pop(mid, None)
                try:
                    await self._consume(mid, producer.id, section)
                except MediaRouterError:
                    self.waiting[mid] = section  # not this one; its publisher is not to blame
                    continue
                break

    async def set_layers(self, layers: Layers) -> None:
        """Choose the simulcast layer of all video it is sent, now and later."""
        self.layers = layers
        for consumer in self.consumers.values():
            if consumer.kind == "video":
                await consumer.set_preferred_layers(*layers)

    def close(self) -> None:
        """Leave the room. Closing twice is no error."""
        if self.closed:
            return
        self.closed = True
        self._deadline.cancel()
        self.transport.close()
        self.room.forget(self)

    async def restart_ice(self, theirs: IceParameters) -> None:
        """New credentials on both sides (RFC 8445 section 9); the `etag` changes.

        Raises:
            InvalidStateError: it is closed.
        """
        await self.transport.restart_ice()
        self.transport.set_remote_ice_parameters(theirs)
        self.restarts += 1

    async def _open(self, offer_text: str) -> Offer:
        offer = read_offer(offer_text, self.room.router.rtp_capabilities)
        if self._peer is None:
            await self.transport.connect(offer.dtls_parameters, offer.ice_parameters)
        elif self._peer.ice_parameters.username_fragment != offer.ice_parameters.username_fragment:
            await self.restart_ice(offer.ice_parameters)
        self._peer = offer
        self.version += 1
        return offer

    async def _attach(self, offer: Offer, wanted: dict[str, str]) -> None:
        sections = {section.mid: section for section in offer.receiving()}
        for mid in [m for m, c in self.consumers.items() if m not in sections or wanted.get(m) != c.producer_id]:
            self.consumers.pop(mid).close()
        for mid, producer_id in wanted.items():
            section = sections.get(mid)
            if section is None or mid in self.consumers or producer_id not in self.room.router.producers:
                continue
            try:
                await self._consume(mid, producer_id, section)
            except MediaRouterError:
                continue  # the section stays inactive; the client sees that in the answer

    async def _consume(self, mid: str, producer_id: str, section: OfferSection) -> None:
        assert section.rtp_capabilities is not None
        consumer = await self.transport.consume(
            producer_id,
            rtp_capabilities=section.rtp_capabilities,
            mid=mid,
            preferred_layers=self.layers,
            allow_mixed=self.allow_mixed,
        )
        self.consumers[mid] = consumer

        def gone() -> None:
            if self.consumers.get(mid) is consumer:
                del self.consumers[mid]
                if mid in self._sections:
                    self.waiting[mid] = self._sections[mid]

        consumer.on("producer_close", gone)

    def _pass_on_wanted(self, mid: str, producer: Producer) -> None:
        def changed(layers: tuple[WantedLayer, ...]) -> None:
            if self.on_wanted is not None and self.producers.get(mid) is producer:
                self.on_wanted(mid, layers)

        if producer.kind == "video":
            producer.on("wanted_layers", changed)

    def _answer(self, offer: Offer) -> str:
        return write_answer(
            offer,
            self.transport,
            producers=self.producers,
            consumers=self.consumers,
            waiting=self.waiting,
            version=self.version,
        )

    def _dtls_changed(self, state: str) -> None:
        if state == "connected":
            self._deadline.cancel()
        elif state in ("closed", "failed"):
            self.close()

    def _ice_changed(self, state: str) -> None:
        if state == "disconnected":
            self.close()  # consent has lapsed for 30 s: nobody is there


def _as_answered(section: OfferSection, sent: RtpParameters) -> OfferSection:
    # the answer named one codec: whatever the section is sent later has to have it too
    assert section.rtp_capabilities is not None
    payload_types = {codec.payload_type for codec in sent.codecs}
    uris = {extension.uri for extension in sent.header_extensions}
    narrowed = RtpCapabilities(
        tuple(c for c in section.rtp_capabilities.codecs if c.preferred_payload_type in payload_types),
        tuple(e for e in section.rtp_capabilities.header_extensions if e.uri in uris),
    )
    return replace(section, rtp_capabilities=narrowed)


class Room:
    """A router and the connections to it."""

    def __init__(
        self, name: str, host: Host, router: Router | SpanningRouter, on_empty: Callable[["Room"], None]
    ) -> None:
        self.name = name
        self.host = host
        self.router = router
        self.connections: dict[str, Connection] = {}
        self.members: dict[str, Any] = {}  # of the meeting page, by id
        self.listeners: list[Callable[[], None]] = []
        self._on_empty = on_empty
        self._refilling: set[asyncio.Task[None]] = set()

    async def connect(self, name: str) -> Connection:
        """A new connection.

        Raises:
            FullError: the room is full.
            InvalidStateError: the router is closed.
        """
        if len(self.connections) >= MAX_MEMBERS * 2:
            raise FullError("the room is full")
        try:
            transport = await self.router.create_webrtc_transport()
        except BaseException:
            self.close_if_empty()
            raise
        connection = Connection(self, transport, name)
        self.connections[connection.id] = connection
        return connection

    def producers_for(self, viewer: Connection, kind: str) -> list[Producer]:
        """What a viewer may be sent: by who came first, of one stream if it named one, never its own."""
        return [
            producer
            for connection in self.connections.values()
            if connection is not viewer and viewer.stream in (None, connection.id, connection.name)
            for producer in connection.producers.values()
            if producer.kind == kind and not producer.closed
        ]

    def announce(self, publisher: Connection) -> None:
        """Somebody publishes something new: tell those who listen and those who wait."""
        for listener in tuple(self.listeners):
            listener()

    async def fill_waiting(self) -> None:
        """Attach what is there to the viewers that wait for it."""
        for connection in tuple(self.connections.values()):
            if connection.waiting and not connection.closed:
                await connection.fill()

    def forget(self, connection: Connection) -> None:
        """A connection has closed."""
        self.connections.pop(connection.id, None)
        for listener in tuple(self.listeners):
            listener()
        self.close_if_empty()
        if not self.router.closed and any(other.waiting for other in self.connections.values()):
            # its sections are free again: the next publisher of the room, if there is one, takes its place
            task = asyncio.get_running_loop().create_task(self.fill_waiting())
            self._refilling.add(task)
            task.add_done_callback(self._refilling.discard)

    def close_if_empty(self) -> None:
        """A room nobody is in makes room for others."""
        if not self.connections and not self.members:
            self.router.close()
            self._on_empty(self)


class Rooms:
    """All rooms of one worker or pool."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.rooms: dict[str, Room] = {}

    async def enter(self, name: str) -> Room:
        """The room of that name, made if need be.

        Raises:
            FullError: there are too many.
            InvalidStateError: the worker or pool is closed.
        """
        room = self.rooms.get(name)
        if room is None:
            if len(self.rooms) >= MAX_ROOMS:
                raise FullError("too many rooms")
            router = await self._create_router()
            room = self.rooms.setdefault(name, Room(name, self.host, router, self._closed))
            if room.router is not router:
                router.close()
        return room

    async def _create_router(self) -> Router | SpanningRouter:
        if isinstance(self.host, WorkerPool):
            return await self.host.create_spanning_router()
        return await self.host.create_router()

    def connection(self, connection_id: str) -> Connection | None:
        """The connection of that id, in whatever room."""
        for room in self.rooms.values():
            if connection_id in room.connections:
                return room.connections[connection_id]
        return None

    def close(self) -> None:
        """Close all rooms."""
        for room in tuple(self.rooms.values()):
            for connection in tuple(room.connections.values()):
                connection.close()
            room.router.close()
        self.rooms.clear()

    def _closed(self, room: Room) -> None:
        if self.rooms.get(room.name) is room:
            del self.rooms[room.name]
