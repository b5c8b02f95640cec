"""A1-A3, A6, A9, A10: an encoder on a link that stays, grows, or shrinks."""

from mediarouter.testing.sim.checks import Check, at_least, at_most, within
from mediarouter.testing.sim.encoder import EncoderPlan
from mediarouter.testing.sim.figures import (
    least_target,
    most_target,
    queue_empties_s,
    queue_ms,
    seconds_until,
    target_at,
)
from mediarouter.testing.sim.link import LinkPlan
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.scenarios.paths import ENDLESS, back, path
from mediarouter.testing.sim.schedule import Schedule

CAPACITY = "libwebrtc goog_cc_network_control_unittest UpdatesTargetRateBasedOnLinkCapacity"
DROP = "libwebrtc delay_based_bwe_unittest CapacityDrop"

A1 = Scenario(
    "A1",
    "steady link",
    CAPACITY,
    30,
    path((0, 500_000), delay_ms=100),
    back(100),
    (EncoderPlan(start_bps=300_000),),
    (
        Check("target at 25 s, bit/s", target_at(25), within(450_000, 500_000), within(350_000, 550_000)),
        Check("least target from 3 s, bit/s", least_target(3, 30), at_least(450_000)),
        Check("most target from 3 s, bit/s", most_target(3, 30), at_most(500_000)),
        Check("queue p95 from 3 s, ms", queue_ms(95, 3, 30), at_most(60)),
    ),
)

A2 = Scenario(
    "A2",
    "step up",
    CAPACITY,
    45,
    path((0, 500_000), (25, 800_000), delay_ms=100),
    back(100),
    (EncoderPlan(start_bps=300_000),),
    (
        Check("target 20 s after the step, bit/s", target_at(44.9), within(720_000, 800_000), within(600_000, 900_000)),
        Check("until 720 kbit/s, s", seconds_until(25, 720_000), at_most(5)),
    ),
)

A3 = Scenario(
    "A3",
    "step down",
    CAPACITY,
    71,
    LinkPlan(Schedule((0, 800_000), (20, 100_000)), Schedule((0, 100.0), (20, 200.0)), queue=ENDLESS),
    LinkPlan(delay_ms=Schedule((0, 100.0), (20, 200.0))),
    (EncoderPlan(start_bps=300_000),),
    (
        Check("target 50 s after the step, bit/s", target_at(70), within(80_000, 110_000), within(65_000, 115_000)),
        Check("until 80 to 110 kbit/s, s", seconds_until(20, 80_000, 110_000), at_most(8)),
        Check("until the queue is below 200 ms, s", queue_empties_s(20, 200, 60), at_most(10)),
    ),
)

A6 = Scenario(
    "A6",
    "step up by six",
    "libwebrtc bwe_ramp_up_test CapacityIncrease",
    25,
    path((0, 500_000), (5, 3_000_000)),
    back(),
    (EncoderPlan(start_bps=300_000),),
    (
        Check("target before the step, bit/s", target_at(4.9), within(425_000, 510_000), within(300_000, 650_000)),
        Check("target at 20 s, bit/s", target_at(20), at_least(2_550_000), at_least(1_000_000)),
        Check("until 2.55 Mbit/s, s", seconds_until(5, 2_550_000), at_most(4)),
    ),
)


def drop(name: str, title: str, offset_s: float, reference_s: float) -> Scenario:
    """Half the capacity goes; the receiver's clock is off by so much."""
    return Scenario(
        name,
        title,
        DROP,
        30,
        path((0, 1_000_000), (20, 500_000)),
        back(),
        (EncoderPlan(start_bps=300_000, clock_offset_s=offset_s),),
        (Check("until 500 kbit/s, s", seconds_until(20, most_bps=500_000), at_most(0.4), at_most(reference_s)),),
    )


A9 = drop("A9", "capacity drop", 0, 0.533)
A9_AHEAD = drop("A9-ahead", "capacity drop, clock 30 s ahead", 30, 0.9)
A9_BEHIND = drop("A9-behind", "capacity drop, clock 30 s behind", -30, 0.966)

A10 = Scenario(
    "A10",
    "initial overuse",
    "libwebrtc delay_based_bwe_unittest TestInitialOveruse",
    5,
    path((0, 200_000), delay_ms=10),
    back(10),
    (EncoderPlan(start_bps=300_000, fps=90),),
    (Check("until 160 to 200 kbit/s, s", seconds_until(0, 160_000, 200_000), at_most(0.35), at_most(0.444)),),
)
SCENARIOS = (A1, A2, A3, A6, A9, A9_AHEAD, A9_BEHIND, A10)
