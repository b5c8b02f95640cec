"""When feedback that does not come is noticed, in virtual time, and how far an estimate falls meanwhile."""

from collections.abc import Callable
from math import isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._feedback_watch import LEVELS, FeedbackWatcher

MS = 1_000
SECOND = 1_000_000


class Path:
    """A sender of a packet each 10 ms, and a receiver that reports each 100 ms, until it is cut."""

    def __init__(self, rtt_us: int = 50 * MS, interval_us: int = 100 * MS):
        self.watch = FeedbackWatcher()
        self.rtt_us, self.interval_us = rtt_us, interval_us
        self.now_us = 0
        self.factor = 1.0
        self.changes: list[tuple[int, str]] = []
        self.cuts: list[tuple[int, float]] = []

    def run(self, seconds: float, sends: Callable[[int], bool] = lambda _: True, reports: bool = True) -> None:
        """Time goes on; what changes, and what is cut, is noted with its milliseconds from here."""
        start_us = self.now_us
        self.changes, self.cuts = [(0, self.watch.poll(self.now_us))], []
        while self.now_us < start_us + seconds * SECOND:
            self.now_us += 10 * MS
            if sends(self.now_us - start_us):
                self.watch.on_sent(self.now_us)
            if reports and self.now_us % self.interval_us == 0:
                self.watch.on_report(self.now_us, self.rtt_us)
            level = self.watch.poll(self.now_us)
            if level != self.changes[-1][1]:
                self.changes.append(((self.now_us - start_us) // MS, level))
            factor = self.watch.take_factor(self.now_us)
            self.factor *= factor
            if factor != 1.0:
                self.cuts.append(((self.now_us - start_us) // MS, factor))


def test_with_feedback_all_is_fine() -> None:
    path = Path()
    path.run(20)
    assert path.changes == [(0, "fine")]
    assert path.factor == 1.0
    assert path.watch.interval_us == pytest.approx(90 * MS, abs=10 * MS)


def test_without_feedback_it_is_late_then_backing_off_then_gone() -> None:
    path = Path()
    path.run(2)
    path.run(8, reports=False)
    # the first packet that no report tells about is sent 10 ms after the last report
    assert path.changes == [(0, "fine"), (510, "late"), (1010, "backing_off"), (5010, "gone")]
    assert path.cuts == [(1010 + 500 * cut, 0.5) for cut in range(12)]
    path.run(10, reports=False)
    assert path.cuts == [], "the estimate is at its minimum"


def test_one_report_ends_it_and_the_next_silence_begins_anew() -> None:
    path = Path()
    path.run(6, reports=False)
    assert path.changes[-1][1] == "gone"
    path.run(1)
    assert path.changes[-1] == (100, "fine")
    path.run(1.2, reports=False)
    assert path.changes == [(0, "fine"), (510, "late"), (1010, "backing_off")]
    assert path.cuts == [(1010, 0.5)]


@pytest.mark.parametrize(("rtt_us", "interval_us", "late_ms"), [
    (50 * MS, 100 * MS, 500),
    (400 * MS, 100 * MS, 800),
    (1_000 * MS, 50 * MS, 2_000),
    (2_900 * MS, 100 * MS, 3_000),
    (10 * MS, 250 * MS, 720),      # 240 ms between the packet after a report and the next report
    (10 * MS, 2_000 * MS, 1_500),  # what counts of an interval is 500 ms
])
def test_late_is_three_intervals_or_two_round_trips(rtt_us: int, interval_us: int, late_ms: int) -> None:
    path = Path(rtt_us, interval_us)
    path.run(100)
    path.run(10, reports=False)
    late, backing_off, gone = (at for at, level in path.changes if level != "fine")
    assert late == pytest.approx(late_ms + 10, abs=20)
    assert (backing_off - late, gone - late) == (500, 4500)


def test_a_sender_that_is_silent_does_not_wait() -> None:
    path = Path()
    path.run(2)
    path.run(4, sends=lambda _: False, reports=False)
    assert path.changes == [(0, "fine")]
    path.run(0.4, reports=False)
    assert path.changes == [(0, "fine")]
    assert path.factor == 1.0


def test_a_last_packet_that_nobody_heard_of_cuts_nothing() -> None:
    path = Path()
    path.run(2)
    path.run(60, sends=lambda at_us: at_us == 10 * MS, reports=False)
    assert path.changes == [(0, "fine"), (510, "late")]
    assert path.factor == 1.0
    path.run(0.5)
    assert path.changes[-1][1] == "fine"


def test_packets_that_keep_the_path_alive_count_as_sending() -> None:
    path = Path()
    path.run(2)
    path.run(7, sends=lambda at_us: at_us % (500 * MS) == 0, reports=False)
    assert path.changes == [(0, "fine"), (1000, "late"), (1500, "backing_off"), (5500, "gone")]


def test_few_packets_far_between_count_as_much_as_they_say() -> None:
    """A packet each 2 s: 600 ms of each gap count."""
    path = Path()
    path.run(2)
    path.run(20, sends=lambda at_us: at_us % (2 * SECOND) == 0, reports=False)
    assert path.changes[:3] == [(0, "fine"), (2500, "late"), (4400, "backing_off")]


def test_a_round_trip_beyond_three_seconds_cuts_a_fifth_a_second() -> None:
    path = Path(rtt_us=3_001 * MS)
    path.run(0.1)
    assert path.cuts == [(100, 0.8)]
    path.run(5.5)
    assert path.cuts == [(1_000 * second, 0.8) for second in range(1, 6)]
    assert path.changes == [(0, "backing_off")]
    path.run(5, sends=lambda _: False)
    assert path.cuts == [(500, 0.8)], "what was sent before is all there was"
    path.rtt_us = 3_000 * MS
    path.run(5)
    assert path.changes == [(0, "backing_off"), (100, "fine")]


def test_the_deadline_is_when_something_changes() -> None:
    path = Path()
    path.run(2)
    watch, last_us = path.watch, path.now_us
    assert watch.poll_timeout(last_us) is None, "nothing is unheard of"
    watch.on_sent(last_us + 10 * MS)
    assert watch.poll_timeout(last_us + 20 * MS) == last_us + 510 * MS
    assert watch.poll_timeout(last_us + 510 * MS) is None, "1 s is not reached by a packet alone"
    watch.on_sent(last_us + 600 * MS)
    assert watch.poll_timeout(last_us + 600 * MS) == last_us + 1_010 * MS
    assert watch.take_factor(last_us + 1_010 * MS) == 0.5
    assert watch.poll_timeout(last_us + 1_010 * MS) is None
    watch.on_report(last_us + 1_100 * MS, 4 * SECOND)
    assert watch.poll_timeout(last_us + 1_100 * MS) == last_us + 1_100 * MS
    assert watch.take_factor(last_us + 1_100 * MS) == 0.8
    assert watch.poll_timeout(last_us + 1_100 * MS) is None
    watch.on_sent(last_us + 1_200 * MS)
    assert watch.poll_timeout(last_us + 1_200 * MS) == last_us + 2_100 * MS
    assert watch.take_factor(last_us + 2_100 * MS) == 0.8


EVENTS = st.lists(st.tuples(st.sampled_from(["sent", "report", "poll"]), st.integers(0, 2 * SECOND),
                            st.one_of(st.none(), st.integers(0, 10 * SECOND), st.just(1 << 62))), max_size=60)


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_polling_at_the_deadline_alone_misses_nothing(events: list[tuple[str, int, int | None]]) -> None:
    """One watch is polled each 10 ms, the other when it asks for it: the same levels and cuts at each event."""
    often, seldom = FeedbackWatcher(), FeedbackWatcher()
    now_us = 0
    factors = [1.0, 1.0]
    for kind, step_us, rtt_us in events:
        step_us -= step_us % (10 * MS)
        for _ in range(step_us // (10 * MS)):
            now_us += 10 * MS
            factors[0] *= often.take_factor(now_us)
            due_us = seldom.poll_timeout(now_us - 10 * MS)
            if due_us is not None and due_us <= now_us:
                before = seldom.poll(now_us)
                assert before == often.poll(now_us)
                factors[1] *= seldom.take_factor(now_us)
        for watch in (often, seldom):
            if kind == "sent":
                watch.on_sent(now_us)
            elif kind == "report":
                watch.on_report(now_us, rtt_us)
        assert often.poll(now_us) == seldom.poll(now_us)
        assert often.poll(now_us) in LEVELS
        assert isclose(factors[0], factors[1])
        assert 0.0 < factors[0] <= 1.0
        assert 0 < often.interval_us <= 500 * MS


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1 << 59), st.integers(0, 1 << 62)), max_size=30))
def test_times_that_jump_break_nothing(events: list[tuple[bool, int, int]]) -> None:
    watch = FeedbackWatcher()
    for is_report, now_us, rtt_us in events:
        watch.on_report(now_us, rtt_us) if is_report else watch.on_sent(now_us)
        assert watch.poll(now_us) in LEVELS
        assert 2.0**-12 <= watch.take_factor(now_us) <= 1.0
        deadline_us = watch.poll_timeout(now_us)
        assert deadline_us is None or deadline_us >= 0


def test_times_out_of_range_are_refused() -> None:
    watch = FeedbackWatcher()
    for call in (watch.on_sent, watch.on_report, watch.poll, watch.take_factor, watch.poll_timeout):
        for wrong in (-1, 1 << 60):
            with pytest.raises(ValueError, match="time"):
                call(wrong)
