"""A link against theory: exact times, queues that grow as they must, and no packet out of nowhere."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.testing.sim.link import LinkPlan
from mediarouter.testing.sim.loss import GilbertElliott, RandomLoss
from mediarouter.testing.sim.queues import CoDel, DropTail
from mediarouter.testing.sim.schedule import Schedule, always
from tests.testing.sim.sinks import Bench, changing, link


def test_a_packet_takes_its_sending_and_the_distance():
    bench = Bench(link(1_000_000, 50))
    bench.send_at(1000, 1250)
    bench.run(1)
    assert bench.arrival_us == [1000 + 10_000 + 50_000]


def test_packets_go_one_after_another():
    bench = Bench(link(1_000_000, 5))
    for at in (0, 0, 3000, 100_000):
        bench.send_at(at, 1000)
    bench.run(1)
    assert bench.arrival_us == [13_000, 21_000, 29_000, 113_000]
    assert list(bench.link.waits_us) == [0, 8000, 13_000, 0]


def test_fractions_of_a_microsecond_do_not_add_up():
    bench = Bench(link(3_000_000))
    for _ in range(30_000):
        bench.send_at(0, 1001)
    bench.run(100)
    assert bench.arrival_us[-1] == pytest.approx(30_000 * 1001 * 8 / 3, abs=1)


def test_the_rate_may_change_within_a_packet():
    bench = Bench(changing((0, 1_000_000), (0.005, 500_000), (0.006, 0), (0.010, 2_000_000)))
    bench.send_at(0, 1000)
    bench.run(1)
    # 8000 bits: 5000 until 5 ms, 500 until 6 ms, none until 10 ms, the rest at 2 Mbit/s
    assert bench.arrival_us == [10_000 + 1250]


def test_a_closed_link_keeps_what_comes():
    bench = Bench(changing((0, 0), (3, 1_000_000)))
    for at in range(0, 2_000_000, 100_000):
        bench.send_at(at, 125)
    bench.run(2.9)
    assert bench.sink.arrived == [] and bench.link.in_flight == 20
    bench.run(4)
    assert bench.arrival_us == [3_000_000 + 1000 * (i + 1) for i in range(20)]


def test_what_is_too_much_makes_the_queue_grow_by_the_excess():
    bench = Bench(link(1_000_000))
    for i in range(1200 * 5):  # 1.2 Mbit/s for five seconds
        bench.send_at(round(i * 1_000_000 / 1200), 125)
    bench.run(10)
    waits = dict(zip(bench.link.wait_at_us, bench.link.waits_us, strict=True))
    assert max(waits.values()) == pytest.approx(1_000_000, rel=0.01)  # a fifth of a second for each second
    assert bench.arrival_us[-1] == pytest.approx(6_000_000, abs=2000)


@pytest.mark.parametrize("load", [0.5, 0.8, 0.9])
def test_poisson_arrivals_wait_as_in_m_d_1(load):
    # Pollaczek-Khinchine for constant service: mean wait = load / (2 (1 - load)) services
    service_us, dice, at_us = 1000, Random(11), 0.0
    bench = Bench(link(1_000_000))
    for _ in range(100_000):
        at_us += dice.expovariate(load / service_us)
        bench.send_at(round(at_us), 125)
    bench.run(at_us / 1e6 + 10)
    mean = sum(bench.link.waits_us) / len(bench.link.waits_us)
    assert mean == pytest.approx(load / (2 * (1 - load)) * service_us, rel=0.08)


def test_an_overloaded_drop_tail_link_delivers_its_capacity_and_waits_its_limit():
    bench = Bench(link(1_000_000, queue=DropTail(limit_ms=300)))
    for i in range(2500 * 10):
        bench.send_at(i * 400, 125)  # 2.5 Mbit/s for ten seconds
    bench.run(10)
    assert bench.link.delivered == pytest.approx(10_000, abs=2)
    bench.run(20)
    assert bench.link.delivered == pytest.approx(10_300, abs=2)
    assert bench.link.dropped == 25_000 - bench.link.delivered
    assert max(bench.link.waits_us) == pytest.approx(300_000, abs=1000)


def test_what_is_lost_behind_the_bottleneck_has_taken_capacity():
    bench = Bench(link(1_000_000, loss=always(RandomLoss(0.25))))
    for i in range(20_000):
        bench.send_at(i * 1000, 125)
    bench.run(30)
    assert bench.link.lost / 20_000 == pytest.approx(0.25, abs=0.015)
    assert sorted([n for n, _ in bench.sink.arrived] + bench.sink.gone) == list(range(20_000))
    assert max(bench.link.waits_us) == 0 and bench.arrival_us[-1] > 19_990_000


def test_losses_may_begin_and_end():
    bench = Bench(link(1_000_000, loss=Schedule((0, None), (1, RandomLoss(1)), (2, None))))
    for i in range(300):
        bench.send_at(i * 10_000, 125)
    bench.run(4)
    assert bench.sink.gone == list(range(100, 200))


def test_jitter_is_even_and_keeps_the_order():
    bench = Bench(link(1_000_000_000, 50, jitter_ms=15))
    for i in range(10_000):
        bench.send_at(i * 50_000, 125)
    bench.run(600)
    late = [at - number * 50_000 for number, at in bench.sink.arrived]
    assert min(late) == pytest.approx(35_000, abs=50) and max(late) == pytest.approx(65_000, abs=50)
    assert sum(late) / len(late) == pytest.approx(50_000, abs=400)
    close = Bench(link(1_000_000_000, 50, jitter_ms=15))
    for i in range(1000):
        close.send_at(i * 1000, 125)
    close.run(5)
    assert [number for number, _ in close.sink.arrived] == list(range(1000))


def test_reordered_packets_are_overtaken():
    bench = Bench(link(1_000_000_000, 50, reordered=0.02, reorder_ms=10))
    for i in range(10_000):
        bench.send_at(i * 1000, 125)
    bench.run(20)
    late = [number for number, at in bench.sink.arrived if at - number * 1000 > 59_000]
    assert len(late) == pytest.approx(200, abs=60)
    assert len(bench.sink.arrived) == 10_000
    assert [number for number, _ in bench.sink.arrived] != list(range(10_000))


def test_duplicated_packets_come_twice():
    bench = Bench(link(1_000_000_000, 50, duplicated=0.1))
    for i in range(10_000):
        bench.send_at(i * 1000, 125)
    bench.run(20)
    assert bench.link.duplicated == pytest.approx(1000, abs=120)
    assert len(bench.sink.arrived) == 10_000 + bench.link.duplicated


def test_the_distance_may_change_and_order_stays():
    bench = Bench(LinkPlan(delay_ms=Schedule((0, 100.0), (1, 10.0))))
    for at in (0, 999_999, 1_000_001, 2_000_000):
        bench.send_at(at, 1)
    bench.run(3)
    assert bench.arrival_us == [100_000, 1_099_999, 1_099_999, 2_010_000]


QUEUES = st.sampled_from([DropTail(limit_ms=20), DropTail(limit_ms=None, limit_bytes=4000), CoDel(), CoDel(1, 10)])
LOSSES = st.sampled_from([None, RandomLoss(0.1), GilbertElliott.bursts(0.2, 3)])


@settings(max_examples=60, deadline=None)
@given(
    rates=st.lists(st.integers(0, 3_000_000), min_size=1, max_size=4),
    queue=QUEUES,
    loss=LOSSES,
    jitter=st.sampled_from([0, 5]),
    share=st.sampled_from([0, 0.1]),
    packets=st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 1500)), max_size=150),
    until_ms=st.integers(0, 600),
    seed=st.integers(0, 99),
)
def test_no_packet_is_made_or_vanishes(rates, queue, loss, jitter, share, packets, until_ms, seed):
    rate = Schedule(*((i / 10, rate) for i, rate in enumerate(rates)), (len(rates) / 10, 5_000_000))
    plan = LinkPlan(rate, always(20.0), jitter, queue, always(loss), reordered=share, duplicated=share)
    bench = Bench(plan, seed)
    for at_us, size in sorted(packets):
        bench.send_at(at_us, size)
    for stop_s in (until_ms / 1000, 30):
        bench.run(stop_s)
        on = bench.link
        assert on.offered == sum(at_us <= stop_s * 1e6 for at_us, _ in packets)
        assert on.offered + on.duplicated == on.delivered + on.dropped + on.lost + on.in_flight
        assert on.delivered == len(bench.sink.arrived) and on.dropped + on.lost == len(bench.sink.gone)
        assert on.in_flight >= 0 and on.waiting_bytes >= 0
    assert bench.link.in_flight == bench.link.waiting_bytes == 0
    assert {number for number, _ in bench.sink.arrived} | set(bench.sink.gone) == set(range(len(packets)))
