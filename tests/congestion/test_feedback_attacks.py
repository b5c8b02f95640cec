"""Feedback that means harm: the estimate keeps its bounds, the work is bounded, and honest feedback heals."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from mediarouter.congestion import SendSideEstimator
from tests.congestion.attacks import ALL, ATTACKS, LOST, SMALL, STEP_US, Sent, raw, run_of
from tests.congestion.test_send_side import MS, PACKET, SECOND, Path

MIN_BPS, MAX_BPS = 200_000, 4_000_000
REPORTS_A_SECOND, BURST = 200, 20
LOOKED_AT = 4096  # statuses of a report at most


class Attacked(Path):
    """A path whose receiver may be replaced by an attacker."""

    def __init__(self) -> None:
        super().__init__(SendSideEstimator(1_000_000, MIN_BPS, MAX_BPS), 2_000_000)
        self.sent = Sent()
        self.attack = None
        self.given = 0

    def step(self, us: int = STEP_US) -> None:
        self.now_us += us
        self.sent.now_us, self.sent.steps = self.now_us, self.sent.steps + 1
        while self.arrivals and self.arrivals[0][0] <= self.now_us:
            at_us, seq = self.arrivals.pop(0)
            self.sent.packets.append((seq, at_us))
            if self.attack is None:
                self.poll(at_us)
                self.recorder.on_packet(seq & 0xFFFF, at_us)
        if self.attack is not None:
            for report in self.attack(self.sent):
                self.estimator.on_feedback(report, self.now_us)
                self.given += 1
                self.check()
        else:
            self.poll(self.now_us)
            while self.reports and self.reports[0][0] <= self.now_us:
                self.estimator.on_feedback(self.reports.pop(0)[1], self.now_us)
        due_us = self.estimator.poll(self.now_us)
        if due_us is not None and due_us < self.now_us:  # a probe, or the end of waiting for what one has shown
            while self.estimator.poll_probe(self.now_us) is not None:
                pass
            due_us = self.estimator.poll(self.now_us)
            assert due_us is None or due_us >= self.now_us, "due for ever"
        self.check()

    def check(self) -> None:
        estimator = self.estimator
        assert MIN_BPS <= estimator.target_bps <= MAX_BPS
        assert MIN_BPS <= estimator.budget_bps <= estimator.target_bps
        assert estimator.pacing_bps == estimator.target_bps * 5 // 2
        assert estimator.rtt_us is None or estimator.rtt_us >= 0
        assert estimator.acked_bps is None or estimator.acked_bps >= 0


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_moves_the_estimate_within_its_bounds_and_honesty_heals(name):
    path = Attacked()
    path.run(3)
    before = path.estimator.counters
    path.attack = ATTACKS[name]
    path.run(5)
    path.attack = None
    after = path.estimator.counters
    taken = after["reports"] - before["reports"]
    assert path.given
    assert taken + after["refused"] + after["malformed"] == path.given
    assert taken <= BURST + 6 * REPORTS_A_SECOND
    assert after["statuses"] - before["statuses"] <= taken * LOOKED_AT
    assert after["probes"] - before["probes"] <= 40
    path.estimator.set_demand(4_000_000, 500_000)
    healed = path.run(15)[-400:]
    assert max(healed) >= 1_200_000 and sum(healed) / len(healed) <= 2_600_000


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(ATTACKS)), min_size=2, max_size=8), st.integers(0, 1 << 32))
def test_attacks_in_any_order_keep_the_bounds(names, seed):
    path = Attacked()
    path.sent.dice.seed(seed)
    for name in names:
        path.attack = ATTACKS[name]
        path.run(0.5)
        path.estimator.set_demand(path.sent.dice.randrange(8_000_000), path.sent.dice.randrange(1_000_000))
    assert path.given


def test_of_a_thousand_reports_a_second_a_fifth_is_taken():
    path = Attacked()
    path.run(1)
    path.attack = ATTACKS["a thousand reports a second"]
    before = path.estimator.counters["reports"]
    path.run(5)
    counters = path.estimator.counters
    assert path.given == 5000
    assert counters["reports"] - before <= BURST + 5 * REPORTS_A_SECOND + REPORTS_A_SECOND
    assert counters["refused"] >= 3700


def test_repeated_and_reordered_feedback_comes_to_the_same():
    """Each report three times, and each pair the wrong way round: what they tell is told once."""
    estimates = []
    for times in (1, 3):
        path = Path(SendSideEstimator(1_000_000, MIN_BPS, MAX_BPS), 2_000_000)
        feed = path.estimator.on_feedback

        class Again:
            def __getattr__(self, name, inner=path.estimator):
                return getattr(inner, name)

            def on_feedback(self, rtcp, now_us, feed=feed, times=times):
                return [feed(rtcp, now_us) for _ in range(times)][0]

        path.estimator = Again()
        estimates.append(path.run(8))
    assert estimates[0] == estimates[1]


def test_of_65_535_statuses_no_more_than_the_history_holds_are_looked_at():
    estimator = SendSideEstimator(1_000_000, MIN_BPS, MAX_BPS)
    for seq in range(5000):
        estimator.on_packet_sent(seq, PACKET, seq * MS)
    for symbol, deltas in ((LOST, b""), (SMALL, bytes(60_000))):
        count = ALL if symbol == LOST else 60_000
        before = estimator.counters
        assert estimator.on_feedback(raw(5000 - 4096, count, run_of(symbol, count), deltas), 6 * SECOND) <= LOOKED_AT
        counters = estimator.counters
        assert counters["reports"] - before["reports"] == 1
        assert counters["statuses"] - before["statuses"] == LOOKED_AT
        assert MIN_BPS <= estimator.target_bps <= MAX_BPS


def test_a_report_that_promises_more_than_it_has_changes_nothing():
    estimator = SendSideEstimator(1_000_000, MIN_BPS, MAX_BPS)
    for seq in range(100):
        estimator.on_packet_sent(seq, PACKET, seq * MS)
    for count, chunks, deltas in ((100, run_of(SMALL, 100), bytes(90)), (ALL, run_of(LOST, 8191), b"")):
        assert estimator.on_feedback(raw(0, count, chunks, deltas), SECOND) == 0
    assert estimator.counters["malformed"] == 2
    assert (estimator.counters["statuses"], estimator.target_bps) == (0, 1_000_000)
