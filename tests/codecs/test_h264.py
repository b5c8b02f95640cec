"""H264 payloads (RFC 6184), with aiortc's packetizer and FFmpeg's encoder as judges."""

import fractions
import struct

import av
import pytest
from aiortc.codecs.h264 import H264Encoder

from mediarouter.codecs import _codec
from tests.codecs.streams import frames, read

SLICE, IDR, SEI, SPS, PPS, DELIMITER, STAP_A, FU_A = 1, 5, 6, 7, 8, 9, 24, 28


def parse(payload: bytes) -> tuple[bool, bool] | None:
    """(frame_start, key_frame)"""
    info = _codec.parse("video/H264", payload)
    return None if info is None else (bool(info["frame_start"]), bool(info["key_frame"]))


def unit(kind: int, first_byte: int = 0x88, size: int = 8) -> bytes:
    return bytes((0x60 | kind, first_byte)) + bytes(size - 2)


def aggregate(*units: bytes) -> bytes:
    return bytes((0x60 | STAP_A,)) + b"".join(struct.pack("!H", len(one)) + one for one in units)


def fragment(kind: int, start: bool = False, end: bool = False, first_byte: int = 0x88) -> bytes:
    return bytes((0x60 | FU_A, start << 7 | end << 6 | kind, first_byte, 0))


def test_what_chromium_sends():
    packets = read("h264_chromium")
    pictures = frames(packets)
    assert (len(packets), len(pictures)) == (356, 142)
    key_pictures = 0
    for picture in pictures:
        found = [parse(packet.payload) for packet in picture]
        assert found[0][0], "the first packet of a picture begins it"
        key = found[0][1]
        key_pictures += key
        assert all(key_frame == key for _, key_frame in found)
        # parameter sets in an aggregate of their own, then the slice: both may begin a picture
        assert [start for start, _ in found] == [True, key] + [False] * (len(found) - 2) or len(found) == 1
    assert key_pictures == 3


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (unit(SLICE), (True, False)),
        (unit(SLICE, 0x40), (False, False)),  # first_mb_in_slice is not 0
        (unit(IDR), (True, True)),
        (unit(IDR, 0x40), (False, True)),
        (unit(SPS), (True, True)),
        (unit(PPS), (True, False)),
        (unit(SEI), (True, False)),
        (unit(DELIMITER, 0xF0, 2), (True, False)),
        (unit(12), (False, False)),  # filler data
        (aggregate(unit(SPS), unit(PPS)), (True, True)),
        (aggregate(unit(SPS), unit(PPS), unit(IDR)), (True, True)),
        (aggregate(unit(DELIMITER, 0xF0, 2), unit(SLICE)), (True, False)),
        (aggregate(unit(PPS), unit(IDR)), (True, True)),
        (aggregate(unit(SLICE, 0x40), unit(SLICE, 0x20)), (False, False)),
        (aggregate(unit(IDR, 0x40)), (False, True)),
        (aggregate(unit(SPS))[:-1], (False, False)),  # cut short: nothing is known of it
        (aggregate(unit(SPS), unit(IDR))[:-1], (True, True)),  # the second is cut short
        (aggregate(unit(SPS)) + b"\0", (True, True)),
        (fragment(SLICE, start=True), (True, False)),
        (fragment(SLICE, start=True, first_byte=0x40), (False, False)),
        (fragment(SLICE), (False, False)),
        (fragment(IDR, start=True), (True, True)),
        (fragment(IDR), (False, True)),
        (fragment(IDR, end=True), (False, True)),
        (fragment(SPS, start=True), (True, True)),
    ],
)
def test_forms(payload, expected):
    assert parse(payload) == expected


@pytest.mark.parametrize("kind", [0, 25, 26, 27, 29, 30, 31])
def test_interleaved_and_undefined_forms_are_not_understood(kind):
    assert parse(unit(kind, size=30)) is None


@pytest.mark.parametrize("picture_size", [64, 640])
def test_what_aiortc_packetizes(picture_size):
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width = encoder.height = picture_size
    encoder.pix_fmt, encoder.time_base = "yuv420p", fractions.Fraction(1, 30)
    encoder.options = {"tune": "zerolatency", "x264-params": "keyint=5:min-keyint=5:scenecut=0:slices=3"}
    for index in range(12):
        frame = av.VideoFrame(picture_size, picture_size, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes((index * 16 + i * 7) % 251 for i in range(plane.buffer_size)))
        frame.pts = index
        for encoded in encoder.encode(frame):
            payloads = H264Encoder._packetize(H264Encoder._split_bitstream(bytes(encoded)))
            found = [parse(payload) for payload in payloads]
            assert found[0] == (True, encoded.is_keyframe)
            assert any(key_frame for _, key_frame in found) == encoded.is_keyframe
            if not encoded.is_keyframe:  # three slices and perhaps fragments of them, but one beginning
                assert sum(start for start, _ in found) == 1
