"""What a run left behind, as columns of numpy, and what they say about any part of it."""

from typing import Any

import numpy
from numpy.typing import NDArray

from mediarouter.testing.sim.packet import PADDING
from mediarouter.testing.sim.schedule import SECOND_US, Schedule, mean
from mediarouter.testing.sim.trace import Trace

Column = NDArray[numpy.int64]
WINDOW_US = 200_000


class Flow:
    """One flow's packets and estimates. Times in microseconds, all columns in the order of time."""

    def __init__(self, trace: Trace, name: str) -> None:
        self.name = name
        self.sent_at_us = _column(trace.sent_at_us)
        self.sent_bytes = _column(trace.sent_bytes)
        self.sent_kind = _column(trace.sent_kind)
        self.received_at_us = _column(trace.received_at_us)
        self.received_bytes = _column(trace.received_bytes)
        self.transit_us = _column(trace.transit_us)
        self.lost_at_us = _column(trace.lost_at_us)
        self.target_at_us = _column(trace.target_at_us)
        self.target_bps = _column(trace.target_bps)
        self.wanted_at_us = _column(trace.wanted_at_us)
        self.wanted_bps = _column(trace.wanted_bps)
        self.layer_at_us = _column(trace.layer_at_us)
        self.layer_stream = _column(trace.layer_stream)
        self.layer_spatial = _column(trace.layer_spatial)
        self.layer_rates_bps = _column(trace.layer_rates_bps)

    def sent_bps(self, from_s: float, to_s: float) -> float:
        """Mean rate at which it sent."""
        return _rate(self.sent_at_us, self.sent_bytes, from_s, to_s)

    def received_bps(self, from_s: float, to_s: float) -> float:
        """Mean rate at which it arrived, padding included."""
        return _rate(self.received_at_us, self.received_bytes, from_s, to_s)

    def padding_share(self, from_s: float, to_s: float) -> float:
        """Padding of all bytes sent."""
        part = _between(self.sent_at_us, from_s, to_s)
        sizes = self.sent_bytes[part]
        return float(sizes[self.sent_kind[part] == PADDING].sum() / max(sizes.sum(), 1))

    def loss_share(self, from_s: float, to_s: float) -> float:
        """Packets lost of those sent in this time."""
        lost = self.lost_at_us[_between(self.lost_at_us, from_s, to_s)].size
        return float(lost / max(self.sent_at_us[_between(self.sent_at_us, from_s, to_s)].size, 1))

    def target_at(self, at_s: float) -> float:
        """The estimate of a moment; not a number before there is one."""
        return _value_at(self.target_at_us, self.target_bps, at_s)

    def targets(self, from_s: float, to_s: float) -> Column:
        """All estimates that held at some moment of this time, in their order."""
        return _values(self.target_at_us, self.target_bps, from_s, to_s)

    def windows_bps(self, seconds: float) -> NDArray[numpy.float64]:
        """Rate at which it arrived, in windows of 200 ms from 0 on."""
        return _windows(self.received_at_us, self.received_bytes, seconds) * 8 * SECOND_US / WINDOW_US


class Record:
    """A run: its flows, its cross traffic, the capacity and queue of its forward link.

    Attributes:
        scenario: its id.
        seed: of the run.
        seconds: its length.
        flows: those with an estimator.
        cross: the others.
        rate_bps: of the bottleneck.
        wait_at_us, waits_us: when each packet left the queue, and how long it had waited there.
        counts: packets offered, delivered, dropped, lost, duplicated and in flight on the forward link.
        events: that the simulator went through.
    """

    def __init__(
        self,
        scenario: str,
        seed: int,
        seconds: float,
        *,
        flows: list[Flow],
        cross: list[Flow],
        rate_bps: Schedule[int],
        waits: tuple[Any, Any],
        counts: dict[str, int],
        events: int,
    ) -> None:
        self.scenario, self.seed, self.seconds = scenario, seed, seconds
        self.flows, self.cross = flows, cross
        self.rate_bps = rate_bps
        self.wait_at_us, self.waits_us = _column(waits[0]), _column(waits[1])
        self.counts = counts
        self.events = events

    def queue_ms(self, percentile: float, from_s: float, to_s: float) -> float:
        """How long packets waited in the bottleneck's queue; 0 when none came."""
        waits = self.waits_us[_between(self.wait_at_us, from_s, to_s)]
        return float(numpy.percentile(waits, percentile)) / 1000 if waits.size else 0.0

    def capacity_bps(self, from_s: float, to_s: float, most_bps: int | None = None) -> float:
        """Mean rate of the bottleneck; with `most_bps`, of what of it could be used."""
        rates = self.rate_bps if most_bps is None else self.rate_bps.map(lambda rate: min(rate, most_bps))
        return mean(rates, round(from_s * SECOND_US), round(to_s * SECOND_US))

    def windows(self) -> dict[str, NDArray[Any]]:
        """The run in windows of 200 ms: time, capacity, queue and, for each flow, rate, estimate, loss and layers."""
        count = int(self.seconds * SECOND_US // WINDOW_US)
        starts = numpy.arange(count) * WINDOW_US / SECOND_US
        width = WINDOW_US / SECOND_US
        columns: dict[str, NDArray[Any]] = {
            "at_s": starts,
            "capacity_bps": numpy.array([self.capacity_bps(at, at + width) for at in starts]),
        }
        for percentile in (50, 95, 100):
            values = [self.queue_ms(percentile, at, at + width) for at in starts]
            columns[f"queue_p{percentile}_ms"] = numpy.array(values)
        for flow in [*self.flows, *self.cross]:
            rates = flow.windows_bps(self.seconds)
            columns[f"{flow.name} received_bps"] = rates
            columns[f"{flow.name} utilisation"] = rates / numpy.maximum(columns["capacity_bps"], 1)
            columns[f"{flow.name} loss"] = numpy.array([flow.loss_share(at, at + width) for at in starts])
        for flow in self.flows:
            columns[f"{flow.name} target_bps"] = numpy.array([flow.target_at(at + width) for at in starts])
            columns[f"{flow.name} layers_bps"] = numpy.array([_layers_bps(flow, at + width) for at in starts])
        return columns


def _layers_bps(flow: Flow, at_s: float) -> int:
    """What the layers take that are forwarded at a moment."""
    total = 0
    for stream in numpy.unique(flow.layer_stream):
        mine = flow.layer_stream == stream
        rate = _value_at(flow.layer_at_us[mine], flow.layer_rates_bps[mine], at_s)
        total += 0 if numpy.isnan(rate) else int(rate)
    return total


def _column(values: Any) -> Column:
    return numpy.array(values, dtype=numpy.int64)


def _between(at_us: Column, from_s: float, to_s: float) -> slice:
    first, last = numpy.searchsorted(at_us, [round(from_s * SECOND_US), round(to_s * SECOND_US)])
    return slice(int(first), int(last))


def _rate(at_us: Column, sizes: Column, from_s: float, to_s: float) -> float:
    return float(sizes[_between(at_us, from_s, to_s)].sum() * 8 / (to_s - from_s))


def _value_at(at_us: Column, values: Column, at_s: float) -> float:
    last = int(numpy.searchsorted(at_us, round(at_s * SECOND_US), side="right")) - 1
    return float(values[last]) if last >= 0 else float("nan")


def _values(at_us: Column, values: Column, from_s: float, to_s: float) -> Column:
    first = int(numpy.searchsorted(at_us, round(from_s * SECOND_US), side="right")) - 1
    last = int(numpy.searchsorted(at_us, round(to_s * SECOND_US), side="right"))
    return values[max(first, 0) : last]


def _windows(at_us: Column, sizes: Column, seconds: float) -> NDArray[numpy.float64]:
    count = int(seconds * SECOND_US // WINDOW_US)
    edges = numpy.arange(count + 1) * WINDOW_US
    inside = (at_us >= 0) & (at_us < count * WINDOW_US)
    return numpy.histogram(at_us[inside], bins=edges, weights=sizes[inside])[0]
