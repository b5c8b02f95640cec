"""What probe clusters measure; the cases of probe_bitrate_estimator, and what a lying receiver can gain."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._probe_estimator import ProbeMeter

MS = 1_000
REFERENCE_US = 1_000_000_000
FAST_BPS = 200_000_000  # no result of these tests is near it


class Feedback:
    """A meter told about packets in milliseconds."""

    def __init__(self, *, packets: int = 5, size_bytes: int = 5_000, clusters: int = 2) -> None:
        self.meter = ProbeMeter()
        for cluster in range(1, clusters + 1):
            self.meter.begin(cluster, FAST_BPS, packets, size_bytes)
        self.result: int | None = None

    def __call__(self, cluster: int, *packets: tuple[int, float, float]) -> int | None:
        for size_bytes, send_ms, arrival_ms in packets:
            self.result = self.meter.on_packet(
                cluster, REFERENCE_US + round(send_ms * MS), REFERENCE_US + round(arrival_ms * MS), size_bytes
            )
        return self.result


def spaced(count: int, size_bytes: int = 1000) -> list[tuple[int, float, float]]:
    return [(size_bytes, 10 * i, 10 * i + 10) for i in range(count)]


def test_one_cluster() -> None:
    assert Feedback()(1, *spaced(4)) == 800_000


def test_too_few_packets() -> None:
    assert Feedback()(1, *spaced(3, 2000)) is None


def test_too_few_bytes() -> None:
    assert Feedback(size_bytes=6000)(1, *spaced(5, 800)) is None


def test_small_packets() -> None:
    assert Feedback(size_bytes=1000)(1, *spaced(6, 150)) == 120_000


def test_a_large_cluster() -> None:
    feedback = Feedback(packets=30, size_bytes=312_500)
    assert feedback(1, *((12_500, i, i + 5) for i in range(25))) == 100_000_000


def test_arriving_faster_than_sent_counts_as_sent() -> None:
    assert Feedback()(1, (1000, 0, 15), (1000, 10, 30), (1000, 20, 35), (1000, 30, 40)) == 800_000


def test_arriving_much_faster_than_sent_is_not_plausible() -> None:
    assert Feedback()(1, (1000, 0, 19), (1000, 10, 22), (1000, 20, 25), (1000, 40, 27)) is None


def test_a_full_link_is_used_to_95_percent() -> None:
    assert Feedback()(1, (1000, 0, 10), (1000, 10, 40), (1000, 20, 70), (1000, 30, 85)) == 320_000 * 95 // 100


def test_arriving_at_one_instant_tells_no_rate() -> None:
    assert Feedback()(1, (1000, 0, 50), (1000, 10, 50), (1000, 20, 50), (1000, 40, 50)) is None


def test_sent_at_one_instant_tells_no_rate() -> None:
    assert Feedback()(1, (1000, 0, 10), (1000, 0, 20), (1000, 0, 30), (1000, 0, 40)) is None


def test_later_packets_measure_again_and_clusters_are_apart() -> None:
    feedback = Feedback()
    packets = [(1000, 0.0, 10.0), (1000, 10.0, 20.0), (1000, 20.0, 30.0), (1000, 40.0, 60.0)]
    assert feedback(1, *packets) == 480_000 * 95 // 100
    assert feedback(1, (1000, 50, 60)) == 640_000
    second = [(1000, 60.0, 70.0), (1000, 65.0, 77.0), (1000, 70.0, 84.0), (1000, 75.0, 90.0)]
    assert feedback(2, *second) == 1_200_000 * 95 // 100


def test_an_old_cluster_is_forgotten() -> None:
    feedback = Feedback()
    feedback(1, *spaced(3))
    second = [(1000, 60.0, 70.0), (1000, 65.0, 77.0), (1000, 70.0, 84.0), (1000, 75.0, 90.0)]
    assert feedback(2, *second) == 1_200_000 * 95 // 100
    assert feedback(1, (1000, 6040, 6060)) is None


@pytest.mark.parametrize(("arrival_ms", "result"), [(1030, 800_000), (1030.001, None)])
def test_a_cluster_is_old_after_a_second(arrival_ms: float, result: int | None) -> None:
    feedback = Feedback()
    feedback(1, *spaced(3))
    feedback(2, (1000, 60, arrival_ms))
    assert feedback(1, spaced(4)[3]) == result


def test_a_cluster_has_so_many_packets_at_most() -> None:
    meter = ProbeMeter()
    meter.begin(1, FAST_BPS, 5, 5_000)
    results = [meter.on_packet(1, i, i, 1000) for i in range(65_536)]
    assert results[-2] is not None and results[-1] is None


def test_the_last_packet_sent_does_not_count_as_sent() -> None:
    assert Feedback()(1, *spaced(4), (1500, 40, 50)) == 800_000


def test_the_first_packet_received_does_not_count_as_received() -> None:
    packets = [(1500, 0.0, 10.0), *spaced(4)[1:]]
    assert Feedback()(1, *packets) == 800_000 * 95 // 100


def test_bunches_do_not_make_it_look_faster() -> None:
    """Three packets every 2 ms through a link that carries all: the rate they were sent at, and not 9/6 of it."""
    bunches = [(1000, 2.0 * i, 2.0 * i + 20 + 0.25 * j) for i in range(4) for j in range(3)]
    rate_bps = 3 * 1000 * 8 * 500
    assert Feedback()(1, *bunches) == rate_bps


def test_order_does_not_matter() -> None:
    packets = spaced(5)
    assert Feedback()(1, *reversed(packets)) == Feedback()(1, *packets) == 800_000


def test_lost_packets_leave_the_rate_of_what_came() -> None:
    packets = spaced(10)
    del packets[3], packets[5]
    lossy = Feedback(packets=10, size_bytes=10_000)(1, *packets)
    assert lossy == 7 * 8000 * 1000 // 90


def test_spans_above_a_second_tell_nothing() -> None:
    assert Feedback()(1, *((1000, 300 * i, 300 * i) for i in range(4))) == 3 * 8000 * 1000 // 900
    assert Feedback()(1, *((1000, 350 * i, 350 * i) for i in range(4))) is None
    assert Feedback()(1, *((1000, 10 * i, 350 * i) for i in range(4))) is None


def test_an_unknown_cluster_tells_nothing() -> None:
    feedback = Feedback(clusters=1)
    for cluster in (0, 2, 255, 256, -1, 1 << 30):
        assert feedback(cluster, *spaced(5)) is None
    assert feedback(1, *spaced(5)) == 800_000, "and harms none"


def test_the_ninth_cluster_takes_the_place_of_the_first() -> None:
    feedback = Feedback(clusters=9)
    assert feedback(1, *spaced(5)) is None
    for cluster in range(2, 10):
        assert feedback(cluster, *spaced(5)) == 800_000


def test_an_id_used_again_begins_anew() -> None:
    feedback = Feedback()
    feedback(1, *spaced(5))
    feedback.meter.begin(1, FAST_BPS, 5, 5_000)
    assert feedback(1, *spaced(3)) is None
    assert feedback(1, spaced(4)[3]) == 800_000


def test_no_result_is_above_the_rate_asked_for() -> None:
    """Packets that left in a lump are no licence."""
    meter = ProbeMeter()
    meter.begin(7, 1_000_000, 5, 1_875)
    results = [meter.on_packet(7, 10 * i, 50_000 + 10 * i, 1200) for i in range(6)]
    assert results[-1] == 1_000_000


@pytest.mark.parametrize(
    "figures", [(0, 1, 1, 1), (256, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0), (1, 2_000_000_001, 1, 1)]
)
def test_a_cluster_out_of_range_is_an_error(figures: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        ProbeMeter().begin(*figures)


def test_a_packet_out_of_range_is_an_error() -> None:
    for send_us, arrival_us, size_bytes in ((1 << 60, 0, 1), (0, -(1 << 60), 1), (0, 0, 0), (0, 0, 65_536)):
        with pytest.raises(ValueError, match="range|size"):
            ProbeMeter().on_packet(1, send_us, arrival_us, size_bytes)


def expected_bps(packets: list[tuple[int, int, int]], rate_bps: int) -> int | None:
    """The same from the whole list, in fractions."""
    first, last = min(p[0] for p in packets), max(p[0] for p in packets)
    begin, end = min(p[1] for p in packets), max(p[1] for p in packets)
    if len(packets) < 4 or sum(p[2] for p in packets) < 1600:
        return None
    if not (0 < last - first <= 1_000_000 and 0 < end - begin <= 1_000_000):
        return None
    sent_bps = sum(p[2] for p in packets if p[0] != last) * 8_000_000 // (last - first)
    received_bps = sum(p[2] for p in packets if p[1] != begin) * 8_000_000 // (end - begin)
    if received_bps > 2 * sent_bps:
        return None
    if 10 * received_bps < 9 * sent_bps:
        return min(received_bps * 95 // 100, rate_bps)
    return min(sent_bps, received_bps, rate_bps)


@settings(max_examples=300)
@given(
    st.integers(1, 50_000_000),
    st.lists(
        st.tuples(st.integers(0, 100_000) | st.integers(0, 20), st.integers(0, 400_000), st.integers(1, 65_535)),
        min_size=1,
        max_size=30,
    ),
)
def test_whatever_is_said_the_sums_are_right_and_bounded(rate_bps: int, packets: list[tuple[int, int, int]]) -> None:
    meter = ProbeMeter()
    meter.begin(1, rate_bps, 5, 2000)
    for i, packet in enumerate(packets):
        result = meter.on_packet(1, *packet)
        assert result == expected_bps(packets[: i + 1], rate_bps)
        assert result is None or 0 <= result <= rate_bps


time_us = st.integers(-(1 << 60) + 1, (1 << 60) - 1)


@given(st.lists(st.tuples(st.integers(-3, 300), time_us, time_us, st.integers(1, 65_535), st.booleans()), max_size=60))
def test_no_times_and_ids_harm(calls: list[tuple[int, int, int, int, bool]]) -> None:
    meter = ProbeMeter()
    for cluster, send_us, arrival_us, size_bytes, begin in calls:
        if begin and 1 <= cluster <= 255:
            meter.begin(cluster, 1_000_000, 1, 1)
        result = meter.on_packet(cluster, send_us, arrival_us, size_bytes)
        assert result is None or 0 <= result <= 1_000_000
