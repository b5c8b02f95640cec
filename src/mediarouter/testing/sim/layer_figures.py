"""Figures of layers: how soon one went, how often it changed, how much of what fitted was sent."""

from math import inf

import numpy
from numpy.typing import NDArray

from mediarouter.testing.sim.checks import Measure
from mediarouter.testing.sim.record import Column, Flow, Record
from mediarouter.testing.sim.schedule import SECOND_US

GRAIN_BPS = 1000  # best sets of layers are searched in steps of a kilobit


def seconds_until_layer(after_s: float, spatial: int, stream: int = 0) -> Measure:
    """From a moment until a layer, or a higher one, of a stream goes; infinite if it never does."""

    def measure(run: Record, clean: Record) -> float:
        flow = run.flows[0]
        mine = flow.layer_stream == stream
        return _seconds_until(flow.layer_at_us[mine], flow.layer_spatial[mine] >= spatial, after_s)

    return measure


def seconds_until_layers_take(after_s: float, least_bps: int, stream: int = 0) -> Measure:
    """From a moment until a layer of a stream goes that takes so much; infinite if it never does."""

    def measure(run: Record, clean: Record) -> float:
        flow = run.flows[0]
        mine = flow.layer_stream == stream
        return _seconds_until(flow.layer_at_us[mine], flow.layer_rates_bps[mine] >= least_bps, after_s)

    return measure


def spatial_switches(from_s: float, to_s: float) -> Measure:
    """How often the stream that changed most changed its spatial layer, going and stopping included."""

    def measure(run: Record, clean: Record) -> float:
        flow, most = run.flows[0], 0
        for stream in numpy.unique(flow.layer_stream):
            mine = flow.layer_stream == stream
            at_us, layers = flow.layer_at_us[mine], flow.layer_spatial[mine]
            changed = numpy.flatnonzero(numpy.diff(layers)) + 1
            inside = (at_us[changed] >= from_s * SECOND_US) & (at_us[changed] < to_s * SECOND_US)
            most = max(most, int(inside.sum()))
        return float(most)

    return measure


def switches_at_worst_step(steps_s: tuple[float, ...], end_s: float) -> Measure:
    """The most spatial switches of a stream between two steps of the capacity."""

    def measure(run: Record, clean: Record) -> float:
        ends = (*steps_s[1:], end_s)
        return max(spatial_switches(at, to)(run, clean) for at, to in zip(steps_s, ends, strict=True))

    return measure


def seconds_until_targets_fit(after_s: float, most_bps: int) -> Measure:
    """From a moment until the allocation asks for no more than a rate; infinite if it never does."""

    def measure(run: Record, clean: Record) -> float:
        flow = run.flows[0]
        return _seconds_until(flow.wanted_at_us, flow.wanted_bps <= most_bps, after_s)

    return measure


def allocation_steadiness(from_s: float, to_s: float) -> Measure:
    """The least that the allocation asked for in a time by the most."""

    def measure(run: Record, clean: Record) -> float:
        flow = run.flows[0]
        inside = (flow.wanted_at_us >= from_s * SECOND_US) & (flow.wanted_at_us < to_s * SECOND_US)
        before = flow.wanted_bps[flow.wanted_at_us < from_s * SECOND_US][-1:]
        wanted = numpy.concatenate([before, flow.wanted_bps[inside]])
        return float(wanted.min() / wanted.max()) if wanted.size and wanted.max() else 0.0

    return measure


def best_layers_bps(capacity_bps: int, streams: list[tuple[int, ...]]) -> int:
    """The most that one layer of each stream, or none of it, can take together without exceeding a capacity.

    Args:
        capacity_bps: that.
        streams: the rates among which one may be chosen for each stream.
    """
    limit = capacity_bps // GRAIN_BPS
    sums = 1  # bit i: i kilobit/s can be had
    for rates in streams:
        for moved in [sums << -(-rate // GRAIN_BPS) for rate in rates]:
            sums |= moved
        sums &= (1 << (limit + 1)) - 1
    return (sums.bit_length() - 1) * GRAIN_BPS


def share_of_best_layers(from_s: float, to_s: float, streams: list[tuple[int, ...]], audio_bps: int) -> Measure:
    """What the layers took that went, by what the best ones would have taken all the time.

    Args:
        streams: as for `best_layers_bps`.
        audio_bps: what the layers could not have.
    """

    def measure(run: Record, clean: Record) -> float:
        best, at_us, end_us = 0.0, round(from_s * SECOND_US), round(to_s * SECOND_US)
        while at_us < end_us:
            until_us = min(run.rate_bps.until_us(at_us), end_us)
            best += best_layers_bps(max(run.rate_bps.at(at_us) - audio_bps, 0), streams) * (until_us - at_us)
            at_us = until_us
        return layer_bits(run.flows[0], from_s, to_s) * SECOND_US / best

    return measure


def layer_bits(flow: Flow, from_s: float, to_s: float) -> float:
    """What the layers that went took together over a time, by their nominal rates."""
    from_us, to_us = from_s * SECOND_US, to_s * SECOND_US
    total = 0.0
    for stream in numpy.unique(flow.layer_stream):
        mine = flow.layer_stream == stream
        starts = numpy.clip(flow.layer_at_us[mine], from_us, to_us)
        ends = numpy.append(starts[1:], to_us)
        total += float((flow.layer_rates_bps[mine] * (ends - starts)).sum())
    return total / SECOND_US


def _seconds_until(at_us: Column, good: NDArray[numpy.bool_], after_s: float) -> float:
    """From a moment until the first change that is good; 0 when the last one before was."""
    before = good[at_us <= after_s * SECOND_US]
    if before.size and before[-1]:
        return 0.0
    later = at_us[good & (at_us > after_s * SECOND_US)]
    return float(later[0] / SECOND_US - after_s) if later.size else inf
