"""aiortc: publishes a generated picture and tone by WHIP, watches by WHEP and decodes."""

import asyncio
from typing import Any

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from tests.clients.http import post_offer


class Picture(VideoStreamTrack):
    """Thirty pictures a second, each of another grey."""

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame(640, 360, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([(pts // 3000) & 255]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


async def _exchange(connection: RTCPeerConnection, url: str) -> None:
    await connection.setLocalDescription(await connection.createOffer())
    answer = await post_offer(url, connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))


class AiortcPublisher:
    """Publishes VP8 and Opus."""

    async def start(self, url: str) -> None:
        """Connect and send."""
        self.connection = RTCPeerConnection()
        self.connection.addTransceiver(AudioStreamTrack(), direction="sendonly")
        self.connection.addTransceiver(Picture(), direction="sendonly")
        await _exchange(self.connection, url)

    async def close(self) -> None:
        """End."""
        await self.connection.close()


class AiortcViewer:
    """Counts decoded frames by kind."""

    def __init__(self) -> None:
        self.frames = {"audio": 0, "video": 0}
        self.widths: set[int] = set()
        self._tasks: list[Any] = []

    async def start(self, url: str) -> None:
        """Connect and receive."""
        self.connection = RTCPeerConnection()
        self.connection.on("track", lambda track: self._tasks.append(asyncio.ensure_future(self._count(track))))
        for kind in ("audio", "video"):
            self.connection.addTransceiver(kind, direction="recvonly")
        await _exchange(self.connection, url)

    async def _count(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            self.frames[track.kind] += 1
            if track.kind == "video":
                self.widths.add(frame.width)

    async def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await self.connection.close()
