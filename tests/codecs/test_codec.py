"""What holds for every codec: damage does no harm, and opaque stays opaque."""

import importlib.util
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.codecs import _codec
from tests.codecs.streams import read

STREAMS = {
    "video/VP8": ("vp8_chromium_q", "vp8_chromium_bare_q", "vp8_firefox_f"),
    "video/VP9": ("vp9_chromium_svc",),
    "video/H264": ("h264_chromium",),
    "video/AV1": ("av1_chromium_svc", "av1_firefox"),
}
FIELDS = {
    "frame_start", "key_frame", "temporal_layer", "spatial_layer", "layer_sync", "descriptor_size", "picture_id_offset",
    "picture_id_bits", "picture_id", "tl0_offset", "tl0", "keyidx_offset",
}  # fmt: skip


@pytest.fixture(scope="module")
def fuzz():
    path = Path(__file__).parents[2] / "fuzz" / "codecs.py"
    spec = importlib.util.spec_from_file_location("fuzz_codecs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mime_type", STREAMS)
def test_fields_are_those_of_the_struct(mime_type):
    info = _codec.parse(mime_type, read(STREAMS[mime_type][0])[0].payload)
    assert set(info) == FIELDS
    assert info["key_frame"] and info["frame_start"]


@pytest.mark.parametrize("mime_type", STREAMS)
def test_names_of_codecs_know_no_case(mime_type):
    assert _codec.kind_of(mime_type) == _codec.kind_of(mime_type.lower()) == _codec.kind_of(mime_type.upper()) > 0


@pytest.mark.parametrize("mime_type", ["audio/opus", "video/rtx", "video/H265", "", "VP8"])
def test_other_payloads_are_opaque(mime_type):
    assert _codec.kind_of(mime_type) == 0
    assert _codec.parse(mime_type, b"\x90\xe0\x80\x01\x02\x00\x00\x00") is None
    assert _codec.rewrite(mime_type, b"\x90\xe0\x80\x01\x02\x00\x00\x00", 5, 6) == b"\x90\xe0\x80\x01\x02\x00\x00\x00"


@pytest.mark.parametrize("mime_type", STREAMS)
def test_a_payload_cut_short_at_any_length(mime_type, fuzz):
    for name in STREAMS[mime_type]:
        for packet in read(name)[:60]:
            for size in range(packet.kept + 1):
                fuzz.check(mime_type, packet.payload[:size])
    assert _codec.parse(mime_type, b"") is None
    assert _codec.parse(mime_type, b"\x80") is None


@pytest.mark.parametrize("mime_type", STREAMS)
def test_any_bit_flipped(mime_type, fuzz):
    for name in STREAMS[mime_type]:
        for packet in read(name)[:25]:
            for bit in range(8 * min(packet.kept, 32)):
                payload = bytearray(packet.payload[: packet.kept])
                payload[bit // 8] ^= 1 << bit % 8
                fuzz.check(mime_type, bytes(payload))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=80))
def test_any_bytes(data, fuzz):
    for mime_type in STREAMS:
        fuzz.check(mime_type, data)


def test_the_fuzzer_takes_its_own_seeds(fuzz):
    dice = random.Random(1)
    assert {seed[0] for seed in fuzz.SEEDS} == {0, 1, 2, 3}
    for seed in fuzz.SEEDS:
        fuzz.fuzz_one(seed)
    for _ in range(2000):
        fuzz.fuzz_one(dice.randbytes(dice.randrange(40)))


def test_a_batch_counts_what_was_understood():
    payloads = [packet.payload for packet in read("vp8_chromium_q")]
    assert _codec.parse_many("video/VP8", [*payloads, b"", b"\x90"], 3) == 3 * len(payloads)
    assert _codec.parse_many("audio/opus", payloads, 3) == 0
