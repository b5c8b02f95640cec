"""The meeting page's WebSocket: who is here, offers and answers. docs/web.md has the messages.

The client has one connection to publish and one to receive, and always makes the offer. The server tells who publishes
what (`members`); the client adds a receiving section for each stream it wants and says which is which in its offer.
"""

import asyncio
import contextlib
import json
import re
import secrets
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from mediarouter.errors import MediaRouterError
from mediarouter.web.rooms import MAX_MEMBERS, Connection, Room, Rooms

MAX_MESSAGE = 256 * 1024
MESSAGES_PER_SECOND = 30
BURST = 60
_NAME = re.compile(r"[\w.~-]{1,64}\Z")


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
        self._send_lock = asyncio.Lock()

    def touch(self) -> None:
        """The members' list has changed."""
        self._changed.set()

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        async with self._send_lock:
            await self._socket.send_text(json.dumps(message))

    async def tell_changes(self) -> None:
        """Send the list whenever it changes, many changes at once as one."""
        while True:
            await self._changed.wait()
            self._changed.clear()
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
            self.publishing = self.publishing if self.publishing and not self.publishing.closed else None
            if self.publishing is None:
                self.publishing = await self._room.connect(self.name)
            answer = await self.publishing.publish(_text(message, "sdp"))
            await self.send({"type": "published", "sdp": answer})
            await self._room.fill_waiting()
            self._room.announce(self.publishing)
        elif kind == "receive":
            wanted = message.get("wanted")
            if not isinstance(wanted, dict) or not all(isinstance(v, str) for v in wanted.values()):
                raise ValueError("wanted is an object: stream ids by mid")
            self.receiving = self.receiving if self.receiving and not self.receiving.closed else None
            if self.receiving is None:
                self.receiving = await self._room.connect("")
            answer = await self.receiving.watch(_text(message, "sdp"), wanted)
            await self.send({"type": "received", "sdp": answer})
        elif kind == "layers":
            await self._set_layers(message)
        elif kind == "mute":
            await self._mute(message)
        elif kind == "ping":
            await self.send({"type": "pong"})
        else:
            raise ValueError(f"no message type {kind!r}")

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


def _text(message: dict[str, Any], key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is missing")
    return value


async def serve_meeting(socket: WebSocket, rooms: Rooms) -> None:
    """One member's WebSocket, from hello to good-bye."""
    name = str(socket.path_params["room"])
    await socket.accept()
    if not _NAME.match(name):
        await socket.close(4400, "no such room name")
        return
    room = await rooms.enter(name)
    if len(room.members) >= MAX_MEMBERS:
        await socket.close(4503, "the room is full")
        return
    member = Member(room, socket, socket.query_params.get("name", "")[:64] or "Guest")
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
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await teller
        room.members.pop(member.id, None)
        room.listeners.remove(member.touch)
        member.leave()
        for other in room.members.values():
            other.touch()
        room.close_if_empty()


async def _listen(socket: WebSocket, member: Member) -> None:
    loop = asyncio.get_running_loop()
    allowance, last = float(BURST), loop.time()
    while True:
        text = await socket.receive_text()
        now = loop.time()
        allowance = min(BURST, allowance + (now - last) * MESSAGES_PER_SECOND) - 1
        last = now
        if len(text) > MAX_MESSAGE or allowance < 0:
            await socket.close(4429, "too much")
            return
        try:
            message = json.loads(text)
            if not isinstance(message, dict):
                raise ValueError("a message is a JSON object")
            await member.handle(message)
        except (MediaRouterError, ValueError) as error:
            await member.send({"type": "error", "text": str(error)})
