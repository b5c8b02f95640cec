"""Reports against what was sent: each packet counts once, whatever is repeated, reordered, lost or made up."""

import random

import hypothesis.strategies as st
from hypothesis import given

from mediarouter.congestion import TwccRecorder
from mediarouter.congestion._feedback_match import FeedbackMatchFace
from mediarouter.rtcp import Twcc


def match_of(count: int, first: int = 0, size: int = 100) -> FeedbackMatchFace:
    match = FeedbackMatchFace()
    for seq in range(first, first + count):
        match.sent(seq, size, seq * 1000)
    return match


def report(arrivals: list[tuple[int, int | None]], feedback_count: int = 0) -> bytes:
    assert [seq for seq, _ in arrivals] == list(range(arrivals[0][0], arrivals[0][0] + len(arrivals)))
    return bytes(Twcc(1, 2, arrivals[0][0], [arrival_us for _, arrival_us in arrivals], feedback_count))


def test_what_arrived_and_what_did_not_is_told_once():
    match = match_of(4)
    data = report([(0, 1_000), (1, None), (2, 3_000)])
    assert match.report(data) == ([1], [(0, 1_000), (2, 3_000)])
    assert match.in_flight_bytes == 100, "of number 3 nothing is known"
    assert match.report(data) == ([], [])
    assert match.counters == {"reports": 2, "malformed": 0, "statuses": 6, "unknown": 0, "repeated": 2}


def test_lost_may_become_received_but_never_the_other_way_round():
    match = match_of(3)
    match.report(report([(0, 1_000), (1, None), (2, 3_000)]))
    assert match.report(report([(1, 9_000)])) == ([], [(1, 9_000)])
    match.sent(3, 100, 3_000)
    assert match.report(report([(1, None), (2, None), (3, 4_000)])) == ([], [(3, 4_000)])


def test_what_no_report_covers_is_unknown_and_stays_in_flight():
    """A gap in the feedback counter tells that feedback was lost, not packets (trap P10)."""
    match = match_of(30)
    assert match.report(report([(n, n * 1000) for n in range(10)], 0)) == ([], [(n, n * 1000) for n in range(10)])
    lost, received = match.report(report([(n, n * 1000) for n in range(20, 30)], 2))
    assert (lost, len(received)) == ([], 10)
    assert match.in_flight_bytes == 10 * 100


def test_received_ones_come_by_arrival():
    match = match_of(4)
    lost, received = match.report(report([(0, 5_000), (1, 1_000), (2, None), (3, 1_000)]))
    assert (lost, received) == ([2], [(1, 1_000), (3, 1_000), (0, 5_000)])


def test_packets_never_sent_and_sent_long_ago_are_unknown():
    match = match_of(6_000)
    tail = [(n, n * 250) for n in range(1_900, 1_910)]
    assert match.report(report(tail)) == ([], tail[4:]), "the ring holds what follows 1,903"
    assert match.report(report([(7_000, 0), (7_001, 250)])) == ([], [])
    assert match.counters["unknown"] == 4 + 2


def test_the_reference_time_wraps():
    """24 bits of 64 ms, signed: after 2**23 of them comes -2**23 (trap P1)."""
    turn_us = (1 << 23) * 64_000
    match = match_of(4)
    assert match.report(report([(0, turn_us - 64_000)])) == ([], [(0, turn_us - 64_000)])
    assert match.report(report([(1, -turn_us)])) == ([], [(1, turn_us)])
    assert match.report(report([(2, turn_us - 128_000)])) == ([], [(2, turn_us - 128_000)]), "overtaken"
    assert match.report(report([(3, -turn_us + 64_000)])) == ([], [(3, turn_us + 64_000)])


def test_a_malformed_report_changes_nothing():
    match = match_of(40)
    data = report([(n, n * 10_000) for n in range(40)])
    data = bytes((data[0] & ~0x20,)) + data[1:]  # without the P bit what is cut off is not found by that
    for size in range(len(data) - 4, 20, -4):
        cut = data[:2] + (size // 4 - 1).to_bytes(2, "big") + data[4:size]
        assert match.report(cut) is None
    assert match.counters["malformed"] == len(range(len(data) - 4, 20, -4)) > 3
    assert match.in_flight_bytes == 40 * 100
    assert len(match.report(data)[1]) == 40


def test_an_empty_report_is_ignored():
    match = match_of(3)
    assert match.report(bytes.fromhex("8FCD0004FA17FA17 09FAFF67 00270000 FFFFFE01")) == ([], [])


def test_received_at_an_unknown_time_is_not_lost():
    match = match_of(1)
    data = bytearray(report([(0, 1_000)]))
    data[20] |= 0x60  # the reserved symbol
    assert match.report(bytes(data)) == ([], [])
    assert match.in_flight_bytes == 0


@given(st.integers(0, 1 << 32), st.integers(1, 300), st.integers(0, 65_535), st.floats(0, 0.5))
def test_a_recorder_s_reports_tell_exactly_what_arrived(seed, count, first, loss):
    rng = random.Random(seed)
    match, recorder = FeedbackMatchFace(), TwccRecorder()
    arrivals = {}
    now_us = 0
    for number in range(first, first + count):
        match.sent(number & 0xFFFF, 1000, now_us)
        if rng.random() >= loss:
            arrivals[number & 0xFFFF] = now_us + rng.randrange(80_000)
        now_us += rng.randrange(20_000)
    told, lost, last_us = {}, set(), 0
    for seq, arrival_us in sorted(arrivals.items(), key=lambda pair: pair[1]):
        while (data := recorder.poll_feedback(arrival_us)) is not None:
            take(match.report(data), told, lost)
        recorder.on_packet(seq, arrival_us)
        last_us = arrival_us
    while (data := recorder.poll_feedback(last_us + 10**6)) is not None:
        take(match.report(data), told, lost)
    assert told == {seq: (arrival_us + 125) // 250 * 250 for seq, arrival_us in arrivals.items()}
    sent = {n & 0xFFFF for n in range(first, first + count)}
    assert lost <= sent - set(told)


def take(outcome, told: dict[int, int], lost: set[int]) -> None:
    for seq in outcome[0]:
        assert seq not in lost
        assert seq not in told
        lost.add(seq)
    for seq, arrival_us in outcome[1]:
        assert seq not in told
        told[seq] = arrival_us
        lost.discard(seq)


@given(st.binary(max_size=200), st.integers(0, 4))
def test_nothing_that_comes_can_harm(body, padding):
    match = match_of(50)
    size = (20 + len(body)) // 4 * 4
    data = (b"\x8f\xcd" + (size // 4 - 1).to_bytes(2, "big") + bytes(8) + body + bytes(20))[:size]
    match.report(data)
    assert 0 <= match.in_flight_bytes <= 50 * 100
