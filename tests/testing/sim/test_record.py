"""What a record says about a run that is known."""

import numpy
import pytest

from mediarouter.testing.sim.record import Flow, Record
from mediarouter.testing.sim.schedule import Schedule
from mediarouter.testing.sim.trace import Trace


def known_trace():
    """A packet of 1250 bytes each 10 ms for two seconds: 1 Mbit/s; each tenth is padding, each twentieth is lost."""
    trace = Trace()
    for i in range(200):
        trace.sent_at_us.append(i * 10_000)
        trace.sent_bytes.append(1250)
        trace.sent_kind.append(2 if i % 10 == 5 else 0)
        if i % 20 == 7:
            trace.lost_at_us.append(i * 10_000)
        else:
            trace.received_at_us.append(i * 10_000)
            trace.received_bytes.append(1250)
            trace.transit_us.append(30_000)
    for at, bps in ((0, 300_000), (500_000, 300_000), (700_000, 500_000), (1_500_000, 400_000)):
        trace.note_target(at, bps)
    trace.note_layer(100_000, 0, (0, 2), 150_000)
    trace.note_layer(600_000, 1, (1, 0), 200_000)
    trace.note_layer(1_000_000, 0, None, 0)
    return trace


def known_record(waits=((0, 100_000, 900_000, 1_000_000), (1000, 3000, 5000, 7000))):
    return Record(
        "X1",
        3,
        2,
        flows=[Flow(known_trace(), "flow 0")],
        cross=[],
        rate_bps=Schedule((0, 2_000_000), (1, 500_000)),
        waits=waits,
        counts={"offered": 200},
        events=1,
    )


def test_rates_shares_and_estimates():
    flow = known_record().flows[0]
    assert flow.sent_bps(0, 2) == flow.sent_bps(0.5, 1.5) == 1_000_000
    assert flow.received_bps(0, 2) == 950_000
    assert flow.loss_share(0, 2) == 0.05 and flow.padding_share(0, 2) == pytest.approx(0.1)
    assert flow.loss_share(5, 6) == flow.padding_share(5, 6) == 0
    assert [flow.target_at(at) for at in (0, 0.6, 0.7, 9)] == [300_000, 300_000, 500_000, 400_000]
    assert list(flow.target_bps) == [300_000, 500_000, 400_000]  # what did not change is not noted again
    assert list(flow.targets(0.6, 1)) == [300_000, 500_000] and list(flow.targets(1, 1.2)) == [500_000]
    assert numpy.isnan(Flow(Trace(), "none").target_at(1))


def test_queue_and_capacity():
    record = known_record()
    assert record.queue_ms(50, 0, 2) == 4 and record.queue_ms(100, 0, 0.5) == 3 and record.queue_ms(95, 5, 6) == 0
    assert record.capacity_bps(0.5, 1.5) == 1_250_000
    assert record.capacity_bps(0, 2, most_bps=1_000_000) == 750_000


def test_windows_of_200_ms():
    columns = known_record().windows()
    assert all(len(column) == 10 for column in columns.values())
    assert list(columns["at_s"][:3]) == [0, 0.2, 0.4]
    assert list(columns["capacity_bps"]) == [2_000_000] * 5 + [500_000] * 5
    assert list(columns["flow 0 received_bps"]) == [950_000] * 10
    assert list(columns["flow 0 utilisation"]) == [0.475] * 5 + [1.9] * 5
    assert list(columns["flow 0 loss"]) == [0.05] * 10
    assert list(columns["flow 0 target_bps"][[0, 2, 3, 9]]) == [300_000, 300_000, 500_000, 400_000]
    assert list(columns["flow 0 layers_bps"]) == [150_000] * 2 + [350_000] * 2 + [200_000] * 6
    assert list(columns["queue_p100_ms"]) == [3, 0, 0, 0, 5, 7, 0, 0, 0, 0]
