"""`capture.read`: every form of file and frame, damage of all kinds, and dpkt's and scapy's readers as judges."""

import io
import os
import struct
import threading

import dpkt
import numpy
import pytest
from fuzz import capture as fuzz_capture
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import PcapNgWriter, PcapWriter

from mediarouter import capture, rtp
from tests import capture_files as files
from tests.rtp_vectors import CAPTURES

TIME_US = 1_700_000_000_123_456


def assert_one_datagram(found, source=files.SOURCE, destination=files.DESTINATION, time_us=TIME_US):
    assert len(found) == 1
    assert found.counts == capture.CaptureCounts(1, 0, 0, 0, 0, 0, 0, False)
    assert bytes(found.datagram(0)) == files.PAYLOAD
    assert (found.source(0), found.destination(0)) == (source, destination)
    assert found.time_us.tolist() == [time_us]
    assert (found.sizes.tolist(), found.packets["ip_version"][0]) == ([16], 6 if ":" in source[0] else 4)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("magic, fraction", [(0xA1B2C3D4, 123_456), (0xA1B23C4D, 123_456_789)])
def test_pcap_of_either_order_and_resolution(order, magic, fraction):
    data = files.pcap([files.ethernet()], order=order, magic=magic, time=(1_700_000_000, fraction))
    assert_one_datagram(capture.parse(data))


LOOPBACK_4 = struct.pack("<I", 2)
LINKS = {
    "ethernet": (1, files.ethernet()),
    "ethernet with a VLAN tag": (1, files.ethernet(tags=bytes.fromhex("81000005"))),
    "ethernet with two": (1, files.ethernet(tags=bytes.fromhex("88a8000581000006"))),
    "ethernet with padding behind": (1, files.ethernet() + bytes(9)),
    "ipv4 options": (1, files.ethernet(files.ipv4(options=bytes(8)))),
    "ipv4 without its length": (1, files.ethernet(files.ipv4(total=0))),
    "udp without its length": (1, files.ethernet(files.ipv4(files.udp(size=0)))),
    "raw": (101, files.ipv4()),
    "raw as OpenBSD numbers it": (14, files.ipv4()),
    "raw as others do": (12, files.ipv4()),
    "ipv4": (228, files.ipv4()),
    "cooked": (113, bytes(14) + b"\x08\x00" + files.ipv4()),
    "cooked with a VLAN tag": (113, bytes(14) + bytes.fromhex("810000050800") + files.ipv4()),
    "cooked 2": (276, b"\x08\x00" + bytes(18) + files.ipv4()),
    "null, little endian": (0, LOOPBACK_4 + files.ipv4()),
    "null, big endian": (0, LOOPBACK_4[::-1] + files.ipv4()),
    "loop": (108, LOOPBACK_4[::-1] + files.ipv4()),
}
LINKS_6 = {
    "ethernet": (1, files.ethernet(files.ipv6(), 0x86DD)),
    "hop-by-hop options": (1, files.ethernet(files.ipv6(bytes([17]) + bytes(7) + files.udp(), 0), 0x86DD)),
    "two headers": (101, files.ipv6(bytes([60]) + bytes(7) + bytes([17, 1]) + bytes(14) + files.udp(), 43)),
    "an only fragment": (101, files.ipv6(bytes([17]) + bytes(7) + files.udp(), 44)),
    "without its length": (101, files.ipv6(size=0)),
    "raw": (101, files.ipv6()),
    "ipv6": (229, files.ipv6()),
    "cooked": (113, bytes(14) + b"\x86\xdd" + files.ipv6()),
    "cooked 2": (276, b"\x86\xdd" + bytes(18) + files.ipv6()),
    **{f"null {n}": (0, struct.pack("<I", n) + files.ipv6()) for n in (10, 24, 28, 30)},
}


@pytest.mark.parametrize("name", LINKS)
def test_link_types_of_ipv4(name):
    link_type, frame = LINKS[name]
    assert_one_datagram(capture.parse(files.pcap([frame], link_type)))


@pytest.mark.parametrize("name", LINKS_6)
def test_link_types_of_ipv6(name):
    link_type, frame = LINKS_6[name]
    assert_one_datagram(capture.parse(files.pcap([frame], link_type)), files.SOURCE6, files.DESTINATION6)


def frag6(field):
    return files.ipv6(bytes([17, 0]) + field.to_bytes(2, "big") + bytes(4) + files.udp(), 44)


COUNTED = {
    "arp": ("not_ip", 1, files.ethernet(bytes(28), 0x0806)),
    "802.3 length": ("not_ip", 1, files.ethernet(bytes(46), 46)),
    "nine VLAN tags": ("not_ip", 1, files.ethernet(tags=bytes.fromhex("81000005") * 9)),
    "appletalk over null": ("not_ip", 0, struct.pack("<I", 16) + files.ipv4()),
    "tcp": ("not_udp", 1, files.ethernet(files.ipv4(protocol=6))),
    "tcp over ipv6": ("not_udp", 101, files.ipv6(following=6)),
    "nine headers": ("not_udp", 101, files.ipv6(bytes(72) + files.udp(), 0)),
    "first fragment": ("fragments", 101, files.ipv4(fragment=0x2000)),
    "last fragment": ("fragments", 101, files.ipv4(fragment=0x0010)),
    "first fragment of ipv6": ("fragments", 101, frag6(1)),
    "last fragment of ipv6": ("fragments", 101, frag6(8)),
    "cut in the payload": ("truncated", 1, (files.ethernet()[:-1], len(files.ethernet()))),
    "cut in the address": ("truncated", 1, (bytes(13), 60)),
    "cut in the VLAN tag": ("truncated", 1, (bytes(12) + b"\x81\x00\x00", 60)),
    "cut in the IP header": ("truncated", 101, (files.ipv4()[:19], 44)),
    "cut in the UDP header": ("truncated", 101, (files.ipv4()[:27], 44)),
    "cut in an IPv6 header": ("truncated", 101, (files.ipv6(bytes([17]) + bytes(7), 0)[:45], 90)),
    "nothing kept": ("truncated", 101, (b"", 44)),
    "nothing at all": ("malformed", 101, b""),
    "short ethernet": ("malformed", 1, bytes(13)),
    "ip longer than its frame": ("malformed", 101, files.ipv4(files.udp(size=40), total=60)),
    "ip shorter than UDP": ("malformed", 101, files.ipv4(total=27)),
    "ip header of 16 bytes": ("malformed", 101, b"\x44" + files.ipv4()[1:]),
    "version 5": ("malformed", 101, b"\x55" + files.ipv4()[1:]),
    "version 4 as IPv6": ("malformed", 1, files.ethernet(files.ipv4() + bytes(20), 0x86DD)),
    "udp of 7 bytes": ("malformed", 101, files.ipv4(files.udp(size=7))),
    "udp longer than ip": ("malformed", 101, files.ipv4(files.udp(size=25))),
    "802.11": ("unknown_link", 105, files.ethernet()),
}


@pytest.mark.parametrize("name", COUNTED)
def test_what_is_no_datagram_is_counted(name):
    reason, link_type, frame = COUNTED[name]
    found = capture.parse(files.pcap([frame], link_type))
    assert len(found) == 0
    assert {n for n in capture.CaptureCounts.__struct_fields__ if getattr(found.counts, n)} == {reason}


# ---- pcapng


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    "resolution, ticks",
    [
        (None, TIME_US),
        (6, TIME_US),
        (3, TIME_US // 1000),
        (0, TIME_US // 1_000_000),
        (9, TIME_US * 1000 + 999),
        (0x80 | 20, (TIME_US << 20) // 1_000_000 + 1),
        (0x80 | 32, (TIME_US << 32) // 1_000_000 + 1),
    ],
)
def test_pcapng_of_either_order_and_any_resolution(order, resolution, ticks):
    options = [] if resolution is None else [(2, b"eth0"), (9, bytes([resolution]))]
    data = files.section(order) + files.interface(1, order, options) + files.enhanced(files.ethernet(), ticks, order)
    unit = {3: 1000, 0: 1_000_000}.get(resolution, 1)
    assert_one_datagram(capture.parse(data), time_us=TIME_US // unit * unit)


def test_fine_binary_resolution_does_not_overflow():
    data = files.section() + files.interface(options=[(9, b"\xbf")])  # 2**-63 s
    data += files.enhanced(files.ethernet(), (1 << 63) + (1 << 62))
    assert capture.parse(data).time_us.tolist() == [1_500_000]


def test_pcapng_offset_of_time():
    options = [(14, struct.pack("<q", -5)), (9, b"\x06")]
    data = files.section() + files.interface(options=options) + files.enhanced(files.ethernet(), TIME_US)
    assert_one_datagram(capture.parse(data), time_us=TIME_US - 5_000_000)


def test_pcapng_other_blocks():
    data = (
        files.section()
        + files.block(4, bytes(4))  # names
        + files.interface(101)
        + files.interface(1)
        + files.block(0xBAD, b"custom")
        + files.enhanced(files.ethernet(), TIME_US, number=1)
        + files.obsolete(files.ipv4(), 7)
        + files.simple(files.ipv4())
        + files.block(5, bytes(16))  # statistics
    )
    found = capture.parse(data)
    assert found.time_us.tolist() == [TIME_US, 7, 0]
    assert [bytes(found.datagram(i)) for i in range(3)] == [files.PAYLOAD] * 3


def test_pcapng_sections_begin_anew():
    one = files.section("<") + files.interface(1, "<") + files.enhanced(files.ethernet(), 1, "<")
    two = files.section(">") + files.interface(101, ">") + files.enhanced(files.ipv4(), 2, ">")
    lost = files.section() + files.enhanced(files.ipv4(), 2)  # its interface was another section's
    found = capture.parse(one + two + lost)
    assert (found.time_us.tolist(), found.counts.malformed) == ([1, 2], 1)


def test_simple_packets_are_cut_by_the_snap_length():
    frame = files.ipv4()
    body = struct.pack("<I", len(frame)) + frame[:30]
    data = files.section() + files.interface(101, snap_length=30) + files.block(3, body)
    assert capture.parse(data).counts.truncated == 1


# ---- damage


@pytest.mark.parametrize("data", [b"", b"\xd4\xc3", b"GIF89a" + bytes(40), files.pcap([])[:23], b"\x0a\x0d\x0d\x0a"])
def test_no_capture(data, tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="neither a pcap nor a pcapng"):
        capture.read(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        capture.read(tmp_path / "nothing.pcap")


BLOCKS = files.section() + files.interface() + files.enhanced(files.ethernet(), 5)


@pytest.mark.parametrize(
    "data, why",
    [
        (files.section() + struct.pack("<II", 6, 11) + bytes(8), "byte 28 contradicts"),
        (files.section() + struct.pack("<II", 6, 14) + bytes(8), "contradicts"),
        (files.section() + files.block(6, bytes(20))[:-4] + bytes(4), "contradicts"),
        (b"\x0a\x0d\x0d\x0a" + bytes(24), "contradicts"),
        (files.section() + files.block(1, bytes(4)), "contradicts"),
        (files.section() + files.interface(options=[(9, b"\x14")]), "resolution"),
        (files.section() + files.interface() * 1025, "1024 interfaces"),
    ],
)
def test_pcapng_that_contradicts_itself(data, why):
    with pytest.raises(ValueError, match=why):
        capture.parse(data)


# behind the payload of an enhanced packet block stand its padding and its length
@pytest.mark.parametrize(
    "data, tail", [(files.pcap([files.ethernet()] * 2), 0), (BLOCKS + files.enhanced(files.ethernet(), 6), 6)]
)
def test_truncated_at_every_length(data, tail):
    whole = capture.parse(data)
    assert len(whole) == 2 and not whole.counts.cut_off
    for length in range(24, len(data)):
        found = capture.parse(data[:length])
        assert len(found) == (whole.offsets.astype(int) + 16 + tail <= length).sum()
        assert [bytes(found.datagram(i)) for i in range(len(found))] == [files.PAYLOAD] * len(found)


@pytest.mark.parametrize("data", [files.pcap([files.ethernet()]), BLOCKS])
def test_every_single_bit_flip(data):
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit >> 3] ^= 0x80 >> (bit & 7)
        assert_survives(bytes(damaged))


@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_bytes(data, form):
    assert_survives((b"", files.pcap([]), files.section() + files.interface(), files.pcap([], 101, ">"))[form] + data)


def assert_survives(data):
    try:
        found = capture.parse(data)
    except ValueError as error:
        assert "pcap" in str(error)
        return
    assert (found.offsets.astype(int) + found.sizes <= len(data)).all()
    assert len(found.rtp()) == len(found) == found.counts.datagrams


# ---- outside judges


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_browsers_captures_against_dpkt(path):
    found = capture.read(path)
    with path.open("rb") as file:
        judged = [(time, dpkt.ip.IP(frame).data) for time, frame in dpkt.pcap.Reader(file)]
    assert [bytes(found.datagram(i)) for i in range(len(found))] == [bytes(u.data) for _, u in judged]
    assert found.packets["destination_port"].tolist() == [u.dport for _, u in judged]
    assert numpy.abs(found.time_us - numpy.array([float(time) * 1e6 for time, _ in judged])).max() < 2
    rows = found.rtp()
    media = rows[found.packets["destination_port"] == 5004]
    assert (media["status"] == 0).all()
    assert media["ssrc"].tolist() == [rtp.parse(bytes(u.data)).ssrc for _, u in judged if u.dport == 5004]


@pytest.mark.parametrize("writer", [PcapWriter, PcapNgWriter])
def test_what_scapy_writes(writer, tmp_path):
    path = str(tmp_path / "scapy")
    four = Ether() / Dot1Q(vlan=5) / IP(src="192.0.2.1", dst="198.51.100.7") / UDP(sport=5000, dport=6000)
    six = Ether() / IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=5000, dport=6000)
    frames = [four / Raw(files.PAYLOAD), six / Raw(b""), Ether() / IP() / UDP() / Raw(b"x" * 1400)]
    with writer(path) as out:
        for number, frame in enumerate(frames):
            frame.time = 1_700_000_000 + number
            out.write(frame)
    found = capture.read(path)
    assert [bytes(found.datagram(i)) for i in range(3)] == [files.PAYLOAD, b"", b"x" * 1400]
    assert (found.source(0), found.destination(1)) == (files.SOURCE, files.DESTINATION6)
    assert numpy.abs(found.time_us - (1_700_000_000 + numpy.arange(3)) * 1_000_000).max() <= 1


# ---- the rest


def test_many_datagrams():
    frame = struct.pack("<IIII", 1, 2, 58, 58) + files.ethernet()
    found = capture.parse(files.pcap([]) + frame * 200_000)
    assert len(found) == 200_000
    assert (numpy.diff(found.offsets.astype(int)) == 74).all() and (found.sizes == 16).all()


@pytest.mark.parametrize("count", [65_535, 65_536, 65_537, 300_000])
@pytest.mark.parametrize(
    "sizes", [(20, 20), (12, 900), (900, 12)], ids=["even", "larger in the end", "smaller in the end"]
)
def test_rows_grow_with_the_file(count, sizes):
    """However wrong the first frames lead: no row is lost, none comes twice."""
    first, last = (files.pcap([files.ethernet(files.ipv4(files.udp(bytes(size))))])[24:] for size in sizes)
    early = min(count, 66_000)
    found = capture.parse(files.pcap([]) + first * early + last * (count - early))
    assert len(found) == found.counts.datagrams == count
    assert found.sizes.tolist() == [sizes[0]] * early + [sizes[1]] * (count - early)
    steps = numpy.diff(found.offsets.astype(numpy.int64))
    assert set(steps[: early - 1]) == {len(first)} and set(steps[early:]) <= {len(last)}
    assert not found.packets["destination"][:, 4:].any() and set(found.time_us.tolist()) == {TIME_US}


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, io.BytesIO])
def test_any_memory_will_do(form):
    data = form(files.pcap([files.ethernet()]))
    assert_one_datagram(capture.parse(data.getbuffer() if isinstance(data, io.BytesIO) else data))


@pytest.mark.parametrize("count", [1, 2, 43, 44, 45, 500])
def test_a_file_of_the_smallest_records_there_are(count):
    frame = files.ipv4(files.udp(b""))
    for records in (
        files.pcap([frame] * count, 101),
        files.section() + files.interface(101) + files.simple(frame) * count,
    ):
        found = capture.parse(records)
        assert len(found) == found.counts.datagrams == count and not found.sizes.any() and not found.counts.cut_off
        assert (numpy.diff(found.offsets) == 44).all()


def test_a_pipe_will_do(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(files.pcap([files.ethernet()]),))
    writer.start()
    assert_one_datagram(capture.read(path))
    writer.join()


def test_the_fuzz_targets_seeds():
    for seed in fuzz_capture.seeds():
        fuzz_capture.fuzz_one(seed)
