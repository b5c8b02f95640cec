"""What a viewer that means harm may report, by name: each attack is asked every 5 ms for the RTCP to send now."""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from mediarouter.rtcp import Twcc

STEP_US = 5_000
FULL_STEP = 0x7FFF  # of 250 us: 8.19 s, the largest that a report can tell
LOST, SMALL, LARGE = range(3)  # symbols of a status
ALL = 65_535  # statuses of a report at most
REPORT_EVERY = 10  # steps


@dataclass
class Sent:
    """What the attacker knows: numbers and times of the packets that came to it, and dice."""

    packets: list[tuple[int, int]] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    now_us: int = 0
    steps: int = 0
    kept: list[bytes] = field(default_factory=list)

    @property
    def newest(self) -> int:
        return self.packets[-1][0] if self.packets else 0

    def last(self, count: int) -> list[tuple[int, int]]:
        """The newest packets without a gap among their numbers."""
        found = self.packets[-count:]
        while found and found[-1][0] - found[0][0] >= len(found):
            found = found[1:]
        return found


def raw(base: int, count: int, chunks: list[int], deltas: bytes = b"", reference: int = 0, number: int = 0) -> bytes:
    """A report as its bytes say, consistent or not; padded to words."""
    body = struct.pack("!IIHH", 1, 2, base & 0xFFFF, count) + struct.pack("!I", (reference & 0xFFFFFF) << 8 | number)
    body += b"".join(struct.pack("!H", chunk) for chunk in chunks) + deltas
    fill = -len(body) % 4
    if fill:
        body += bytes(fill - 1) + bytes((fill,))
    return struct.pack("!BBH", 0x80 | (0x20 if fill else 0) | 15, 205, len(body) // 4) + body


def run_of(symbol: int, length: int) -> list[int]:
    """Run-length chunks of one symbol."""
    return [symbol << 13 | min(8191, length - at) for at in range(0, length, 8191)]


def told(sent: Sent, arrivals: Callable[[int, int], int | None], count: int = 60) -> list[bytes]:
    """Of the newest packets, each with the arrival that (its place, when it came) makes."""
    packets = sent.last(count)
    if not packets or sent.steps % REPORT_EVERY:
        return []
    times = [arrivals(place, at_us) for place, (_, at_us) in enumerate(packets)]
    if all(at_us is None for at_us in times):
        return [raw(packets[0][0], len(packets), run_of(LOST, len(packets)))]
    return [bytes(Twcc(1, 2, packets[0][0] & 0xFFFF, times, sent.steps & 0xFF))]


def stepping(sent: Sent, step_of: Callable[[int], int]) -> list[bytes]:
    """Of the newest packets, each a signed step of 250 us after the one before."""
    packets = sent.last(60)
    if not packets or sent.steps % REPORT_EVERY:
        return []
    deltas = b"".join(struct.pack("!h", step_of(place)) for place in range(len(packets)))
    return [raw(packets[0][0], len(packets), run_of(LARGE, len(packets)), deltas, sent.now_us // 64_000)]


def flood(sent: Sent) -> list[bytes]:
    packets = sent.last(20)
    return [bytes(Twcc(1, 2, packets[0][0] & 0xFFFF, [at_us for _, at_us in packets]))] * 5 if packets else []


def repeated(sent: Sent) -> list[bytes]:
    if not sent.kept:
        sent.kept = told(sent, lambda place, at_us: at_us)
    return sent.kept


def reordered(sent: Sent) -> list[bytes]:
    sent.kept += told(sent, lambda place, at_us: at_us)
    if len(sent.kept) < 10:
        return []
    late, sent.kept = sent.kept, []
    sent.dice.shuffle(late)
    return late


def unknown(sent: Sent, base: int) -> list[bytes]:
    arrivals = [sent.now_us + 250 * i for i in range(500)]
    return [bytes(Twcc(1, 2, base & 0xFFFF, arrivals))] if sent.steps % REPORT_EVERY == 0 else []


def all_statuses(sent: Sent, symbol: int, count: int) -> list[bytes]:
    if sent.steps % REPORT_EVERY:
        return []
    deltas = bytes(count if symbol == SMALL else 0)
    return [raw(sent.newest - 2000, count, run_of(symbol, count), deltas, sent.now_us // 64_000)]


def garbage(sent: Sent) -> list[bytes]:
    return [raw(sent.dice.getrandbits(16), sent.dice.getrandbits(16), [], sent.dice.randbytes(sent.dice.randrange(80)))]


ATTACKS: dict[str, Callable[[Sent], list[bytes]]] = {
    "arrived as they left": lambda sent: told(sent, lambda place, at_us: at_us - 25_000),
    "arrived all at once": lambda sent: told(sent, lambda place, at_us: 0),
    "arrived in a second a packet": lambda sent: told(sent, lambda place, at_us: place * 1_000_000),
    "arrived at random": lambda sent: told(sent, lambda place, at_us: sent.dice.randrange(4_000_000)),
    "arrived backwards": lambda sent: stepping(sent, lambda place: -400),
    "steps of 8 s": lambda sent: stepping(sent, lambda place: FULL_STEP),
    "steps of 8 s back": lambda sent: stepping(sent, lambda place: -FULL_STEP - 1),
    "steps to and fro": lambda sent: stepping(sent, lambda place: FULL_STEP if place & 1 else -FULL_STEP),
    "another time each report": lambda sent: told(sent, lambda place, at_us: sent.steps * 7_919_000_003 + at_us),
    "a thousand reports a second": flood,
    "never sent": lambda sent: unknown(sent, sent.newest + 20_000),
    "sent long ago": lambda sent: unknown(sent, sent.newest - 20_000),
    "one report again and again": repeated,
    "reports out of order": reordered,
    "all lost": lambda sent: told(sent, lambda place, at_us: None),
    "every other lost": lambda sent: told(sent, lambda place, at_us: at_us if place & 1 else None),
    "lost, then received": lambda sent: told(sent, lambda place, at_us: at_us if sent.steps & 16 else None),
    "65,535 statuses, lost": lambda sent: all_statuses(sent, LOST, ALL),
    "1,300 statuses, received": lambda sent: all_statuses(sent, SMALL, 1300),
    "nothing but rubbish": garbage,
}
