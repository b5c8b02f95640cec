"""Transport-wide feedback, the reader and the recorder, for users of Python."""

import json
from pathlib import Path

from mediarouter._transport_feedback import Twcc, from_bytes
from mediarouter.congestion import TwccRecorder

EVERY = 200  # of the inputs in C that come here, one of so many
VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "rtcp_twcc.json"
STEPS_US = (0, 250, 1_000, 20_000, 64_000, 300_000, 8_200_000, -5_000)
DRIVE = 12  # of an input's bytes


def seeds() -> list[bytes]:
    """Packets of other implementations."""
    return [bytes.fromhex(vector["hex"]) for vector in json.loads(VECTORS.read_text()).values()]


SEEDS = seeds()


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm; what is read must be consistent."""
    drive(data[-DRIVE:])
    try:
        feedback = from_bytes(data)
    except ValueError:
        return 0, 1
    assert bytes(feedback) == data
    check(feedback)
    return 1, 0


def check(feedback: Twcc) -> None:
    arrivals = feedback.arrivals
    assert len(arrivals) == feedback.packet_status_count == len(feedback.statuses)
    assert all(number == (feedback.base_sequence_number + i) & 0xFFFF for i, (number, _) in enumerate(arrivals))
    assert not (feedback.statuses["timed"] & ~feedback.statuses["received"]).any()
    assert repr(feedback) and feedback == from_bytes(bytes(feedback))


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
