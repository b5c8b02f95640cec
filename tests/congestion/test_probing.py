"""Planner, schedule and meter of probes together, over a link with a queue, in virtual time.

Media is a packet stream of one rate. The estimate is what the probes measured, nothing else, so that what is seen here
is the probes' own doing. Feedback tells arrivals to 250 us, every 50 ms, and comes back after the delay of the link.
"""

import heapq
from collections.abc import Callable

import pytest

from mediarouter.congestion._alr import AlrDetector
from mediarouter.congestion._probe_controller import ProbePlanner
from mediarouter.congestion._probe_estimator import ProbeMeter
from mediarouter.congestion._prober import ProbeSchedule

MS, S = 1_000, 1_000_000
MEDIA_BYTES, PADDING_BYTES = 1_100, 250
REPORT_US = 50 * MS
TICK_US = 250


class Call:
    """One viewer behind one link."""

    def __init__(self, capacity_bps: int, start_bps: int, *, delay_us: int = 50 * MS, timer_us: int = 1) -> None:
        self.now_us = self.begin_us = 20 * S
        self.capacity_bps, self.delay_us, self.timer_us = capacity_bps, delay_us, timer_us
        self.planner = ProbePlanner(start_bps, 30_000, 10_000_000, self.now_us)
        self.schedule, self.meter, self.alr = ProbeSchedule(), ProbeMeter(), AlrDetector(start_bps)
        self.estimate_bps, self.fixed = start_bps, False
        self.media_bps = 0
        self.free_us = self.now_us  # when the link is through with what it has
        self.arrived: list[tuple[int, int, int, int]] = []
        self.queues_us: list[int] = []
        self.media_bytes = self.padding_bytes = 0
        self.results: list[tuple[int, int]] = []
        self.rates: dict[int, int] = {}
        self.agenda: list[tuple[int, int, Callable[[], None]]] = []
        self.count = 0
        self.at(self.now_us, self.media)
        self.at(self.now_us + REPORT_US, self.report)

    def at(self, when_us: int, action: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.agenda, (when_us, self.count, action))

    def send(self, size_bytes: int) -> None:
        queued_us = max(self.free_us - self.now_us, 0)
        self.free_us = self.now_us + queued_us + size_bytes * 8_000_000 // self.capacity_bps
        self.alr.on_sent(size_bytes, self.now_us)
        if cluster := self.schedule.cluster:
            self.schedule.on_sent(size_bytes, self.now_us)
        arrival_us = (self.free_us + self.delay_us) // TICK_US * TICK_US
        self.arrived.append((arrival_us, cluster, self.now_us, size_bytes))

    def media(self) -> None:
        if self.media_bps:
            self.queues_us.append(max(self.free_us - self.now_us, 0))
            self.media_bytes += MEDIA_BYTES
            self.send(MEDIA_BYTES)
        self.at(self.now_us + (MEDIA_BYTES * 8_000_000 // self.media_bps if self.media_bps else 10 * MS), self.media)

    def report(self) -> None:
        """What arrived by now is known to the sender once the report is back."""
        told = [packet for packet in self.arrived if packet[0] <= self.now_us]
        self.arrived = [packet for packet in self.arrived if packet[0] > self.now_us]
        self.at(self.now_us + self.delay_us, lambda: self.feedback(told))
        self.at(self.now_us + REPORT_US, self.report)

    def feedback(self, told: list[tuple[int, int, int, int]]) -> None:
        for arrival_us, cluster, send_us, size_bytes in told:
            if cluster and (bps := self.meter.on_packet(cluster, send_us, arrival_us, size_bytes)) is not None:
                self.planner.on_result(cluster, bps, self.now_us)
                self.results.append((self.rates[cluster], bps))
                if not self.fixed:
                    self.estimate_bps = bps
        self.alr.set_estimate(self.estimate_bps)
        self.planner.set_alr(self.alr.since_us, self.now_us)
        self.planner.set_estimate(self.estimate_bps, "delay", self.now_us)

    def probe(self) -> None:
        while (probe := self.planner.poll(self.now_us)) is not None:
            figures = (probe.cluster, probe.rate_bps, probe.packets, probe.size_bytes)
            self.rates[probe.cluster] = probe.rate_bps
            self.meter.begin(*figures)
            self.schedule.begin(*figures, probe.created_us)
        while (due_bytes := self.schedule.bytes_due(self.now_us)) > 0:
            while due_bytes > 0:
                self.send(PADDING_BYTES)
                self.padding_bytes += PADDING_BYTES
                due_bytes -= PADDING_BYTES

    def run(self, until: Callable[[], bool] | int) -> int:
        """Until so many microseconds have passed, or something holds; how long it took."""
        begin_us = self.now_us
        end_us = begin_us + (until if isinstance(until, int) else 600 * S)
        while self.now_us < end_us and (isinstance(until, int) or not until()):
            timers = [t for t in (self.planner.poll_timeout(), self.schedule.poll_timeout()) if t is not None]
            timer_us = max(min(timers, default=end_us), self.now_us)
            timer_us = -(-timer_us // self.timer_us) * self.timer_us
            self.now_us = min(timer_us, self.agenda[0][0], end_us)
            while self.agenda[0][0] <= self.now_us:
                heapq.heappop(self.agenda)[2]()
            if self.now_us == timer_us or self.timer_us == 1:
                self.probe()
        return self.now_us - begin_us


@pytest.mark.parametrize("timer_us", [1, 1000, 2000])
@pytest.mark.parametrize("capacity_bps", [700_000, 2_000_000, 3_000_000, 6_000_000])
def test_the_first_second_finds_the_capacity(capacity_bps: int, timer_us: int) -> None:
    """Without media, from 300 kbit/s."""
    call = Call(capacity_bps, 300_000, timer_us=timer_us)
    call.run(S)
    assert 0.88 * capacity_bps <= call.estimate_bps <= capacity_bps


@pytest.mark.parametrize("timer_us", [1, 1000])
def test_a_result_is_the_rate_that_went_out_or_what_the_link_carries(timer_us: int) -> None:
    for capacity_bps in range(400_000, 4_000_000, 170_000):
        call = Call(capacity_bps, 300_000, timer_us=timer_us)
        call.run(2 * S)
        assert call.results
        for rate_bps, bps in call.results:
            assert bps <= min(rate_bps, 1.02 * capacity_bps)
            assert bps >= 0.85 * min(rate_bps, capacity_bps)


def test_media_that_flows_is_part_of_what_is_measured() -> None:
    call = Call(3_000_000, 600_000)
    call.run(2 * S)
    call.media_bps, call.estimate_bps = 800_000, 900_000
    call.planner.set_estimate(900_000, "delay", call.now_us)
    call.results.clear()
    call.padding_bytes = 0
    call.planner.set_demand(1_600_000, 800_000, call.now_us)
    call.run(500 * MS)
    rates = [rate for rate, _ in call.results]
    assert rates and set(rates) == {1_680_000}
    assert all(bps == pytest.approx(1_680_000, rel=0.02) for _, bps in call.results)
    assert call.padding_bytes < 3_150, "that many bytes in 15 ms, of which media is some"
    assert call.estimate_bps == pytest.approx(1_680_000, rel=0.02)


@pytest.mark.parametrize("wait_ms", [0, 3_000, 7_000])
def test_a_link_that_opens_is_found_by_the_next_probe(wait_ms: int) -> None:
    call = Call(600_000, 300_000)
    call.run(2 * S)
    call.media_bps = 500_000
    call.planner.set_demand(500_000 + 1_150_000, 500_000, call.now_us)
    call.run(20 * S + wait_ms * MS)
    assert call.estimate_bps <= 620_000
    call.capacity_bps = 2_500_000
    assert call.run(lambda: call.estimate_bps >= 1_600_000) <= 10 * S + 500 * MS
    last = len(call.results)
    call.planner.set_demand(1_500_000, 1_500_000, call.now_us)
    call.run(60 * S)
    assert len(call.results) == last, "what is wanted is there"


@pytest.mark.parametrize("media_bps", [200_000, 500_000, 1_500_000])
def test_probes_harm_little_a_link_that_is_just_enough(media_bps: int) -> None:
    """The estimate does not learn, and what probes add drains at 5 %. On slow links the time of a packet."""
    call = Call(media_bps * 105 // 100, media_bps)
    call.run(2 * S)
    call.media_bps, call.fixed, call.estimate_bps = media_bps, True, media_bps
    call.planner.set_estimate(media_bps, "delay", call.now_us)
    call.run(2 * S)
    call.queues_us.clear()
    call.media_bytes = call.padding_bytes = 0
    call.planner.set_demand(4 * media_bps, media_bps, call.now_us)
    call.run(60 * S)
    queues_us = sorted(call.queues_us)
    assert call.padding_bytes > 0
    assert call.padding_bytes <= 0.05 * (call.padding_bytes + call.media_bytes)
    packet_us = MEDIA_BYTES * 8_000_000 // call.capacity_bps
    assert queues_us[len(queues_us) * 95 // 100] <= max(20 * MS, packet_us)


@pytest.mark.parametrize("wait_ms", range(0, 1400, 170))
def test_paused_video_is_back_within_a_second(wait_ms: int) -> None:
    """All is paused on 40 kbit/s that carry no video; then they are 400."""
    call = Call(40_000, 60_000)
    call.run(3 * S)
    call.planner.set_demand(172_500, 0, call.now_us)
    call.planner.set_estimate(60_000, "overuse", call.now_us)
    call.run(10 * S + wait_ms * MS)
    assert call.estimate_bps < 100_000
    call.capacity_bps = 400_000
    assert call.run(lambda: call.estimate_bps >= 150_000) <= S
