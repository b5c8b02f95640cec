"""Fuzz the capture reader, and the inspection behind it: `python fuzz/capture.py -max_total_time=60`."""

import random
import struct
import sys
from pathlib import Path

from mediarouter import capture
from mediarouter.inspect import inspect_capture

VECTORS = Path(__file__).parents[1] / "tests" / "vectors"


def as_pcapng(data: bytes) -> bytes:
    """The same frames in the other format."""
    blocks = [struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)]
    blocks.append(struct.pack("<IIHHIHH4sII", 1, 32, 101, 0, 0, 9, 1, b"\x06", 0, 32))
    at = 24
    while at < len(data):
        seconds, fraction, size, wire_size = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16 : at + 16 + size]
        ticks = seconds * 1_000_000 + fraction
        body = struct.pack("<IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, size, wire_size) + frame + bytes(-size % 4)
        blocks.append(struct.pack("<II", 6, len(body) + 12) + body + struct.pack("<I", len(body) + 12))
        at += 16 + size
    return b"".join(blocks)


def seeds() -> list[bytes]:
    """The first packets of some captures, in both formats."""
    files = [path.read_bytes()[:1400] for path in sorted(VECTORS.glob("rtp_*.pcap"))]
    whole = VECTORS / "rtp_chromium_audiored.pcap"
    return [*files, whole.read_bytes(), as_pcapng(whole.read_bytes())]


def fuzz_one(data: bytes) -> None:
    """No input may harm; what is found lies inside of the file."""
    check(data)
    # a compiled parser gives the fuzzer no coverage to find the way by: let each input also damage a real file
    dice = random.Random(data)
    file = bytearray(dice.choice(SEEDS))
    for _ in range(dice.randrange(8)):
        file[dice.randrange(min(len(file), 400))] = dice.choice((0, 0xFF, dice.randrange(256)))
    check(bytes(file[: dice.choice((len(file), dice.randrange(len(file) + 1)))]))


def check(data: bytes) -> None:
    try:
        found = capture.parse(data)
    except ValueError:
        return
    assert len(found) == found.counts.datagrams
    for i in range(len(found)):
        assert len(found.datagram(i)) == found.sizes[i]
        assert found.source(i)[1] == found.packets["source_port"][i]
    report = inspect_capture(found)
    assert sum(s.packets for s in report.streams) + report.rtcp + report.other == len(found)


SEEDS = seeds()


def main() -> None:
    """Run it under atheris."""
    import atheris  # type: ignore[import-untyped]

    atheris.Setup(sys.argv, lambda data: fuzz_one(bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
