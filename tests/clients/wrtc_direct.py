"""libwebrtc's own sender, as a yardstick: who asks as for WHEP is sent video by `wrtc` itself, without a router."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.clients.encoded_layers import LAYERS, pictures
from tests.clients.wrtc_client import feed_audio, feed_video, webrtc

PICTURES = 60


class DirectSender:
    """Sends three videos, each no faster than the highest simulcast layer, and a tone."""

    def __init__(self) -> None:
        self._connections: list[Any] = []
        self._tasks: list[asyncio.Task[None]] = []
        width, height, self._max_bps = LAYERS[-1]
        self._size = width, height
        self._pictures = [frame.to_ndarray().tobytes() for frame in pictures(width, height, PICTURES)]

    async def answer(self, request: Request) -> Response:
        """Of an offer that wants audio and video; media flows at once."""
        connection = webrtc.RTCPeerConnection(webrtc.RTCConfiguration(bundle_policy="max-bundle"))
        self._connections.append(connection)
        offer = (await request.body()).decode()
        await connection.set_remote_description(webrtc.RTCSessionDescriptionInit("offer", offer))
        for transceiver in connection.get_transceivers():
            transceiver.direction = "sendonly"
            if transceiver.receiver.track.kind == "audio":
                audio = webrtc.MediaStreamTrackGenerator("audio")
                await transceiver.sender.replace_track(audio)
                self._tasks.append(asyncio.create_task(feed_audio(audio)))
            else:
                video = webrtc.VideoTrackGenerator()
                await transceiver.sender.replace_track(video.track)
                self._tasks.append(asyncio.create_task(feed_video(video, self._pictures, *self._size)))
        await connection.set_local_description(await connection.create_answer())
        while connection.ice_gathering_state != "complete":
            await asyncio.sleep(0.02)
        for transceiver in connection.get_transceivers():
            if transceiver.receiver.track.kind == "video":
                parameters = transceiver.sender.get_parameters()
                parameters.encodings[0].max_bitrate = self._max_bps
                await transceiver.sender.set_parameters(parameters)
        return Response(connection.local_description.sdp, 201, media_type="application/sdp")

    def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        for connection in self._connections:
            connection.close()
