"""The web door without a web server: requests and WebSockets by ASGI, light clients for the media."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import httpx

from mediarouter import DtlsFingerprint, DtlsParameters, IceParameters, Worker, WorkerPool, rtp
from mediarouter.parameters import MID, IceCandidate
from mediarouter.sdp import SessionDescription
from mediarouter.web import create_app
from tests.clients.rtp_client import RtpClient, certificate

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
WAIT_S = 15
CODECS = {
    "audio": ["111", "a=rtpmap:111 opus/48000/2"],
    "video": [
        "96 97",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
    ],
    "h264": [
        "102",
        "a=rtpmap:102 H264/90000",
        "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ],
    "both": [
        "96 102",
        "a=rtpmap:96 VP8/90000",
        "a=rtpmap:102 H264/90000",
        "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ],
    "g729": ["18", "a=rtpmap:18 G729/8000"],
}


def fingerprint_of(text: str) -> DtlsFingerprint:
    """`a=fingerprint` as a value."""
    algorithm, _, value = text.partition(" ")
    return DtlsFingerprint(algorithm, value)


def offer(client: RtpClient | None, *sections: str, fingerprint: str = "") -> str:
    """An offer.

    Args:
        client: whose credentials are in it; None: of one that never comes.
        sections: "audio sendonly" and the like; the mid is the index, the SSRC of what is sent 100 more.
        fingerprint: another than the client's.
    """
    ours = certificate().fingerprints[0]
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(map(str, range(len(sections)))),
        f"a=ice-ufrag:{client.ufrag if client else 'nobody'}",
        f"a=ice-pwd:{'x' * 24}",
        f"a=fingerprint:{fingerprint or f'{ours.algorithm} {ours.value}'}",
        f"a=setup:{'active' if client is None or client.role == 'client' else 'passive'}",
    ]
    for index, section in enumerate(sections):
        kind, direction = section.split()
        formats, *codec = CODECS[kind]
        lines += [
            f"m={'audio' if kind in ('audio', 'g729') else 'video'} 9 UDP/TLS/RTP/SAVPF {formats}",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{index}",
            f"a={direction}",
            "a=rtcp-mux",
            f"a=extmap:1 {MID}",
            *codec,
        ]
        if direction == "sendonly":
            lines.append(f"a=ssrc:{100 + index} cname:sender")
    return "\r\n".join(lines) + "\r\n"


def opus(number: int, ssrc: int = 100) -> bytes:
    """A packet as the first section of an offer sends it."""
    return rtp.build(
        payload_type=111, sequence_number=number, timestamp=960 * number, ssrc=ssrc, payload=b"opus %d" % number
    )


async def soon(awaitable: Any) -> Any:
    """What is awaited, within the time of a test."""
    return await asyncio.wait_for(awaitable, WAIT_S)


class Peer(RtpClient):
    """A light client that keeps what it gets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.packets: asyncio.Queue[bytes] = asyncio.Queue()
        self.on_rtp = lambda data, at_ns: self.packets.put_nowait(data)

    async def accept(self, answer: str) -> None:
        """Connect as an answer says."""
        description = SessionDescription.parse(answer)
        media = next(m for m in description.media if m.port)
        candidates = []
        for value in media.all("candidate"):
            foundation, _, protocol, priority, address, port, *_ = value.split()
            candidates.append(IceCandidate(foundation, int(priority), address, protocol, int(port)))
        ice = IceParameters(media.get("ice-ufrag") or "", media.get("ice-pwd") or "")
        dtls = DtlsParameters((fingerprint_of(media.get("fingerprint") or ""),), "auto")
        await self.connect(ice, tuple(candidates), dtls)

    async def payload(self) -> bytes:
        """Of the next packet that has one."""
        while True:
            payload = rtp.parse(await soon(self.packets.get())).payload
            if payload:
                return payload


class Meeting:
    """A member's WebSocket."""

    def __init__(self, app: Any, room: str, query: str = "") -> None:
        self._app = app
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "scheme": "ws",
            "path": f"/ws/{room}",
            "raw_path": quote(f"/ws/{room}").encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [],
            "subprotocols": [],
        }

    async def __aenter__(self) -> "Meeting":
        self._task = asyncio.create_task(self._app(self._scope, self._incoming.get, self._outgoing.put))
        self._incoming.put_nowait({"type": "websocket.connect"})
        assert (await soon(self._outgoing.get()))["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Go, and see the server out."""
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await soon(self._task)

    def send(self, message: Any) -> None:
        """A message; bytes and str go as they are."""
        if isinstance(message, bytes):
            self._incoming.put_nowait({"type": "websocket.receive", "bytes": message})
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    async def next(self, kind: str) -> dict[str, Any]:
        """The next message of that type."""
        while True:
            event = await soon(self._outgoing.get())
            assert event["type"] == "websocket.send", event
            message: dict[str, Any] = json.loads(event["text"])
            if message["type"] == kind:
                return message

    async def members(self, check: Any) -> list[dict[str, Any]]:
        """The first list of members that is as wanted."""
        while True:
            members: list[dict[str, Any]] = (await self.next("members"))["members"]
            if check(members):
                return members

    async def closed(self) -> tuple[int, str]:
        """The code and reason the server ends with."""
        while True:
            event = await soon(self._outgoing.get())
            if event["type"] == "websocket.close":
                return event["code"], event["reason"]


class Door:
    """An application and its worker, or its pool of them."""

    def __init__(self, worker: Worker | WorkerPool, options: dict[str, Any]) -> None:
        self.worker = worker
        self.workers = worker.workers if isinstance(worker, WorkerPool) else (worker,)
        self.app = create_app(worker, **options)
        self.rooms = self.app.state.rooms
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://sfu.test")
        self.peers: list[Peer] = []

    @property
    def transports(self) -> int:
        """How many there are in all the workers' routers."""
        return sum(len(router.transports) for worker in self.workers for router in worker.routers.values())

    def nothing_is_left(self) -> bool:
        """No room, no router, no transport, nobody to bring events to."""
        return not self.rooms.rooms and not any(worker.routers or worker._receivers for worker in self.workers)

    def connection(self, response: httpx.Response) -> Any:
        """What a 201 has made."""
        return self.rooms.connection(response.headers["Location"].rsplit("/", 1)[1])

    def peer(self, **options: Any) -> Peer:
        """A client that ends with the test."""
        self.peers.append(Peer(**options))
        return self.peers[-1]

    async def post(self, path: str, *sections: str, client: RtpClient | None = None) -> httpx.Response:
        """An offer that is taken."""
        response = await self.http.post(path, content=offer(client, *sections), headers=SDP)
        assert response.status_code == 201, response.text
        return response

    async def join(self, path: str, *sections: str) -> tuple[Peer, httpx.Response]:
        """An offer that is taken, and its client connected."""
        peer = self.peer()
        response = await self.post(path, *sections, client=peer)
        await peer.accept(response.text)
        return peer, response

    async def meet(self, room: str, query: str = "") -> Meeting:
        """Open a WebSocket."""
        return await Meeting(self.app, room, query).__aenter__()

    async def close(self) -> None:
        """End clients; the worker is its maker's."""
        for peer in self.peers:
            peer.close()
        await self.http.aclose()
