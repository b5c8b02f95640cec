"""The estimator whole: bounds, faults and attacks. How well it estimates is for the simulator to say."""

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from mediarouter.congestion import SendSideEstimator, TwccRecorder
from mediarouter.congestion._ccfb import CcfbRecorder
from mediarouter.rtcp import Ccfb, Pli, Remb, Twcc

PACKET = 1200
MS = 1000
SECOND = 1_000_000


class Path:
    """A link of a capacity with a queue as long as it takes, and a receiver's feedback after a round trip."""

    def __init__(self, estimator: SendSideEstimator, capacity_bps: int, delay_us: int = 25 * MS) -> None:
        self.estimator, self.capacity_bps, self.delay_us = estimator, capacity_bps, delay_us
        self.recorder = TwccRecorder(1, 2)
        self.seq = self.now_us = self.free_us = 0
        self.reports: list[tuple[int, bytes]] = []
        self.arrivals: list[tuple[int, int]] = []

    def send(self, cluster: int = 0) -> None:
        self.estimator.on_packet_sent(self.seq, PACKET, self.now_us, cluster)
        self.free_us = max(self.free_us, self.now_us) + PACKET * 8 * SECOND // self.capacity_bps
        self.arrivals.append((self.free_us + self.delay_us, self.seq))
        self.seq += 1

    def step(self, us: int = 5 * MS) -> None:
        self.now_us += us
        while self.arrivals and self.arrivals[0][0] <= self.now_us:
            at_us, seq = self.arrivals.pop(0)
            self.poll(at_us)
            self.recorder.on_packet(seq & 0xFFFF, at_us)
        self.poll(self.now_us)
        while self.reports and self.reports[0][0] <= self.now_us:
            self.estimator.on_feedback(self.reports.pop(0)[1], self.now_us)
        self.estimator.poll(self.now_us)

    def poll(self, at_us: int) -> None:
        while (data := self.recorder.poll_feedback(at_us)) is not None:
            self.reports.append((at_us + self.delay_us, data))

    def run(self, seconds: float, rate: float = 1.0) -> list[int]:
        """Send at a share of the target, and all probes; the target at each step."""
        targets, owed = [], 0.0
        for _ in range(round(seconds * 200)):
            owed += self.estimator.target_bps * rate / 200
            while owed >= PACKET * 8:
                owed -= PACKET * 8
                self.send()
            while (probe := self.estimator.poll_probe(self.now_us)) is not None:
                for _ in range(max(probe.packets, -(-probe.bytes // PACKET)) + 1):
                    self.send(probe.id)
                    self.now_us += PACKET * 8 * SECOND // probe.rate_bps
            self.step()
            targets.append(self.estimator.target_bps)
        return targets


def test_it_finds_what_a_link_carries_within_a_second_and_stays_there():
    path = Path(SendSideEstimator(300_000), 2_000_000)
    targets = path.run(20)
    assert targets[200] >= 1_500_000
    assert all(1_400_000 <= target <= 2_200_000 for target in targets[400:])


def test_it_falls_when_the_link_does():
    path = Path(SendSideEstimator(300_000), 2_000_000)
    path.run(10)
    path.capacity_bps = 500_000
    targets = path.run(5)
    assert min(targets[:300]) <= 500_000
    assert max(targets[400:]) <= 600_000
    assert path.estimator.rtt_us is not None


def test_the_budget_falls_before_the_trend_is_sure():
    """When all packets of a report waited much longer than those of the last, the streams need not wait for more."""
    estimator, recorder = SendSideEstimator(2_000_000), TwccRecorder(1, 2)

    def report(number: int, waits_us: list[int]) -> None:
        """Five packets of one frame, and what is known of them a moment later."""
        began_us = SECOND + number * 50 * MS
        for i in range(5):
            estimator.on_packet_sent(5 * number + i, PACKET, began_us)
        for i, wait_us in enumerate(waits_us):
            at_us = began_us + 20 * MS + wait_us
            while (data := recorder.poll_feedback(at_us)) is not None:
                estimator.on_feedback(data, at_us + 20 * MS)
            recorder.on_packet(5 * number + i, at_us)
        at_us = began_us + 60 * MS + 200 * MS
        while (data := recorder.poll_feedback(at_us)) is not None:
            estimator.on_feedback(data, at_us)

    for number in range(40):
        report(number, [i * MS for i in range(5)])
    before_bps = estimator.target_bps
    assert estimator.budget_bps > 0.99 * before_bps
    report(40, [80 * MS + i * 20 * MS for i in range(5)])  # one arrives each 20 ms: 480 kbit/s
    assert estimator.target_bps >= 0.99 * before_bps, "not yet"
    assert estimator.budget_bps == pytest.approx(480_000 * 0.85 * (1 - 0.16), rel=0.02)
    report(41, [60 * MS + i * MS for i in range(5)])
    assert estimator.budget_bps > 900_000, "it becomes shorter: the target counts again, less what stands"


def test_the_budget_leaves_room_for_the_queue_to_empty_and_no_more():
    path = Path(SendSideEstimator(300_000), 2_000_000)
    path.run(10)
    path.capacity_bps = 1_000_000
    path.run(0.7)
    queue_us = path.free_us - path.now_us
    assert queue_us > 100 * MS
    expected = path.estimator.target_bps * (1 - queue_us / SECOND)
    assert path.estimator.budget_bps == pytest.approx(expected, rel=0.25)
    path.run(3, 0.8)
    assert path.estimator.budget_bps == pytest.approx(path.estimator.target_bps, rel=0.05)


def test_a_round_trip_is_measured_by_reports():
    path = Path(SendSideEstimator(300_000), 5_000_000, delay_us=40 * MS)
    path.run(5, rate=0.3)
    assert path.estimator.rtt_us is not None
    assert 80 * MS <= path.estimator.rtt_us <= 100 * MS


def test_r11_application_limited_it_does_not_grow_without_a_probe():
    """A sender that sends little proves little: the estimate stays below twice what arrives (STREAMS R11)."""
    path = Path(SendSideEstimator(300_000), 50_000_000)
    path.run(3)
    before = path.estimator.target_bps
    path.estimator.set_demand(100_000, 100_000)
    targets = path.run(30, rate=0.1)
    assert max(targets) <= before * 1.1


def test_without_feedback_the_target_falls_and_comes_back_with_it():
    path = Path(SendSideEstimator(1_000_000), 5_000_000)
    path.run(3, rate=0.5)
    before = path.estimator.target_bps
    recorder, path.recorder = path.recorder, TwccRecorder(1, 2)
    path.recorder = type("Mute", (), {"on_packet": lambda *_: None, "poll_feedback": lambda *_: None})()
    path.reports.clear()
    assert path.run(3)[-1] < before / 4
    path.recorder = recorder
    path.estimator.set_demand(before, before // 8)
    assert path.run(5)[-1] > 500_000


def test_of_who_never_gave_feedback_the_start_is_all_that_is_known():
    estimator = SendSideEstimator(1_000_000)
    for seq in range(2000):
        estimator.on_packet_sent(seq, PACKET, seq * 5 * MS)
        estimator.poll(seq * 5 * MS)
    assert estimator.target_bps == 1_000_000


def test_remb_caps_at_once_and_gives_back_at_once():
    path = Path(SendSideEstimator(1_000_000), 5_000_000)
    path.run(3)
    before = path.estimator.target_bps
    path.estimator.on_feedback(bytes(Remb(1, 250_000)), path.now_us)
    assert path.estimator.target_bps <= 250_000
    path.estimator.on_feedback(bytes(Remb(1, 0)), path.now_us)
    assert path.estimator.target_bps == before


def test_limits_hold_at_once_and_may_be_lifted_again():
    path = Path(SendSideEstimator(1_000_000), 5_000_000)
    path.estimator.set_demand(4_000_000, 1_000_000)
    path.run(5)
    assert path.estimator.target_bps > 3_000_000
    path.estimator.set_limits(100_000, 700_000)
    assert path.estimator.target_bps == 700_000
    assert max(path.run(5)) == 700_000
    path.estimator.set_limits(100_000, 100_000_000)
    assert path.run(3)[-1] > 3_000_000
    path.capacity_bps = 300_000
    path.estimator.set_limits(2_000_000, 100_000_000)
    assert min(path.run(3)) >= 2_000_000


def test_a_lifted_limit_alone_calls_for_no_probe():
    path = Path(SendSideEstimator(1_000_000, max_bps=1_000_000), 50_000_000)
    path.run(5)
    before = path.estimator.counters["probes"]
    path.estimator.set_limits(10_000, 100_000_000)
    path.estimator.set_demand(900_000, 900_000)
    path.run(3, rate=0.8)
    assert path.estimator.counters["probes"] == before


def test_other_rtcp_and_rubbish_say_nothing():
    estimator = SendSideEstimator()
    assert estimator.on_feedback(bytes(Pli(1, 2)), 0) == 0
    assert estimator.on_feedback(b"", 0) == 0
    assert estimator.on_feedback(b"\x8f\xcd\x00\x01abcd", 0) == 0
    assert estimator.counters["malformed"] == 1
    assert estimator.target_bps == 1_000_000


def test_more_reports_than_any_client_sends_are_refused():
    estimator = SendSideEstimator()
    for seq in range(3000):
        estimator.on_packet_sent(seq, PACKET, seq * 1000)
    for i in range(3000):
        estimator.on_feedback(bytes(Twcc(1, 2, i, [i * 1000], i & 0xFF)), 3 * SECOND + i * 1000)
    counters = estimator.counters
    assert counters["reports"] + counters["refused"] == 3000
    assert counters["reports"] <= 20 + 3 * 200


def test_feedback_for_packets_never_sent_is_counted_and_moves_nothing():
    estimator = SendSideEstimator()
    for seq in range(10):
        estimator.on_packet_sent(seq, PACKET, seq * 1000)
    estimator.on_feedback(bytes(Twcc(1, 2, 5000, [n * 250 for n in range(500)])), SECOND)
    assert estimator.counters["unknown"] == 500
    assert estimator.target_bps == 1_000_000


class StreamPath(Path):
    """The same, with a receiver that reports by RFC 8888: packets of three streams in turn."""

    def __init__(self, estimator: SendSideEstimator, capacity_bps: int, delay_us: int = 25 * MS) -> None:
        super().__init__(estimator, capacity_bps, delay_us)
        self.streams = CcfbRecorder(1)

    def send(self, cluster: int = 0) -> None:
        ssrc, rtp_seq = self.name(self.seq)
        self.estimator.on_packet_sent(self.seq, PACKET, self.now_us, cluster, ssrc=ssrc, rtp_seq=rtp_seq)
        self.free_us = max(self.free_us, self.now_us) + PACKET * 8 * SECOND // self.capacity_bps
        self.arrivals.append((self.free_us + self.delay_us, self.seq))
        self.seq += 1

    def step(self, us: int = 5 * MS) -> None:
        for at_us, seq in [arrival for arrival in self.arrivals if arrival[0] <= self.now_us + us]:
            self.poll_streams(at_us)
            self.streams.on_packet(*self.name(seq), at_us, PACKET)
        self.arrivals = [arrival for arrival in self.arrivals if arrival[0] > self.now_us + us]
        self.poll_streams(self.now_us + us)
        super().step(us)

    def poll_streams(self, at_us: int) -> None:
        while (data := self.streams.poll_feedback(at_us)) is not None:
            self.reports.append((at_us + self.delay_us, data))

    @staticmethod
    def name(seq: int) -> tuple[int, int]:
        return 1000 + seq % 3, 65_000 + seq // 3 & 0xFFFF


def test_reports_of_rfc_8888_tell_it_the_same():
    targets = {}
    for kind in (Path, StreamPath):
        path = kind(SendSideEstimator(300_000), 2_000_000)
        targets[kind] = path.run(20)
        assert targets[kind][200] >= 1_500_000
        assert all(1_400_000 <= target <= 2_350_000 for target in targets[kind][400:])
        path.capacity_bps = 500_000
        assert path.run(3)[-1] <= 550_000
        counters = path.estimator.counters
        assert (counters["malformed"], counters["unknown"], counters["unknown_streams"]) == (0, 0, 0)
    means = [sum(those[400:]) / len(those[400:]) for those in targets.values()]
    assert abs(means[0] - means[1]) < 0.05 * means[0]


def test_of_rfc_8888_marks_and_what_is_not_ours_are_counted():
    estimator = SendSideEstimator()
    for number in range(10):
        estimator.on_packet_sent(number, PACKET, number * 1000, ssrc=5, rtp_seq=number)
    estimator.on_packet_sent(10, PACKET, 10_000)  # which such reports cannot name
    marked = [(3, 9 - n) for n in range(10)]
    told = estimator.on_feedback(bytes(Ccfb(1, 65_536, [(5, 0, marked), (6, 0, [(0, 0)]), (5, 20, [(0, 0)])])), SECOND)
    counters = estimator.counters
    assert told == 10
    assert (counters["congestion_marks"], counters["unknown_streams"], counters["unknown"]) == (10, 1, 1)


def test_streams_out_of_range_are_refused():
    estimator = SendSideEstimator()
    for ssrc in (-1, 1 << 32):
        with pytest.raises(OverflowError):
            estimator.on_packet_sent(0, PACKET, 0, ssrc=ssrc)
    for ssrc in range(4095):
        estimator.on_packet_sent(ssrc, PACKET, 0, ssrc=ssrc)
    with pytest.raises(ValueError, match="4095 streams"):
        estimator.on_packet_sent(4095, PACKET, 0, ssrc=4095)
    estimator.on_packet_sent(4095, PACKET, 0, ssrc=4094)


def test_it_is_small():
    assert SendSideEstimator().memory_size <= 64 * 1024


@pytest.mark.parametrize(
    "limits",
    [(999, 999, 10**6), (10**6, 2 * 10**6, 3 * 10**6), (4 * 10**6, 1000, 10**6), (10**6, 1000, 10**9 + 1)],
)
def test_limits_out_of_order_are_refused(limits):
    start_bps, min_bps, max_bps = limits
    with pytest.raises(ValueError, match="rates must be"):
        SendSideEstimator(start_bps, min_bps, max_bps)


@pytest.mark.parametrize("limits", [(999, 10**6), (2 * 10**6, 10**6), (1000, 10**9 + 1)])
def test_other_limits_out_of_order_are_refused_and_change_nothing(limits):
    estimator = SendSideEstimator(1_000_000)
    with pytest.raises(ValueError, match="rates must be"):
        estimator.set_limits(*limits)
    assert estimator.target_bps == 1_000_000


def test_arguments_out_of_range_are_refused():
    estimator = SendSideEstimator()
    for size, cluster in ((0, 0), (65_536, 0), (100, -1), (100, 256)):
        with pytest.raises(ValueError, match="is not in"):
            estimator.on_packet_sent(0, size, 0, cluster)
    with pytest.raises(ValueError, match="time out of range"):
        estimator.poll(1 << 60)
    with pytest.raises(ValueError, match="demand"):
        estimator.set_demand(-1, 0)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([1, 100, 10_000, 3_000_000, 10**10]))
def test_forged_feedback_stays_within_the_limits(seed, jump_us):
    """Whatever times are told, and of whatever packets: the target stays in its limits, and time goes on."""
    rng = random.Random(seed)
    estimator = SendSideEstimator(500_000, 100_000, 3_000_000)
    now_us = seq = 0
    for _ in range(60):
        for _ in range(rng.randrange(40)):
            estimator.on_packet_sent(seq & 0xFFFF, rng.randrange(1, 1500), now_us, rng.choice([0, 0, 0, 1, 2]))
            seq += 1
            now_us += rng.randrange(20_000)
        base = (seq - rng.randrange(100)) & 0xFFFF
        at_us = rng.randrange(-jump_us, jump_us + 1)
        arrivals = [None if rng.random() < 0.2 else at_us + rng.randrange(200_000) for _ in range(60)]
        if any(arrival is not None for arrival in arrivals):
            estimator.on_feedback(bytes(Twcc(1, 2, base, arrivals, rng.randrange(256))), now_us)
        due_us = estimator.poll(now_us)
        assert due_us is None or due_us >= now_us or estimator.poll_probe(now_us) is not None
        probes = 0
        while estimator.poll_probe(now_us) is not None:
            probes += 1
        assert probes <= 8
        assert 100_000 <= estimator.target_bps <= 3_000_000
        assert 0 < estimator.budget_bps <= estimator.target_bps
