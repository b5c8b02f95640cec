"""Captures of network traffic, pcap and pcapng, as arrays: a row a UDP datagram.

    capture = mediarouter.capture.read("call.pcapng")
    capture.time_us, capture.sizes, capture.packets["destination_port"]        # numpy columns
    rows = capture.rtp()                                                       # rtp.parse_batch of all of them
    media = rows[rows["status"] == 0]

Files of either byte order, in micro- or nanoseconds (or whatever a pcapng interface says); Ethernet, VLAN tags, Linux
cooked (both versions), raw IP, BSD loopback; IPv4 and IPv6. What is no whole UDP datagram is counted by reason.
Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import ipaddress
import mmap
import os
import stat
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mediarouter._capture import DATAGRAM_DTYPE, datagrams
from mediarouter.rtp import parse_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Buffer

__all__ = ["DATAGRAM_DTYPE", "Capture", "CaptureCounts", "parse", "read"]


class CaptureCounts(Struct, frozen=True):
    """What a capture's frames were.

    Attributes:
        datagrams: whole UDP datagrams; the others are not in the array.
        not_ip: ARP and the like.
        not_udp: IP of another protocol.
        fragments: of IP packets.
        truncated: the capture holds only the beginning of them.
        malformed: lengths that contradict each other.
        unknown_link: of a link type that is not read here.
        cut_off: the file ends in the middle of a frame.
    """

    datagrams: int
    not_ip: int
    not_udp: int
    fragments: int
    truncated: int
    malformed: int
    unknown_link: int
    cut_off: bool


class Capture:
    """UDP datagrams of a capture.

    Attributes:
        buffer: the whole file.
        packets: a row a datagram, in the order of the file (`DATAGRAM_DTYPE`): `time_us` since 1970, `offset` and
            `size` of the payload in `buffer`, `source_port`, `destination_port`, `source` and `destination` (IPv4: the
            first 4 of 16 bytes), `ip_version` 4 or 6.
        counts: what else there was.
    """

    __slots__ = ("buffer", "counts", "packets")

    def __init__(self, buffer: Buffer, packets: NDArray[Any], counts: CaptureCounts) -> None:
        self.buffer = memoryview(buffer).cast("B")
        self.packets = packets
        self.counts = counts

    def __len__(self) -> int:
        return len(self.packets)

    @property
    def offsets(self) -> NDArray[Any]:
        """Where each payload begins in `buffer`."""
        return self.packets["offset"]

    @property
    def sizes(self) -> NDArray[Any]:
        """Bytes of each payload."""
        return self.packets["size"]

    @property
    def time_us(self) -> NDArray[Any]:
        """When each was captured, microseconds since 1970; 0 where the file does not tell."""
        return self.packets["time_us"]

    def datagram(self, index: int) -> memoryview:
        """The payload of one datagram, not copied."""
        row = self.packets[index]
        return self.buffer[int(row["offset"]) : int(row["offset"]) + int(row["size"])]

    def source(self, index: int) -> tuple[str, int]:
        """Address and port it came from."""
        return self._address(index, "source")

    def destination(self, index: int) -> tuple[str, int]:
        """Address and port it went to."""
        return self._address(index, "destination")

    def _address(self, index: int, side: str) -> tuple[str, int]:
        row = self.packets[index]
        packed = row[side].tobytes()
        return str(ipaddress.ip_address(packed[:4] if row["ip_version"] == 4 else packed)), int(row[f"{side}_port"])

    def rtp(self) -> NDArray[Any]:
        """All of them as RTP: `rtp.parse_batch`, a row for each of `packets`."""
        return parse_batch(self.buffer, self.offsets, self.sizes)


def parse(data: Buffer) -> Capture:
    """A capture that is in memory already; `data` is held, not copied.

    Raises:
        ValueError: it is neither pcap nor pcapng, or contradicts itself.
    """
    rows, counts, cut_off = datagrams(data)
    return Capture(data, rows, CaptureCounts(**counts, cut_off=cut_off))


def read(path: str | os.PathLike[str]) -> Capture:
    """Read a capture file. It is mapped into memory as long as the capture lives: do not shorten it meanwhile.

    Raises:
        OSError: it cannot be read.
        ValueError: it is neither pcap nor pcapng, or contradicts itself.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            return parse(file.read())  # a pipe, and nothing, cannot be mapped
        flags = mmap.MAP_PRIVATE | mmap.MAP_POPULATE
        return parse(mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ))
