"""The capture reader and the inspection behind it, for users of Python."""

from pathlib import Path

from tests import capture_files as files

from mediarouter import capture
from mediarouter.inspect import inspect_capture

EVERY = 200  # of the inputs in C that come here, one of so many
VECTORS = Path(__file__).parents[1] / "tests" / "vectors"
VLAN = bytes.fromhex("81000001")
FRAGMENT = bytes([17, 0, 0, 0, 0, 0, 0, 1]) + files.udp()
LINKS = (
    (files.ethernet(), 1),
    (files.ethernet(tags=VLAN * 3), 1),
    (files.ethernet(files.ipv6(), 0x86DD), 1),
    (files.ethernet(files.ipv6(FRAGMENT, 44), 0x86DD), 1),
    (files.ethernet(files.ipv6(bytes([17, 0]) + bytes(6) + files.udp(), 60), 0x86DD), 1),
    (files.ethernet(files.ipv4(total=0)), 1),
    (files.ethernet(files.ipv4(options=bytes(8))), 1),
    (bytes.fromhex("0000030400060000000000000000 0800") + files.ipv4(), 113),
    (bytes.fromhex("0800000000000002000100060000000000000000") + files.ipv4(), 276),
    (bytes.fromhex("02000000") + files.ipv4(), 0),
    (files.ipv6(), 101),
)


def as_pcapng(data: bytes) -> bytes:
    """The frames of a pcap file in the other format."""
    rows, at = [files.section(), files.interface(101, options=[(9, b"\x06")])], 24
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        rows.append(files.enhanced(data[at + 16 : at + 16 + size], 1_700_000_000_000_000 + at))
        at += 16 + size
    return b"".join(rows)


def seeds() -> list[bytes]:
    """The first packets of some captures, in both formats; every link and every kind of block, in both byte orders."""
    found = [path.read_bytes()[:1400] for path in sorted(VECTORS.glob("rtp_*.pcap"))]
    whole = (VECTORS / "rtp_chromium_audiored.pcap").read_bytes()
    found += [whole, as_pcapng(whole)]
    for order in "<>":
        for frame, link in LINKS:
            found.append(files.pcap([frame, frame], link, order, 0xA1B23C4D if link == 1 else 0xA1B2C3D4))
            section = files.section(order) + files.interface(link, order, [(9, b"\x89"), (14, bytes(8))], 96)
            packets = files.enhanced(frame, 5, order) + files.simple(frame, order) + files.obsolete(frame, 7, order)
            found.append(section + packets)
    return found


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm; what is found lies inside of the file."""
    try:
        found = capture.parse(data)
    except ValueError:
        return 0, 1
    assert len(found) == found.counts.datagrams
    for i in range(len(found)):
        assert len(found.datagram(i)) == found.sizes[i]
        assert found.source(i)[1] == found.packets["source_port"][i]
        assert found.destination(i)
    report = inspect_capture(found)
    assert sum(s.packets for s in report.streams) + report.rtcp + report.other == len(found)
    return 1, 0


SEEDS = seeds()
