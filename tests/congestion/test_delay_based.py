"""The limit by delay over a simulated link; scenarios and figures are those of libwebrtc's delay-based estimate."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._delay_based import DelayBasedFace

from .streams import MTU_BYTES, SECOND_US, Link, Packet, Path, ProbeCluster, Stream

FPS = 50
FRAME_US = 20_000
PROBES = 5


def probe_and_run_on(path: Path) -> int:
    """Five packets as a probe of 480 kbit/s, then more of the same for 5 s; where the sender's clock is."""
    probe, send_us = ProbeCluster(), 0
    path.now_us += 2 * SECOND_US
    for i in range(5 * FPS + 3):
        if i == 2:
            assert path.delay.target_bps == -1
            assert not path.updated
        path.feedback(send_us, MTU_BYTES, probe if i < PROBES else None)
        path.now_us += FRAME_US
        send_us += FRAME_US
    return send_us


def test_a_probe_then_growth_to_what_gets_through() -> None:
    path = Path()
    probe_and_run_on(path)
    assert path.latest_bps == pytest.approx(730_000, abs=50_000), "480 kbit/s times 1.5"
    assert path.delay.target_bps == path.latest_bps


def test_reordered_packets_do_not_cut_the_rate() -> None:
    path = Path()
    send_us = probe_and_run_on(path)
    for _ in range(10):
        path.now_us += 2 * FRAME_US
        send_us += 2 * FRAME_US
        path.feedback(send_us, 1000)
        path.feedback(send_us - FRAME_US, 1000)
    assert path.latest_bps == pytest.approx(730_000, abs=50_000)


def test_growth_from_30_to_500_kbps_takes_as_long_as_it_should() -> None:
    """617 frames of libwebrtc; about the same here, where times are not cut to milliseconds."""
    path, bps, frames = Path(), 30_000, 0
    path.streams.append(Stream(30, 300_000))
    while bps < 500_000:
        path.frame(bps)
        if path.updated:
            bps = path.latest_bps
        frames += 1
    assert frames == pytest.approx(617, abs=6)


def streams_for(count: int) -> list[Stream]:
    """One of 300 kbit/s, or half of 900 for the first and shares of the rest for the others."""
    if count == 1:
        return [Stream(30, 300_000)]
    shares = count * (count - 1)
    return [Stream(30, 450_000 if i == 0 else (900_000 * i + shares // 2) // shares) for i in range(count)]


def capacity_drop(streams: int, clock_offset_us: int = 0, min_span_us: int = 0) -> int:
    """1 Mbit/s, converged upon, then 500 kbit/s: microseconds until the estimate is not above that."""
    path = Path(Link(1_000_000), min_span_us=min_span_us)
    path.streams = streams_for(streams)
    seconds = 10 if streams == 1 else 10 * streams
    bps = path.settle(seconds * 30, 900_000, 1_000_000, (800_000, 1_100_000))
    assert bps == pytest.approx(1_000_000, abs=180_000)
    path.clock_offset_us += clock_offset_us
    path.link.bps = 500_000
    began_us, dropped_us = path.now_us, -1
    for _ in range(100 * streams):
        path.frame(bps)
        if dropped_us < 0 and path.updated and path.latest_bps <= 500_000:
            dropped_us = path.now_us - began_us
        if path.updated:
            bps = path.latest_bps
    assert dropped_us >= 0
    assert path.delay.period_us != 3_000_000
    return dropped_us


def test_a_capacity_drop_is_answered_within_half_a_second() -> None:
    assert capacity_drop(1) <= 533_333


@pytest.mark.parametrize("offset_s", [30, -30])
def test_a_capacity_drop_is_answered_as_soon_when_the_receivers_clock_is_set(offset_s: int) -> None:
    """libwebrtc takes 867 and 933 ms."""
    assert capacity_drop(1, offset_s * SECOND_US) <= 533_333


def test_a_capacity_drop_under_three_streams_is_answered_within_two_thirds_of_a_second() -> None:
    assert capacity_drop(3) <= 666_000


def test_frames_sent_close_together_are_one_group() -> None:
    """Fifteen small packets a millisecond apart, each lot later than it should be."""
    path, send_us = Path(), 0
    for _ in range(6 * FPS + 1):
        path.feedback(send_us, 1000)
        path.now_us += FRAME_US
        send_us += FRAME_US
    assert path.latest_bps >= 400_000
    for _ in range(100):
        for _ in range(15):
            path.feedback(send_us, 100)
            path.now_us += 1_000
            send_us += 1_000
        path.now_us += 10_000
        send_us += FRAME_US - 15_000
    assert path.latest_bps < 400_000


@pytest.mark.parametrize("silence_s", [35, 640])
def test_a_client_that_left_and_came_back_slower_is_cut(silence_s: int) -> None:
    path, send_us = Path(), 0
    for _ in range(3000):
        path.feedback(send_us, 1000)
        path.now_us += 10_000
        send_us += 10_000
    before_bps = path.delay.target_bps
    path.now_us += silence_s * SECOND_US
    send_us += silence_s * SECOND_US
    for _ in range(24):
        path.feedback(send_us, 1000)
        path.now_us += 20_000
        send_us += 10_000
    assert path.delay.target_bps < before_bps


def overuse_from_the_start() -> tuple[int, int]:
    """300 kbit/s at 90 frames a second into 200 kbit/s: the frame of the first cut, and what it cut to."""
    path, bps = Path(Link(200_000), start_bps=300_000), 300_000
    path.streams.append(Stream(90, 300_000))
    for i in range(40):
        if path.frame(bps):
            return i, path.latest_bps
        if path.updated:
            bps = path.latest_bps
    raise AssertionError("never cut")


def test_overuse_from_the_start_is_cut_to_less_than_the_link_carries() -> None:
    _, bps = overuse_from_the_start()
    assert 160_000 < bps <= 200_000


def test_a_quarter_of_a_millisecond_is_no_queue() -> None:
    """Sent at 0 and 9.75 ms, arrived as far off the other way: rounded to milliseconds it would look like one."""
    path, last_bps = Path(), 0
    for _ in range(1000):
        path.now_us += 500
        path.feedback(path.now_us - 500, 1000)
        path.now_us += 9_500
        path.feedback(path.now_us - 250, 1000)
        path.now_us += 10_000
        assert path.latest_bps >= last_bps
        last_bps = path.latest_bps
    assert last_bps > 1_000_000


def test_before_anything_is_known_to_get_through_overuse_halves_the_rate() -> None:
    delay = DelayBasedFace(1_000_000)
    targets = []
    for i in range(60):
        delay.packet(i * 20_000, i * 30_000, i * 30_000, 1200)
        target_bps, updated, *_, usage = delay.update(-1, i * 30_000)
        if usage == "over" and updated:
            targets.append((i * 30_000, target_bps))
    (first_us, first_bps), (second_us, second_bps) = targets[:2]
    assert second_bps == first_bps // 2
    assert second_us - first_us >= 200_000, "a round trip that is not known"


def test_a_probe_is_taken_as_it_is_but_not_during_overuse() -> None:
    delay = DelayBasedFace(1_000_000)
    delay.packet(0, 0, 0, 1200)
    assert delay.update(500_000, 0, 3_000_000) == (3_000_000, True, True, False, "normal")
    usage = "normal"
    for i in range(1, 60):
        delay.packet(i * 20_000, i * 30_000, i * 30_000, 1200)
        _, _, _, _, usage = delay.update(2_000_000, i * 30_000)
        if usage == "over":
            break
    assert usage == "over"
    target_bps, _, probe, _, _ = delay.update(2_000_000, 60 * 30_000, 9_000_000)
    assert not probe
    assert target_bps <= 3_010_000, "1.5 times what gets through, and no more"


def test_a_queue_that_has_emptied_is_told_once() -> None:
    """Filling for 40 groups, emptying for 40, then as before."""
    delay, arrival_us, told = DelayBasedFace(1_000_000), 0, []
    for i in range(200):
        arrival_us += 20_000 + (4_000 if i < 40 else -4_000 if i < 80 else 0)
        delay.packet(i * 20_000, arrival_us, arrival_us, 1200)
        _, _, _, recovered, usage = delay.update(1_000_000, arrival_us)
        told.append((recovered, usage))
    recoveries = [i for i, (recovered, _) in enumerate(told) if recovered]
    assert len(recoveries) == 1
    assert told[recoveries[0]][1] == "normal"
    assert told[recoveries[0] - 1][1] == "under"


def test_without_packets_nothing_changes() -> None:
    delay = DelayBasedFace(1_000_000)
    assert delay.update(5_000_000, 10 * SECOND_US, 9_000_000) == (1_000_000, False, False, False, "normal")
    assert DelayBasedFace().update(1, 0) == (-1, False, False, False, "normal")


def test_a_round_trip_slows_the_additive_growth() -> None:
    targets = {}
    for rtt_us in (20_000, 400_000):
        delay = DelayBasedFace(1_000_000)
        delay.set_rtt(rtt_us)
        for i in range(400):
            late_us = min(i, 40) * 10_000
            delay.packet(i * 20_000, i * 20_000 + late_us, i * 20_000 + late_us, 1200)
            target_bps, *_ = delay.update(900_000, i * 20_000 + late_us)
        targets[rtt_us] = target_bps
    assert targets[20_000] > targets[400_000] > 0


@pytest.mark.parametrize("min_span_us, points", [(0, 20), (200_000, 35)])
@pytest.mark.parametrize("silence_us, kept", [(1_900_000, True), (2_100_000, False)])
def test_two_seconds_of_silence_begin_anew_with_the_same_window(
    min_span_us: int, points: int, silence_us: int, kept: bool
) -> None:
    delay = DelayBasedFace(1_000_000, min_span_us=min_span_us)
    now_us = delay.packet_many(0, 200, 6_000, 30_000)
    assert delay.points == points
    now_us = delay.packet_many(now_us + silence_us, 2, 6_000, 30_000)
    assert delay.points == (points if kept and not min_span_us else 20 if kept else 0)
    delay.packet_many(now_us, 200, 6_000, 30_000)
    assert delay.points == points
    assert delay.target_bps == 1_000_000


def test_it_fits_into_a_viewers_block() -> None:
    assert DelayBasedFace().memory_size <= 1024


def test_a_wrong_argument_is_an_error() -> None:
    for rates in [(-2, 1, 2), (0, 0, 1), (0, 2, 1), (0, 1, (1 << 50) + 1)]:
        with pytest.raises(ValueError, match="bps"):
            DelayBasedFace(*rates)
    with pytest.raises(ValueError, match="min_span_us"):
        DelayBasedFace(min_span_us=-1)
    for times in [(1 << 60, 0, 0), (0, 1 << 60, 0), (0, 0, -(1 << 60))]:
        with pytest.raises(ValueError, match="time"):
            DelayBasedFace().packet(*times, 1)
    with pytest.raises(ValueError, match="time"):
        DelayBasedFace().update(0, 1 << 60)
    for acked_bps, probe_bps in [(-2, -1), (-1, -2), ((1 << 50) + 1, -1)]:
        with pytest.raises(ValueError, match="rate"):
            DelayBasedFace().update(acked_bps, 0, probe_bps)


times = st.integers(-(1 << 60) + 1, (1 << 60) - 1) | st.integers(0, 20_000_000)
rates = st.integers(-1, 1 << 50) | st.integers(-1, 5_000_000)
reports = st.tuples(st.lists(st.tuples(times, times), max_size=5), times, rates, rates, st.booleans())


@settings(deadline=None)
@given(st.lists(reports, max_size=60), st.sampled_from([-1, 0, 300_000, 1 << 50]), st.sampled_from([0, 200_000]))
def test_no_times_break_it(
    moves: list[tuple[list[tuple[int, int]], int, int, int, bool]], start_bps: int, min_span_us: int
) -> None:
    delay = DelayBasedFace(start_bps, 5_000, 30_000_000, min_span_us)
    for packets, now_us, acked_bps, probe_bps, in_alr in moves:
        for send_us, arrival_us in packets:
            delay.packet(send_us, arrival_us, now_us, 1200)
        target_bps, updated, probe, _, usage = delay.update(acked_bps, now_us, probe_bps, in_alr)
        assert target_bps == -1 or 5_000 <= target_bps <= 30_000_000
        assert target_bps >= 0 or not updated
        assert updated or not probe
        assert usage in ("normal", "over", "under")


jumps = st.lists(st.tuples(st.integers(0, 120), st.sampled_from([-3_000, -30, -4, 4, 30, 3_000])), max_size=4)


@settings(deadline=None, max_examples=30)
@given(jumps, st.integers(-(1 << 59), 1 << 59))
def test_a_clock_that_jumps_is_no_congestion(moves: list[tuple[int, int]], offset_us: int) -> None:
    """A steady path below its capacity, and a receiver whose clock is set now and then, by seconds to an hour."""
    path, bps = Path(Link(5_000_000)), 300_000
    path.streams.append(Stream(30, 300_000))
    path.clock_offset_us = offset_us
    for i in range(150):
        for frame, seconds in moves:
            path.clock_offset_us += seconds * SECOND_US if frame == i else 0
        path.frame(bps)
        assert path.usage != "over"


def test_reports_in_any_cut_tell_the_same() -> None:
    """Ten packets a report or one: the trend sees the same groups, as long as none is late."""
    targets = []
    for size in (1, 10):
        path, packets = Path(start_bps=300_000), []
        for i in range(600):
            packets.append(Packet(i * 10_000, i * 10_000 + (i % 3) * 500, 1000))
            path.now_us += 10_000
            if len(packets) == size:
                path.report(packets)
                packets = []
        targets.append(path.usage)
    assert targets == ["normal", "normal"]


@pytest.mark.parametrize("gap_us, count", [(20_000, 1), (33_000, 3), (6_000, 1)])
def test_packets_that_others_overtake_are_no_congestion(gap_us: int, count: int) -> None:
    """One in fifty is late by 40 to 200 ms, and told in the order of sending, far below the capacity."""
    path, dice, overuses = Path(start_bps=300_000), random.Random(7), 0
    packets: list[Packet] = []
    reports = 0
    for i in range(60 * SECOND_US // gap_us):
        for _ in range(count):
            late_us = dice.randrange(40_000, 200_000) if dice.random() < 0.02 else dice.randrange(1_500)
            packets.append(Packet(i * gap_us, i * gap_us + 20_000 + late_us, 1000))
        path.now_us += gap_us
        if len(packets) * gap_us >= 100_000 * count:
            path.report(packets)
            packets = []
            reports += 1
            overuses += path.usage == "over"
    assert reports > 400
    assert overuses <= reports // 100
