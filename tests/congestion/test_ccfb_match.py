"""Reports of RFC 8888 against what was sent: each packet counts once, in the order of sending, on one line of time."""

import random

import hypothesis.strategies as st
from hypothesis import given

from mediarouter.congestion._ccfb_match import CcfbMatchFace
from mediarouter.rtcp import ARRIVAL_OVER_RANGE, ARRIVAL_UNKNOWN, Ccfb

SECOND = 65_536  # of a report's timestamp
TURN = 1 << 32
Reports = list[tuple[int, int, list[tuple[int, int] | None]]]


def report(timestamp: int, *streams: tuple[int, int, list[tuple[int, int] | None]]) -> bytes:
    return bytes(Ccfb(9, timestamp & 0xFFFFFFFF, streams))


def ago(offset: int, ecn: int = 0) -> tuple[int, int]:
    return ecn, offset


def match_of(*packets: tuple[int, int]) -> CcfbMatchFace:
    match = CcfbMatchFace()
    for number, (ssrc, seq) in enumerate(packets):
        assert match.sent(ssrc, seq, 100, number * 1000) == 65_536 + number
    return match


def numbers(told: tuple[list[int], list[tuple[int, int]]] | None) -> tuple[list[int], list[int]]:
    assert told is not None
    return [n - 65_536 for n in told[0]], [n - 65_536 for n, _ in told[1]]


def test_streams_are_told_in_the_order_of_sending():
    match = match_of((1, 65_535), (2, 7), (1, 0), (2, 8), (1, 1))
    told = match.report(report(SECOND, (2, 7, [ago(90), None]), (1, 65_535, [ago(100), ago(80), None])))
    assert numbers(told) == ([3, 4], [0, 1, 2])
    at = [(arrival_us * 1024 + 500_000) // 1_000_000 for _, arrival_us in told[1]]
    assert at == [1024 - 100, 1024 - 90, 1024 - 80]
    assert match.in_flight_bytes == 0


def test_each_packet_counts_once_and_lost_may_become_received():
    match = match_of(*((1, seq) for seq in range(4)))
    first = report(SECOND, (1, 0, [ago(9), None, ago(3)]))
    assert numbers(match.report(first)) == ([1], [0, 2])
    assert numbers(match.report(first)) == ([], [])
    assert numbers(match.report(report(2 * SECOND, (1, 1, [ago(8), None])))) == ([], [1]), "2 stays received"
    assert match.in_flight_bytes == 100
    assert match.counters == {
        "reports": 3, "malformed": 0, "unknown": 0, "repeated": 2, "unknown_streams": 0, "ecn": (3, 0, 0, 0)
    }  # fmt: skip


def test_a_range_told_twice_by_one_report_counts_once():
    match = match_of(*((1, seq) for seq in range(3)))
    told = match.report(report(SECOND, (1, 0, [ago(9), None, None]), (1, 0, [ago(7), ago(6), None])))
    assert numbers(told) == ([2], [0, 1])
    assert match.counters["repeated"] == 1


def test_streams_and_packets_that_are_not_ours_are_counted():
    match = match_of((1, 0))
    told = match.report(report(SECOND, (5000, 0, [ago(1)] * 3), (1, 0, [ago(1), ago(1)]), (2, 0, [ago(1), None])))
    assert numbers(told) == ([], [0])
    assert (match.counters["unknown_streams"], match.counters["unknown"]) == (1, 2)


def test_packets_of_no_time_have_arrived_and_tell_nothing_of_delay():
    match = match_of(*((1, seq) for seq in range(3)))
    told = match.report(report(SECOND, (1, 0, [ago(ARRIVAL_OVER_RANGE), ago(ARRIVAL_UNKNOWN), ago(8189)])))
    assert numbers(told) == ([], [2])
    assert match.in_flight_bytes == 0
    assert numbers(match.report(report(SECOND, (1, 0, [None, None])))) == ([], [])


def test_marks_of_ecn_are_counted():
    match = match_of(*((1, seq) for seq in range(6)))
    match.report(report(SECOND, (1, 0, [ago(6, 3), ago(5, 3), ago(4, 1), ago(3, 2), ago(2, 0), None])))
    assert match.counters["ecn"] == (1, 1, 1, 2)


def test_the_timestamp_wraps_and_reports_that_come_late_stand_where_they_belong():
    match = match_of(*((1, seq) for seq in range(5)))
    times = []
    for seq, timestamp in enumerate((TURN - SECOND, TURN + SECOND, TURN - SECOND // 2, TURN + 2 * SECOND)):
        (_, ((_, arrival_us),)) = match.report(report(timestamp, (1, seq, [ago(0)])))
        times.append(arrival_us)
    assert [at - times[0] for at in times] == [0, 2_000_000, 500_000, 3_000_000]


def test_received_ones_come_by_arrival():
    match = match_of(*((1, seq) for seq in range(4)))
    told = match.report(report(SECOND, (1, 0, [ago(5), ago(50), None, ago(5)])))
    assert numbers(told) == ([2], [1, 0, 3])


def test_a_malformed_report_changes_nothing():
    match = match_of(*((1, seq) for seq in range(40)))
    data = report(SECOND, (1, 0, [ago(40 - n) for n in range(40)]))
    for size in range(12, len(data), 4):
        cut = data[:2] + (size // 4 - 1).to_bytes(2, "big") + data[4:size]
        if size != 12:  # where the timestamp is told and no stream
            assert match.report(cut) is None
    assert match.in_flight_bytes == 4000
    assert match.counters["malformed"] == len(data) // 4 - 4


def test_every_bit_flipped_harms_nothing():
    data = report(SECOND, (1, 0, [ago(9), None, ago(3)]), (2, 65_535, [ago(1), ago(0)]))
    for bit in range(64, 8 * len(data)):
        match = match_of((1, 0), (1, 1), (1, 2), (2, 65_535), (2, 0))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 0x80 >> bit % 8
        told = match.report(bytes(flipped))
        if told is not None:
            lost, received = numbers(told)
            assert not set(lost) & set(received) and set(lost + received) <= set(range(5))
            assert [at for _, at in told[1]] == sorted(at for _, at in told[1])


def test_the_whole_history_can_be_told_by_one_report():
    match = CcfbMatchFace()
    for seq in range(5000):
        match.sent(1, seq, 1, seq)
    told = match.report(report(10 * SECOND, (1, 0, [ago(0) if seq % 2 else None for seq in range(5000)])))
    lost, received = numbers(told)
    assert lost == list(range(5000 - 2048, 5000, 2)) and received == list(range(5001 - 2048, 5000, 2))


@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_it_says_what_a_plain_dictionary_says(dice: random.Random, streams: int):
    match, state, clock = CcfbMatchFace(), {}, 0
    names: dict[int, tuple[int, int]] = {}
    seqs = [dice.randrange(65_536) for _ in range(streams)]
    for _ in range(dice.randrange(1, 8)):
        for _ in range(dice.randrange(60)):
            ssrc = dice.randrange(streams)
            number = match.sent(ssrc, seqs[ssrc], 10, clock)
            names[number], state[ssrc, seqs[ssrc]] = (ssrc, seqs[ssrc]), "open"
            seqs[ssrc] = seqs[ssrc] + 1 & 0xFFFF
        clock += SECOND // 20
        parts: Reports = []
        for ssrc in dice.sample(range(streams + 1), dice.randrange(streams + 1)):
            begin = (seqs[ssrc] if ssrc < streams else 0) - dice.randrange(80)
            parts.append((ssrc, begin & 0xFFFF, [dice.choice((None, ago(0))) for _ in range(dice.randrange(90))]))
        expected: dict[str, set[tuple[int, int]]] = {"lost": set(), "received": set()}
        for ssrc, begin, those in parts:
            for i, status in enumerate(those):
                key = ssrc, begin + i & 0xFFFF
                if state.get(key) == "open" or (state.get(key) == "lost" and status):
                    state[key] = "received" if status else "lost"
                    expected[state[key]].add(key)
                    expected["lost"] -= expected["received"]
        lost, received = match.report(report(clock, *parts))
        assert [names[n] for n in lost] == [names[n] for n in sorted(lost)]
        assert {names[n] for n in lost} == expected["lost"]
        assert {names[n] for n, _ in received} == expected["received"]
        assert [n for n, _ in received] == sorted(n for n, _ in received), "they arrived at once"
        assert match.in_flight_bytes == 10 * sum(what == "open" for what in state.values())
