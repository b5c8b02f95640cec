"""The schedule inside probe clusters, in virtual time; the cases of bitrate_prober."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter.congestion._prober import ProbeSchedule

MS = 1_000
PACKET_BYTES = 1_000


def begin(schedule: ProbeSchedule, cluster: int, rate_bps: int, now_us: int = 0) -> None:
    schedule.begin(cluster, rate_bps, 5, rate_bps * 15 // 8_000, now_us)


def send(schedule: ProbeSchedule, now_us: int, packet_bytes: int = PACKET_BYTES) -> tuple[list[tuple[int, int]], int]:
    """Send the cluster under way to its end: times and sizes of its packets, and when it ended."""
    cluster, packets = schedule.cluster, []
    while schedule.cluster == cluster and cluster:
        next_us = schedule.poll_timeout()
        assert next_us is not None
        now_us = max(now_us, next_us)
        due_bytes = schedule.bytes_due(now_us)
        assert due_bytes > 0
        while due_bytes > 0 and schedule.cluster == cluster:
            packets.append((now_us, packet_bytes))
            schedule.on_sent(packet_bytes, now_us)
            due_bytes -= packet_bytes
    return packets, now_us


def rate_of(packets: list[tuple[int, int]]) -> float:
    last_us = packets[-1][0]
    return sum(size for now_us, size in packets if now_us < last_us) * 8_000_000 / (last_us - packets[0][0])


def test_two_clusters_leave_one_after_the_other_at_their_rates() -> None:
    schedule = ProbeSchedule()
    assert schedule.poll_timeout() is None and schedule.cluster == 0
    begin(schedule, 1, 900_000)
    begin(schedule, 2, 1_800_000)
    assert (schedule.poll_timeout(), schedule.cluster) == (0, 1)
    first, end_us = send(schedule, 0)
    assert len(first) == 5 and end_us >= 15 * MS
    assert rate_of(first) == pytest.approx(900_000, rel=0.01)
    assert (schedule.cluster, schedule.poll_timeout()) == (2, 5 * PACKET_BYTES * 8_000_000 // 900_000 + 1)
    second, _ = send(schedule, end_us)
    assert len(second) == 5 and rate_of(second) == pytest.approx(1_800_000, rel=0.01)
    assert (schedule.cluster, schedule.poll_timeout(), schedule.dropped) == (0, None, 0)


@pytest.mark.parametrize("rate_bps", [50_000, 300_000, 1_000_000, 3_333_333, 10_000_000, 100_000_000, 1_000_000_000])
def test_any_rate_is_kept(rate_bps: int) -> None:
    schedule = ProbeSchedule()
    begin(schedule, 9, rate_bps)
    packets, _ = send(schedule, 0, 200 if rate_bps < 1_000_000 else 1_200)
    assert len(packets) >= 5
    assert sum(size for _, size in packets) >= rate_bps * 15 // 8_000
    assert rate_of(packets) == pytest.approx(rate_bps, rel=0.01)
    times = sorted({now_us for now_us, _ in packets})
    assert min(later - earlier for earlier, later in zip(times, times[1:], strict=False)) >= 1_600


def test_bunches_last_two_milliseconds_or_200_bytes() -> None:
    schedule = ProbeSchedule()
    begin(schedule, 1, 10_000_000)
    begin(schedule, 2, 100_000)
    assert schedule.bytes_due(0) == 2_500
    send(schedule, 0)
    assert schedule.bytes_due(50 * MS) == 200


def test_the_last_bunch_is_what_is_left() -> None:
    schedule = ProbeSchedule()
    schedule.begin(1, 10_000_000, 5, 5_700, 0)
    for _ in range(5):
        schedule.on_sent(1_000, 0)
    assert schedule.bytes_due(4 * MS) == 700


def test_a_late_timer_is_made_good() -> None:
    schedule = ProbeSchedule()
    begin(schedule, 1, 4_000_000)
    schedule.on_sent(1_000, 0)
    assert schedule.poll_timeout() == 2 * MS
    schedule.on_sent(1_000, 9 * MS)
    assert schedule.poll_timeout() == 4 * MS
    assert schedule.bytes_due(9 * MS) > 0


def test_media_that_leaves_meanwhile_is_part_of_the_cluster() -> None:
    schedule = ProbeSchedule()
    begin(schedule, 1, 4_000_000)
    schedule.on_sent(1_000, 0)
    schedule.on_sent(1_200, 1 * MS)
    assert schedule.poll_timeout() == 4_400
    assert schedule.bytes_due(4_399) == 0
    assert schedule.bytes_due(4_400) == 1_000


def test_a_cluster_does_not_end_with_a_packet_before_its_time() -> None:
    """Else what was sent over the time it took would be more than the rate."""
    schedule = ProbeSchedule()
    begin(schedule, 1, 900_000)
    for now_us in (0, 1 * MS, 2 * MS, 3 * MS, 4 * MS, 5 * MS):
        schedule.on_sent(PACKET_BYTES, now_us)
    assert schedule.cluster == 1
    next_us = schedule.poll_timeout()
    assert next_us == 6 * PACKET_BYTES * 8_000_000 // 900_000 + 1 and schedule.bytes_due(next_us) == 200
    schedule.on_sent(200, next_us)
    assert schedule.cluster == 0


def test_media_faster_than_a_cluster_ends_it_in_the_end() -> None:
    schedule = ProbeSchedule()
    begin(schedule, 1, 900_000)
    for count in range(20):
        assert schedule.cluster == 1, count
        schedule.on_sent(PACKET_BYTES, count * MS)
    assert schedule.cluster == 0


@given(
    st.integers(100_000, 20_000_000),
    st.lists(st.tuples(st.integers(0, 10 * MS), st.integers(40, 1_400)), max_size=40),
    st.sampled_from([1, 250, 1_000, 2_000]),
)
def test_with_any_media_no_more_than_the_rate_is_sent(
    rate_bps: int, media: list[tuple[int, int]], timer_us: int
) -> None:
    """Unless media alone is faster: then it is let go."""
    schedule = ProbeSchedule()
    begin(schedule, 1, rate_bps)
    packets: list[tuple[int, int]] = []
    now_us = media_us = 0
    while schedule.cluster:
        next_us = schedule.poll_timeout()
        assert next_us is not None
        next_us = -(-max(next_us, now_us) // timer_us) * timer_us
        wait_us, size_bytes = media[0] if media else (1 << 40, 0)
        if media and media_us + wait_us <= next_us:
            now_us = media_us = media_us + wait_us
            media.pop(0)
            schedule.on_sent(size_bytes, now_us)
            packets.append((now_us, size_bytes))
            continue
        now_us = next_us
        cluster, due_bytes = schedule.cluster, schedule.bytes_due(now_us)
        while due_bytes > 0 and schedule.cluster == cluster:
            schedule.on_sent(300, now_us)
            packets.append((now_us, 300))
            due_bytes -= 300
    assert schedule.dropped == 0 and len(packets) >= 5
    sizes = sum(size for _, size in packets)
    assert sizes >= rate_bps * 15 // 8_000
    if len(packets) < 20 or sizes < 4 * (rate_bps * 15 // 8_000):
        assert rate_of(packets) <= rate_bps


def test_more_than_10_ms_late_it_is_dropped() -> None:
    schedule = ProbeSchedule()
    begin(schedule, 1, 900_000)
    begin(schedule, 2, 900_000)
    schedule.on_sent(PACKET_BYTES, 0)
    next_us = schedule.poll_timeout()
    assert next_us is not None and schedule.bytes_due(next_us + 10 * MS) > 0
    assert schedule.cluster == 1
    assert schedule.bytes_due(next_us + 10 * MS + 1) > 0
    assert (schedule.cluster, schedule.dropped) == (2, 1)


def test_one_that_waits_may_wait_five_seconds() -> None:
    schedule = ProbeSchedule()
    begin(schedule, 1, 900_000, 0)
    begin(schedule, 2, 900_000, 1)
    assert schedule.bytes_due(5_000 * MS) > 0 and schedule.cluster == 1
    assert schedule.bytes_due(5_000 * MS + 1) > 0 and schedule.cluster == 2
    assert schedule.bytes_due(5_000 * MS + 2) == 0 and schedule.dropped == 2


def test_of_more_than_five_the_oldest_is_dropped() -> None:
    schedule = ProbeSchedule()
    for cluster in range(1, 12):
        begin(schedule, cluster, 900_000)
    assert (schedule.cluster, schedule.dropped) == (7, 6)
    now_us, seen = 0, []
    while schedule.cluster:
        seen.append(schedule.cluster)
        _, now_us = send(schedule, now_us)
    assert seen == [7, 8, 9, 10, 11]


def test_a_slow_one_has_five_packets_and_a_fast_one_its_bytes() -> None:
    schedule = ProbeSchedule()
    begin(schedule, 1, 100_000)
    for count in range(5):
        assert schedule.cluster == 1, count
        schedule.on_sent(PACKET_BYTES, 0)
    assert schedule.cluster == 0
    begin(schedule, 2, 10_000_000)
    for count in range(19):
        assert schedule.cluster == 2, count
        schedule.on_sent(PACKET_BYTES, 0)
    assert schedule.cluster == 0


def test_out_of_range_is_an_error() -> None:
    schedule = ProbeSchedule()
    for figures in ((0, 1, 1, 1, 0), (256, 1, 1, 1, 0), (1, 0, 1, 1, 0), (1, 1, 0, 1, 0), (1, 1, 1, 0, 0)):
        with pytest.raises(ValueError, match="must be"):
            schedule.begin(*figures)
    with pytest.raises(ValueError, match="time"):
        schedule.begin(1, 1, 1, 1, -1)
    with pytest.raises(ValueError, match="time"):
        schedule.bytes_due(1 << 60)
    for size_bytes in (0, 65_536):
        with pytest.raises(ValueError, match="size"):
            schedule.on_sent(size_bytes, 0)
    assert schedule.poll_timeout() is None


calls = st.tuples(
    st.sampled_from(["begin", "sent", "due"]),
    st.integers(1, 2_000_000_000) | st.integers(1, 5_000_000),
    st.integers(1, 2_000),
    st.integers(0, 30 * MS) | st.integers(0, 10_000 * MS),
)


@given(st.lists(calls, max_size=80), st.integers(0, 1 << 50))
def test_any_sequence_of_calls_ends_and_never_spins(steps: list[tuple[str, int, int, int]], now_us: int) -> None:
    schedule = ProbeSchedule()
    begun = sent = 0
    for verb, rate_bps, size_bytes, wait_us in steps:
        now_us += wait_us
        if verb == "begin":
            begun += 1
            begin_bytes = max(rate_bps * 15 // 8_000, 1)
            schedule.begin(begun % 255 + 1, rate_bps, 5, begin_bytes, now_us)
        elif verb == "sent":
            sent += schedule.cluster > 0
            schedule.on_sent(size_bytes, now_us)
        due_bytes = schedule.bytes_due(now_us)
        next_us = schedule.poll_timeout()
        assert (next_us is None) == (schedule.cluster == 0)
        assert (due_bytes > 0) == (next_us is not None and next_us <= now_us)
        assert due_bytes <= max(2_000_000_000 * 2 // 8_000, 200)
        assert schedule.dropped <= begun
    now_us += 5_001 * MS
    assert schedule.bytes_due(now_us) == 0
    assert schedule.cluster == 0, "nothing stays longer than five seconds"
