"""A12, S1-S3, S6: a viewer of an SFU, whose rate is a sum of layers."""

from dataclasses import replace

from mediarouter.testing.sim.checks import Check, Measure, at_least, at_most
from mediarouter.testing.sim.figures import loss, loss_burst_s, queue_empties_s, queue_ms, steadiness
from mediarouter.testing.sim.layer_figures import (
    allocation_steadiness,
    seconds_until_layer,
    seconds_until_layers_take,
    seconds_until_targets_fit,
    share_of_best_layers,
    spatial_switches,
    switches_at_worst_step,
)
from mediarouter.testing.sim.publisher import SimulcastPlan
from mediarouter.testing.sim.queues import DropTail
from mediarouter.testing.sim.record import Record
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.scenarios.paths import back, path
from mediarouter.testing.sim.scenarios.rfc8867 import RATES
from mediarouter.testing.sim.schedule import always
from mediarouter.testing.sim.viewer import ViewerPlan

QUEUE = DropTail(limit_ms=300)
CAMERA = SimulcastPlan()
STEPS_S = tuple(at for at, _ in RATES)

A12 = Scenario(
    "A12",
    "steady layers",
    "libwebrtc goog_cc_network_control_unittest StableEstimate, which expects less than 0.85",
    40,
    path((0, 500_000), delay_ms=100),
    back(100),
    (ViewerPlan((CAMERA,), start_bps=300_000),),
    (
        Check("least allocation by most from 20 s", allocation_steadiness(20, 40), at_least(0.9)),
        Check("least estimate by most from 20 s", steadiness(20, 40), at_least(0.85)),
        Check("spatial switches from 20 s", spatial_switches(20, 40), at_most(0)),
    ),
)


def many(count: int) -> Scenario:
    """Twice the capacity of TC1, and so many cameras."""
    viewer = ViewerPlan((CAMERA,) * count)
    choices = [tuple(rate for rates in stream.layer_rates_bps for rate in rates) for stream in viewer.streams]
    best = share_of_best_layers(0, 100, choices, viewer.audio_bps)
    return Scenario(
        f"S1-{count}",
        f"simulcast, streams: {count}",
        "RFC 8867 section 5.1, twice the rates",
        100,
        path(*((at, rate * 2) for at, rate in RATES), queue=QUEUE),
        back(),
        (viewer,),
        (
            Check("bits in layers by those of the best", best, at_least(0.85)),
            Check("queue p95, ms", queue_ms(95, 0, 100), at_most(200)),
            Check("loss", loss(0, 100), at_most(0.005)),
            Check("most spatial switches of a stream at a step", switches_at_worst_step(STEPS_S, 100), at_most(2)),
        ),
    )


S1 = tuple(many(count) for count in (1, 6, 25))

S2 = Scenario(
    "S2",
    "upgrade",
    "ours",
    35,
    path((0, 600_000), (20, 2_500_000), queue=QUEUE),
    back(),
    (ViewerPlan((CAMERA,)),),
    (
        Check("queue p95 before, ms", queue_ms(95, 5, 20), at_most(80)),
        Check("until the next layer goes, s", seconds_until_layer(20, 2), at_most(1.5)),
        Check("until all of it goes, s", seconds_until_layers_take(20, 1_500_000), at_most(3)),
    ),
)

S3 = Scenario(
    "S3",
    "downgrade",
    "ours",
    35,
    path((0, 2_500_000), (20, 600_000), queue=QUEUE),
    back(),
    (ViewerPlan((CAMERA,)),),
    (
        Check("until the targets fit, s", seconds_until_targets_fit(20, 551_200), at_most(0.35)),
        Check("from the first loss to the last, s", loss_burst_s(20, 30), at_most(0.3)),
        Check("until the queue is below 50 ms, s", queue_empties_s(20, 50, 30), at_most(1.5)),
    ),
)


def queue_above_clean(from_s: float, to_s: float) -> Measure:
    """The 95th percentile of the queue less that of the clean run, ms."""

    def measure(run: Record, clean: Record) -> float:
        return run.queue_ms(95, from_s, to_s) - clean.queue_ms(95, from_s, to_s)

    return measure


def padding(from_s: float, to_s: float) -> Measure:
    """Share of padding of what was sent."""
    return lambda run, clean: run.flows[0].padding_share(from_s, to_s)


CONTENT = replace(CAMERA, wanted=always(1))
S6_CLEAN = Scenario(
    "S6-clean",
    "nothing more is wanted",
    "ours",
    71,
    path((0, 610_000), queue=QUEUE),
    back(),
    (ViewerPlan((CONTENT,)),),
    (),
)
S6 = replace(
    S6_CLEAN,
    id="S6",
    title="harm of probes",
    flows=(ViewerPlan((CAMERA,)),),
    checks=(
        Check("queue p95 above that of the clean run, ms", queue_above_clean(10, 70), at_most(20)),
        Check("padding", padding(10, 70), at_most(0.05)),
        Check("most spatial switches", spatial_switches(10, 70), at_most(0)),
    ),
    clean=S6_CLEAN,
)

SCENARIOS = (A12, *S1, S2, S3, S6)
