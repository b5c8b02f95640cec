"""TCP over a link: its sawtooth, its share, its end."""

from random import Random

import pytest

from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.link import Link
from mediarouter.testing.sim.loss import RandomLoss
from mediarouter.testing.sim.queues import DropTail
from mediarouter.testing.sim.schedule import Schedule, always
from mediarouter.testing.sim.tcp import Tcp, TcpPlan
from tests.testing.sim.sinks import changing, link

RATE_BPS, RTT_MS = 12_000_000, 100
PRODUCT_BYTES = RATE_BPS * RTT_MS // 8000  # 100 packets


def connect(plan, *tcps, seed=1):
    clock = Clock()
    forward = Link(clock, plan, Random(seed))
    backward = Link(clock, link(1_000_000_000, RTT_MS / 2), Random(seed))
    return clock, forward, [Tcp(clock, tcp, forward, backward, Random(seed + i)) for i, tcp in enumerate(tcps)]


def utilisation(tcp, from_s, to_s, rate_bps=RATE_BPS):
    received = sum(1 for at in tcp.trace.received_at_us if from_s * 1e6 <= at < to_s * 1e6)
    return received * 1500 * 8 / (to_s - from_s) / rate_bps


def queue_of(packets):
    return DropTail(limit_ms=None, limit_bytes=packets * 1500)


@pytest.mark.parametrize("algorithm", ["reno", "cubic"])
def test_a_queue_of_a_product_keeps_the_link_full(algorithm):
    clock, _, (tcp,) = connect(link(RATE_BPS, RTT_MS / 2, queue_of(100)), TcpPlan(algorithm))
    clock.run_until(120_000_000)
    assert utilisation(tcp, 30, 120) > 0.98


def test_reno_without_a_queue_uses_three_quarters():
    # between half the product and the product, a straight line: three quarters on average
    clock, _, (tcp,) = connect(link(RATE_BPS, RTT_MS / 2, queue_of(4)), TcpPlan("reno"))
    clock.run_until(130_000_000)
    assert utilisation(tcp, 30, 130) == pytest.approx(0.75, abs=0.05)


def test_cubic_without_a_queue_uses_more():
    clock, _, (tcp,) = connect(link(RATE_BPS, RTT_MS / 2, queue_of(4)), TcpPlan("cubic"))
    clock.run_until(130_000_000)
    assert utilisation(tcp, 30, 130) == pytest.approx(0.88, abs=0.05)


def test_the_teeth_of_reno_come_as_often_as_theory_says():
    # from half of W = 200 (product and queue) to W, one packet a round trip of 100 to 200 ms: 100 round trips, 15 s
    clock, _, (tcp,) = connect(link(RATE_BPS, RTT_MS / 2, queue_of(100)), TcpPlan("reno"))
    clock.run_until(30_000_000)
    windows = []
    for second in range(30, 180):
        clock.run_until(second * 1_000_000)
        windows.append(tcp.window)
    teeth = sum(later < 0.8 * earlier for earlier, later in zip(windows, windows[1:], strict=False))
    assert teeth == pytest.approx(150 / 15, abs=1)
    assert max(windows) == pytest.approx(200, rel=0.05) and min(windows) == pytest.approx(100, rel=0.06)


def test_throughput_under_random_loss_is_that_of_the_square_root():
    # Mathis: rate = packet / RTT * sqrt(3 / (2 p)), here for a link that is never full
    loss = 0.01
    clock, _, (tcp,) = connect(link(1_000_000_000, RTT_MS / 2, loss=always(RandomLoss(loss))), TcpPlan("reno"))
    clock.run_until(600_000_000)
    rate = utilisation(tcp, 20, 600, 1)
    assert rate == pytest.approx(1500 * 8 / 0.1 * (1.5 / loss) ** 0.5, rel=0.12)


def test_two_of_a_kind_share():
    clock, _, pair = connect(link(RATE_BPS, RTT_MS / 2, queue_of(100)), TcpPlan("reno"), TcpPlan("reno"))
    clock.run_until(160_000_000)
    one, other = (utilisation(tcp, 40, 160) for tcp in pair)
    assert one + other > 0.97 and 0.35 < one / (one + other) < 0.65


def test_after_an_outage_it_goes_on():
    clock, _, (tcp,) = connect(changing((0, RATE_BPS), (5, 0), (15, RATE_BPS), queue=queue_of(100)), TcpPlan("reno"))
    clock.run_until(14_900_000)
    assert utilisation(tcp, 6, 15) == 0 and tcp.window <= 1
    clock.run_until(40_000_000)
    assert utilisation(tcp, 30, 40) > 0.9


def test_when_every_packet_is_lost_it_backs_off():
    plan = link(RATE_BPS, RTT_MS / 2, loss=Schedule((0, None), (5, RandomLoss(1)), (65, None)))
    clock, _, (tcp,) = connect(plan, TcpPlan("reno"))
    clock.run_until(65_000_000)
    sent = [at for at in tcp.trace.sent_at_us if at > 8_000_000]
    assert 2 <= len(sent) <= 8  # twice as long each time
    steps = [later - earlier for earlier, later in zip(sent, sent[1:], strict=False)]
    assert all(later == pytest.approx(2 * earlier, rel=0.01) for earlier, later in zip(steps, steps[1:], strict=False))
    clock.run_until(140_000_000)
    assert utilisation(tcp, 130, 140) > 0.5


def test_short_transfers_end_and_pause():
    plan = TcpPlan("reno", transfer_bytes=(30_000, 50_000), pause_s=2)
    clock, _, (tcp,) = connect(link(RATE_BPS, RTT_MS / 2, loss=always(RandomLoss(0.02))), plan)
    clock.run_until(600_000_000)
    delivered = len(tcp.trace.received_at_us) * 1500
    assert 180 < tcp.finished < 290  # each takes a quarter of a second and more, then two of pause
    # each packet is delivered once, but for those thought lost, and none is missing
    assert delivered / tcp.finished == pytest.approx(41_000, rel=0.05)
    gaps = [b - a for a, b in zip(tcp.trace.sent_at_us, tcp.trace.sent_at_us[1:], strict=False)]
    assert sum(gap > 1_000_000 for gap in gaps) > 100


def test_it_stops_at_its_end():
    clock, _, (tcp,) = connect(link(RATE_BPS, RTT_MS / 2), TcpPlan("reno", ends_s=2))
    clock.run_until(9_000_000)
    assert 1_900_000 < max(tcp.trace.sent_at_us) < 2_000_000


def test_a_window_stays_while_it_recovers():
    clock, _, (tcp,) = connect(link(RATE_BPS, RTT_MS / 2, queue_of(100)), TcpPlan("reno"))
    clock.run_until(30_000_000)
    before = tcp.window
    while tcp.window >= before:  # until the next tooth
        before = tcp.window
        clock.run_until(clock.now_us + 500)
    cut = tcp.window
    assert cut == pytest.approx(before / 2, rel=0.01)
    clock.run_until(clock.now_us + 90_000)
    assert tcp.window == cut


def test_packets_that_are_overtaken_by_two_are_not_lost():
    # a packet each millisecond, some of them two and a half late
    plan = link(RATE_BPS, RTT_MS / 2, queue_of(10_000), reordered=0.02, reorder_ms=2.5)
    clock, forward, (tcp,) = connect(plan, TcpPlan("reno"))
    windows = []
    for step in range(1, 40):
        clock.run_until(step * 50_000)
        windows.append(tcp.window)
    assert windows == sorted(windows) and forward.dropped == 0
    plan = link(RATE_BPS, RTT_MS / 2, queue_of(10_000), reordered=0.02, reorder_ms=6)
    clock, _, (tcp,) = connect(plan, TcpPlan("reno"))
    clock.run_until(2_000_000)
    assert tcp.window < windows[-1] / 2


def test_nothing_is_sent_twice_that_arrives():
    plan = TcpPlan("reno", transfer_bytes=(30_000, 30_000), pause_s=0.05)
    clock, _, (tcp,) = connect(link(RATE_BPS, RTT_MS / 2), plan)
    clock.run_until(120_000_000)
    assert tcp.finished > 200
    assert 0 <= len(tcp.trace.sent_at_us) - 20 * tcp.finished <= 20
