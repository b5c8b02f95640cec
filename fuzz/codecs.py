"""Payload descriptors of VP8, VP9, H264 and AV1, for users of Python. An input's first byte chooses the codec."""

from pathlib import Path

from mediarouter.codecs import _codec, _vp8

EVERY = 100  # of the inputs in C that come here, one of so many
MIME_TYPES = ("video/VP8", "video/VP9", "video/H264", "video/AV1")
VECTORS = Path(__file__).parents[1] / "tests" / "vectors"
RECORD_SIZE = 10  # tests/codecs/streams.py tells what is in it; its last byte is the size of what follows


def seeds() -> list[bytes]:
    """Some payloads of each vector file, behind the byte that chooses their codec."""
    found = []
    for index, mime_type in enumerate(MIME_TYPES):
        for path in sorted(VECTORS.glob(f"{mime_type[6:].lower()}_*.bin")):
            data, at = path.read_bytes(), 0
            for _ in range(12):
                kept = data[at + RECORD_SIZE - 1]
                found.append(bytes((index,)) + data[at + RECORD_SIZE : at + RECORD_SIZE + kept])
                at += RECORD_SIZE + kept
    return found


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm; what is read must lie inside, and a rewrite must change nothing else."""
    if not data:
        return 0, 0
    accepted = check(MIME_TYPES[data[0] % len(MIME_TYPES)], data[1:])
    return accepted, not accepted


def check(mime_type: str, payload: bytes) -> bool:
    info = _codec.parse(mime_type, payload)
    if mime_type == "video/VP8":
        _vp8.dimensions(payload)
    rewritten = _codec.rewrite(mime_type, payload, 0x2ABC, 0x5D)
    if info is None:
        assert rewritten == payload
        return False
    assert info["descriptor_size"] < len(payload)
    places = {info["picture_id_offset"], info["tl0_offset"], info["keyidx_offset"]}
    assert max(places) < max(info["descriptor_size"], 1)
    assert info["picture_id"] < 1 << info["picture_id_bits"]
    assert 0 <= info["temporal_layer"] <= 7 and 0 <= info["spatial_layer"] <= 7
    if mime_type == "video/VP8":
        check_rewritten(info, payload, rewritten)
    else:
        assert rewritten == payload
    return True


def check_rewritten(info: dict[str, int], payload: bytes, rewritten: bytes) -> None:
    again = _codec.parse("video/VP8", rewritten)
    bits = info["picture_id_bits"]
    expected = {**info, "picture_id": 0x2ABC & ((1 << bits) - 1), "tl0": 0x5D if info["tl0_offset"] else 0}
    assert again == expected
    ours = set(range(info["picture_id_offset"], info["picture_id_offset"] + (bits + 7) // 8)) if bits else set()
    ours |= {info["tl0_offset"]} if info["tl0_offset"] else set()
    assert len(rewritten) == len(payload)
    assert all(a == b for i, (a, b) in enumerate(zip(payload, rewritten, strict=True)) if i not in ours)


SEEDS = seeds()
