"""What a packet costs that crosses to another worker: `python -m pytest bench/micro/test_bench_pipe.py -s`.

The writing side is the difference between a batch that is taken in with a tap and one without; the reading side is what
the other engine does with a ring full of packets: parse, place, keep in the slab, find that nobody watches.
"""

import time

from pytest_benchmark.fixture import BenchmarkFixture
from tests.pipes import House, Piped
from tests.virtual import Source, publish_video, vp8_payload

from mediarouter import _pipe_commands

BATCH = 1000
SIZE = 1100
ROUNDS = 30


def batch(source: Source) -> list[tuple[bytes, tuple[str, int]]]:
    """Packets of a browser's size, encrypted."""
    body = bytes(SIZE - 20)
    packets = [source.packet(vp8_payload(n, body=body), extensions={}) for n in range(BATCH)]
    return [(source.peer.srtp.protect(packet), source.peer.address) for packet in packets]


def test_a_packet_through_the_pipe(benchmark: BenchmarkFixture) -> None:
    """Written by one engine, read by the other: at most 500 ns to write and 1 µs to read."""
    house = House()
    near, far = house.calls
    publisher = near.peer()
    producer = publish_video(publisher, ())
    piped = Piped(publisher, producer, far, ring_bytes=1 << 21, nack=False)
    source = Source(publisher, 9)
    untapped, tapped, read = [], [], []

    def take_in() -> float:
        datagrams = batch(source)
        house.now_us += 10_000
        began = time.perf_counter_ns()
        near.engine.handle_batch(datagrams, house.now_us)
        return (time.perf_counter_ns() - began) / BATCH

    def cross() -> None:
        _pipe_commands.remove_tap(near.engine, producer, piped.ends[0])
        untapped.append(take_in())
        _pipe_commands.add_tap(near.engine, producer, piped.ends[0], piped.copy)
        tapped.append(take_in())
        began = time.perf_counter_ns()
        far.engine.handle_timeout(house.now_us)
        read.append((time.perf_counter_ns() - began) / BATCH)

    benchmark.pedantic(cross, rounds=ROUNDS, warmup_rounds=2)
    assert far.engine.counters()["rtp_packets_piped"] == (ROUNDS + 2) * BATCH
    assert far.dropped() == {} and near.dropped() == {}
    written_ns = min(tapped) - min(untapped)
    benchmark.extra_info |= {"write_ns": written_ns, "read_ns": min(read), "take_in_ns": min(untapped)}
    print(f"\nwrite {written_ns:.0f} ns, read {min(read):.0f} ns; taken in from Python {min(untapped):.0f} ns")
    assert written_ns < 500 and min(read) < 1000
