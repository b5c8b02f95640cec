"""What the recorder of RFC 8888 tells, in virtual time; what it writes is read by the other end's code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarouter import rtcp
from mediarouter.congestion._ccfb import CcfbRecorder
from mediarouter.congestion._ccfb_match import CcfbMatchFace
from mediarouter.rtcp import ARRIVAL_OVER_RANGE, Ccfb

MS, SECOND = 1000, 1_000_000
TELLS_WITHIN_US = 1_000_000 / 1024 / 2 + 61 + 16  # half of what an offset tells, and what two roundings do


def poll(recorder: CcfbRecorder, now_us: int, capacity: int = 1200) -> list[Ccfb]:
    packets = []
    while (data := recorder.poll_feedback(now_us, capacity)) is not None:
        assert len(data) <= capacity and len(data) % 4 == 0
        (packet,) = rtcp.parse(data)
        assert isinstance(packet, Ccfb)
        packets.append(packet)
    return packets


def told(packets: list[Ccfb]) -> dict[tuple[int, int], object]:
    """By SSRC and number: how long before the report, or None; what is told later counts."""
    return {
        (stream.ssrc, stream.begin_sequence_number + i & 0xFFFF): arrival and arrival.age_us
        for packet in packets
        for stream in packet.streams
        for i, arrival in enumerate(stream.arrivals)
    }


def test_what_arrived_is_told_with_its_gaps_stream_by_stream():
    recorder = CcfbRecorder(sender_ssrc=7)
    for ssrc, seq, at_ms in ((1, 65_534, 0), (2, 9, 5), (1, 0, 20), (1, 1, 30)):
        recorder.on_packet(ssrc, seq, at_ms * MS)
    (packet,) = poll(recorder, 100 * MS)
    assert packet.sender_ssrc == 7
    assert packet.report_timestamp == round(0.1 * 65_536)
    assert [(s.ssrc, s.begin_sequence_number) for s in packet.streams] == [(1, 65_534), (2, 9)]
    ages = told([packet])
    assert ages[1, 65_535] is None
    for (ssrc, seq), at_ms in {(1, 65_534): 0, (2, 9): 5, (1, 0): 20, (1, 1): 30}.items():
        assert abs(ages[ssrc, seq] - (100 - at_ms) * MS) <= TELLS_WITHIN_US
    assert poll(recorder, SECOND) == []


def test_a_report_goes_on_where_the_last_one_ended():
    recorder = CcfbRecorder()
    recorder.on_packet(1, 1, 0)
    assert list(told(poll(recorder, 100 * MS))) == [(1, 1)]
    recorder.on_packet(1, 4, 110 * MS)
    recorder.on_packet(2, 4, 110 * MS)
    assert list(told(poll(recorder, 300 * MS))) == [(1, 2), (1, 3), (1, 4), (2, 4)]


def test_a_late_packet_is_told_and_what_follows_it_again():
    recorder = CcfbRecorder()
    for seq in (1, 2, 4, 5):
        recorder.on_packet(1, seq, 0)
    assert told(poll(recorder, 100 * MS))[1, 3] is None
    recorder.on_packet(1, 3, 110 * MS)
    ages = told(poll(recorder, 210 * MS))
    assert list(ages) == [(1, 3), (1, 4), (1, 5)]
    assert abs(ages[1, 3] - 100 * MS) <= TELLS_WITHIN_US and abs(ages[1, 5] - 210 * MS) <= TELLS_WITHIN_US


def test_a_copy_tells_nothing_but_its_mark_of_congestion():
    recorder = CcfbRecorder()
    recorder.on_packet(1, 1, 0, ecn=2)
    recorder.on_packet(1, 2, 0, ecn=1)
    recorder.on_packet(1, 1, 50 * MS, ecn=3)
    recorder.on_packet(1, 2, 50 * MS, ecn=2)
    (packet,) = poll(recorder, 100 * MS)
    first, second = packet.streams[0].arrivals
    assert (first.ecn, second.ecn) == (3, 1)
    assert abs(first.age_us - 100 * MS) <= TELLS_WITHIN_US


def test_feedback_is_due_within_50_to_100_ms_and_costs_a_twentieth():
    recorder = CcfbRecorder()
    assert recorder.poll_timeout() is None
    recorder.on_packet(1, 0, 5 * MS)
    assert recorder.poll_timeout() == 105 * MS
    assert recorder.poll_feedback(105 * MS - 1) is None
    sent = reports = 0
    seq, free = 1, 0
    for packets_a_second, size in ((1000, 1200), (100, 1200), (30, 1100), (30, 200)):
        received = 0
        sent = reports = 0
        for step in range(2000):  # milliseconds
            now_us = free + step * MS
            if step % (1000 // packets_a_second) == 0:
                recorder.on_packet(1, seq, now_us, size)
                received += size
                seq += 1
            while (data := recorder.poll_feedback(now_us)) is not None:
                sent += len(data) + 42
                reports += 1
        free += 2000 * MS
        assert 2000 // 140 <= reports <= 2000 // 50, packets_a_second
        assert sent <= received / 20 or reports <= 20, (packets_a_second, size, sent, received)


def test_what_does_not_fit_one_packet_fills_more():
    recorder = CcfbRecorder()
    for seq in range(900):
        recorder.on_packet(seq % 3, seq // 3, seq * 100)
    packets = poll(recorder, 200 * MS, 200)
    assert len(packets) > 10
    assert len(told(packets)) == 900 and None not in told(packets).values()


def test_after_a_jump_a_stream_begins_anew():
    recorder = CcfbRecorder()
    recorder.on_packet(1, 0, 0)
    recorder.on_packet(1, 30_000, 10)
    assert list(told(poll(recorder, SECOND))) == [(1, 30_000)]
    for i in range(33):
        recorder.on_packet(1, 5 + i, SECOND)
    assert list(told(poll(recorder, 2 * SECOND))) == [(1, 37)], "so many from far behind: it counts anew"


def test_what_came_long_ago_is_over_range_and_after_a_minute_nothing_is_told_again():
    recorder = CcfbRecorder()
    recorder.on_packet(1, 1, 0)
    (packet,) = poll(recorder, 9 * SECOND)
    assert packet.streams[0].arrivals == ((0, ARRIVAL_OVER_RANGE),)
    recorder.on_packet(1, 3, 100 * SECOND)
    assert list(told(poll(recorder, 101 * SECOND))) == [(1, 3)]


@pytest.mark.parametrize("zero_us", [-(1 << 59), -1, 0, 65_536 * SECOND - 50 * MS, 1 << 59])
def test_any_zero_of_the_clock_will_do(zero_us: int):
    recorder = CcfbRecorder()
    for i in range(10):
        recorder.on_packet(1, i, zero_us + 10 * i * MS)
    ages = told(poll(recorder, zero_us + 120 * MS))
    assert all(abs(ages[1, i] - (120 - 10 * i) * MS) <= TELLS_WITHIN_US for i in range(10))


def test_it_stays_small_whatever_comes():
    recorder = CcfbRecorder()
    for i in range(3000):
        recorder.on_packet(i * 7919, i * 31, i)
    assert recorder.memory_size < 120_000
    for seq in range(0, 60_000, 900):
        recorder.on_packet(1, seq, 3000 + seq)
    assert recorder.memory_size < 120_000
    assert len(poll(recorder, SECOND)) < 40
    quiet = CcfbRecorder()
    quiet.on_packet(1, 1, 0)
    assert quiet.memory_size < 2_700


def test_what_cannot_be_is_refused():
    recorder = CcfbRecorder()
    for arguments in ((1, 1, 1 << 60), (1, 1, 0, 0), (1, 1, 0, 1, 4)):
        with pytest.raises(ValueError, match="out of range"):
            recorder.on_packet(*arguments)
    for arguments in ((0, 27), (0, 1501), (1 << 60,)):
        with pytest.raises(ValueError, match="range|capacity"):
            recorder.poll_feedback(*arguments)
    with pytest.raises(OverflowError):
        recorder.on_packet(1 << 32, 1, 0)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 2), st.integers(0, 30), st.booleans()), max_size=150),
    st.integers(28, 300),
)
def test_the_other_end_learns_what_arrived_and_when(steps, capacity):
    recorder, match = CcfbRecorder(), CcfbMatchFace()
    sent: dict[int, int] = {}
    seqs, now_us, arrived, learnt = [100, 100, 100], 0, {}, {}
    for ssrc in range(3):
        for seq in range(500):
            sent[ssrc * 1000 + seq] = match.sent(ssrc, seq, 10, 0)
    for ssrc, step, later_ms, asked in steps:
        seqs[ssrc] = max(seqs[ssrc] + step, 90)
        now_us += later_ms * MS
        arrived.setdefault((ssrc, seqs[ssrc]), now_us)
        recorder.on_packet(ssrc, seqs[ssrc], now_us)
        if asked:
            for packet in poll(recorder, now_us, capacity):
                learnt |= dict(match.report(bytes(packet))[1])
    for packet in poll(recorder, now_us + SECOND, capacity):
        learnt |= dict(match.report(bytes(packet))[1])
    by_key = {(number // 1000, number % 1000): learnt[there] for number, there in sent.items() if there in learnt}
    assert set(by_key) == set(arrived)
    assert all(abs(by_key[key] - arrived[key]) <= TELLS_WITHIN_US for key in by_key)
