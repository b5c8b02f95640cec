"""A whole run: the same dice give the same record, other dice another one, and it is quick."""

import math
from dataclasses import replace

import numpy
import pytest

from mediarouter.testing.sim.encoder import EncoderPlan
from mediarouter.testing.sim.estimator import FixedRate, LossAimd
from mediarouter.testing.sim.figures import jain, utilisation
from mediarouter.testing.sim.link import LinkPlan
from mediarouter.testing.sim.loss import RandomLoss
from mediarouter.testing.sim.publisher import SimulcastPlan
from mediarouter.testing.sim.queues import DropTail
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.schedule import always
from mediarouter.testing.sim.tcp import TcpPlan
from mediarouter.testing.sim.unresponsive import StreamPlan
from mediarouter.testing.sim.viewer import ViewerPlan
from mediarouter.testing.sim.world import World, run

PLAIN = Scenario(
    "X1",
    "plain",
    "",
    20,
    LinkPlan(always(1_000_000), always(50.0), queue=DropTail(limit_ms=300), loss=always(RandomLoss(0.001))),
    LinkPlan(delay_ms=always(50.0)),
    (EncoderPlan(start_bps=400_000),),
    (),
)


def columns(record):
    return [
        value
        for flow in [*record.flows, *record.cross]
        for value in vars(flow).values()
        if isinstance(value, numpy.ndarray)
    ] + [record.wait_at_us, record.waits_us]


def same(one, other):
    return all(numpy.array_equal(a, b) for a, b in zip(columns(one), columns(other), strict=True))


@pytest.mark.parametrize(
    "scenario",
    [
        PLAIN,
        replace(PLAIN, flows=(ViewerPlan((SimulcastPlan(),) * 3, start_bps=800_000),)),
        replace(PLAIN, cross=(TcpPlan("cubic"), TcpPlan("reno", transfer_bytes=(10_000, 20_000), pause_s=1))),
    ],
    ids=["encoder", "viewer", "tcp"],
)
def test_the_same_seed_gives_the_same_record(scenario):
    first = run(scenario, LossAimd, 1)
    assert same(first, run(scenario, LossAimd, 1))
    assert not same(first, run(scenario, LossAimd, 2))


def test_a_component_more_leaves_the_dice_of_the_others():
    alone = run(PLAIN, lambda *_: FixedRate(300_000), 1)
    joined = run(replace(PLAIN, cross=(StreamPlan(50_000, begins_s=15),)), lambda *_: FixedRate(300_000), 1)
    assert numpy.array_equal(alone.flows[0].sent_bytes, joined.flows[0].sent_bytes)
    assert len(joined.cross) == 1


def test_packets_are_conserved_over_a_run():
    record = run(replace(PLAIN, cross=(TcpPlan("reno"), StreamPlan(300_000))), LossAimd, 4)
    counts = record.counts
    assert counts["offered"] == counts["delivered"] + counts["dropped"] + counts["lost"] + counts["in_flight"]
    flows = [*record.flows, *record.cross]
    assert counts["offered"] == sum(flow.sent_at_us.size for flow in flows)
    assert counts["delivered"] == sum(flow.received_at_us.size for flow in flows)
    assert counts["dropped"] + counts["lost"] == sum(flow.lost_at_us.size for flow in flows)
    assert counts["dropped"] > 0 and counts["lost"] > 0


def test_an_estimator_of_losses_fills_the_link_and_its_queue():
    record = run(replace(PLAIN, seconds=60), LossAimd, 1)
    assert record.flows[0].received_bps(20, 60) > 750_000
    assert record.queue_ms(95, 20, 60) > 200


def test_flows_begin_and_end_at_their_time():
    flow = EncoderPlan(start_bps=200_000)
    scenario = replace(PLAIN, flows=(flow, replace(flow, begins_s=5, ends_s=15)))
    record = run(scenario, lambda *_: FixedRate(200_000), 1)
    assert record.flows[1].sent_at_us[0] == 5_000_000 and record.flows[1].sent_at_us[-1] <= 15_000_000
    assert jain(6, 14, 2)(record, record) > 0.99
    assert utilisation(6, 14)(record, record) == pytest.approx(0.4, abs=0.02)


def test_a_flow_backwards_takes_the_other_link():
    flow = EncoderPlan(start_bps=200_000, backwards=True)
    world = World(replace(PLAIN, flows=(flow,)), lambda *_: FixedRate(200_000), 1)
    record = world.run()
    assert world.backward.offered == record.flows[0].sent_at_us.size
    assert 0 < world.forward.offered < 500  # its feedback
    assert record.flows[0].name == "flow 0 backwards"


def test_access_delay_is_that_of_a_flow_alone():
    flow = EncoderPlan(start_bps=200_000)
    scenario = replace(PLAIN, flows=(flow, replace(flow, access_delay_ms=100)), forward=LinkPlan(delay_ms=always(50.0)))
    record = run(scenario, lambda *_: FixedRate(200_000), 1)
    near, far = (numpy.percentile(flow.transit_us, 5) for flow in record.flows)
    assert far - near == pytest.approx(100_000, abs=20)


def test_the_estimator_is_made_with_the_limits_of_the_plan():
    made = []

    def make(start_bps, min_bps, max_bps, now_us):
        made.append((start_bps, min_bps, max_bps, now_us))
        return FixedRate(start_bps)

    run(replace(PLAIN, flows=(EncoderPlan(123_000, 45_000, limit_bps=6_000_000, begins_s=2),)), make)
    assert made == [(123_000, 45_000, 6_000_000, 2_000_000)]


def test_a_run_of_ten_minutes_goes_through_all_of_it():
    scenario = replace(PLAIN, seconds=600, forward=LinkPlan(always(2_600_000), always(50.0)))
    record = run(scenario, lambda *_: FixedRate(2_500_000), 1)
    assert record.flows[0].received_bps(1, 600) == pytest.approx(2_500_000, rel=0.01)
    assert 300_000 < 2 * record.flows[0].sent_at_us.size < record.events
    assert record.events < 3.5 * record.flows[0].sent_at_us.size  # a few microseconds each: seconds in all
    assert not math.isnan(record.flows[0].target_at(599))


def test_each_component_has_dice_of_its_own():
    flow = EncoderPlan(start_bps=200_000)
    record = run(replace(PLAIN, flows=(flow, flow)), lambda *_: FixedRate(200_000), 1)
    one, other = (flow.sent_bytes[:200] for flow in record.flows)
    assert (one != other).mean() > 0.9
