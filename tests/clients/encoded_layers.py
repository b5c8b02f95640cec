"""Three simulcast layers of real VP8, and real Opus: four seconds that decoders take, at the rates that were asked for.

Encoded when it is needed (a second), so that no recording has to be kept. Each layer is L1T3 and has one key frame, its
first: who is asked for a key frame begins again.
"""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

FRAMES_PER_SECOND = 30
SECONDS = 4
LAYERS = ((160, 90, 150_000), (320, 180, 500_000), (640, 360, 1_500_000))  # width, height, bit/s of VP8
TEMPORAL_PATTERN = (0, 2, 1, 2)
SYNC_PATTERN = (False, True, True, False)  # needs nothing but the base layer's last frame
AUDIO_BPS = 32_000


def pictures(width: int, height: int, count: int) -> Iterator[av.VideoFrame]:
    """A coarse texture that moves, and fine noise that is new in every picture."""
    random = np.random.default_rng(1)
    blocks = random.integers(0, 255, (height // 2, width // 2), dtype=np.uint8)
    texture = blocks.repeat(4, 0).repeat(4, 1).astype(np.int16) // 2 + 64
    for number in range(count):
        top, left = number % height, number * 3 % width
        noise = random.integers(-8, 8, (height, width))
        luma = (texture[top : top + height, left : left + width] + noise).astype(np.uint8)
        chroma = np.full((height // 2, width), 128, np.uint8)
        frame = av.VideoFrame.from_ndarray(np.concatenate((luma, chroma)), format="yuv420p")
        frame.pts = number
        yield frame


def encode_video(width: int, height: int, rate_bps: int, count: int = FRAMES_PER_SECOND * SECONDS) -> list[bytes]:
    """The frames of one layer, key frame first."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FRAMES_PER_SECOND), Fraction(FRAMES_PER_SECOND)
    encoder.bit_rate, encoder.gop_size, encoder.thread_count = rate_bps, 10_000, 1
    kilobits = rate_bps // 1000
    encoder.options = {
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "error-resilient": "default",  # without, Chromium refuses what follows the key frame
        "minrate": str(rate_bps),
        "maxrate": str(rate_bps),
        "bufsize": str(rate_bps * 6 // 10),
        "max-intra-rate": "900",  # as WebRTC's encoders are set
        "ts-parameters": f"ts_number_layers=3:ts_target_bitrate={kilobits * 2 // 5},{kilobits * 3 // 5},{kilobits}:"
        "ts_rate_decimator=4,2,1:ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3",
    }
    frames = [bytes(packet) for picture in pictures(width, height, count) for packet in encoder.encode(picture)]
    frames += [bytes(packet) for packet in encoder.encode(None)]
    assert len(frames) == count
    return frames


def encode_audio() -> list[bytes]:
    """A second of a tone, in packets of 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48000, "mono", "s16", AUDIO_BPS
    encoder.options = {"vbr": "off"}
    wave = (8000 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)).astype(np.int16)
    packets = []
    for at in range(0, 48000, 960):
        frame = av.AudioFrame.from_ndarray(wave[None, at : at + 960], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48000, at
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets
