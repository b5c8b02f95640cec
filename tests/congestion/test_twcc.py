"""What the recorder of transport-wide arrivals tells, in virtual time; P numbers are traps of the format's users."""

import pytest
from fuzz import twcc as fuzz_twcc
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter._transport_feedback import Twcc, from_bytes
from mediarouter.congestion import TwccRecorder

HALF_TICK_US = 125
INTERVAL_US = 100_000


def poll(recorder: TwccRecorder, now_us: int = 1 << 59, capacity: int = 1200) -> list[Twcc]:
    """All that is due."""
    packets = []
    while (data := recorder.poll_feedback(now_us, capacity)) is not None:
        assert len(data) <= capacity
        assert len(data) % 4 == 0
        packets.append(from_bytes(data))
    return packets


def told(packets: list[Twcc]) -> dict[int, int | None]:
    """Arrival by number, over all packets; what is told later counts."""
    return {number: arrival_us for packet in packets for number, arrival_us in packet.arrivals}


def record(recorder: TwccRecorder, arrivals: dict[int, int]) -> None:
    for seq, arrival_us in arrivals.items():
        recorder.on_packet(seq, arrival_us)


def test_what_arrived_is_told_with_its_gaps() -> None:
    recorder = TwccRecorder(sender_ssrc=1, media_ssrc=2)
    record(recorder, {100: 0, 101: 1000, 104: 20_000})
    (feedback,) = poll(recorder)
    assert (feedback.sender_ssrc, feedback.media_ssrc) == (1, 2)
    assert feedback.arrivals == [(100, 0), (101, 1000), (102, None), (103, None), (104, 20_000)]
    assert poll(recorder) == []


def test_a_report_goes_on_where_the_last_one_ended() -> None:
    recorder = TwccRecorder()
    record(recorder, {1: 0})
    assert [packet.arrivals for packet in poll(recorder)] == [[(1, 0)]]
    record(recorder, {4: 250_000})
    assert [packet.arrivals for packet in poll(recorder)] == [[(2, None), (3, None), (4, 250_000)]]


def test_feedback_is_due_within_50_to_100_ms() -> None:
    recorder = TwccRecorder()
    assert recorder.poll_timeout() is None
    assert recorder.poll_feedback(10**9) is None
    recorder.on_packet(1, 5_000)
    recorder.on_packet(2, 9_000)
    assert recorder.poll_timeout() == 105_000
    assert recorder.poll_feedback(104_999) is None
    assert recorder.poll_feedback(105_000) is not None
    assert recorder.poll_timeout() is None


def test_where_many_packets_come_feedback_is_due_each_50_ms() -> None:
    recorder = TwccRecorder()
    record(recorder, {i: i * 1000 for i in range(100)})
    assert recorder.poll_feedback(INTERVAL_US) is not None
    recorder.on_packet(100, 200_000)
    assert recorder.poll_timeout() == 250_000
    assert recorder.poll_feedback(250_000) is not None
    recorder.on_packet(101, 300_000)
    assert recorder.poll_timeout() == 400_000


def test_one_poll_an_interval_is_enough_while_a_packet_holds_all() -> None:
    recorder = TwccRecorder()
    seq = 0
    due_us = []
    for now_us in range(0, 2_000_000, 5_000):
        recorder.on_packet(seq, now_us)
        seq += 1
        if recorder.poll_feedback(now_us) is not None:
            due_us.append(now_us)
    gaps = {later - earlier for earlier, later in zip(due_us, due_us[1:], strict=False)}
    assert gaps == {55_000}, "50 ms after the first packet that came behind the last report"


def test_whoever_asks_is_told_at_once_and_not_but_then() -> None:
    recorder = TwccRecorder()
    record(recorder, {i: i * 1000 for i in range(20)})
    recorder.on_request(19, 0, 19_000)
    assert recorder.poll_timeout() is None and poll(recorder) == [], "it will ask when it wants to know"
    recorder.on_packet(21, 21_000)
    recorder.on_request(21, 0x8000 | 4, 21_000)
    assert recorder.poll_timeout() == 21_000
    (feedback,) = poll(recorder, 21_000)
    assert feedback.arrivals == [(18, 18_000), (19, 19_000), (20, None), (21, 21_000)]
    assert recorder.poll_timeout() is None
    recorder.on_request(21, 0x8000 | 3, 22_000)
    assert recorder.poll_timeout() == 26_000, "no more often than every 5 ms"
    (feedback,) = poll(recorder, 26_000)
    assert [number for number, _ in feedback.arrivals] == [19, 20, 21], "told before, and asked for again"


def test_what_is_asked_for_before_the_first_packet_is_told_as_lost_and_only_so_much() -> None:
    recorder = TwccRecorder()
    recorder.on_packet(10, 0)
    recorder.on_request(10, 0x8000 | 5, 0)
    (feedback,) = poll(recorder, 0)
    assert feedback.arrivals == [(6, None), (7, None), (8, None), (9, None), (10, 0)]
    recorder.on_request(10, 0xFFFF, 10_000)
    (feedback,) = poll(recorder, 10_000)
    assert feedback.packet_status_count == 128, "what it remembers"


def test_a_request_that_cannot_be_is_refused() -> None:
    for request, now_us in ((-1, 0), (1 << 16, 0), (1, 1 << 60)):
        with pytest.raises(ValueError, match="out of range"):
            TwccRecorder().on_request(1, request, now_us)


@given(
    st.lists(st.tuples(st.integers(-2, 4), st.integers(0, 3000), st.integers(0, 40)), min_size=1, max_size=120),
    st.integers(28, 200),
)
def test_each_asking_is_answered_with_what_arrived(steps: list[tuple[int, int, int]], capacity: int) -> None:
    recorder = TwccRecorder()
    arrived: dict[int, int] = {}
    asked: set[int] = set()
    answered: set[int] = set()
    number, now_us = 30_000, 0
    for step, later_us, count in steps:
        number, now_us = max(number + step, 29_990), now_us + later_us
        arrived.setdefault(number, now_us)
        recorder.on_packet(number, now_us)
        recorder.on_request(number, count and 0x8000 | count, now_us)
        asked.update(range(number - count + 1, number + 1))
        for feedback in poll(recorder, now_us, capacity):
            for seq, arrival_us in feedback.arrivals:
                answered.add(seq)
                if seq in arrived:
                    assert arrival_us is not None and abs(arrival_us - arrived[seq]) <= HALF_TICK_US
                else:
                    assert arrival_us is None
    for feedback in poll(recorder, now_us + 5_000, capacity):
        answered.update(seq for seq, _ in feedback.arrivals)
    assert asked <= answered


def test_p1_the_reference_time_wraps_after_12_4_days() -> None:
    turn_us = (1 << 24) * 64_000
    recorder = TwccRecorder()
    record(recorder, {1: turn_us - 1000, 2: turn_us + 1000})
    (feedback,) = poll(recorder)
    assert feedback.reference_time == -1
    assert feedback.arrivals == [(1, -1000), (2, 1000)]
    recorder.on_packet(3, turn_us + 64_000)
    (feedback,) = poll(recorder)
    assert feedback.reference_time == 1
    assert feedback.arrivals == [(3, 64_000)]


@pytest.mark.parametrize("turn", [-3, -1, 0, 1, 5])
@pytest.mark.parametrize("offset_us", [0, -250, 250, (1 << 31) * 250])
def test_p2_any_clock_will_do(turn: int, offset_us: int) -> None:
    """Each tick of the low 32 bits comes back, the one that stands for "none" inside one tick later."""
    start_us = turn * (1 << 24) * 64_000 + offset_us
    recorder = TwccRecorder()
    record(recorder, {1: start_us, 2: start_us + 5000})
    (feedback,) = poll(recorder)
    (_, first_us), (_, second_us) = feedback.arrivals
    assert first_us is not None and second_us is not None
    assert second_us - first_us == 5000 - (250 if offset_us == (1 << 31) * 250 else 0)


def test_p6_a_step_beyond_a_delta_begins_a_new_packet() -> None:
    recorder = TwccRecorder()
    record(recorder, {1: 0, 2: 8_191_750, 3: 16_383_750, 5: 16_383_750 - 8_192_000, 6: -500})
    packets = poll(recorder)
    assert [packet.arrivals for packet in packets] == [
        [(1, 0), (2, 8_191_750)],
        [(3, 16_383_750), (4, None), (5, 8_191_750)],
        [(6, -500)],
    ]
    assert [packet.feedback_packet_count for packet in packets] == [0, 1, 2]


@pytest.mark.parametrize("gap", [500, 4_000, 4_500, 6_000, 8_190])
def test_p6_a_gap_of_thousands_is_told_in_one_packet(gap: int) -> None:
    recorder = TwccRecorder()
    record(recorder, {0: 0, gap + 1: 1000})
    (feedback,) = poll(recorder)
    assert feedback.packet_status_count == gap + 2
    assert feedback.arrivals[-1] == (gap + 1, 1000)
    assert all(arrival_us is None for _, arrival_us in feedback.arrivals[1:-1])


@pytest.mark.parametrize("gap", [8_192, 20_000, 32_766])
def test_p6_of_a_larger_gap_the_end_is_told(gap: int) -> None:
    recorder = TwccRecorder()
    record(recorder, {0: 0, gap + 1: 1000})
    (feedback,) = poll(recorder)
    assert feedback.packet_status_count == 8192
    assert feedback.arrivals[-1] == (gap + 1, 1000)
    record(recorder, {gap + 2: 2000})
    assert told(poll(recorder, 1 << 59)) == {(gap + 2) & 0xFFFF: 2000}


def test_p8_rounding_does_not_add_up() -> None:
    arrivals = {seq: seq * 1_099 + 60 for seq in range(1000)}
    recorder = TwccRecorder()
    record(recorder, arrivals)
    heard = told(poll(recorder))
    assert all(abs((heard[seq] or 0) - arrivals[seq]) <= HALF_TICK_US for seq in arrivals)


def test_p9_a_number_counts_once_as_it_first_came() -> None:
    recorder = TwccRecorder()
    record(recorder, {1: 0, 2: 1000})
    recorder.on_packet(1, 50_000)
    assert told(poll(recorder)) == {1: 0, 2: 1000}
    recorder.on_packet(2, 300_000)
    assert poll(recorder) == []


def test_p9_a_late_packet_is_told_after_all() -> None:
    recorder = TwccRecorder()
    record(recorder, {1: 0, 3: 2000, 4: 3000})
    assert told(poll(recorder)) == {1: 0, 2: None, 3: 2000, 4: 3000}
    recorder.on_packet(2, 150_000)
    recorder.on_packet(5, 151_000)
    (feedback,) = poll(recorder)
    assert feedback.arrivals == [(2, 150_000), (3, 2000), (4, 3000), (5, 151_000)]


def test_p9_a_late_packet_far_behind_is_not() -> None:
    recorder = TwccRecorder()
    record(recorder, {seq: seq * 500 for seq in range(1000, 2000)})
    poll(recorder)
    recorder.on_packet(1400, 3_000_000)
    recorder.on_packet(999, 3_000_000)
    assert poll(recorder) == []
    recorder.on_packet(2000, 3_100_000)
    assert told(poll(recorder)) == {2000: 3_100_000}


def test_reordered_first_packets_are_told_in_order() -> None:
    recorder = TwccRecorder()
    record(recorder, {2: 0, 1: 250, 0: 500, 65535: 750})
    (feedback,) = poll(recorder)
    assert feedback.arrivals == [(65535, 750), (0, 500), (1, 250), (2, 0)]


def test_p10_reports_leave_no_number_out_and_are_counted() -> None:
    recorder = TwccRecorder()
    packets: list[Twcc] = []
    for seq in range(0, 3000, 3):
        recorder.on_packet(seq, seq * 400)
        packets += poll(recorder, seq * 400)
    expected = 0
    for count, packet in enumerate(packets):
        assert packet.feedback_packet_count == count & 0xFF
        assert packet.base_sequence_number == expected
        expected += packet.packet_status_count
    assert len(packets) > 10


def test_p10_the_feedback_count_wraps() -> None:
    recorder = TwccRecorder()
    counts = []
    for seq in range(600):
        recorder.on_packet(seq, seq * 200_000)
        counts += [packet.feedback_packet_count for packet in poll(recorder)]
    assert counts == [i & 0xFF for i in range(600)]


def test_p11_numbers_wrap() -> None:
    recorder = TwccRecorder()
    heard: list[tuple[int, int | None]] = []
    for seq in range(60_000, 200_000, 7):
        recorder.on_packet(seq & 0xFFFF, seq * 1000)
        heard += [status for packet in poll(recorder, seq * 1000) for status in packet.arrivals]
    numbers = [number for number, _ in heard]
    assert numbers == [(60_000 + i) & 0xFFFF for i in range(len(numbers))]
    assert len(heard) > 139_000
    received = [i for i, (_, arrival_us) in enumerate(heard) if arrival_us is not None]
    assert received == list(range(0, len(heard), 7))


def test_p12_a_slot_used_again_does_not_answer_for_another_number() -> None:
    recorder = TwccRecorder()
    turns = [first + step for first in range(0, 1 << 18, 8192) for step in (0, 1, 8191)]
    for i, seq in enumerate(turns):
        recorder.on_packet(seq & 0xFFFF, i * 200_000)
        heard = told(poll(recorder))
        assert {number for number, arrival_us in heard.items() if arrival_us is not None} == {seq & 0xFFFF}


def test_p17_packets_are_filled_by_bytes() -> None:
    recorder = TwccRecorder()
    record(recorder, {seq: seq * 250 for seq in range(3000)})
    counts = [packet.packet_status_count for packet in poll(recorder, capacity=1150)]
    assert counts == [1126, 1126, 748], "all small in one run: 20 + 2 + 1126 bytes"
    record(recorder, {seq: seq * 64_000 for seq in range(3000, 5000)})
    counts = [packet.packet_status_count for packet in poll(recorder, capacity=1150)]
    assert sum(counts) == 2000
    assert min(counts[:-1]) >= 560, "all large: 20 + 2 * 2 + 1 + 2 * 561 bytes"
    record(recorder, {seq: seq * 64_000 for seq in range(5000, 9000, 2)})
    packets = poll(recorder, capacity=1150)
    assert min(len(bytes(packet)) for packet in packets[:-1]) > 1140


@pytest.mark.parametrize("capacity", [28, 32, 60, 1500])
def test_p17_any_capacity_holds_the_whole_in_parts(capacity: int) -> None:
    arrivals = {seq: seq * 9_000 + (seq % 5) * 70_000 for seq in range(300) if seq % 4}
    recorder = TwccRecorder()
    record(recorder, arrivals)
    packets = poll(recorder, capacity=capacity)
    heard = told(packets)
    assert {seq: us for seq, us in heard.items() if us is not None} == arrivals
    assert sorted(heard) == list(range(1, 300))
    assert all(any(us is not None for _, us in packet.arrivals) for packet in packets)


@pytest.mark.parametrize("capacity", [-1, 0, 27, 1501])
def test_capacity_out_of_range_is_an_error(capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity"):
        TwccRecorder().poll_feedback(0, capacity)


def test_a_time_out_of_range_is_an_error() -> None:
    for arrival_us in (1 << 60, -(1 << 60)):
        with pytest.raises(ValueError, match="arrival time"):
            TwccRecorder().on_packet(1, arrival_us)


def test_a_sender_that_counts_anew_is_heard_again() -> None:
    recorder = TwccRecorder()
    record(recorder, {seq: seq * 1000 for seq in range(30_000, 30_100)})
    poll(recorder)
    for i in range(100):
        recorder.on_packet(i, 1_000_000 + i * 1000)
    heard = told(poll(recorder))
    assert heard == {i: 1_000_000 + i * 1000 for i in range(32, 100)}


def test_strays_between_others_do_not_count_anew() -> None:
    recorder = TwccRecorder()
    for i in range(500):
        recorder.on_packet(30_000 + i, i * 1000)
        recorder.on_packet(i, i * 1000)
    heard = told(poll(recorder))
    assert heard == {30_000 + i: i * 1000 for i in range(500)}


def test_memory_is_small_until_much_is_unreported_and_bounded() -> None:
    recorder = TwccRecorder()
    assert recorder.memory_size < 128
    for seq in range(100_000):
        recorder.on_packet(seq, seq * 20_000)
        poll(recorder, seq * 20_000)
    assert recorder.memory_size < 1024, "50 packets a second"
    for seq in range(100_000, 200_000):
        recorder.on_packet(seq, 2_000_000_000 + seq * 500)
        poll(recorder, 2_000_000_000 + seq * 500)
    assert recorder.memory_size <= 4096, "2,000 packets a second"
    for seq in range(200_000, 900_000, 1000):
        recorder.on_packet(seq, 3_000_000_000)
    assert recorder.memory_size <= 33_000
    assert sum(packet.packet_status_count for packet in poll(recorder)) == 8192


steps = st.lists(
    st.tuples(st.integers(-300, 400) | st.integers(-3, 5), st.integers(0, 30_000) | st.just(9_000_000), st.booleans()),
    min_size=1,
    max_size=200,
)


@settings(deadline=None)
@given(st.integers(0, 0xFFFF), steps, st.sampled_from([28, 100, 1200]))
def test_every_packet_is_told_once_it_is_in(first: int, moves: list[tuple[int, int, bool]], capacity: int) -> None:
    """Against a dictionary: whatever came, and was not 512 behind, is told as received, everything between as lost."""
    recorder = TwccRecorder()
    arrived: dict[int, int] = {}
    heard: dict[int, int | None] = {}
    number = newest = first + 65536
    now_us = 0
    for step, wait_us, polled in moves:
        now_us += wait_us
        number = max(number + step, newest - 60)
        newest = max(newest, number) if arrived else number
        arrived.setdefault(number, now_us)
        recorder.on_packet(number & 0xFFFF, now_us)
        if polled:
            heard |= told(poll(recorder, capacity=capacity))
    heard |= told(poll(recorder, capacity=capacity))
    wrapped = {number & 0xFFFF: arrival_us for number, arrival_us in arrived.items()}
    for number in range(min(arrived), newest + 1):
        arrival_us = heard[number & 0xFFFF]
        if (expected_us := wrapped.get(number & 0xFFFF)) is None:
            assert arrival_us is None
        else:
            turn_us = (1 << 24) * 64_000
            assert arrival_us is not None
            assert abs((arrival_us - expected_us + turn_us // 2) % turn_us - turn_us // 2) <= HALF_TICK_US


@pytest.mark.parametrize("seed", fuzz_twcc.SEEDS)
def test_the_fuzz_target_over_its_seeds(seed: bytes) -> None:
    fuzz_twcc.fuzz_one(seed)
    fuzz_twcc.fuzz_one(bytes(reversed(seed)) * 8)
