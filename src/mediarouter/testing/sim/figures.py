"""Figures that several scenarios ask for: when something was reached, how steady, how fair, how full."""

from math import ceil, inf

import numpy

from mediarouter.testing.sim.checks import Measure
from mediarouter.testing.sim.record import WINDOW_US, Flow, Record
from mediarouter.testing.sim.schedule import SECOND_US

SETTLED_S = 1.0  # a rate is told over so long


def target_at(at_s: float, flow: int = 0) -> Measure:
    """The estimate of a moment, bit/s."""
    return lambda run, clean: run.flows[flow].target_at(at_s)


def least_target(from_s: float, to_s: float) -> Measure:
    """The lowest estimate of a time, bit/s."""
    return lambda run, clean: float(run.flows[0].targets(from_s, to_s).min(initial=2**62))


def most_target(from_s: float, to_s: float) -> Measure:
    """The highest estimate of a time, bit/s."""
    return lambda run, clean: float(run.flows[0].targets(from_s, to_s).max(initial=0))


def seconds_until(after_s: float, least_bps: float = 0, most_bps: float = inf) -> Measure:
    """From a moment until the estimate is within bounds for the first time; infinite if it never is."""

    def measure(run: Record, clean: Record) -> float:
        flow = run.flows[0]
        if least_bps <= flow.target_at(after_s) <= most_bps:
            return 0.0
        good = (flow.target_bps >= least_bps) & (flow.target_bps <= most_bps)
        good &= flow.target_at_us >= after_s * SECOND_US
        return float(flow.target_at_us[good][0] / SECOND_US - after_s) if good.any() else inf

    return measure


def steadiness(from_s: float, to_s: float) -> Measure:
    """The lowest of the estimates in a time by the highest."""

    def measure(run: Record, clean: Record) -> float:
        targets = run.flows[0].targets(from_s, to_s)
        return float(targets.min() / targets.max())

    return measure


def greatest_fall(from_s: float, to_s: float) -> Measure:
    """By what share of itself the estimate fell most at once."""

    def measure(run: Record, clean: Record) -> float:
        targets = run.flows[0].targets(from_s, to_s)
        return float((1 - targets[1:] / targets[:-1]).max(initial=0))

    return measure


def dips(from_s: float, to_s: float, depth_bps: int, window_s: float = 0.5) -> Measure:
    """How many windows begin with an estimate that falls by more than so much before they end."""

    def measure(run: Record, clean: Record) -> float:
        flow, count = run.flows[0], 0
        for start in numpy.arange(from_s, to_s, window_s):
            count += flow.target_at(start) - flow.targets(start, start + window_s).min() > depth_bps
        return float(count)

    return measure


def mean_received(from_s: float, to_s: float) -> Measure:
    """Mean rate at which the first flow arrived, bit/s."""
    return lambda run, clean: run.flows[0].received_bps(from_s, to_s)


def seconds_until_received(after_s: float, least_bps: float) -> Measure:
    """From a moment until the end of the first window of 200 ms in which the first flow arrived at a rate."""

    def measure(run: Record, clean: Record) -> float:
        first = ceil(after_s * SECOND_US / WINDOW_US)
        good = run.flows[0].windows_bps(run.seconds)[first:] >= least_bps
        return float((good.argmax() + 1 + first) * WINDOW_US / SECOND_US - after_s) if good.any() else inf

    return measure


def queue_ms(percentile: float, from_s: float, to_s: float) -> Measure:
    """A percentile of the time in the bottleneck's queue, ms."""
    return lambda run, clean: run.queue_ms(percentile, from_s, to_s)


def queue_empties_s(after_s: float, bound_ms: float, to_s: float) -> Measure:
    """From a moment until the last packet that waited longer than a bound."""

    def measure(run: Record, clean: Record) -> float:
        late = run.wait_at_us[run.waits_us > bound_ms * 1000]
        late = late[(late >= after_s * SECOND_US) & (late < to_s * SECOND_US)]
        return float(late[-1] / SECOND_US - after_s) if late.size else 0.0

    return measure


def loss(from_s: float, to_s: float) -> Measure:
    """Share of the first flow's packets that were lost."""
    return lambda run, clean: run.flows[0].loss_share(from_s, to_s)


def loss_burst_s(from_s: float, to_s: float) -> Measure:
    """From the first loss of a time to the last."""

    def measure(run: Record, clean: Record) -> float:
        lost = run.flows[0].lost_at_us / SECOND_US
        lost = lost[(lost >= from_s) & (lost < to_s)]
        return float(lost[-1] - lost[0]) if lost.size else 0.0

    return measure


def utilisation(from_s: float, to_s: float, most_bps: int | None = None) -> Measure:
    """What of the capacity arrived of flows and cross traffic; with `most_bps`, of what one flow could use of it."""

    def measure(run: Record, clean: Record) -> float:
        arrived = sum(flow.received_bps(from_s, to_s) for flow in [*forward(run), *run.cross])
        return arrived / run.capacity_bps(from_s, to_s, most_bps)

    return measure


def forward(run: Record) -> list[Flow]:
    """Flows over the forward link."""
    return [flow for flow in run.flows if not flow.name.endswith("backwards")]


def settle_s(steps_s: tuple[float, ...], end_s: float, most_bps: int) -> Measure:
    """After the worst of some steps of the capacity: until the rate of a second is 85 to 105 % of what can be used."""

    def settled(run: Record, start_s: float, next_s: float) -> float:
        could = run.capacity_bps(start_s, next_s, most_bps)
        for at in numpy.arange(start_s, next_s - SETTLED_S, WINDOW_US / SECOND_US):
            if 0.85 <= run.flows[0].received_bps(at, at + SETTLED_S) / could <= 1.05:
                return float(at - start_s)
        return inf

    def measure(run: Record, clean: Record) -> float:
        ends = (*steps_s[1:], end_s)
        return max(settled(run, start, end) for start, end in zip(steps_s, ends, strict=True))

    return measure


def jain(from_s: float, to_s: float, flows: int) -> Measure:
    """Jain's index of the rates of the first so many flows: 1 when they are equal, 1 / n when one has all."""

    def measure(run: Record, clean: Record) -> float:
        rates = numpy.array([flow.received_bps(from_s, to_s) for flow in run.flows[:flows]])
        return float(rates.sum() ** 2 / (flows * (rates**2).sum())) if rates.any() else 0.0

    return measure


def share_of_flow(from_s: float, to_s: float) -> Measure:
    """What the first flow had of all that arrived."""

    def measure(run: Record, clean: Record) -> float:
        mine = run.flows[0].received_bps(from_s, to_s)
        return mine / max(mine + sum(flow.received_bps(from_s, to_s) for flow in run.cross), 1)

    return measure


def longest_dip_s(from_s: float, to_s: float, most_bps: int) -> Measure:
    """For how long the flows had less than half of what the cross traffic left, or of what they could use of it."""

    def measure(run: Record, clean: Record) -> float:
        flows = sum(flow.windows_bps(run.seconds) for flow in run.flows)
        cross = sum(flow.windows_bps(run.seconds) for flow in run.cross)
        count = int(run.seconds * SECOND_US // WINDOW_US)
        width = WINDOW_US / SECOND_US
        capacity = numpy.array([run.capacity_bps(i * width, (i + 1) * width) for i in range(count)])
        left = numpy.minimum(capacity - cross, most_bps * len(run.flows))
        longest = now = 0
        for is_low in (flows < left / 2)[int(from_s / width) : int(to_s / width)]:
            now = now + 1 if is_low else 0
            longest = max(longest, now)
        return longest * width

    return measure
