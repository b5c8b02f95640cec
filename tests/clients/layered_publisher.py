"""A publisher of encoded simulcast layers: it sends them as a camera would and answers requests for key frames."""

import asyncio
import itertools
import struct
import time
from dataclasses import dataclass

from mediarouter import _rtcp, rtp
from mediarouter.parameters import (
    RtcpFeedback,
    RtpCodecParameters,
    RtpEncodingParameters,
    RtpParameters,
    RtxParameters,
)
from tests.clients.encoded_layers import FRAMES_PER_SECOND, SYNC_PATTERN, TEMPORAL_PATTERN
from tests.clients.rtp_client import RtpClient

PAYLOAD_MAX = 1150
PACKETIZATION_S = 0.02
PLI = (206, 1)
FEEDBACK = (RtcpFeedback("nack"), RtcpFeedback("nack", "pli"))
CODECS = (
    RtpCodecParameters("video/VP8", 96, 90000, rtcp_feedback=FEEDBACK),
    RtpCodecParameters("video/rtx", 97, 90000, parameters={"apt": 96}),
)
_ssrcs = itertools.count(1000)


def video_parameters(count: int) -> RtpParameters:
    """Of so many layers, each with its SSRC and one for RTX."""
    encodings = tuple(RtpEncodingParameters(next(_ssrcs), rtx=RtxParameters(next(_ssrcs))) for _ in range(count))
    return RtpParameters(CODECS, "v", encodings=encodings)


def audio_parameters() -> RtpParameters:
    """Of Opus."""
    codec = RtpCodecParameters("audio/opus", 111, 48000, 2)
    return RtpParameters((codec,), "a", encodings=(RtpEncodingParameters(next(_ssrcs)),))


@dataclass
class Layer:
    """One simulcast layer on its way.

    Attributes:
        key_frames: begun so far, by request or because the recording ended.
    """

    ssrc: int
    frames: list[bytes]
    at: int = 0
    seq: int = 0
    picture: int = 0
    base: int = 0
    key_frames: int = 0

    def restart(self) -> None:
        """Go on with a key frame."""
        self.at = 0

    def next_frame(self, timestamp: int) -> list[bytes]:
        """The packets of one frame (RFC 7741: picture id, TL0PICIDX, TID)."""
        frame, place = self.frames[self.at], self.at % 4
        tid = TEMPORAL_PATTERN[place]
        self.key_frames += self.at == 0
        self.base += tid == 0
        sync = 0x20 if SYNC_PATTERN[place] else 0
        tail = struct.pack("!BHBB", 0xE0, 0x8000 | self.picture & 0x7FFF, self.base & 0xFF, tid << 6 | sync)
        pieces = -(-len(frame) // PAYLOAD_MAX)
        size = -(-len(frame) // pieces)
        packets = []
        for index in range(pieces):
            self.seq += 1
            packets.append(
                rtp.build(
                    payload_type=96,
                    sequence_number=self.seq & 0xFFFF,
                    timestamp=timestamp & 0xFFFFFFFF,
                    ssrc=self.ssrc,
                    marker=index == pieces - 1,
                    payload=bytes((0x90 if index == 0 else 0x80,)) + tail + frame[index * size : (index + 1) * size],
                )
            )
        self.picture += 1
        self.at = (self.at + 1) % len(self.frames)
        return packets


class LayeredPublisher:
    """One publisher.

    Args:
        layers: frames of each, from the lowest.
        audio: packets to send one every 20 ms, for ever; none: it has no microphone.
    """

    def __init__(self, layers: list[list[bytes]], audio: list[bytes] | None = None) -> None:
        self.client = RtpClient()
        self.video_parameters = video_parameters(len(layers))
        self.audio_parameters = audio_parameters() if audio else None
        self.layers = [
            Layer(e.ssrc or 0, frames) for e, frames in zip(self.video_parameters.encodings, layers, strict=True)
        ]
        self._audio = audio or []
        self._tasks: list[asyncio.Task[None]] = []
        self.client.on_rtcp = self._on_rtcp

    def start(self, delay_s: float) -> None:
        """Send from then on, once the client is connected."""
        self._tasks = [asyncio.create_task(self._send_video(delay_s))]
        if self._audio:
            self._tasks.append(asyncio.create_task(self._send_audio()))

    async def _send_video(self, delay_s: float) -> None:
        begun = time.monotonic() + delay_s
        for number in itertools.count():
            await asyncio.sleep(max(0.0, begun + number / FRAMES_PER_SECOND - time.monotonic()))
            for layer in self.layers:
                for packet in layer.next_frame(number * (90000 // FRAMES_PER_SECOND)):
                    self.client.send_rtp(packet)

    async def _send_audio(self) -> None:
        assert self.audio_parameters
        ssrc, begun = self.audio_parameters.encodings[0].ssrc or 0, time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, begun + number * PACKETIZATION_S - time.monotonic()))
            payload = self._audio[number % len(self._audio)]
            self.client.send_rtp(
                rtp.build(
                    payload_type=111,
                    sequence_number=number & 0xFFFF,
                    timestamp=number * 960,
                    ssrc=ssrc,
                    payload=payload,
                )
            )

    def _on_rtcp(self, data: bytes, at_ns: int) -> None:
        for kind, fmt, packet in _rtcp.walk(data)[0]:
            if (kind, fmt) == PLI:
                wanted = struct.unpack("!I", packet[8:12])[0]
                for layer in self.layers:
                    if layer.ssrc == wanted:
                        layer.restart()

    def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        self.client.close()
