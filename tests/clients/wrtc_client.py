"""libwebrtc in Python (`wrtc`): publishes a moving picture and a tone by WHIP, watches by WHEP."""

import array
import asyncio
import math
import os
import time
from typing import Any

os.environ["WRTC_ALLOW_LOOPBACK"] = "1"

import webrtc  # noqa: E402 (it reads the environment when it is imported)

from tests.clients.http import post_offer  # noqa: E402

WIDTH, HEIGHT, FRAMES_PER_SECOND = 1280, 720, 30


def pictures() -> list[bytes]:
    """Eight I420 pictures that differ everywhere."""
    made = []
    for shift in range(8):
        row = bytes((x + 32 * shift) & 255 for x in range(WIDTH))
        made.append(row * HEIGHT + bytes([128]) * (WIDTH * HEIGHT // 2))
    return made


async def feed_video(generator: Any, made: list[bytes] | None = None, width: int = WIDTH, height: int = HEIGHT) -> None:
    """Write pictures for ever, ours or those that were `made` before."""
    made = made or pictures()
    writer, number, begun = generator.writable.get_writer(), 0, time.monotonic()
    while True:
        init = webrtc.VideoFrameBufferInit(
            format="I420", coded_width=width, coded_height=height, timestamp=number * 1_000_000 // FRAMES_PER_SECOND
        )
        await writer.write(webrtc.VideoFrame(made[number % len(made)], init))
        number += 1
        await asyncio.sleep(max(0, begun + number / FRAMES_PER_SECOND - time.monotonic()))


async def feed_audio(generator: Any) -> None:
    """Write a tone for ever."""
    writer, number, begun = generator.writable.get_writer(), 0, time.monotonic()
    tone = array.array("h", [int(8000 * math.sin(2 * math.pi * 440 * i / 48000)) for i in range(48000)]).tobytes()
    while True:
        at = number * 960 % 48000
        init = webrtc.AudioDataInit(
            format="s16",
            sample_rate=48000,
            number_of_frames=960,
            number_of_channels=1,
            timestamp=number * 20_000,
            data=tone[at * 2 : at * 2 + 1920],
        )
        await writer.write(webrtc.AudioData(init))
        number += 1
        await asyncio.sleep(max(0, begun + number * 0.02 - time.monotonic()))


async def _exchange(connection: Any, url: str) -> None:
    await connection.set_local_description(await connection.create_offer())
    while connection.ice_gathering_state != "complete":
        await asyncio.sleep(0.02)
    answer = await post_offer(url, connection.local_description.sdp)
    await connection.set_remote_description(webrtc.RTCSessionDescriptionInit("answer", answer))


class WrtcPublisher:
    """Publishes VP8 in three layers, and Opus."""

    async def start(self, url: str) -> None:
        """Connect and send."""
        self.connection = webrtc.RTCPeerConnection(webrtc.RTCConfiguration(bundle_policy="max-bundle"))
        video, audio = webrtc.VideoTrackGenerator(), webrtc.MediaStreamTrackGenerator("audio")
        encoding = webrtc.RTCRtpEncodingParameters
        self.connection.add_transceiver(audio, webrtc.RTCRtpTransceiverInit(direction="sendonly"))
        self.connection.add_transceiver(
            video.track,
            webrtc.RTCRtpTransceiverInit(
                direction="sendonly",
                send_encodings=[
                    encoding(rid="q", scale_resolution_down_by=4, max_bitrate=150_000),
                    encoding(rid="h", scale_resolution_down_by=2, max_bitrate=500_000),
                    encoding(rid="f", max_bitrate=1_500_000),
                ],
            ),
        )
        await _exchange(self.connection, url)
        self._tasks = [asyncio.ensure_future(feed_video(video)), asyncio.ensure_future(feed_audio(audio))]

    def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        self.connection.close()


class WrtcViewer:
    """Watches one audio stream and video, and decodes them."""

    async def start(self, url: str, videos: int = 1) -> None:
        """Connect and receive."""
        self.connection = webrtc.RTCPeerConnection(webrtc.RTCConfiguration(bundle_policy="max-bundle"))
        self._sinks: list[Any] = []

        def on_track(event: Any) -> None:
            self._sinks.append(webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(event.track)))

        self.connection.on("track", on_track)
        for kind in ("audio", *("video",) * videos):
            self.connection.add_transceiver(kind, webrtc.RTCRtpTransceiverInit(direction="recvonly"))
        await _exchange(self.connection, url)

    async def inbound(self) -> dict[str, Any]:
        """Inbound streams by kind."""
        return {s.kind: s for s in await self.streams()}

    async def streams(self) -> list[Any]:
        """All inbound streams."""
        report = await self.connection.get_stats()
        return [s for s in report.values() if s.type == "inbound-rtp"]

    def close(self) -> None:
        """End."""
        self.connection.close()
