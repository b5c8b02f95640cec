"""One received stream: loss, jitter and requests, against plain-Python models in virtual time."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter._cache import PacketCacheFace
from mediarouter._recv_stream import RecvStreamFace

TOO_OLD, DUPLICATE = -8, -7
MS, SECOND = 1000, 1_000_000
SSRC, RATE = 0x1234, 90_000
REORDER_US, RTT_US = 10 * MS, 100 * MS  # what a stream begins with


def fed(first: int = 1000, count: int = 10, step_us: int = 1000) -> RecvStreamFace:
    """A stream that has got `count` packets, the last at (count - 1) * step_us."""
    stream = RecvStreamFace(SSRC, RATE)
    for i in range(count):
        assert isinstance(stream.handle_packet((first + i) % 65536, i * 90, 100, i * step_us), tuple)
    return stream


class Receiver:
    """A stream and its slab, in the order in which the engine asks them."""

    def __init__(self) -> None:
        self.stream = RecvStreamFace(SSRC, RATE)
        self.cache = PacketCacheFace(2048, 1 << 40)
        self.base: int | None = None

    def handle(self, number: int, now_us: int, recovered: bool) -> str | int:
        """Outcome for the packet with this true number; its place must be the true one."""
        if self.base is not None and self.cache.find(number + self.base, now_us) is not None:
            return DUPLICATE
        outcome = self.stream.handle_packet(number % 65536, number, 100, now_us, recovered)
        if isinstance(outcome, int):
            return outcome
        what, unwrapped = outcome
        if self.base is None:
            self.base = unwrapped - number
        assert unwrapped == number + self.base
        assert self.cache.insert(unwrapped, b"packet", now_us) == 0
        return what


@dataclass
class Model:
    """What is missing and when it is asked for: [number, due, tries]."""

    newest: int | None = None
    first: int = 0
    received: set[int] = field(default_factory=set)
    missing: dict[int, list[int]] = field(default_factory=dict)

    def handle(self, number: int, now_us: int, reorder_us: int) -> str | int:
        if number in self.received:
            return DUPLICATE
        self.received.add(number)
        if self.newest is None:
            self.first = self.newest = number
            return "new"
        if number < self.newest:
            self.missing.pop(number, None)
            return "late"
        for lost in range(self.newest + 1, number):
            self.missing[lost] = [now_us + reorder_us, 0]
        self.newest = number
        return "new"

    def poll(self, now_us: int, rtt_us: int) -> tuple[list[int], bool]:
        asked, given_up = [], False
        for number in sorted(self.missing):
            due_us, tries = self.missing[number]
            if due_us <= now_us:
                if tries == 10:
                    given_up = True
                    del self.missing[number]
                    continue
                asked.append(number % 65536)
                self.missing[number] = [now_us + max(rtt_us, 20 * MS), tries + 1]
        return asked, given_up


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("next"), st.integers(0, 0), st.booleans(), st.integers(0, 5 * MS)),
        st.tuples(st.just("next"), st.integers(0, 40), st.booleans(), st.integers(0, 5 * MS)),  # so many are skipped
        st.tuples(st.just("skipped"), st.integers(0, 200), st.booleans(), st.integers(0, 3 * MS)),  # one of those comes
        st.tuples(st.just("again"), st.integers(0, 200), st.booleans(), st.integers(0, 3 * MS)),  # a duplicate
        st.tuples(st.just("poll"), st.just(0), st.just(False), st.integers(0, 150 * MS)),
    ),
    max_size=120,
)


@settings(max_examples=500, deadline=None)
@given(happenings, st.integers(65_000, 66_000))
def test_r9_loss_reorder_duplicates_and_rtx_in_any_order(script, first):
    receiver, model, now_us, recovered_count = Receiver(), Model(), 5_000_000, 0
    stream, newest = receiver.stream, first - 1
    for what, amount, recovered, wait_us in script:
        now_us += wait_us
        if what == "poll":
            expected = model.poll(now_us, stream.rtt_us)
            assert stream.poll_nacks(now_us) == expected
        else:
            if what == "next":
                number = newest = newest + 1 + (amount if model.newest is not None else 0)
            else:
                pool = sorted(model.missing if what == "skipped" else model.received)
                if not pool:
                    continue
                number = pool[amount % len(pool)]
            expected_outcome = model.handle(number, now_us, stream.reorder_us)
            assert receiver.handle(number, now_us, recovered) == expected_outcome
            recovered_count += recovered and expected_outcome != DUPLICATE
        assert stream.missing == [number + receiver.base for number in sorted(model.missing)]
        due_us = stream.nack_deadline_us()
        if model.missing:
            assert 0 <= due_us <= min(due for due, _ in model.missing.values())
        else:
            assert due_us == -1
        assert 0 <= stream.reorder_us <= 20 * MS
        assert 0 <= stream.rtt_us <= SECOND
    assert (stream.packets, stream.recovered) == (len(model.received), recovered_count)
    if model.newest is not None:
        lost = model.newest - model.first + 1 - len(model.received)
        assert stream.report(now_us)["cumulative_lost"] == lost
        assert stream.report(now_us)["highest_seq"] == model.newest % 65536 + 65536 * (
            model.newest // 65536 - model.first // 65536
        )


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 65535), st.booleans(), st.integers(0, 200 * MS)), max_size=200))
def test_no_sequence_of_numbers_harms(packets):
    stream, now_us = RecvStreamFace(SSRC, RATE), 0
    for seq, recovered, wait_us in packets:
        now_us += wait_us
        outcome = stream.handle_packet(seq, seq, 10, now_us, recovered)
        assert outcome == TOO_OLD or outcome[1] % 65536 == seq
        missing = stream.missing
        assert missing == sorted(set(missing)) and len(missing) <= 1000
        assert not missing or missing[-1] < stream.newest_seq
        asked, _ = stream.poll_nacks(now_us)
        assert len(asked) <= len(missing)
        assert stream.report(now_us)["cumulative_lost"] >= -len(packets)


# ---- requests


def test_r8_the_first_request_waits_for_reordered_packets():
    stream = fed(1000, 10)
    stream.handle_packet(1012, 0, 100, 20 * MS)
    assert stream.nack_deadline_us() == 20 * MS + REORDER_US
    assert stream.poll_nacks(20 * MS + REORDER_US - 1) == ([], False)
    stream.handle_packet(1010, 0, 100, 25 * MS)
    assert stream.poll_nacks(20 * MS + REORDER_US) == ([1011], False)


def test_r8_requests_are_a_round_trip_apart_and_ten_at_most():
    stream = fed(1000, 10)
    stream.handle_packet(1011, 0, 100, 20 * MS)
    now_us, times = 20 * MS, []
    while True:
        now_us += MS
        asked, given_up = stream.poll_nacks(now_us)
        if asked:
            times.append(now_us)
        if given_up:
            break
        assert now_us < 10 * SECOND
    assert times[0] == 20 * MS + REORDER_US
    assert [b - a for a, b in zip(times, times[1:], strict=False)] == [RTT_US] * 9
    assert now_us == times[-1] + RTT_US
    assert (stream.missing, stream.nack_deadline_us(), stream.nacks_sent) == ([], -1, 10)


def test_r8_too_much_missing_asks_for_a_key_frame_instead():
    stream = fed(1000, 10)
    stream.handle_packet(2010, 0, 100, 20 * MS)
    assert len(stream.missing) == 1000
    stream.handle_packet(2012, 0, 100, 21 * MS)
    assert stream.missing == []
    assert stream.nack_deadline_us() <= 21 * MS
    assert stream.poll_nacks(21 * MS) == ([], True)
    assert stream.poll_nacks(2 * SECOND) == ([], False)
    assert stream.nack_deadline_us() == -1
    stream.handle_packet(2014, 0, 100, 3 * SECOND)
    assert stream.poll_nacks(4 * SECOND) == ([2013], False)


def test_r8_what_lies_ten_thousand_back_is_given_up():
    stream, now_us = fed(1000, 10), 20 * MS
    stream.handle_packet(1011, 0, 100, now_us)
    for i in range(10_000):
        stream.handle_packet((1012 + i) % 65536, 0, 100, now_us)
    assert stream.poll_nacks(now_us + REORDER_US) == ([], True)
    assert stream.missing == []


def test_more_is_missing_than_one_message_can_hold():
    stream = fed(1000, 10)
    stream.handle_packet(1030, 0, 100, 20 * MS)
    due_us = 20 * MS + REORDER_US
    first, _ = stream.poll_nacks(due_us, 8)
    assert first == list(range(1010, 1018))
    assert stream.nack_deadline_us() == due_us
    second, _ = stream.poll_nacks(due_us, 8)
    rest, _ = stream.poll_nacks(due_us)
    assert second + rest == list(range(1018, 1030))
    assert stream.nack_deadline_us() == due_us + RTT_US


def test_without_nack_nothing_is_asked_for():
    stream = RecvStreamFace(SSRC, RATE, nack=False)
    for seq in (1, 2, 5, 9, 5000, 5001):
        stream.handle_packet(seq, 0, 100, 1)
    assert (stream.missing, stream.nack_deadline_us(), stream.poll_nacks(SECOND)) == ([], -1, ([], False))


def test_requests_cross_the_wrap():
    stream = fed(65530, 4)
    stream.handle_packet(2, 0, 100, 5 * MS)
    assert stream.poll_nacks(SECOND) == ([65534, 65535, 0, 1], False)
    stream.handle_packet(0, 0, 100, SECOND)
    stream.handle_packet(65535, 0, 100, SECOND)
    assert stream.poll_nacks(2 * SECOND) == ([65534, 1], False)


def test_the_round_trip_is_learned_from_answers():
    stream, now_us = fed(1000, 10), 20 * MS
    for i in range(100):
        stream.handle_packet(1011 + 2 * i, 0, 100, now_us)
        now_us += 20 * MS
        assert stream.poll_nacks(now_us) == ([1010 + 2 * i], False)
        now_us += 5 * MS
        stream.handle_packet(1010 + 2 * i, 0, 100, now_us, recovered=True)
    assert 5 * MS <= stream.rtt_us < 6 * MS
    stream.handle_packet(2000, 0, 100, now_us)
    stream.poll_nacks(now_us + 20 * MS)
    assert stream.poll_nacks(now_us + 40 * MS - 1)[0] == []  # never twice within 20 ms
    assert len(stream.poll_nacks(now_us + 40 * MS)[0]) > 0


def test_an_answer_to_the_second_request_teaches_no_round_trip():
    stream = fed(1000, 10)
    stream.handle_packet(1011, 0, 100, 20 * MS)
    assert stream.poll_nacks(30 * MS)[0] == stream.poll_nacks(130 * MS)[0] == [1010]
    stream.handle_packet(1010, 0, 100, 131 * MS, recovered=True)
    assert stream.rtt_us == RTT_US


def test_reordering_is_learned_and_true_loss_unlearns_it():
    stream, seq, now_us = fed(1000, 10), 1010, 20 * MS
    for _ in range(100):  # swapped pairs, 3 ms apart
        stream.handle_packet(seq + 1, 0, 100, now_us)
        stream.handle_packet(seq, 0, 100, now_us + 3 * MS)
        seq, now_us = seq + 2, now_us + 10 * MS
    assert 5900 <= stream.reorder_us <= 6100  # twice what was seen
    for _ in range(100):  # each third one lost and asked for
        stream.handle_packet(seq + 1, 0, 100, now_us)
        stream.poll_nacks(now_us + 30 * MS)
        stream.handle_packet(seq, 0, 100, now_us + 50 * MS, recovered=True)
        seq, now_us = seq + 2, now_us + 60 * MS
    assert stream.reorder_us < 100


def test_reordering_beyond_the_limit_is_not_waited_for():
    stream, seq, now_us = fed(1000, 10), 1010, 20 * MS
    for _ in range(100):
        stream.handle_packet(seq + 1, 0, 100, now_us)
        stream.handle_packet(seq, 0, 100, now_us + 19 * MS)
        seq, now_us = seq + 2, now_us + 30 * MS
    assert 19 * MS < stream.reorder_us <= 20 * MS


# ---- jumps


@pytest.mark.parametrize("target", [1010 + 3001, 1010 + 30_000, 1010 - 3100, 40_000])
def test_a_jump_needs_two_packets(target):
    stream = fed(1000, 10)
    before = stream.newest_seq
    assert stream.handle_packet(target % 65536, 0, 100, 20 * MS) == TOO_OLD
    what, unwrapped = stream.handle_packet((target + 1) % 65536, 0, 100, 21 * MS)
    assert what == "reset"
    assert unwrapped > before and unwrapped % 65536 == (target + 1) % 65536
    # the one that was refused is asked for at once, and taken
    assert stream.poll_nacks(21 * MS) == ([target % 65536], False)
    assert stream.handle_packet(target % 65536, 0, 100, 40 * MS, recovered=True) == ("late", unwrapped - 1)
    assert stream.handle_packet((target + 2) % 65536, 0, 100, 41 * MS) == ("new", unwrapped + 1)
    report = stream.report(50 * MS)
    assert (report["cumulative_lost"], stream.packets) == (0, 13)
    assert report["highest_seq"] % 65536 == (target + 2) % 65536


@pytest.mark.parametrize("step", [3000, -3000, 1, -10])
def test_smaller_steps_are_taken_at_once(step):
    stream = fed(5000, 10)
    what, unwrapped = stream.handle_packet(5009 + step, 0, 100, 20 * MS)
    assert what == ("new" if step > 0 else "late")
    assert unwrapped == 65536 + 5009 + step


def test_one_stray_packet_among_good_ones_changes_nothing():
    stream = fed(1000, 10)
    for i in range(20):
        assert stream.handle_packet(40_000 + i, 0, 100, 20 * MS) == TOO_OLD
        assert stream.handle_packet(1010 + i, 0, 100, 20 * MS)[0] == "new"
    assert stream.missing == []


def test_strays_that_are_no_sequence_never_make_a_jump():
    stream = fed(1000, 10)
    for seq in (40_000, 20_000, 40_000, 40_002, 50_000, 49_999):
        assert stream.handle_packet(seq, 0, 100, 20 * MS) == TOO_OLD
    assert stream.handle_packet(1010, 0, 100, 20 * MS)[0] == "new"


def test_retransmissions_never_make_a_jump():
    stream = fed(1000, 10)
    for seq in (40_000, 40_001, 40_002, 63_000, 63_001):
        assert stream.handle_packet(seq, 0, 100, 20 * MS, recovered=True) == TOO_OLD
    assert stream.handle_packet(1010, 0, 100, 20 * MS)[0] == "new"
    # nor do they hide one
    assert stream.handle_packet(40_000, 0, 100, 20 * MS) == TOO_OLD
    stream.handle_packet(1009, 0, 100, 20 * MS, recovered=True)
    assert stream.handle_packet(40_001, 0, 100, 20 * MS)[0] == "reset"


def test_an_asked_for_packet_is_welcome_however_far_behind():
    stream = fed(1000, 10)
    stream.handle_packet(1011, 0, 100, 20 * MS)
    assert stream.poll_nacks(30 * MS)[0] == [1010]
    for i in range(5000):
        stream.handle_packet(1012 + i, 0, 100, 31 * MS)
    assert stream.handle_packet(1010, 0, 100, 90 * MS, recovered=True) == ("late", 65536 + 1010)
    assert stream.handle_packet(1010, 0, 100, 91 * MS, recovered=True) == TOO_OLD
    assert stream.missing == []


def test_a_jump_forgets_requests_and_the_old_clock():
    stream = fed(1000, 10)
    stream.handle_sender_report(1 << 32, 5, 10 * MS)
    stream.handle_packet(1020, 0, 100, 20 * MS)
    stream.handle_packet(30_000, 0, 100, 20 * MS)
    stream.handle_packet(30_001, 0, 100, 20 * MS)
    assert [seq % 65536 for seq in stream.missing] == [30_000]
    assert stream.report(SECOND)["last_sr"] == 0


# ---- reports


def test_fraction_lost_is_of_the_time_since_the_last_report():
    stream = fed(1000, 8)
    assert stream.report(10 * MS)["fraction_lost"] == 0
    for seq in (1008, 1009, 1011, 1015):  # 4 of 8
        stream.handle_packet(seq, 0, 100, 20 * MS)
    report = stream.report(30 * MS)
    assert (report["fraction_lost"], report["cumulative_lost"]) == (128, 4)
    assert stream.report(40 * MS)["fraction_lost"] == 0
    for seq in (1010, 1012, 1016):  # two are repaired: nothing was lost in this interval, rather found
        stream.handle_packet(seq, 0, 100, 50 * MS, recovered=True)
    report = stream.report(60 * MS)
    assert (report["fraction_lost"], report["cumulative_lost"]) == (0, 2)


def test_all_but_one_lost_is_no_more_than_a_byte():
    stream = fed(1000, 1)
    stream.report(1)
    stream.handle_packet(3999, 0, 100, 20 * MS)
    assert stream.report(30 * MS)["fraction_lost"] == 255


def test_highest_seq_counts_cycles():
    stream, seq = RecvStreamFace(SSRC, RATE, nack=False), 65_000
    for i in range(200):
        stream.handle_packet((seq + 1000 * i) % 65536, 0, 100, i)
    assert stream.report(1)["highest_seq"] == seq + 199_000


def test_packets_before_the_first_count_against_loss():
    stream = RecvStreamFace(SSRC, RATE)
    for seq in (0, 65535, 65534):  # reordered at the very start, and across the wrap
        stream.handle_packet(seq, 0, 100, 1)
    assert stream.report(1)["cumulative_lost"] == -2


def test_cumulative_loss_stops_at_24_bits():
    stream = RecvStreamFace(SSRC, RATE, nack=False)
    for i in range(3000):
        assert stream.handle_packet(i * 3000 % 65536, 0, 100, i)[0] == "new"
    assert stream.report(1)["cumulative_lost"] == 0x7FFFFF


def test_last_sender_report_and_the_delay_since():
    stream = fed()
    assert (stream.report(SECOND)["last_sr"], stream.report(SECOND)["delay_since_last_sr"]) == (0, 0)
    stream.handle_sender_report(0x11112222_33334444, 7, SECOND)
    report = stream.report(3 * SECOND + SECOND // 2)
    assert (report["last_sr"], report["delay_since_last_sr"]) == (0x22223333, 5 << 15)
    stream.handle_sender_report(0, 9, 4 * SECOND)  # a sender without a wall clock (RFC 3550 6.4.1)
    assert stream.report(4 * SECOND)["last_sr"] == 0x22223333


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, (1 << 64) - 1),
    st.integers(0, (1 << 32) - 1),
    st.floats(-86_400, 86_400),
    st.sampled_from([8000, 48_000, 90_000]),
)
def test_timestamps_of_other_moments(ntp, timestamp, seconds, rate):
    stream = RecvStreamFace(SSRC, rate)
    stream.handle_sender_report(ntp, timestamp, 0)
    moment = (ntp + int(seconds * (1 << 32))) % (1 << 64)
    exact = timestamp + int(seconds * (1 << 32)) * rate / (1 << 32)
    difference = (stream.timestamp_at(moment) - round(exact) + (1 << 31)) % (1 << 32) - (1 << 31)
    assert abs(difference) <= 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40 * MS), st.integers(-3000, 3000)), min_size=2, max_size=80),
    st.sampled_from([0, 10**12, 1_800_000_000 * SECOND]),  # a machine's uptime, and wall clocks too
    st.sampled_from([8000, 48_000, 90_000]),
)
def test_jitter_is_that_of_the_rfc(packets, start_us, rate):
    stream, now_us, timestamp, previous, jitter = RecvStreamFace(SSRC, rate), start_us, 0, None, 0.0
    for seq, (wait_us, wobble) in enumerate(packets):
        now_us += wait_us
        timestamp = (timestamp + wait_us * rate // SECOND + wobble) % (1 << 32)
        stream.handle_packet(seq, timestamp, 100, now_us)
        transit = now_us * rate / SECOND - timestamp
        if previous is not None:
            change = abs((transit - previous + (1 << 31)) % (1 << 32) - (1 << 31))
            jitter += (change - jitter) / 16
        previous = transit
    assert abs(stream.report(now_us)["jitter"] - jitter) < 3


def test_retransmissions_are_not_jitter():
    stream = RecvStreamFace(SSRC, RATE)
    stream.handle_packet(5, 900_000, 100, 0, recovered=True)
    stream.handle_packet(6, 0, 100, 0)
    stream.handle_packet(7, 90, 100, MS)
    stream.handle_packet(4, 5000, 100, 9 * MS, recovered=True)
    assert stream.report(MS)["jitter"] == 0


def test_another_clock_is_not_jitter():
    stream = fed(0, 10)
    stream.handle_packet(10, 0x7000_0000, 100, 10 * MS)
    stream.handle_packet(11, 0x7000_0000 + 90, 100, 11 * MS)
    assert stream.report(MS)["jitter"] == 0
