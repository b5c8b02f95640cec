"""Fuzz the values of header extensions: `python fuzz/header_extensions.py -max_total_time=60`."""

import random
import sys

from mediarouter import header_extensions as ext
from mediarouter import rtp
from mediarouter.header_extensions.extension_map import EXTENSIONS

URIS = sorted(EXTENSIONS)
EXTMAP = ext.ExtensionMap(dict(enumerate(URIS, 1)))
SEEDS = [
    bytes.fromhex(text)
    for text in (
        "30",
        "85",
        "123456",
        "e8a1b2c3d4e5f607" * 2,
        "00018005",
        "01000100020003000400050006",
        "0910092603e8003284d03e8033c286c41d4c0bb83d13404203e80190",
        "515064c801b101d804027f01671e04ff02cf1e",
        "a01300400a141e28",
    )
]


def seeds() -> list[bytes]:
    """One value of each layout."""
    return SEEDS


def fuzz_one(data: bytes) -> None:
    """No input may harm; what can be read can be written and read again, and a map reads what `parse` reads."""
    dice = random.Random(data)
    element = bytearray(dice.choice(SEEDS))
    for _ in range(dice.randrange(4)):
        element[dice.randrange(len(element))] = dice.choice((0, 0xFF, 0x80, dice.randrange(256)))
    for value in (data[:255], bytes(element[: dice.randrange(len(element) + 1)])):
        for uri in URIS:
            check(uri, value)
    check_map({i: dice.choice((bytes(element), data[:255])) for i in dice.sample(range(1, 256), 5)})


def check(uri: str, data: bytes) -> None:
    try:
        value = ext.parse(uri, data)
    except ValueError:
        return
    again = ext.build(uri, value)
    assert ext.parse(uri, again) == value
    assert hash(value) == hash(ext.parse(uri, again))


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


def main() -> None:
    """Run it under atheris."""
    import atheris  # type: ignore[import-untyped]

    atheris.Setup(sys.argv, lambda data: fuzz_one(bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
