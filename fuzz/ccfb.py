"""Feedback of RFC 8888, the value, the estimator and the recorder, for users of Python."""

import json
from pathlib import Path

from mediarouter import rtcp
from mediarouter.congestion import SendSideEstimator
from mediarouter.congestion._ccfb import CcfbRecorder

EVERY = 200  # of the inputs in C that come here, one of so many
VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "rtcp_ccfb.json"
STEPS_US = (0, 250, 1_000, 20_000, 64_000, 300_000, 8_200_000, 70_000_000)
DRIVE = 12  # of an input's bytes


def seeds() -> list[bytes]:
    """Packets of another implementation, and of ours about streams that the checks know."""
    ours = []
    for ssrcs, count in (((0,), 1), ((0, 1), 8), ((2, 3, 9, 2), 5)):
        arrivals = [(0, 9 - i) if i % 3 else None for i in range(count)]
        ours.append(bytes(rtcp.Ccfb(1, 2, [(ssrc, 65_500, arrivals) for ssrc in ssrcs])))
    theirs = [bytes.fromhex(vector["hex"]) for vector in json.loads(VECTORS.read_text())]
    return [data for data in theirs if len(data) < 300] + ours


SEEDS = seeds()


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm; what is read must be consistent."""
    drive(data[-DRIVE:])
    estimator = SendSideEstimator()
    for number in range(8):
        estimator.on_packet_sent(number, 100, number, ssrc=number % 2, rtp_seq=65_500 + number // 2)
    told = estimator.on_feedback(data, 1_000)
    assert 0 <= told <= 8
    try:
        packets = rtcp.parse(data)
    except rtcp.RtcpError:
        return 0, 1
    if not any(isinstance(packet, rtcp.Ccfb) for packet in packets):
        return 0, 1
    assert estimator.counters["malformed"] == 0 and estimator.counters["reports"]
    return 1, 0


def drive(data: bytes) -> None:
    """Let the bytes say which numbers come when, and when feedback is asked for."""
    recorder = CcfbRecorder()
    seq, now_us = 0, 0
    for byte in data:
        seq = (seq + (1, 1, 2, 700, 33_000, -1, -40, 0)[byte & 7]) & 0xFFFF
        now_us += STEPS_US[byte >> 3 & 7]
        recorder.on_packet(byte >> 6, seq, now_us)
        if byte & 0x40:
            drain(recorder, now_us + 100_000, 1200 if byte & 0x80 else 28)
    drain(recorder, now_us + 100_000, 1500)
    assert recorder.poll_timeout() is None


def drain(recorder: CcfbRecorder, now_us: int, capacity: int) -> None:
    packets = 0
    while (data := recorder.poll_feedback(now_us, capacity)) is not None:
        assert len(data) <= capacity
        (packet,) = rtcp.parse(data)
        assert isinstance(packet, rtcp.Ccfb)
        packets += 1
        assert packets <= 2000
