"""Probing for what a viewer could use next: when, how fast and what it costs, in virtual time on a plain link."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._probe_controller import LIMITS, Probe, ProbePlanner

MS, S = 1_000, 1_000_000
BEGIN_US = 10 * S
LAYERS_BPS = (150_000, 500_000, 1_500_000)


class Clock:
    """A planner after its initial probes, and the time."""

    def __init__(self, estimate_bps: int = 600_000) -> None:
        self.planner = ProbePlanner(estimate_bps, 30_000, 10_000_000, BEGIN_US)
        self.now_us = BEGIN_US
        self.poll()
        self.now_us += 10 * S
        assert self.poll() == []

    def poll(self) -> list[Probe]:
        probes = []
        while (probe := self.planner.poll(self.now_us)) is not None:
            probes.append(probe)
        due_us = self.planner.poll_timeout()
        assert due_us is None or due_us > self.now_us
        return probes

    def demand(self, demand_bps: int, in_use_bps: int) -> list[int]:
        self.planner.set_demand(demand_bps, in_use_bps, self.now_us)
        return [probe.rate_bps for probe in self.poll()]

    def estimate(self, bps: int, limited_by: str = "delay") -> list[int]:
        self.planner.set_estimate(bps, limited_by, self.now_us)  # type: ignore[arg-type]
        return [probe.rate_bps for probe in self.poll()]

    def run(self, duration_us: int) -> list[tuple[int, int]]:
        """Follow the deadlines: when, from the call on, and at which rate."""
        begin_us, end_us, sent = self.now_us, self.now_us + duration_us, []
        while (due_us := self.planner.poll_timeout()) is not None and due_us <= end_us:
            self.now_us = due_us
            sent += [(self.now_us - begin_us, probe.rate_bps) for probe in self.poll()]
        self.now_us = end_us
        return sent


def probed(demand_bps: int) -> int:
    """At which rate, if the estimate allows it: results come out a little low."""
    return demand_bps * 105 // 100


def test_a_demand_is_probed_at_once_then_after_a_second_then_each_second_and_a_half() -> None:
    clock = Clock()
    assert clock.demand(900_000, 500_000) == [probed(900_000)]
    sent = clock.run(60 * S)
    gaps = [later - earlier for earlier, later in zip([0] + [t for t, _ in sent], [t for t, _ in sent], strict=False)]
    assert gaps[0] == 1 * S and set(gaps[1:]) == {3 * S // 2}
    assert {rate for _, rate in sent} == {probed(900_000)}
    assert len(sent) == 40


def test_nothing_is_probed_while_the_estimate_is_enough() -> None:
    clock = Clock()
    assert clock.demand(600_000, 500_000) == [] and clock.planner.poll_timeout() is None
    assert clock.run(3600 * S) == []
    assert clock.demand(0, 0) == [] and clock.run(3600 * S) == []


def test_it_stops_when_demand_is_met() -> None:
    clock = Clock()
    clock.demand(900_000, 500_000)
    assert clock.estimate(900_000) == []
    assert clock.run(60 * S) == []


def test_an_estimate_that_falls_below_demand_is_probed_again() -> None:
    clock = Clock()
    clock.demand(590_000, 500_000)
    assert clock.estimate(560_000) == [probed(590_000)]


def test_a_larger_demand_is_new_and_probed_at_once() -> None:
    clock = Clock()
    clock.demand(800_000, 500_000)
    clock.run(20 * S)
    assert clock.demand(850_000, 500_000) == [], "no more than 10 percent: the same"
    assert clock.demand(1_000_000, 500_000) == [probed(1_000_000)]
    assert clock.run(2 * S)[0] == (S, probed(1_000_000)), "and waits begin anew"


@pytest.mark.parametrize(("away_us", "wait_us"), [(9 * S, 3 * S // 2), (10 * S, S)])
def test_demand_that_returns_after_ten_seconds_is_new(away_us: int, wait_us: int) -> None:
    clock = Clock()
    clock.demand(900_000, 500_000)
    clock.run(20 * S)
    clock.demand(0, 500_000)
    assert clock.run(away_us) == []
    assert clock.demand(900_000, 500_000) == [probed(900_000)], "it was its turn, too"
    assert clock.run(12 * S)[0] == (wait_us, probed(900_000))


def test_a_probe_is_no_more_than_twice_the_estimate() -> None:
    assert Clock().demand(3_000_000, 500_000) == [1_200_000]
    assert Clock(100_000).demand(3_000_000, 50_000) == [300_000], "or 300 kbit/s"
    assert Clock(100_000).demand(120_000, 50_000) == [probed(120_000)], "or what is wanted"


def test_success_leads_on_until_demand_is_probed() -> None:
    clock = Clock()
    assert clock.demand(3_000_000, 500_000) == [1_200_000]
    clock.planner.on_result(3, 1_150_000, clock.now_us)
    assert clock.estimate(1_150_000) == [2_300_000]
    clock.planner.on_result(4, 2_300_000, clock.now_us)
    assert clock.estimate(2_300_000) == [probed(3_000_000)]
    clock.planner.on_result(5, 2_900_000, clock.now_us)
    assert clock.estimate(2_900_000) == [], "demand itself was probed; no second try at once"
    cost_bits = (1_200_000 + 2_300_000 + 3_150_000) * 15 // 1000
    paid_us = (cost_bits - 25_000) * S // 25_000
    assert clock.run(5 * S)[0] == (paid_us, probed(3_000_000)), "5 % of 500 kbit/s have paid for the round"


def test_no_success_does_not_lead_on() -> None:
    clock = Clock()
    assert clock.demand(3_000_000, 500_000) == [1_200_000]
    clock.planner.on_result(3, 800_000, clock.now_us)
    assert clock.estimate(800_000) == []
    clock = Clock()
    clock.demand(3_000_000, 500_000)
    assert clock.estimate(1_000_000) == [], "an estimate that grew without a result of the probe"
    clock = Clock()
    clock.demand(3_000_000, 500_000)
    clock.planner.on_result(3, 1_200_000, clock.now_us)
    assert clock.estimate(700_000, "loss-increasing") == [], "a result that did not count for much"


def test_met_half_way_does_not_lead_on() -> None:
    clock = Clock()
    clock.demand(3_000_000, 500_000)
    clock.demand(1_000_000, 500_000)
    clock.planner.on_result(3, 1_200_000, clock.now_us)
    assert clock.estimate(1_200_000) == [] and clock.run(60 * S) == []


def test_a_probe_that_raised_the_estimate_is_tried_again_soon() -> None:
    clock = Clock()
    clock.demand(900_000, 500_000)
    clock.run(20 * S)
    clock.estimate(700_000)
    first, second = clock.run(12 * S)[:2]
    assert second[0] - first[0] == S


def test_growing_by_less_than_5_percent_is_no_success() -> None:
    clock = Clock()
    clock.demand(900_000, 500_000)
    clock.run(20 * S)
    clock.estimate(629_000)
    first, second = clock.run(20 * S)[:2]
    assert second[0] - first[0] == 3 * S // 2


def test_growing_after_a_fall_is() -> None:
    clock = Clock()
    clock.demand(900_000, 500_000)
    clock.run(20 * S)
    clock.estimate(300_000)
    clock.estimate(320_000)
    first, second = clock.run(12 * S)[:2]
    assert second[0] - first[0] == S


def test_a_demand_that_was_small_for_a_while_is_new_when_it_is_large_again() -> None:
    clock = Clock()
    assert len(clock.demand(1_600_000, 500_000)) == 1
    clock.run(20 * S)
    assert clock.demand(700_000, 500_000) == []
    clock.run(12 * S)
    assert len(clock.demand(1_600_000, 500_000)) == 1


def test_a_debt_is_forgotten_in_a_minute() -> None:
    planner = ProbePlanner(1_000_000_000, 30_000, 2_000_000_000, BEGIN_US)
    while planner.poll(BEGIN_US) is not None:
        pass
    planner.set_demand(1_500_000_000, 1, BEGIN_US + 2 * S)
    assert planner.poll(BEGIN_US + 2 * S) is not None
    due_us = planner.poll_timeout()
    assert due_us is not None and due_us == BEGIN_US + 62 * S


def test_growing_back_is_no_success() -> None:
    """A link at its capacity goes up and down by 15 %, which must not be probed every second."""
    clock = Clock()
    clock.demand(900_000, 500_000)
    sent = 0
    for i in range(600):
        clock.estimate(600_000 - 9_000 * (i % 10))
        sent += len(clock.run(100 * MS))
    assert sent <= 41


def test_congestion_holds_probes_for_a_second() -> None:
    clock = Clock()
    clock.demand(900_000, 500_000)
    clock.run(20 * S)
    clock.estimate(560_000, "overuse")
    assert clock.demand(1_100_000, 500_000) == [] and clock.planner.poll_timeout() is None
    assert clock.run(10 * S) == []
    clock.estimate(560_000, "overuse")
    assert clock.estimate(560_000) == []
    assert clock.run(5 * S)[0] == (S, 2 * 560_000)


def test_a_round_under_way_is_waited_for() -> None:
    clock = Clock()
    assert clock.demand(3_000_000, 500_000) == [1_200_000]
    assert clock.demand(4_000_000, 500_000) == []
    clock.planner.on_result(3, 700_000, clock.now_us)
    assert clock.estimate(700_000) == [1_400_000], "its result is in"


def test_between_60_and_70_percent_of_use_it_does_not_get_stuck() -> None:
    clock = Clock(700_000)
    assert clock.demand(900_000, 455_000) == [probed(900_000)]
    clock.planner.on_result(3, 900_000, clock.now_us)
    assert clock.estimate(900_000) == []


@pytest.mark.parametrize("limited_by", LIMITS)
def test_while_all_is_paused_a_probe_goes_out_every_700_ms(limited_by: str) -> None:
    clock = Clock(100_000)
    clock.demand(172_500, 90_000)
    clock.run(30 * S)
    clock.estimate(100_000, limited_by)
    at_once = clock.demand(172_500, 0)
    assert at_once == [] or limited_by in ("delay", "loss-increasing"), "congestion is not old yet"
    sent = clock.run(30 * S)
    gaps = {later[0] - earlier[0] for earlier, later in zip(sent, sent[1:], strict=False)}
    assert gaps == {700 * MS} and sent[0][0] <= 700 * MS
    assert {rate for _, rate in sent} == {150_000 if limited_by == "loss-increasing" else probed(172_500)}


@pytest.mark.parametrize(("limited_by", "gap_us"), [("overuse", 3 * S), ("rtt", 700 * MS), ("loss", 700 * MS)])
def test_audio_that_overuses_the_link_is_not_disturbed_much(limited_by: str, gap_us: int) -> None:
    """Video is paused, and reports of what still flows tell of congestion every 100 ms."""
    clock = Clock(100_000)
    clock.estimate(100_000, limited_by)
    clock.demand(172_500, 0)
    times = []
    for _ in range(300):
        times += [clock.now_us + at_us for at_us, _ in clock.run(100 * MS)]
        clock.planner.set_estimate(100_000, limited_by, clock.now_us)  # type: ignore[arg-type]
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert len(gaps) >= 8 and all(gap_us <= gap <= gap_us + 100 * MS for gap in gaps)


def test_while_nothing_is_wanted_none_does() -> None:
    clock = Clock(100_000)
    clock.estimate(100_000, "overuse")
    clock.demand(0, 0)
    assert clock.run(3600 * S) == []
    clock.planner.set_available(False, clock.now_us)
    assert clock.demand(172_500, 0) == [] and clock.run(3600 * S) == []


class Viewer:
    """Layers as the estimate allows them, over a link that answers each probe after 150 ms with what it carries."""

    def __init__(self, capacity_bps: int, layers_bps: tuple[int, ...] = LAYERS_BPS) -> None:
        self.layers_bps = layers_bps
        self.capacity_bps = capacity_bps
        self.now_us = BEGIN_US
        self.estimate_bps = 300_000
        self.planner = ProbePlanner(self.estimate_bps, 30_000, 10_000_000, BEGIN_US)
        self.answers: list[tuple[int, int, int]] = []
        self.padding_bytes = 0
        self.media_bytes = 0
        self.probes = 0

    @property
    def in_use_bps(self) -> int:
        return max((layer for layer in self.layers_bps if layer <= self.estimate_bps), default=0)

    def step(self) -> None:
        in_use_bps = self.in_use_bps
        above = [layer for layer in self.layers_bps if layer > in_use_bps]
        demand_bps = in_use_bps + (above[0] - in_use_bps) * 115 // 100 if above else in_use_bps
        self.planner.set_demand(demand_bps, in_use_bps, self.now_us)
        while (probe := self.planner.poll(self.now_us)) is not None:
            self.probes += 1
            self.padding_bytes += max(probe.size_bytes, 1000)
            self.answers.append((self.now_us + 150 * MS, probe.cluster, min(probe.rate_bps, self.capacity_bps)))
        self.media_bytes += in_use_bps // 100 // 8
        self.now_us += 10 * MS
        while self.answers and self.answers[0][0] <= self.now_us:
            _, cluster, bps = self.answers.pop(0)
            self.planner.on_result(cluster, bps, self.now_us)
            self.estimate_bps = bps
            self.planner.set_estimate(bps, "delay", self.now_us)

    def run(self, duration_us: int) -> None:
        end_us = self.now_us + duration_us
        while self.now_us < end_us:
            self.step()

    def fall(self, capacity_bps: int) -> None:
        self.capacity_bps = self.estimate_bps = capacity_bps
        self.planner.set_estimate(capacity_bps, "overuse", self.now_us)


@pytest.mark.parametrize("capacity_bps", [160_000, 350_000, 600_000, 1_000_000, 1_400_000])
def test_padding_is_below_5_percent_while_demand_cannot_be_met(capacity_bps: int) -> None:
    viewer = Viewer(capacity_bps)
    viewer.run(10 * S)
    viewer.padding_bytes = viewer.media_bytes = viewer.probes = 0
    viewer.run(60 * S)
    assert viewer.probes >= 6, "it goes on"
    assert viewer.padding_bytes <= 0.05 * (viewer.padding_bytes + viewer.media_bytes)


def test_met_demand_costs_nothing() -> None:
    viewer = Viewer(5_000_000)
    viewer.run(2 * S)
    viewer.probes = 0
    viewer.run(60 * S)
    assert viewer.in_use_bps == LAYERS_BPS[-1] and viewer.probes == 0


@pytest.mark.parametrize("wait_ms", range(0, 1000, 90))
def test_paused_video_is_back_within_a_second_of_when_it_fits(wait_ms: int) -> None:
    viewer = Viewer(600_000)
    viewer.run(10 * S)
    viewer.fall(60_000)
    viewer.run(20 * S + wait_ms * MS)
    assert viewer.in_use_bps == 0
    viewer.capacity_bps = 2_000_000
    begin_us = viewer.now_us
    while viewer.in_use_bps == 0:
        viewer.step()
    assert viewer.now_us - begin_us <= S


def test_the_top_layer_is_there_soon_after_the_link_opened() -> None:
    viewer = Viewer(2_500_000)
    begin_us = viewer.now_us
    while viewer.in_use_bps < LAYERS_BPS[-1]:
        viewer.step()
    assert viewer.now_us - begin_us <= S, "from the start"
    for wait_ms in range(0, 10_000, 700):
        viewer = Viewer(600_000)
        viewer.run(10 * S)
        viewer.fall(560_000)
        viewer.planner.set_estimate(560_000, "delay", viewer.now_us)
        viewer.run(wait_ms * MS)
        viewer.capacity_bps = 2_500_000
        begin_us = viewer.now_us
        while viewer.in_use_bps < LAYERS_BPS[-1]:
            viewer.step()
        assert viewer.now_us - begin_us <= 11 * S, "a wait and a round or two"


change = st.tuples(st.integers(0, 5_000_000), st.integers(1, 5_000_000), st.booleans(), st.integers(0, 500 * MS))


@settings(max_examples=200)
@given(st.lists(change, min_size=1, max_size=200), st.integers(240_000, 2_000_000))
def test_demand_that_flaps_costs_no_more_than_5_percent(changes: list[tuple[int, int, bool, int]], use: int) -> None:
    """Whatever is wanted and answered: padding within 5 % of use, a second of credit and what a round may owe."""
    clock = Clock(300_000)
    padding_bits = largest_bits = 0
    begin_us = clock.now_us
    for demand_bps, estimate_bps, answered, wait_us in changes:
        clock.planner.set_demand(demand_bps, use, clock.now_us)
        if answered:
            clock.planner.set_estimate(estimate_bps, "delay", clock.now_us)
        due_us, end_us = clock.planner.poll_timeout(), clock.now_us + wait_us
        while True:
            for probe in clock.poll():
                assert probe.kind == "demand"
                padding_bits += max(probe.size_bytes * 8, 8000)
                largest_bits = max(largest_bits, probe.size_bytes * 8, 8000)
            due_us = clock.planner.poll_timeout()
            if due_us is None or due_us > end_us:
                break
            clock.now_us = due_us
        clock.now_us = end_us
    earned_bits = max(use, 240_000) * 5 // 100 * (clock.now_us - begin_us + S) // S
    assert padding_bits <= earned_bits + largest_bits
