"""Video streams over one bottleneck, and the estimators that are told of it, in virtual time.

The scenarios and their constants are those that libwebrtc judges its own delay-based estimate with.
"""

from dataclasses import dataclass, field

from mediarouter.congestion._delay_based import DelayBasedFace
from mediarouter.congestion._throughput import ThroughputFace

MTU_BYTES = 1200
START_US = 100_000_000
SEND_OFFSET_US = 1_000_000
SECOND_US = 1_000_000


@dataclass
class Packet:
    send_us: int
    arrival_us: int
    size_bytes: int


@dataclass
class Stream:
    """Frames at a rate, each cut into packets of at most about 1,200 bytes that are sent at once."""

    fps: int
    bps: int
    next_us: int = 0

    def frame(self, now_us: int) -> list[int]:
        """Sizes of the packets of the frame that is due."""
        bits = (self.bps + self.fps // 2) // self.fps
        count = max((bits + 4 * MTU_BYTES) // (8 * MTU_BYTES), 1)
        self.next_us = now_us + (SECOND_US + self.fps // 2) // self.fps
        return [(bits + 4 * count) // (8 * count)] * count


@dataclass
class Link:
    """A queue without limit before a wire of a rate."""

    bps: int
    free_us: int = START_US

    def carry(self, now_us: int, size_bytes: int) -> int:
        """When a packet is through."""
        per_ms = self.bps // 1000
        took_us = (8000 * size_bytes + per_ms // 2) // per_ms
        self.free_us = max(now_us, self.free_us) + took_us
        return self.free_us


@dataclass
class ProbeCluster:
    """The rate of packets sent as one probe, in plain Python: the slower of sending and arriving."""

    packets: list[Packet] = field(default_factory=list)

    def add(self, packet: Packet) -> int:
        """The rate once four packets are in, which is 80 % of five; -1 before."""
        self.packets.append(packet)
        if len(self.packets) < 4:
            return -1
        sent, arrived = self.packets[-1].send_us, self.packets[-1].arrival_us
        bits = 8 * SECOND_US * sum(each.size_bytes for each in self.packets[1:])
        return min(bits // (sent - self.packets[0].send_us), bits // (arrived - self.packets[0].arrival_us))


class Path:
    """A sender's view: what it sends goes over the link, and reports come back at once."""

    def __init__(self, link: Link | None = None, start_bps: int = -1, min_span_us: int = 0) -> None:
        self.link = link or Link(1_000_000)
        self.delay = DelayBasedFace(start_bps, min_span_us=min_span_us)
        self.throughput = ThroughputFace()
        self.streams: list[Stream] = []
        self.now_us = START_US
        self.clock_offset_us = 0           # of the receiver
        self.latest_bps = 0                # told last
        self.updated = False
        self.usage = "normal"
        self.updates = 0

    def report(self, packets: list[Packet], probe_bps: int = -1) -> None:
        """Tell the estimators of packets that arrived, now."""
        for packet in packets:
            self.throughput.add(packet.send_us, packet.arrival_us, packet.size_bytes)
            self.delay.packet(packet.send_us, packet.arrival_us, self.now_us, packet.size_bytes)
        target_bps, updated, _, _, self.usage = self.delay.update(self.throughput.bps, self.now_us, probe_bps)
        if updated:
            self.latest_bps = target_bps
            self.updated = True
            self.updates += 1

    def feedback(self, send_us: int, size_bytes: int, probe: ProbeCluster | None = None) -> None:
        """A report about one packet that arrives now."""
        packet = Packet(send_us, self.now_us, size_bytes)
        self.report([packet], probe.add(packet) if probe else -1)

    def set_rate(self, bps: int) -> None:
        """Share it among the streams as they share theirs now."""
        before = sum(stream.bps for stream in self.streams)
        seen = given = 0
        for stream in self.streams:
            seen += stream.bps
            stream.bps = (seen * bps + before // 2) // before - given
            given += stream.bps

    def frame(self, bps: int) -> bool:
        """Send the next frame of all streams' and hear of it; whether the estimate is below `bps`."""
        self.set_rate(bps)
        stream = min(self.streams, key=lambda each: each.next_us)
        first = self.updates == 0
        self.updated = False
        packets = [
            Packet(self.now_us + SEND_OFFSET_US, self.link.carry(self.now_us, size_bytes), size_bytes)
            for size_bytes in stream.frame(self.now_us)
        ]
        sent_us, self.now_us = self.now_us, packets[-1].arrival_us
        for packet in packets:
            packet.arrival_us += self.clock_offset_us
        self.report(packets)
        self.now_us = max(min(each.next_us for each in self.streams), sent_us)
        return self.updated and not first and self.latest_bps < bps

    def settle(self, frames: int, bps: int, until_bps: int, bounds_bps: tuple[int, int]) -> int:
        """Follow the estimate until it is beyond `until_bps` after an overuse; the rate then."""
        overused = False
        for _ in range(frames):
            if self.frame(bps):
                assert bounds_bps[0] < self.latest_bps < bounds_bps[1]
                overused = True
            if self.updated:
                bps = self.latest_bps
            if overused and bps > until_bps:
                break
        assert overused
        return bps
