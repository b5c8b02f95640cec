"""Fuzz RTCP as Python values: `python fuzz/rtcp.py -max_total_time=60`."""

import contextlib
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.rtcp_vectors import COMPOUND, GOOD, padded  # noqa: E402

from mediarouter import _rtcp, rtcp  # noqa: E402

SEEDS = [*GOOD.values(), COMPOUND, padded(COMPOUND[:4] + COMPOUND[4:52], 4)]


def framed(data: bytes) -> bytes:
    """Whatever it is, behind a header that says so."""
    kind, body = (data[:2].ljust(2, b"\0"), data[2:60000])
    body += bytes(-len(body) % 4)
    return bytes([0x80 | kind[0] & 0x3F, 200 + kind[1] % 8]) + (len(body) // 4).to_bytes(2, "big") + body


def edited(data: bytes) -> bytes:
    """A compound of the seeds, overwritten, cut or longer here and there. The input only seeds the dice: the compiled
    reader gives the fuzzer no coverage to find a way by."""
    dice = random.Random(data)
    packets = []
    for _ in range(dice.randrange(1, 4)):
        packet = bytearray(dice.choice(SEEDS))
        for _ in range(dice.randrange(4)):
            packet[dice.randrange(min(len(packet), 40))] = dice.choice((0, 1, 0xFF, dice.randrange(256)))
        if dice.random() < 0.2:
            words = dice.randrange(len(packet) // 4)
            packet[2:] = words.to_bytes(2, "big") + packet[4 : 4 * words + 4]
        if dice.random() < 0.2 and packet[2] == 0:
            packet = bytearray(padded(bytes(packet), 4 * dice.randrange(1, 64)))
            packet[-1] = dice.choice((packet[-1], packet[-1] - 1, dice.randrange(256)))
        packets.append(bytes(packet))
    return b"".join(packets)


def fuzz_one(data: bytes) -> None:
    """No input may harm; what is taken goes as the same bytes, looked into and built again."""
    for datagram in (data, framed(data), edited(data)):
        walked, code = _rtcp.walk(datagram[:65535])
        try:
            packets = rtcp.parse(datagram)
        except rtcp.RtcpError as error:
            assert datagram.startswith(b"".join(map(bytes, error.packets)))
            continue
        assert (len(packets), code) == (len(walked), 0)
        assert b"".join(map(bytes, packets)) == datagram
        for packet in packets:
            check(packet)


def check(packet: rtcp.RtcpPacket | rtcp.Twcc) -> None:
    repr(packet)
    if isinstance(packet, rtcp.Twcc):
        assert len(packet.arrivals) == packet.packet_status_count
        return
    again = None
    with contextlib.suppress(ValueError):  # cut by padding to no whole word, or named as none of its own
        again = rtcp.replace(packet)
    assert again is None or again == packet, (again, packet)
    assert again is not None or packet.padding_size % 4, packet


def main() -> None:
    """Run it under atheris."""
    import atheris  # type: ignore[import-untyped]

    atheris.Setup(sys.argv, lambda data: fuzz_one(bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
