"""Transport-wide feedback written down once more, the slow and obvious way: the judge of the compiled one.

Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
"""

import struct

TICK_US = 250


def symbols_of(chunk: int) -> list[int]:
    """All symbols of one 16-bit chunk."""
    bits = f"{chunk:016b}"
    if bits[0] == "0":
        return [int(bits[1:3], 2)] * int(bits[3:], 2)
    if bits[1] == "0":
        return [int(bit) for bit in bits[2:]]
    return [int(bits[i : i + 2], 2) for i in range(2, 16, 2)]


def parse(packet: bytes) -> list[tuple[int, int | None]]:
    """[(sequence number, arrival in microseconds or None)]. Raises ValueError when the packet contradicts itself."""
    if len(packet) < 20:
        raise ValueError("short")
    if packet[0] & 0x20:
        padding = packet[-1]
        if not 0 < padding <= len(packet) - 20:
            raise ValueError("padding")
        packet = packet[:-padding]
    base, count = struct.unpack_from("!HH", packet, 12)
    reference = int.from_bytes(packet[16:19], "big", signed=True)
    at = 20
    symbols: list[int] = []
    while len(symbols) < count:
        if at + 2 > len(packet):
            raise ValueError("chunks")
        symbols += symbols_of(struct.unpack_from("!H", packet, at)[0])
        at += 2
    arrival_us = reference * 64_000
    statuses: list[tuple[int, int | None]] = []
    for i, symbol in enumerate(symbols[:count]):
        size = {1: 1, 2: 2}.get(symbol, 0)
        if at + size > len(packet):
            raise ValueError("steps")
        arrival_us += int.from_bytes(packet[at : at + size], "big", signed=symbol == 2) * TICK_US
        at += size
        statuses.append(((base + i) & 0xFFFF, arrival_us if size else None))
    return statuses
