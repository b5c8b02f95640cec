"""What queues take, refuse and throw away."""

from math import sqrt

import pytest

from mediarouter.testing.sim.queues import CoDel, DropTail
from mediarouter.testing.sim.tcp import Tcp, TcpPlan
from tests.testing.sim.sinks import Bench, link


def packet(size, number=0):
    return (None, size, number, 0, None)


def never(packet):
    raise AssertionError


def test_a_limit_of_bytes():
    queue = DropTail(limit_ms=None, limit_bytes=2500).make(never)
    assert [queue.offer(packet(1000, i), 0, 1) for i in range(3)] == [True, True, False]
    assert queue.offer(packet(500, 3), 0, 1) and queue.waiting_bytes == 2500
    assert [queue.take(0)[0][2] for _ in range(3)] == [0, 1, 3]
    assert queue.take(0) is None and queue.waiting_bytes == 0 and len(queue) == 0


def test_a_limit_of_time_is_that_of_the_rate_of_the_moment():
    queue = DropTail(limit_ms=300).make(never)
    assert sum(queue.offer(packet(1000), 0, 1_000_000) for _ in range(100)) == 37  # 37,500 bytes
    assert not queue.offer(packet(1000), 0, 1_000_000)
    assert queue.offer(packet(1000), 0, 2_000_000)
    assert not queue.offer(packet(1), 0, 500_000)
    assert queue.offer(packet(1000), 0, 0)  # a closed link has no time


def test_a_queue_without_limit_takes_all():
    queue = DropTail(limit_ms=None).make(never)
    assert all(queue.offer(packet(1000), 0, 1) for _ in range(10_000))


def drops_of(entries, plan=None):
    """Numbers dropped by CoDel when packet i comes at entries[i][0] and one is taken at entries[i][1]."""
    dropped = []
    queue = (plan or CoDel()).make(lambda gone: dropped.append(gone[2]))
    for number in range(len(entries) + 100):  # enough that bytes never keep it from dropping
        assert queue.offer(packet(1000, number), entries[min(number, len(entries) - 1)][0], 0)
    for _, take_us in entries:
        queue.take(take_us)
    return dropped


def test_codel_bears_short_waits_for_ever():
    assert drops_of([(i * 1000, i * 1000 + 4999) for i in range(1000)]) == []


def test_codel_bears_a_long_wait_for_an_interval():
    assert drops_of([(i * 1000, i * 1000 + 20_000) for i in range(100)]) == []
    assert len(drops_of([(i * 1000, i * 1000 + 20_000) for i in range(102)])) == 1


def test_codel_drops_the_more_often_the_longer_it_lasts():
    # control law, RFC 8289 section 5.2: the n-th drop comes interval / sqrt(n) after the one before
    dropped = []
    queue = CoDel(limit_bytes=1 << 40).make(lambda gone: dropped.append((gone[2], now_us)))
    times = []
    for now_us in range(0, 1_500_000, 500):
        for _ in range(2):
            queue.offer(packet(1000, now_us), max(now_us - 20_000, 0), 0)
        before = len(dropped)
        queue.take(now_us)
        times += [now_us] * (len(dropped) - before)
    expected, law = [], 0.0
    for n in range(1, len(times)):
        law += 100_000 / sqrt(n)
        expected.append(law)
    assert len(times) > 20
    for at, after in zip(times[1:], expected, strict=True):
        assert at - times[0] == pytest.approx(after, abs=600)


def test_codel_holds_tcp_near_its_target_where_drop_tail_fills():
    waits = {}
    for name, plan in (("codel", CoDel()), ("drop tail", DropTail(limit_ms=300))):
        bench = Bench(link(5_000_000, 20, plan))
        back = Bench(link(1_000_000_000, 20))
        back.link._clock = bench.clock
        tcp = Tcp(bench.clock, TcpPlan("reno"), bench.link, back.link, None)
        bench.run(60)
        late = sorted(w for at, w in zip(bench.link.wait_at_us, bench.link.waits_us, strict=True) if at > 10_000_000)
        waits[name] = late[len(late) // 2] / 1000, late[int(len(late) * 0.95)] / 1000
        rate = sum(1 for at in tcp.trace.received_at_us if at > 10_000_000) * 1500 * 8 / 50
        assert rate > 0.85 * 5_000_000
    assert waits["codel"][0] < 10 and waits["codel"][1] < 25
    assert waits["drop tail"][0] > 150


def test_codel_remembers_how_often_it_had_to_drop():
    # RFC 8289 section 5.4: who has to drop again within sixteen intervals goes on near where it was
    times: list[int] = []
    clock = [0]
    queue = CoDel(limit_bytes=1 << 40).make(lambda gone: times.append(clock[0]))

    def load(from_us, to_us, waited_us):
        for now_us in range(from_us, to_us, 500):
            clock[0] = now_us
            for _ in range(2):
                queue.offer(packet(1000), now_us - waited_us, 0)
            queue.take(now_us)

    load(20_000, 1_500_000, 20_000)
    first = [b - a for a, b in zip(times, times[1:], strict=False)]
    while len(queue):
        queue.take(clock[0])
    times.clear()
    load(1_600_000, 2_100_000, 20_000)
    again = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert first[0] == pytest.approx(100_000, abs=600)
    assert again[0] < first[-1] * 1.5 and again[0] < 40_000
