"""What an ICE check costs: `python -m pytest bench/micro/test_bench_stun.py`."""

import hmac
import struct
import zlib

from pytest_benchmark.fixture import BenchmarkFixture

from mediarouter._ice import IceAgentFace
from mediarouter._stun import peek_ufrag

UFRAG, PASSWORD = b"AAAB2345abcd", b"0123456789abcdefghijklmn"
SOURCE = (bytes((192, 0, 2, 1)), 5000)
BATCH = 1000


def check(transaction: int) -> bytes:
    """As Chromium's: 104 bytes with username, network info, role, nomination and priority."""
    attributes = [
        (0x0006, UFRAG + b":wxyz"),
        (0xC057, bytes(4)),
        (0x802A, bytes(8)),
        (0x0025, b""),
        (0x0024, struct.pack("!I", 1853824767)),
    ]
    body = b"".join(struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4) for kind, value in attributes)
    tail = struct.pack("!I12s", 0x2112A442, transaction.to_bytes(12, "big"))
    head = struct.pack("!HH", 1, len(body) + 24) + tail
    body += struct.pack("!HH", 8, 20) + hmac.digest(PASSWORD, head + body, "sha1")
    head = struct.pack("!HH", 1, len(body) + 8) + tail
    return head + body + struct.pack("!HHI", 0x8028, 4, zlib.crc32(head + body) ^ 0x5354554E)


def test_answered_check(benchmark: BenchmarkFixture) -> None:
    """Parse, authenticate, note, answer: at most 5 µs a check."""
    agent = IceAgentFace(UFRAG, PASSWORD)
    requests = [check(i) for i in range(BATCH)]
    answered = benchmark(agent.handle_many, requests, SOURCE, 1)
    assert answered == BATCH * 64
    if benchmark.enabled:
        benchmark.extra_info["ns_per_check"] = benchmark.stats.stats.min / BATCH * 1e9
        assert benchmark.stats.stats.min / BATCH < 5e-6


def test_a_strangers_check(benchmark: BenchmarkFixture) -> None:
    """Find the ufrag, which leads nowhere; the call from Python included."""
    request = check(1)
    assert benchmark(peek_ufrag, request) == UFRAG
