"""Congestion windows against their RFCs' formulas."""

import pytest

from mediarouter.testing.sim.windows import Cubic, Reno, make_window

RTT_US = 100_000


def round_trip(window, now_us):
    """All of a window is acknowledged, evenly over a round trip."""
    count = int(window.packets)
    for i in range(count):
        window.on_ack(now_us + i * RTT_US // count, RTT_US)
    return now_us + RTT_US


@pytest.mark.parametrize("algorithm", ["reno", "cubic"])
def test_a_window_doubles_each_round_trip_until_it_loses(algorithm):
    window, now_us = make_window(algorithm), 0
    for expected in (20, 40, 80):
        now_us = round_trip(window, now_us)
        assert window.packets == expected


def test_reno_halves_and_grows_by_one():
    window = Reno()
    for _ in range(90):
        window.on_ack(0, RTT_US)
    assert window.packets == 100
    window.on_loss(0)
    assert window.packets == 50
    now_us = 0
    for n in range(1, 20):
        now_us = round_trip(window, now_us)
        assert window.packets == pytest.approx(50 + n, abs=0.5)  # parts of packets are lost to the helper


def test_reno_begins_anew_after_a_timeout():
    window = Reno()
    for _ in range(90):
        window.on_ack(0, RTT_US)
    window.on_timeout()
    assert window.packets == 1
    now_us = 0
    for expected in (2, 4, 8, 16, 32):
        now_us = round_trip(window, now_us)
        assert window.packets == expected
    now_us = round_trip(window, now_us)
    assert 50 <= window.packets <= 51  # half of what it was is where it grows slowly again


def test_cubic_comes_back_to_its_old_window_when_the_formula_says():
    # RFC 9438 section 4.2: K = cbrt((W_max - cwnd_epoch) / C), W(t) = C (t - K)^3 + W_max
    window = Cubic()
    for _ in range(990):
        window.on_ack(0, RTT_US)
    window.on_loss(0)
    assert window.packets == pytest.approx(700)
    k_s = (300 / 0.4) ** (1 / 3)
    now_us, curve = 0, {}
    while now_us < 2 * k_s * 1_000_000:
        now_us = round_trip(window, now_us)
        curve[now_us / 1e6] = window.packets
    for at_s, packets in curve.items():
        # a window follows the curve by at most one round trip, which is a percent where the curve is steepest
        assert packets == pytest.approx(0.4 * (at_s - k_s) ** 3 + 1000, rel=0.02)


def test_cubic_is_no_slower_than_reno_where_the_product_is_small():
    cubic, now_us = Cubic(), 0
    for _ in range(10):
        cubic.on_ack(0, 10_000)
    cubic.on_loss(0)
    for _ in range(40):
        for _ in range(int(cubic.packets)):
            cubic.on_ack(now_us, 10_000)
        now_us += 10_000
    # 14 packets and 3 (1 - 0.7) / (1 + 0.7) = 0.53 each round trip, until it had been 20; then one each
    assert cubic.packets == pytest.approx(20 + (40 - 6 / 0.53), rel=0.1)


def test_cubic_leaves_room_when_it_loses_again_early():
    window = Cubic()
    for _ in range(90):
        window.on_ack(0, RTT_US)
    window.on_loss(0)
    window.on_ack(0, RTT_US)
    window.on_loss(0)
    window.on_ack(1, RTT_US)
    assert window._most == pytest.approx(70 * 0.85, rel=0.02)


def test_no_other_algorithm():
    with pytest.raises(ValueError, match="no algorithm vegas: reno, cubic"):
        make_window("vegas")


def test_cubic_grows_by_half_a_round_trip_at_most():
    window = Cubic()
    window.on_loss(0)
    now_us, growth = 0, []
    for _ in range(120):
        before = window.packets
        now_us = round_trip(window, now_us) + 900_000  # a second each: the curve becomes steeper than that
        growth.append(window.packets / before)
    assert 1.3 < max(growth) <= 1.66  # e ** 0.5, since the bound moves with each acknowledgement
