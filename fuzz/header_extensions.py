"""The values of header extensions, for users of Python. An input's first byte chooses the extension."""

from mediarouter import header_extensions as ext
from mediarouter import rtp
from mediarouter.header_extensions.extension_map import EXTENSIONS

EVERY = 1  # all inputs come here: in C there is only their way into a packet and out again
MAP_EVERY = 32  # of these, one of so many stands in a packet among others
URIS = sorted(EXTENSIONS)
EXTMAP = ext.ExtensionMap(dict(enumerate(URIS, 1)))
VALUES = {
    ext.ABS_CAPTURE_TIME: ("e8a1b2c3d4e5f607", "e8a1b2c3d4e5f607ffffffff80000000"),
    ext.ABS_SEND_TIME: ("123456",),
    ext.AUDIO_LEVEL: ("85", "7f"),
    ext.COLOR_SPACE: ("0910092a", "0910092603e8003284d03e8033c286c41d4c0bb83d13404203e80190"),
    ext.DEPENDENCY_DESCRIPTOR: ("515064c801b101d804027f01671e04ff02cf1e", "c00001"),
    ext.MID: ("30", "61756469", "766964656f2d3100"),
    ext.MIXER_AUDIO_LEVEL: ("05", "8a141e28", "7f" * 15),
    ext.PLAYOUT_DELAY: ("00a0c8", "000fff"),
    ext.REPAIRED_RID: ("66",),
    ext.RID: ("66", "68695f3100"),
    ext.TOFFSET: ("fffe00", "000e10"),
    ext.TRANSPORT_CC: ("1234",),
    ext.TRANSPORT_CC_02: ("1234", "00018005"),
    ext.VIDEO_CONTENT_TYPE: ("01", "00"),
    ext.VIDEO_LAYERS_ALLOCATION: ("00", "a01300400a141e28", "210f40c801ac02013f00b31e027f016701e", "1001400a14"),
    ext.VIDEO_ORIENTATION: ("0d", "02"),
    ext.VIDEO_TIMING: ("01000100020003000400050006", "000100020003000400050006"),
}
SEEDS = [
    bytes([URIS.index(uri)]) + bytes.fromhex(text[: len(text) & ~1]) for uri, texts in VALUES.items() for text in texts
]


def seeds() -> list[bytes]:
    """One value of each layout at least."""
    return SEEDS


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm; what can be read can be written and read again, and a map reads what `parse` reads."""
    if not data:
        return 0, 0
    place, value = data[0] % len(URIS), data[1:]
    if data[-1] % MAP_EVERY == 0:
        other = SEEDS[data[-1] // MAP_EVERY]
        check_map({1 + place: value[:255], 1 + other[0]: other[1:], 200: value[:3]})
    accepted = check(URIS[place], value)
    return accepted, not accepted


def check(uri: str, data: bytes) -> bool:
    """Whether it is such a value."""
    try:
        value = ext.parse(uri, data)
    except ValueError:
        return False
    again = ext.parse(uri, ext.build(uri, value))
    assert again == value and hash(again) == hash(value)
    return True


def check_map(elements: dict[int, bytes]) -> None:
    packet = rtp.RtpPacket(payload_type=96, sequence_number=1, timestamp=2, ssrc=3, extensions=elements)
    found = EXTMAP.read(rtp.parse(bytes(packet)))
    named = {EXTENSIONS[EXTMAP.uri_of[i]].name for i in elements if i in EXTMAP.uri_of}
    read = {name for name in found.__struct_fields__[:-2] if getattr(found, name) is not None}
    assert read | set(found.malformed) == named and not read & set(found.malformed)
    assert found.other == {i: value for i, value in elements.items() if i not in EXTMAP.uri_of}
    packet.extensions = EXTMAP.write(found)
    written = EXTMAP.read(rtp.parse(bytes(packet)))
    assert all(getattr(written, name) == getattr(found, name) for name in (*read, "other"))
