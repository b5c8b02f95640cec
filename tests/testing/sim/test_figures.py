"""Figures of a run that is known."""

from math import inf

import pytest

from mediarouter.testing.sim import figures
from mediarouter.testing.sim.record import Flow, Record
from mediarouter.testing.sim.schedule import Schedule
from mediarouter.testing.sim.trace import Trace


def trace_of(rates, targets=(), lost_s=()):
    """Packets of 125 bytes at each (from, to, kilobit/s), and estimates."""
    trace = Trace()
    for from_s, to_s, kbps in rates:
        for i in range(round((to_s - from_s) * kbps)):
            at_us = round((from_s + i / kbps) * 1e6)
            trace.sent_at_us.append(at_us)
            trace.sent_bytes.append(125)
            trace.sent_kind.append(0)
            trace.received_at_us.append(at_us)
            trace.received_bytes.append(125)
            trace.transit_us.append(0)
    for at_s, bps in targets:
        trace.note_target(round(at_s * 1e6), bps)
    for at_s in lost_s:
        trace.lost_at_us.append(round(at_s * 1e6))
    return trace


def record_of(*traces, cross=(), rate=((0, 1_000_000),), waits=((), ()), seconds=20, names=None):
    names = names or [f"flow {i}" for i in range(len(traces))]
    return Record(
        "X1",
        1,
        seconds,
        flows=[Flow(trace, name) for trace, name in zip(traces, names, strict=True)],
        cross=[Flow(trace, "cross") for trace in cross],
        rate_bps=Schedule(*rate),
        waits=waits,
        counts={},
        events=0,
    )


def measured(measure, record):
    return measure(record, record)


TARGETS = record_of(trace_of((), ((0, 300_000), (2, 600_000), (4, 500_000), (4.4, 350_000), (10, 480_000))))


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (figures.target_at(3), 600_000),
        (figures.least_target(3, 20), 350_000),
        (figures.most_target(5, 20), 480_000),
        (figures.most_target(3, 20), 600_000),
        (figures.seconds_until(1, 550_000), 1),
        (figures.seconds_until(2, 550_000), 0),
        (figures.seconds_until(3, 550_000), 0),
        (figures.seconds_until(4.1, 550_000), inf),
        (figures.seconds_until(2, most_bps=400_000), pytest.approx(2.4)),
        (figures.seconds_until(0, 450_000, 550_000), 4),
        (figures.steadiness(5, 20), pytest.approx(350 / 480)),
        (figures.greatest_fall(0, 20), pytest.approx(0.3)),
        (figures.greatest_fall(5, 20), 0),
        (figures.dips(0, 20, 100_000), 1),
        (figures.dips(0, 20, 99_999), 2),
        (figures.dips(4.4, 20, 1), 0),
    ],
)
def test_figures_of_estimates(measure, value):
    assert measured(measure, TARGETS) == value


def test_figures_of_the_queue():
    record = record_of(trace_of(()), waits=([i * 10_000 for i in range(1000)], [i * 100 for i in range(1000)]))
    assert measured(figures.queue_ms(95, 0, 10), record) == pytest.approx(95, abs=0.2)
    assert measured(figures.queue_empties_s(2, 50, 8), record) == pytest.approx(5.99)
    assert measured(figures.queue_empties_s(2, 99, 8), record) == 0


def test_figures_of_losses():
    record = record_of(trace_of(((0, 10, 100),), lost_s=(1, 5, 5.25)))
    assert measured(figures.loss(0, 10), record) == 0.003 and measured(figures.loss(6, 10), record) == 0
    assert measured(figures.loss_burst_s(4, 10), record) == 0.25 and measured(figures.loss_burst_s(6, 10), record) == 0


def test_utilisation_counts_all_that_goes_forward():
    record = record_of(
        trace_of(((0, 10, 300),)),
        trace_of(((0, 10, 400),)),
        cross=(trace_of(((0, 10, 100),)),),
        names=["flow 0", "flow 1 backwards"],
    )
    assert measured(figures.utilisation(0, 10), record) == pytest.approx(0.4)
    assert measured(figures.utilisation(0, 10, 500_000), record) == pytest.approx(0.8)
    assert measured(figures.share_of_flow(0, 10), record) == pytest.approx(0.75)
    assert measured(figures.mean_received(0, 10), record) == pytest.approx(300_000)


@pytest.mark.parametrize(("rates", "index"), [((100, 100, 100), 1), ((300, 0, 0), 1 / 3), ((100, 200, 300), 36 / 42)])
def test_jains_index(rates, index):
    record = record_of(*(trace_of(((0, 10, kbps),)) for kbps in rates))
    assert measured(figures.jain(0, 10, 3), record) == pytest.approx(index)
    assert measured(figures.jain(11, 12, 3), record) == 0


def test_settling_is_that_of_the_worst_step():
    steps = ((0, 1_000_000), (10, 500_000))
    measure = figures.settle_s((0, 10), 20, 900_000)
    quick = trace_of(((0, 2, 300), (2, 10, 850), (10, 11, 850), (11, 20, 480)))
    # 85 % of 0.9 Mbit/s from 1.9 s on (0.1 of 300 and 0.9 of 850 are 795); 105 % of 0.5 from 10.9 s on
    assert measured(measure, record_of(quick, rate=steps)) == pytest.approx(2, abs=0.21)
    never = trace_of(((0, 10, 850), (10, 20, 300)))
    assert measured(measure, record_of(never, rate=steps)) == inf


def test_what_arrives_is_told_in_windows():
    record = record_of(trace_of(((0, 5, 300), (5.1, 20, 800))))
    assert measured(figures.seconds_until_received(1, 750_000), record) == pytest.approx(4.4)
    assert measured(figures.seconds_until_received(6, 750_000), record) == pytest.approx(0.2)
    assert measured(figures.seconds_until_received(1, 900_000), record) == inf


def test_a_dip_is_less_than_half_of_what_is_left():
    tcp = trace_of(((0, 5, 500), (5, 6, 900), (6, 20, 200)))
    media = trace_of(((0, 5, 400), (5, 6, 100), (6, 8, 150), (8, 20, 700)))
    record = record_of(media, cross=(tcp,))
    assert measured(figures.longest_dip_s(0, 20, 1_000_000), record) == pytest.approx(2)
    assert measured(figures.longest_dip_s(0, 20, 200_000), record) == 0
