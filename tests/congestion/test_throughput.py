"""What gets through, in virtual time; the first scenarios are those of libwebrtc's robust throughput estimator."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._throughput import ThroughputFace

SECOND_US = 1_000_000
RATE = 100_000                             # bytes a second
SIZE = 1_000


class Reports:
    """Packets sent at one rate and received at another, each by its own clock."""

    def __init__(self, min_window_us: int = SECOND_US) -> None:
        self.through = ThroughputFace(min_window_us)
        self.send_us, self.arrival_us = 100 * SECOND_US, 10 * SECOND_US

    def make(self, count: int, sent: int = RATE, received: int = RATE) -> list[tuple[int, int, int]]:
        packets = []
        for _ in range(count):
            sent_us = self.send_us
            self.send_us += SIZE * SECOND_US // sent
            self.arrival_us += SIZE * SECOND_US // received
            packets.append((sent_us, self.arrival_us, SIZE))
        return packets

    def tell(self, packets: list[tuple[int, int, int]]) -> int:
        """Bytes per second."""
        for packet in packets:
            self.through.add(*packet)
        bps = self.through.bps
        return bps if bps < 0 else bps // 8

    def more(self, count: int, sent: int = RATE, received: int = RATE) -> int:
        return self.tell(self.make(count, sent, received))


def test_ten_packets_make_a_rate() -> None:
    reports = Reports()
    assert reports.through.bps == -1
    assert reports.more(9) == -1
    assert reports.more(1) == RATE
    assert reports.more(15) == RATE


def test_it_follows_the_rate_within_a_second() -> None:
    reports = Reports()
    for _ in range(10):
        reports_rate = reports.more(10)
    assert reports_rate == RATE
    for _ in range(20):
        assert RATE <= reports.more(10, 2 * RATE, 2 * RATE) <= 2 * RATE
    for _ in range(20):
        assert reports.more(10, 2 * RATE, 2 * RATE) == 2 * RATE
    for _ in range(5):
        assert RATE // 2 <= reports.more(10, RATE // 2, RATE // 2) <= 2 * RATE
    for _ in range(5):
        assert reports.more(10, RATE // 2, RATE // 2) == RATE // 2


def test_it_is_bounded_by_what_was_received() -> None:
    assert Reports().more(20, RATE, RATE // 4) == pytest.approx(RATE // 4, rel=0.05)


def test_it_is_bounded_by_what_was_sent() -> None:
    assert Reports().more(20, RATE // 2, RATE) == pytest.approx(RATE // 2, rel=0.05)


def test_a_link_that_stood_still_once_has_lost_nothing() -> None:
    reports = Reports(SECOND_US // 2)
    assert reports.more(20) == RATE
    reports.arrival_us += 250_000
    for _ in range(30):
        assert reports.more(1, RATE, 6 * RATE) == pytest.approx(RATE, rel=0.05)
    for _ in range(20):
        assert reports.more(5) == pytest.approx(RATE, rel=0.05)


def test_every_other_packet_lost_is_half_the_rate() -> None:
    reports = Reports()
    assert reports.tell(reports.make(20)[::2]) == pytest.approx(RATE / 2, rel=0.05)


def test_reports_out_of_order_heal() -> None:
    reports = Reports()
    assert reports.more(20) == RATE
    delayed, later = reports.make(10), reports.make(10)
    assert reports.tell(later) < RATE
    assert reports.tell(delayed) == RATE
    for _ in range(10):
        assert reports.more(15) == RATE


def test_a_packet_overtaken_by_a_second_does_not_stretch_the_sending() -> None:
    reports = Reports(SECOND_US // 2)
    (sent_us, _, size), = reports.make(1)
    for _ in range(10):
        rate = reports.more(10)
    assert rate == RATE
    assert reports.tell([(sent_us, reports.arrival_us, size)]) == pytest.approx(RATE, rel=0.05)
    for _ in range(10):
        assert reports.more(10) == pytest.approx(RATE, rel=0.05)


def test_a_clock_set_back_begins_a_new_window() -> None:
    reports = Reports()
    assert reports.more(20) == RATE
    reports.arrival_us -= 2 * SECOND_US
    assert reports.more(20, 2 * RATE, 2 * RATE) == 2 * RATE


def test_what_was_before_a_pause_does_not_count() -> None:
    reports = Reports()
    assert reports.more(20) == RATE
    reports.send_us += 60 * SECOND_US
    reports.arrival_us += 60 * SECOND_US
    assert reports.more(5) == -1
    for _ in range(4):
        assert reports.more(5) == RATE


def test_the_window_has_bounds() -> None:
    reports = Reports()
    reports.more(2_000, 1_000_000, 1_000_000)
    assert reports.through.packets == 500
    reports.more(100, 20_000, 20_000)
    assert reports.through.packets == 21, "packets 50 ms apart: a second holds 20"
    for _ in range(20):
        reports.more(1, 1_000, 1_000)
    assert reports.through.packets == 6, "a second apart: five seconds at most"
    assert reports.through.bps == -1


def test_bursts_of_one_moment_give_a_finite_rate() -> None:
    through = ThroughputFace()
    for _ in range(100):
        through.add(5, 5, 1200)
    assert through.bps == 99 * 1200 * 8 * 1000, "over a millisecond"


def test_a_wrong_argument_is_an_error() -> None:
    for min_window_us in (-1, 5_000_001):
        with pytest.raises(ValueError, match="min_window_us"):
            ThroughputFace(min_window_us)
    for send_us, arrival_us in [(1 << 60, 0), (0, -(1 << 60))]:
        with pytest.raises(ValueError, match="time"):
            ThroughputFace().add(send_us, arrival_us, 1)
    with pytest.raises(ValueError, match="size"):
        ThroughputFace().add(0, 0, -1)


class Reference:
    """The window as a sorted list, gone through in full each time."""

    def __init__(self) -> None:
        self.window: list[tuple[int, int, int]] = []       # arrival, sending, size
        self.discarded_us = -(1 << 62)

    def add(self, send_us: int, arrival_us: int, size_bytes: int) -> None:
        if self.window and self.window[-1][0] - arrival_us > SECOND_US:
            self.window, self.discarded_us = [], -(1 << 62)
            return
        place = len(self.window)
        while place and self.window[place - 1][0] > arrival_us:
            place -= 1
        self.window.insert(place, (arrival_us, send_us, size_bytes))
        while (
            (span_us := self.window[-1][0] - self.window[0][0]) > 5 * SECOND_US
            or len(self.window) > 500
            or (len(self.window) > 20 and span_us > SECOND_US)
        ):
            self.discarded_us = max(self.discarded_us, self.window.pop(0)[1])

    def bps(self) -> int:
        if len(self.window) < 10:
            return -1
        gaps = sorted(later[0] - earlier[0] for earlier, later in zip(self.window, self.window[1:], strict=False))
        span_us = self.window[-1][0] - self.window[0][0] - gaps[-1] + gaps[-2]
        received = sum(packet[2] for packet in self.window[1:]) * 8 * SECOND_US // max(span_us, 1000)
        sent = [packet for packet in self.window if packet[1] >= self.discarded_us]
        if len(sent) < 10:
            return received
        last = max(sent, key=lambda packet: packet[1])
        span_us = last[1] - min(packet[1] for packet in sent)
        return min(received, (sum(packet[2] for packet in sent) - last[2]) * 8 * SECOND_US // max(span_us, 1000))


steps = st.lists(
    st.tuples(
        st.integers(-2_000, 40_000) | st.integers(-300_000, 2_000_000) | st.just(0),
        st.integers(-2_000, 40_000) | st.integers(-1_200_000, 2_000_000) | st.just(0),
        st.integers(0, 1500),
        st.integers(1, 12),
    ),
    min_size=1,
    max_size=80,
)


@settings(deadline=None)
@given(steps, st.integers(-(1 << 59), 1 << 59), st.integers(-(1 << 59), 1 << 59))
def test_it_agrees_with_a_list(moves: list[tuple[int, int, int, int]], send_us: int, arrival_us: int) -> None:
    through, reference = ThroughputFace(), Reference()
    for send_step_us, arrival_step_us, size, times in moves:
        for _ in range(times):
            send_us += send_step_us
            arrival_us += arrival_step_us
            through.add(send_us, arrival_us, size)
            reference.add(send_us, arrival_us, size)
        assert through.packets == len(reference.window)
        assert through.bps == reference.bps()


times = st.integers(-(1 << 60) + 1, (1 << 60) - 1) | st.integers(-50_000, 50_000)


@settings(deadline=None)
@given(st.lists(st.tuples(times, times, st.integers(0, (1 << 31) - 1)), max_size=600))
def test_no_times_break_it(packets: list[tuple[int, int, int]]) -> None:
    through = ThroughputFace()
    for packet in packets:
        through.add(*packet)
        assert -1 <= through.bps < 1 << 62
        assert through.packets <= 500
