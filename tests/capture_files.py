"""Capture files written by hand after draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng, and frames to put in."""

import struct

PAYLOAD = bytes.fromhex("80600001000000020000000301020304")
SOURCE, DESTINATION = ("192.0.2.1", 5000), ("198.51.100.7", 6000)
SOURCE6, DESTINATION6 = ("2001:db8::1", 5000), ("2001:db8::2", 6000)


def udp(payload=PAYLOAD, ports=(5000, 6000), size=None):
    return struct.pack("!HHHH", *ports, len(payload) + 8 if size is None else size, 0) + payload


def ipv4(body=None, protocol=17, fragment=0, options=b"", total=None):
    body = udp() if body is None else body
    head_size = 20 + len(options)
    total = head_size + len(body) if total is None else total
    addresses = bytes([192, 0, 2, 1, 198, 51, 100, 7])
    head = struct.pack("!BBHHHBBH", 0x40 | head_size // 4, 0, total, 1, fragment, 64, protocol, 0)
    return head + addresses + options + body


def ipv6(body=None, following=17, size=None):
    body = udp() if body is None else body
    size = len(body) if size is None else size
    addresses = bytes.fromhex("20010db800000000000000000000000120010db8000000000000000000000002")
    return struct.pack("!IHBB", 0x60000000, size, following, 64) + addresses + body


def ethernet(body=None, ethertype=0x0800, tags=b""):
    return bytes(12) + tags + ethertype.to_bytes(2, "big") + (ipv4() if body is None else body)


def pcap(frames, link_type=1, order="<", magic=0xA1B2C3D4, time=(1_700_000_000, 123_456)):
    """Frames are bytes, or (bytes, size on the wire)."""
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for frame in frames:
        frame, wire_size = frame if isinstance(frame, tuple) else (frame, len(frame))
        data += struct.pack(order + "IIII", *time, len(frame), wire_size) + frame
    return data


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def section(order="<"):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link_type=1, order="<", options=(), snap_length=0):
    body = struct.pack(order + "HHI", link_type, 0, snap_length)
    for code, value in options:
        body += struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
    return block(1, body + (bytes(4) if options else b""), order)


def enhanced(frame, ticks, order="<", number=0, wire_size=None):
    wire_size = len(frame) if wire_size is None else wire_size
    body = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), wire_size)
    return block(6, body + frame, order)


def simple(frame, order="<"):
    return block(3, struct.pack(order + "I", len(frame)) + frame, order)


def obsolete(frame, ticks, order="<", number=0):
    body = struct.pack(order + "HHIIII", number, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(2, body + frame, order)
