"""The points of the cost curve: as many packets a second as far as frames allow, and honest sums."""

import pytest

from mediarouter.bench.cost_curve import ONE, PUBLISHED, SUBSCRIBED, at_same_rate, cost_curve, points, row, spread
from mediarouter.bench.load import Load


def test_points_go_from_one_to_a_thousand_subscribers_and_five_hundred_publishers():
    loads = list(points())
    assert [load.subscribers for series, load in loads if series == SUBSCRIBED] == [1, 3, 10, 30, 100, 300, 1000]
    assert [load.publishers for series, load in loads if series == PUBLISHED] == [1, 3, 10, 30, 100, 300, 500]
    assert {load.publishers for series, load in loads if series == ONE} == {1}
    assert {load.subscribers for series, load in points(30)} == {1, 3, 10, 30}


@pytest.mark.parametrize(("publishers", "subscribers"), [(100, 1), (10, 10), (1, 100), (1, 300), (100, 10), (300, 10)])
def test_the_packets_a_second_stay_the_same(publishers, subscribers):
    assert at_same_rate(publishers, subscribers).packets_per_second == pytest.approx(18_000, rel=0.1)


def test_frames_come_once_to_thirty_times_a_second():
    assert at_same_rate(1, 10).frames_per_second == 30 and at_same_rate(500, 10).frames_per_second == 1


def test_a_packet_in_counts_like_a_packet_out():
    figures = {
        "packets": 1000,
        "seconds": 0.5,
        "counters": {"rtp_packets_in": 500},
        "cpu_ns_per_packet": 3000.0,
        "engine_share": 0.5,
        "mean_burst": 5.0,
        "received": {"lost": 0},
        "unread": 0,
    }
    point = row(ONE, Load(1, 2), figures)
    assert (point["packets_per_second"], point["ns_per_forwarded"], point["ns_per_packet"]) == (2000, 3000, 2000)
    dear, foreign = point | {"ns_per_packet": 5000}, point | {"series": PUBLISHED, "ns_per_packet": 1}
    assert spread([point, dear, foreign], ONE) == 2.5


@pytest.mark.e2e
def test_a_small_curve_is_measured():
    figures = cost_curve(0.5, 1)
    assert [point["series"] for point in figures["points"]] == [ONE, SUBSCRIBED, PUBLISHED]
    assert all(point["lost"] == 0 and 500 < point["ns_per_packet"] for point in figures["points"])
    assert set(figures["dearest_to_cheapest"].values()) == {1.0}
