"""RTP payloads of real browsers, as vectors, and the knife that cut them.

A vector file holds one stream, a record a packet: sequence number, timestamp, marker, size of the payload, bytes kept,
these bytes. Only the beginning of a payload is kept; it is read back with zeros behind, in its full size.

To cut one from a decrypted capture (classic pcap of raw IPv4, RTP on port 5004):
`python tests/codecs/streams.py CAPTURE.pcap SSRC-IN-HEX OUT.bin`
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"
RECORD = struct.Struct("!HIBHB")
KEPT = 48
FILE_HEADER, PACKET_HEADER, IP_AND_UDP, RTP_PORT = 24, 16, 28, 5004


@dataclass(frozen=True)
class Packet:
    seq: int
    timestamp: int
    marker: bool
    payload: bytes
    kept: int


def read(name: str) -> list[Packet]:
    """The packets of tests/vectors/NAME.bin, in the order in which they were sent."""
    data, at, packets = (VECTORS / f"{name}.bin").read_bytes(), 0, []
    while at < len(data):
        seq, timestamp, marker, size, kept = RECORD.unpack_from(data, at)
        at += RECORD.size
        packets.append(Packet(seq, timestamp, bool(marker), data[at : at + kept] + bytes(size - kept), kept))
        at += kept
    return packets


def frames(packets: list[Packet]) -> list[list[Packet]]:
    """Packets of one timestamp together."""
    return [list(group) for _, group in groupby(packets, lambda packet: packet.timestamp)]


def captured(path: Path, ssrc: int) -> Iterator[Packet]:
    """The media packets of one SSRC in a capture."""
    data, at = path.read_bytes(), FILE_HEADER
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        datagram = data[at + PACKET_HEADER : at + PACKET_HEADER + size]
        at += PACKET_HEADER + size
        if struct.unpack_from("!H", datagram, 22)[0] != RTP_PORT:
            continue
        rtp = datagram[IP_AND_UDP:]
        first, second, seq, timestamp, of = struct.unpack_from("!BBHII", rtp)
        if of != ssrc:
            continue
        offset = 12 + 4 * (first & 15)
        if first & 0x10:
            offset += 4 + 4 * struct.unpack_from("!H", rtp, offset + 2)[0]
        payload = rtp[offset : len(rtp) - (rtp[-1] if first & 0x20 else 0)]
        if payload:
            yield Packet(seq, timestamp, bool(second & 0x80), payload, len(payload))


def main() -> None:
    capture, ssrc, out = sys.argv[1:]
    with Path(out).open("wb") as file:
        for packet in captured(Path(capture), int(ssrc, 16)):
            kept = packet.payload[:KEPT]
            file.write(RECORD.pack(packet.seq, packet.timestamp, packet.marker, len(packet.payload), len(kept)) + kept)


if __name__ == "__main__":
    main()
