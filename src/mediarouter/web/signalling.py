"""The meeting page's WebSocket: who is here, offers and answers. docs/web.md has the messages.

The client has one connection to publish and one to receive, and always makes the offer. The server tells who publishes
what (`members`); the client adds a receiving section for each stream it wants and says which is which in its offer.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from mediarouter.errors import MediaRouterError
from mediarouter.parameters import WantedLayer
from mediarouter.web.rooms import MAX_MEMBERS, Connection, FullError, Room, Rooms, is_name

MAX_MESSAGE = 256 * 1024
MESSAGES_PER_SECOND = 30
BURST = 60
LIST_INTERVAL_S = 0.1


class Member:
    """Somebody in a meeting, on one WebSocket."""

    def __init__(self, room: Room, socket: WebSocket, name: str) -> None:
        self.id = secrets.token_urlsafe(9)
        self.name = name
        self.muted = {"audio": False, "video": False}
        self.publishing: Connection | None = None
        self.receiving: Connection | None = None
        self._room = room
        self._socket = socket
        self._changed = asyncio.Event()
        self._listed = True
        self._wanted: dict[str, tuple[WantedLayer, ...]] = {}
        self._send_lock = asyncio.Lock()

    def touch(self) -> None:
        """The members' list has changed."""
        self._listed = False
        self._changed.set()

    def want(self, mid: str, layers: tuple[WantedLayer, ...]) -> None:
        """Other layers of what it publishes are wanted."""
        self._wanted[mid] = layers
        self._changed.set()

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        async with self._send_lock:
            await self._socket.send_text(json.dumps(message))

    async def tell_changes(self) -> None:
        """Send the list, and which layers are wanted, whenever they change, many changes at once as one."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted, self._wanted = self._wanted, {}
            for mid, layers in wanted.items():
                await self.send({"type": "wanted", "mid": mid, "layers": msgspec.to_builtins(layers)})
            if not self._listed:
                await self._send_list()
            # what one member changes is told to all: their number must not multiply its messages
            await asyncio.sleep(LIST_INTERVAL_S)

    async def _send_list(self) -> None:
        self._listed = True
        await self.send({"type": "members", "members": [m.describe() for m in self._room.members.values()]})

    def describe(self) -> dict[str, Any]:
        """This member as others see it."""
        producers = self.publishing.producers.items() if self.publishing and not self.publishing.closed else ()
        return {
            "id": self.id,
            "name": self.name,
            "muted": self.muted,
            "streams": [{"id": p.id, "kind": p.kind, "mid": mid, "paused": p.paused} for mid, p in producers],
        }

    async def handle(self, message: dict[str, Any]) -> None:
        """Do what a message asks.

        Raises:
            MediaRouterError, ValueError: it cannot be done; the text says why.
        """
        kind = message.get("type")
        if kind == "publish":
            offer = _text(message, "sdp")
            publishing = self.publishing = await self._connection(self.publishing, offer, self.name)
            publishing.on_wanted = lambda mid, layers: self._want_of(publishing, mid, layers)
            answer = await _answer_or_close(publishing, publishing.publish(offer))
            await self.send({"type": "published", "sdp": answer})
            await self._room.fill_waiting()
        elif kind == "receive":
            wanted = message.get("wanted")
            if not isinstance(wanted, dict) or not all(isinstance(v, str) for v in wanted.values()):
                raise ValueError("wanted is an object: stream ids by mid")
            offer = _text(message, "sdp")
            receiving = self.receiving = await self._connection(self.receiving, offer, "")
            answer = await _answer_or_close(receiving, receiving.watch(offer, wanted))
            await self.send({"type": "received", "sdp": answer})
        elif kind == "layers":
            await self._set_layers(message)
        elif kind == "mute":
            await self._mute(message)
        elif kind == "ping":
            await self.send({"type": "pong"})
        else:
            raise ValueError(f"no message type {kind!r}")

    def _want_of(self, connection: Connection, mid: str, layers: tuple[WantedLayer, ...]) -> None:
        if connection is self.publishing:
            self.want(mid, layers)

    async def _connection(self, current: Connection | None, offer: str, name: str) -> Connection:
        # a page whose connection failed makes a new one, long before the old one's consent lapses here
        if current is not None and not current.closed:
            if current.is_with(offer):
                return current
            current.close()
        return await self._room.connect(name)

    async def _mute(self, message: dict[str, Any]) -> None:
        media, muted = message.get("kind"), message.get("muted")
        if media not in ("audio", "video") or not isinstance(muted, bool):
            raise ValueError("mute needs a kind and muted")
        self.muted[media] = muted
        for member in tuple(self._room.members.values()):
            member.touch()

    async def _set_layers(self, message: dict[str, Any]) -> None:
        spatial, temporal = message.get("spatial"), message.get("temporal")
        for value in (spatial, temporal):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise ValueError("layers are whole numbers or null")
        if self.receiving is not None:
            for consumer in self.receiving.consumers.values():
                if consumer.producer_id == message.get("stream"):
                    await consumer.set_preferred_layers(spatial, temporal)

    def leave(self) -> None:
        """Close what it has open."""
        for connection in (self.publishing, self.receiving):
            if connection is not None:
                connection.close()


async def _answer_or_close(connection: Connection, answering: Awaitable[str]) -> str:
    try:
        return await answering
    except BaseException:
        if connection.version <= 1:  # it never worked; one that did goes on as it was
            connection.close()
        raise


def _text(message: dict[str, Any], key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is missing")
    return value


async def serve_meeting(socket: WebSocket, rooms: Rooms) -> None:
    """One member's WebSocket, from hello to good-bye."""
    name = str(socket.path_params["room"])
    await socket.accept()
    if not is_name(name):
        await socket.close(4400, "no such room name")
        return
    try:
        room = await rooms.enter(name)
        if len(room.members) >= MAX_MEMBERS:
            raise FullError("the room is full")
    except MediaRouterError as error:
        await socket.close(4503, str(error))
        return
    member = Member(room, socket, socket.query_params.get("name", "")[:64].strip() or "Guest")
    room.members[member.id] = member
    room.listeners.append(member.touch)
    teller = asyncio.create_task(member.tell_changes())
    try:
        await member.send({"type": "welcome", "id": member.id, "room": name})
        for other in room.members.values():
            other.touch()
        await _listen(socket, member)
    except WebSocketDisconnect:
        pass
    finally:
        teller.cancel()
        del room.members[member.id]
        room.listeners.remove(member.touch)
        member.leave()
        for other in room.members.values():
            other.touch()
        room.close_if_empty()
        await asyncio.wait([teller])
        if not teller.cancelled():
            teller.exception()  # it could not send: the socket was closed


async def _listen(socket: WebSocket, member: Member) -> None:
    loop = asyncio.get_running_loop()
    allowance, last = float(BURST), loop.time()
    while True:
        received = await socket.receive()
        if received["type"] != "websocket.receive":
            return
        text = received.get("text")
        if text is None:
            await socket.close(1003, "messages are text")
            return
        if len(text) > MAX_MESSAGE:
            await socket.close(1009, f"a message is at most {MAX_MESSAGE} letters")
            return
        now = loop.time()
        allowance = min(BURST, allowance + (now - last) * MESSAGES_PER_SECOND) - 1
        last = now
        if allowance < 0:
            await socket.close(4429, f"more than {MESSAGES_PER_SECOND} messages a second")
            return
        await _answer(member, text)


async def _answer(member: Member, text: str) -> None:
    try:
        message = json.loads(text)
        if not isinstance(message, dict):
            raise ValueError("a message is a JSON object")
        await member.handle(message)
    except RecursionError:
        await member.send({"type": "error", "text": "the message is nested too deeply"})
    except (MediaRouterError, ValueError) as error:
        await member.send({"type": "error", "text": str(error)})
