"""Fuzz transport-wide feedback, the reader and the recorder: `python fuzz/twcc.py -max_total_time=60`."""

import json
import struct
import sys
from pathlib import Path

from mediarouter._transport_feedback import Twcc, from_bytes
from mediarouter.congestion import TwccRecorder

VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "rtcp_twcc.json"
STEPS_US = (0, 250, 1_000, 20_000, 64_000, 300_000, 8_200_000, -5_000)


def seeds() -> list[bytes]:
    """Packets of other implementations."""
    return [bytes.fromhex(vector["hex"]) for vector in json.loads(VECTORS.read_text()).values()]


SEEDS = seeds()


def framed(body: bytes) -> bytes:
    """Whatever it is, behind a header that says so."""
    body = body[: 4 * 0xFFFF] + bytes(-len(body) % 4)
    return struct.pack("!BBH", 0x8F, 205, len(body) // 4) + body


def edited(data: bytes) -> bytes:
    """One of the seeds, with bytes overwritten; the compiled reader gives the fuzzer no coverage to find them by."""
    packet = bytearray(SEEDS[data[0] % len(SEEDS)] if data else b"")
    for place, value in zip(data[1::2], data[2::2], strict=False):
        packet[place % len(packet)] = value
    return bytes(packet)


def fuzz_one(data: bytes) -> None:
    """No input may harm; what is read must be consistent."""
    for packet in (data, framed(data), edited(data)):
        try:
            feedback = from_bytes(packet)
        except ValueError:
            continue
        assert bytes(feedback) == packet
        check(feedback)
    drive(data)


def check(feedback: Twcc) -> None:
    arrivals = feedback.arrivals
    assert len(arrivals) == feedback.packet_status_count == len(feedback.statuses)
    assert all(number == (feedback.base_sequence_number + i) & 0xFFFF for i, (number, _) in enumerate(arrivals))
    assert not (feedback.statuses["timed"] & ~feedback.statuses["received"]).any()


def drive(data: bytes) -> None:
    """Let the bytes say which numbers come when, and when feedback is asked for."""
    recorder = TwccRecorder()
    seq, now_us = 0, 0
    for byte in data:
        seq = (seq + (1, 1, 2, 700, 33_000, -1, -40, 0)[byte & 7]) & 0xFFFF
        now_us += STEPS_US[byte >> 3 & 7]
        recorder.on_packet(seq, now_us)
        if byte & 0x40:
            drain(recorder, 1200 if byte & 0x80 else 28)
    drain(recorder, 1500)
    assert recorder.poll_timeout() is None


def drain(recorder: TwccRecorder, capacity: int) -> None:
    packets = 0
    while (packet := recorder.poll_feedback(1 << 59, capacity)) is not None:
        assert len(packet) <= capacity
        check(from_bytes(packet))
        packets += 1
        assert packets <= 8192


def main() -> None:
    """Run it under atheris."""
    import atheris  # type: ignore[import-untyped]

    atheris.Setup(sys.argv, lambda data: fuzz_one(bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
