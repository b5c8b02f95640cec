"""A13-A15, A22, A23, A26: packets are lost, or come when they like, and the bottleneck is not to blame."""

from mediarouter.testing.sim.checks import Check, at_least, at_most
from mediarouter.testing.sim.encoder import EncoderPlan
from mediarouter.testing.sim.figures import dips, least_target, mean_received, seconds_until, target_at
from mediarouter.testing.sim.link import LinkPlan
from mediarouter.testing.sim.loss import GilbertElliott, RandomLoss
from mediarouter.testing.sim.queues import DropTail
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.scenarios.paths import ENDLESS, back, path
from mediarouter.testing.sim.schedule import Schedule, always

GOOG_CC = "libwebrtc goog_cc_network_control_unittest"
STR0M = "str0m tests/bwe"
HUNDRED_KB = DropTail(limit_ms=None, limit_bytes=100_000)

A13 = Scenario(
    "A13",
    "10 % loss",
    f"{GOOG_CC} LossBasedControlDoesModestBackoffToHighLoss",
    121,
    path((0, 2_000_000), delay_ms=200, loss=RandomLoss(0.1)),
    back(200),
    (EncoderPlan(start_bps=300_000),),
    (
        Check("target at 120 s, bit/s", target_at(120), at_least(1_200_000), at_least(100_000)),
        Check("least target from 10 s, bit/s", least_target(10, 120), at_least(1_200_000)),
    ),
)

A14 = Scenario(
    "A14",
    "10 % loss, jitter",
    f"{STR0M} loss",
    15,
    path((0, 5_000_000), delay_ms=20, jitter_ms=5, queue=HUNDRED_KB, loss=RandomLoss(0.1)),
    back(20),
    (EncoderPlan(start_bps=300_000),),
    (
        Check("target at 8 s, bit/s", target_at(8), at_least(2_000_000), at_least(1_000_000)),
        Check("until 2 Mbit/s, s", seconds_until(0, 2_000_000), at_most(5)),
    ),
)

A15 = Scenario(
    "A15",
    "20 % loss",
    f"{GOOG_CC} NoBandwidthTogglingInLossControl",
    25,
    path((0, 2_000_000), delay_ms=10, loss=RandomLoss(0.2)),
    back(10),
    (EncoderPlan(start_bps=300_000),),
    (
        Check("dips of 100 kbit/s from 20 to 22 s", dips(20, 22, 100_000), at_most(0), at_most(1)),
        Check("dips of 100 kbit/s from 5 to 25 s", dips(5, 25, 100_000), at_most(0)),
    ),
)


def radio(name: str, title: str, link: LinkPlan, way_back: LinkPlan, first_s: float, more_s: float) -> Scenario:
    """750 kbit/s are wanted, then 1.5 Mbit/s, on a link that carries much more and is no wire."""
    return Scenario(
        name,
        title,
        f"{STR0M} simple",
        61,
        link,
        way_back,
        (EncoderPlan(start_bps=300_000, max_bps=Schedule((0, 750_000), (40, 1_500_000))),),
        (
            Check("target at 40 s, bit/s", target_at(39.9), at_least(750_000), at_least(750_000)),
            Check("target at 60 s, bit/s", target_at(60), at_least(1_500_000), at_least(1_500_000)),
            Check("until 750 kbit/s, s", seconds_until(0, 750_000), at_most(first_s)),
            Check("until 1.5 Mbit/s, s", seconds_until(40, 1_500_000), at_most(more_s)),
            Check("mean rate from 45 s, bit/s", mean_received(45, 60), at_least(1_350_000)),
        ),
    )


A22 = radio(
    "A22",
    "cellular",
    path((0, 30_000_000), delay_ms=50, jitter_ms=15, queue=HUNDRED_KB, loss=GilbertElliott.bursts(0.02, 3)),
    back(50),
    3,
    2,
)
A23_WIFI = radio("A23-wifi", "wifi", path((0, 100_000_000), delay_ms=5, jitter_ms=2), back(5), 5, 5)
A23_CONGESTED = radio(
    "A23-congested",
    "congested wifi",
    path((0, 10_000_000), delay_ms=80, jitter_ms=40, queue=HUNDRED_KB),
    back(80),
    10,
    10,
)

A26 = Scenario(
    "A26",
    "loss gone",
    f"{STR0M} loss",
    30,
    LinkPlan(
        always(5_000_000),
        always(20.0),
        queue=ENDLESS,
        loss=Schedule((0, None), (10, RandomLoss(0.15)), (15, None)),
    ),
    back(20),
    (EncoderPlan(start_bps=1_000_000),),
    (
        Check("least target from 11 s, bit/s", least_target(11, 30), at_least(1_000_000), at_least(1_000_000)),
        Check("until 4 Mbit/s, s", seconds_until(15, 4_000_000), at_most(6)),
    ),
)

SCENARIOS = (A13, A14, A15, A22, A23_WIFI, A23_CONGESTED, A26)
