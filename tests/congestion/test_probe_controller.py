"""When which probes are made up, in virtual time; the cases of probe_controller that a router has use for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.congestion._probe_controller import KINDS, LIMITS, Probe, ProbePlanner

MS, S = 1_000, 1_000_000
MIN_BPS, START_BPS, MAX_BPS = 100_000, 300_000, 10_000_000
BEGIN_US = 100 * S


class Clock:
    """A planner and the time."""

    def __init__(self, start: int = START_BPS, maximum: int = MAX_BPS, *, periodic: bool = False) -> None:
        self.now_us = BEGIN_US
        self.planner = ProbePlanner(start, MIN_BPS, maximum, self.now_us, periodic=periodic)

    def wait(self, duration_us: int) -> "Clock":
        self.now_us += duration_us
        return self

    def poll(self) -> list[Probe]:
        probes = []
        while (probe := self.planner.poll(self.now_us)) is not None:
            probes.append(probe)
        due_us = self.planner.poll_timeout()
        assert due_us is None or due_us > self.now_us, "else the caller would spin"
        return probes

    def rates(self) -> list[int]:
        return [probe.rate_bps for probe in self.poll()]

    def estimate(self, bps: int, limited_by: str = "delay") -> list[int]:
        self.planner.set_estimate(bps, limited_by, self.now_us)  # type: ignore[arg-type]
        return self.rates()

    def alr(self, limited: bool = True) -> None:
        self.planner.set_alr(self.now_us if limited else None, self.now_us)

    def allocate(self, bps: int) -> list[int]:
        self.planner.set_allocated(bps, self.now_us)
        return self.rates()

    def settled(self, bps: int = START_BPS, limited_by: str = "delay") -> "Clock":
        """Initial probing is over without results."""
        self.poll()
        self.estimate(bps, limited_by)
        assert self.wait(5 * S).rates() == []
        return self


def test_initial_probes_are_at_three_and_six_times_the_start() -> None:
    first, second = Clock().poll()
    assert (first.rate_bps, second.rate_bps) == (3 * START_BPS, 6 * START_BPS)
    assert (first.cluster, second.cluster) == (1, 2)
    assert first.kind == second.kind == "initial"
    assert first.created_us == BEGIN_US


def test_a_cluster_is_five_packets_and_fifteen_milliseconds() -> None:
    first, second = Clock().poll()
    assert (first.packets, first.size_bytes) == (5, 3 * START_BPS * 15 // 8_000 + 1)
    assert second.size_bytes == 6 * START_BPS * 15 // 8_000
    assert repr(first) == (
        "Probe(cluster=1, rate_bps=900000, packets=5, size_bytes=1688, created_us=100000000, kind='initial')"
    )


def test_nothing_is_probed_while_the_transport_cannot_send() -> None:
    clock = Clock()
    clock.planner.set_available(False, clock.now_us)
    assert clock.rates() == [] and clock.planner.poll_timeout() is None
    assert clock.wait(10 * S).rates() == []
    clock.planner.set_available(True, clock.now_us)
    assert clock.rates() == [3 * START_BPS, 6 * START_BPS]


def test_what_waits_is_dropped_when_the_transport_can_send_no_more() -> None:
    clock = Clock()
    assert clock.planner.poll(clock.now_us) is not None
    clock.planner.set_available(False, clock.now_us)
    clock.planner.set_available(True, clock.now_us)
    assert clock.rates() == []


def test_probing_goes_on_while_results_are_above_70_percent() -> None:
    clock = Clock()
    clock.poll()
    assert clock.estimate(1_000_000) == []
    assert clock.estimate(1_260_000) == []
    assert clock.estimate(1_800_000) == [3_600_000]
    assert clock.estimate(2_520_000) == []
    assert clock.estimate(3_000_000) == [6_000_000]
    assert clock.estimate(6_000_000) == [MAX_BPS]
    assert clock.estimate(MAX_BPS) == [], "the maximum has been probed"


def test_results_are_waited_for_one_second() -> None:
    clock = Clock()
    clock.poll()
    assert clock.planner.poll_timeout() == BEGIN_US + S
    assert clock.wait(S).rates() == []
    assert clock.estimate(1_800_000) == []


def test_a_probe_is_not_above_the_maximum() -> None:
    clock = Clock(10_000_000, 100_000_000)
    assert clock.rates() == [30_000_000, 60_000_000]
    assert clock.estimate(60_000_000) == [100_000_000]
    assert clock.estimate(100_000_000) == []


def test_initial_probing_ends_at_a_lowered_maximum() -> None:
    clock = Clock()
    clock.poll()
    clock.planner.set_bounds(MIN_BPS, START_BPS, clock.now_us)
    assert clock.estimate(1_800_000) == []


def test_what_waits_keeps_to_changed_bounds() -> None:
    clock = Clock()
    assert clock.planner.poll(clock.now_us) is not None
    clock.planner.set_bounds(MIN_BPS, 1_000_000, clock.now_us)
    assert clock.rates() == [1_000_000]


def test_initial_probing_ends_at_twice_the_allocation() -> None:
    clock = Clock()
    clock.poll()
    assert clock.allocate(START_BPS) == []
    assert clock.estimate(1_800_000) == []
    clock = Clock()
    assert clock.allocate(450_000) == [900_000], "and one rate is probed once"
    assert Clock().allocate(600_000) == [900_000, 1_200_000]


def test_an_unknown_maximum_is_five_megabits() -> None:
    clock = Clock(2_000_000, 0)
    assert clock.rates() == [5_000_000]


def test_a_raised_maximum_is_probed() -> None:
    clock = Clock().settled()
    clock.planner.set_bounds(MIN_BPS, MAX_BPS + 100, clock.now_us)
    (probe,) = clock.poll()
    assert (probe.rate_bps, probe.kind) == (MAX_BPS + 100, "max")


def test_a_raised_maximum_is_probed_when_the_estimate_was_at_the_old_one() -> None:
    clock = Clock().settled()
    clock.estimate(MAX_BPS)
    clock.planner.set_bounds(MIN_BPS, MAX_BPS + 100, clock.now_us)
    assert clock.rates() == [MAX_BPS + 100]
    clock.planner.set_bounds(MIN_BPS, MAX_BPS, clock.now_us)
    assert clock.rates() == []


def test_more_allocation_is_probed_while_application_limited() -> None:
    clock = Clock().settled(MAX_BPS - 1)
    clock.alr()
    assert clock.allocate(MAX_BPS + 1) == [MAX_BPS]
    clock.alr(False)
    assert clock.allocate(MAX_BPS + 2) == []


def test_an_allocation_probe_is_not_above_twice_the_estimate() -> None:
    clock = Clock().settled()
    clock.alr()
    clock.planner.set_allocated(MAX_BPS, clock.now_us)
    (probe,) = clock.poll()
    assert (probe.rate_bps, probe.kind) == (2 * START_BPS, "allocation")
    assert clock.estimate(START_BPS * 3 // 2) == [3 * START_BPS], "and goes on if it succeeds"


def test_an_allocation_near_the_estimate_is_probed_at_once_and_twice_it() -> None:
    clock = Clock().settled(1_000_000)
    clock.alr()
    assert clock.allocate(1_200_000) == [1_200_000, 2_000_000]


def test_an_unmet_allocation_is_probed_every_five_seconds_while_application_limited() -> None:
    clock = Clock().settled()
    clock.allocate(2_000_000)
    clock.alr()
    times = []
    for _ in range(400):
        times += [clock.now_us for _ in clock.wait(50 * MS).poll()]
        clock.estimate(START_BPS)
    gaps = {later - earlier for earlier, later in zip(times, times[1:], strict=False)}
    assert len(times) == 4 and gaps == {5 * S}
    assert clock.wait(2 * S).estimate(2_000_000) == [] and clock.wait(9 * S).rates() == [], "it is met"


def test_periodic_probing_is_every_five_seconds_at_twice_the_estimate() -> None:
    clock = Clock(periodic=True)
    clock.poll()
    clock.estimate(500_000)
    clock.alr()
    clock.wait(5 * S)
    (probe,) = clock.poll()
    assert (probe.rate_bps, probe.kind) == (1_000_000, "alr")
    assert clock.estimate(500_000) == []
    assert clock.wait(4 * S).estimate(500_000) == []
    assert clock.wait(1 * S).rates() == [1_000_000]
    clock.alr(False)
    assert clock.wait(20 * S).rates() == []


def test_periodic_probing_is_a_switch() -> None:
    clock = Clock().settled()
    clock.alr()
    assert clock.wait(60 * S).rates() == []


def test_twice_the_allocation_caps_periodic_probes() -> None:
    clock = Clock(10_000_000, 100_000_000, periodic=True)
    clock.poll()
    clock.alr()
    clock.estimate(10_000_000)
    assert clock.allocate(9_000_000) == []
    assert clock.wait(5 * S).rates() == [18_000_000]
    assert clock.allocate(0) == []
    assert clock.wait(5 * S).rates() == [20_000_000]


def test_nothing_is_probed_where_it_would_tell_nothing() -> None:
    clock = Clock(periodic=True).settled(MAX_BPS)
    clock.alr()
    assert clock.wait(10 * S).rates() == []
    clock.planner.set_bounds(MIN_BPS, 2 * MAX_BPS, clock.now_us)
    assert clock.rates() == [2 * MAX_BPS]


def test_growing_out_of_loss_probes_are_at_one_and_a_half_times() -> None:
    clock = Clock(periodic=True)
    clock.poll()
    clock.estimate(500_000)
    clock.alr()
    assert len(clock.wait(5 * S).rates()) == 1
    clock.estimate(500_000, "loss-increasing")
    assert clock.wait(6 * S).rates() == [750_000]
    assert clock.estimate(750_000) == [], "a capped one does not go on"
    assert clock.wait(6 * S).rates() == [1_500_000]


def test_growing_out_of_loss_there_is_none_outside_of_application_limits() -> None:
    clock = Clock(periodic=True).settled(START_BPS, "loss-increasing")
    assert clock.wait(5 * S + 1).rates() == []


@pytest.mark.parametrize("limited_by", ["overuse", "rtt", "loss"])
def test_congestion_forbids_all_probes(limited_by: str) -> None:
    clock = Clock(periodic=True).settled(START_BPS, limited_by)
    clock.alr()
    clock.planner.set_demand(2_000_000, 100_000, clock.now_us)
    assert clock.allocate(5_000_000) == []
    assert clock.wait(60 * S).rates() == []
    clock.planner.set_bounds(MIN_BPS, 2 * MAX_BPS, clock.now_us)
    clock.planner.on_recovered(clock.now_us)
    assert clock.rates() == [] and clock.planner.poll_timeout() is None
    assert clock.estimate(START_BPS) == [2 * START_BPS]
    assert clock.wait(S).rates() == [START_BPS * 175 // 100]


@pytest.mark.parametrize("limited_by", ["overuse", "rtt", "loss"])
def test_congestion_drops_what_waits_and_ends_the_round(limited_by: str) -> None:
    clock = Clock()
    clock.planner.poll(clock.now_us)
    assert clock.estimate(START_BPS, limited_by) == []
    assert clock.estimate(1_800_000) == []
    clock = Clock()
    clock.poll()
    assert clock.estimate(1_800_000, limited_by) == []
    assert Clock().estimate(START_BPS, limited_by) == [], "nor does the first round begin"


def fallen(*, limited: bool | None) -> Clock:
    """From 500 to 250 kbit/s, application-limited, not any more, or not at all."""
    clock = Clock()
    clock.poll()
    clock.estimate(500_000)
    if limited is not None:
        clock.alr()
    clock.wait(5 * S + 1).poll()
    clock.estimate(250_000)
    if limited is False:
        clock.alr(False)
    return clock


def recovered(clock: Clock) -> list[int]:
    clock.planner.on_recovered(clock.now_us)
    return clock.rates()


def test_a_fall_is_probed_when_it_is_over() -> None:
    assert recovered(fallen(limited=True)) == [425_000]
    assert recovered(fallen(limited=False).wait(3 * S - MS)) == [425_000]


def test_a_fall_is_not_probed_long_after_nor_when_the_link_was_in_use() -> None:
    assert recovered(fallen(limited=False).wait(3 * S)) == []
    assert recovered(fallen(limited=None)) == []
    assert recovered(fallen(limited=True).wait(5 * S)) == []


def test_a_fall_is_probed_in_use_if_more_is_wanted() -> None:
    clock = fallen(limited=None)
    clock.planner.set_demand(400_000, 200_000, clock.now_us)
    clock.planner.on_recovered(clock.now_us)
    (probe,) = clock.poll()
    assert (probe.rate_bps, probe.kind) == (425_000, "recovery")


def test_falls_are_probed_every_five_seconds_at_most() -> None:
    clock = fallen(limited=True)
    assert len(recovered(clock)) == 1
    clock.wait(4 * S)
    clock.estimate(500_000)
    clock.estimate(200_000)
    assert recovered(clock) == []
    assert len(recovered(clock.wait(S + 1))) == 1


def test_a_small_fall_is_not_probed() -> None:
    clock = Clock().settled(500_000)
    clock.alr()
    clock.estimate(340_000)
    assert recovered(clock) == []


def test_a_fall_that_is_made_good_is_not_probed() -> None:
    """95 % of 85 % of what it was."""
    for bps, probed in ((403_000, [425_000]), (404_000, [])):
        clock = fallen(limited=True)
        clock.estimate(bps)
        assert recovered(clock) == probed


def test_growing_after_a_fall_is_growth() -> None:
    clock = Clock().settled(1_000_000)
    clock.estimate(700_000)
    clock.allocate(3_000_000)
    clock.wait(9 * S).estimate(740_000)
    assert clock.wait(15 * S - MS).rates() == []
    assert clock.wait(MS).rates() == [1_480_000]


def test_stagnation_is_probed_every_15_seconds() -> None:
    clock = Clock().settled(1_000_000)
    clock.allocate(3_000_000)
    times = []
    for i in range(1200):
        times += [(probe.kind, probe.rate_bps, clock.now_us) for probe in clock.wait(50 * MS).poll()]
        clock.estimate(1_000_000 + i % 2 * 49_000)
    gaps = {later[2] - earlier[2] for earlier, later in zip(times, times[1:], strict=False)}
    assert {time[0] for time in times} == {"stagnation"}
    assert {time[1] for time in times} <= {2_000_000, 2_098_000}
    assert len(times) >= 3 and gaps == {15 * S}


@pytest.mark.parametrize("limited", [False, True])
def test_a_demand_takes_the_place_of_stagnation_and_of_an_unmet_allocation(limited: bool) -> None:
    clock = Clock().settled(1_000_000)
    clock.allocate(3_000_000)
    clock.planner.set_demand(900_000, 650_000, clock.now_us)
    clock.alr(limited)
    assert clock.wait(60 * S).rates() == [] and clock.planner.poll_timeout() is None


def test_growth_is_no_stagnation() -> None:
    clock = Clock().settled(500_000)
    clock.allocate(9_000_000)
    bps = 500_000
    while bps < 2_000_000:
        assert clock.wait(5 * S).estimate(bps) == []
        bps = bps * 106 // 100


def test_results_of_clusters_that_were_not_sent_count_nothing() -> None:
    clock = Clock()
    clock.poll()
    for cluster in (0, 3, 255, 256, -1):
        clock.planner.on_result(cluster, 5_000_000, clock.now_us)
    assert clock.planner.unknown_results == 5
    clock.planner.on_result(2, 5_000_000, clock.now_us)
    assert clock.planner.unknown_results == 5


def test_ids_go_round_and_are_never_0() -> None:
    clock = Clock(periodic=True)
    clock.alr()
    ids: list[int] = []
    while len(ids) < 600:
        ids += [probe.cluster for probe in clock.wait(6 * S).poll()]
        clock.estimate(START_BPS)
    assert ids == [i % 255 + 1 for i in range(len(ids))]


def test_no_second_has_more_than_eight() -> None:
    clock = Clock(1_000, 2_000_000_000)
    sent = [probe.created_us for probe in clock.poll()]
    bps = 1_000
    for _ in range(300):
        bps = min(bps * 2, 1_000_000_000) if bps < 1_000_000_000 else 1_000
        clock.planner.set_bounds(100, 1_500_000_000 + len(sent), clock.now_us)
        clock.wait(10 * MS).planner.set_estimate(bps, "delay", clock.now_us)
        sent += [probe.created_us for probe in clock.poll()]
    assert len(sent) > 16
    for begin_us in sent:
        assert sum(begin_us <= now_us < begin_us + S for now_us in sent) <= 8


def test_results_are_waited_for_from_when_a_cluster_was_handed_out() -> None:
    clock = Clock(1_000_000, 3_000_000)
    assert clock.rates() == [3_000_000]
    for i in range(1, 8):
        clock.planner.set_bounds(MIN_BPS, 3_000_000 + i, clock.now_us)
        assert clock.rates() == [3_000_000 + i]
    clock.alr()
    assert clock.allocate(2_800_000) == [], "the ninth in this second"
    assert clock.planner.poll_timeout() == clock.now_us + S
    assert clock.wait(S).rates() == [2_000_000]
    assert clock.wait(900 * MS).estimate(1_450_000) == [2_900_000]


def test_initial_probes_put_no_demand_off() -> None:
    clock = Clock(600_000)
    clock.poll()
    clock.wait(200 * MS).planner.on_result(1, 1_200_000, clock.now_us)
    assert clock.estimate(1_200_000) == []
    clock.planner.set_demand(1_600_000, 500_000, clock.now_us)
    assert clock.rates() == [], "the second is under way"
    clock.planner.on_result(2, 1_200_000, clock.now_us)
    assert clock.rates() == [1_680_000]


def test_out_of_range_is_an_error() -> None:
    planner = Clock().planner
    with pytest.raises(ValueError, match="time"):
        planner.poll(-1)
    with pytest.raises(ValueError, match="time"):
        planner.set_alr(1 << 60, 0)
    with pytest.raises(ValueError, match="negative"):
        planner.set_demand(-1, 0, 0)
    with pytest.raises(ValueError, match="negative"):
        planner.set_estimate(-1, "delay", 0)
    with pytest.raises(ValueError, match="negative"):
        planner.set_bounds(0, -1, 0)
    with pytest.raises(ValueError, match="negative"):
        planner.set_allocated(-1, 0)
    with pytest.raises(ValueError, match="negative"):
        ProbePlanner(-1, 0, 0, 0)
    with pytest.raises(ValueError, match="limited_by"):
        planner.set_estimate(1, "nothing", 0)  # type: ignore[arg-type]


rates = st.integers(0, 1 << 62) | st.integers(0, 20_000_000)
step = st.tuples(
    st.sampled_from(["estimate", "bounds", "alr", "demand", "allocated", "result", "recovered", "available"]),
    rates,
    rates,
    st.integers(0, len(LIMITS) - 1),
    st.integers(-1 * S, 30 * S) | st.integers(0, 200 * MS) | st.just(0),
)


@settings(max_examples=400)
@given(rates, rates, rates, st.booleans(), st.lists(step, max_size=120))
def test_whatever_is_told_probes_are_few_and_within_bounds(
    start_bps: int, min_bps: int, max_bps: int, periodic: bool, steps: list[tuple[str, int, int, int, int]]
) -> None:
    """Rates within bounds, ids in turn, eight a second at most, and no deadline that is due and then nothing."""
    planner = ProbePlanner(start_bps, min_bps, max_bps, BEGIN_US, periodic=periodic)
    now_us, last_id = BEGIN_US, 0
    sent: list[int] = []
    for verb, one, two, choice, wait_us in steps:
        now_us = max(now_us + wait_us, 0)
        if verb == "estimate":
            planner.set_estimate(one, LIMITS[choice], now_us)  # type: ignore[arg-type]
        elif verb == "bounds":
            min_bps, max_bps = one, two
            planner.set_bounds(one, two, now_us)
        elif verb == "alr":
            planner.set_alr(None if choice else now_us, now_us)
        elif verb == "demand":
            planner.set_demand(one, two if choice else 0, now_us)
        elif verb == "allocated":
            planner.set_allocated(one, now_us)
        elif verb == "result":
            planner.on_result(last_id - choice, two, now_us)
        elif verb == "recovered":
            planner.on_recovered(now_us)
        else:
            planner.set_available(choice > 0, now_us)
        highest = min(max_bps, 2_000_000_000) or 5_000_000
        lowest = min(max(min_bps, 1), highest)
        while (probe := planner.poll(now_us)) is not None:
            assert lowest <= probe.rate_bps <= highest
            assert probe.cluster == last_id % 255 + 1
            assert (probe.packets, probe.size_bytes) == (5, max(-(-probe.rate_bps * 15 // 8_000), 1))
            assert probe.kind in KINDS
            last_id = probe.cluster
            sent.append(now_us)
            assert len(sent) < 9 or sent[-9] + S <= now_us
        due_us = planner.poll_timeout()
        assert due_us is None or due_us > now_us
