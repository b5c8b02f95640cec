"""A17-A20, A27, A28: receivers that set limits, senders that fall silent, feedback that is late, lost or doubled."""

from dataclasses import replace

from mediarouter.testing.sim.checks import Check, Measure, at_least, at_most, within
from mediarouter.testing.sim.encoder import EncoderPlan
from mediarouter.testing.sim.figures import greatest_fall, seconds_until, target_at
from mediarouter.testing.sim.link import OPEN_BPS, LinkPlan
from mediarouter.testing.sim.loss import RandomLoss
from mediarouter.testing.sim.record import Record
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.scenarios.paths import ENDLESS, back, path
from mediarouter.testing.sim.scenarios.steady import A1
from mediarouter.testing.sim.schedule import Schedule, always
from mediarouter.testing.sim.unresponsive import BurstPlan

GOOG_CC = "libwebrtc goog_cc_network_control_unittest"

A17 = Scenario(
    "A17",
    "REMB dip",
    f"{GOOG_CC} RembDip",
    30,
    path((0, 2_000_000)),
    back(),
    (EncoderPlan(start_bps=300_000, receiver_limit_bps=Schedule((0, 0), (10, 250_000), (15, 0))),),
    (
        Check("target 1 s after REMB, bit/s", target_at(11), within(249_000, 250_000), within(249_000, 250_000)),
        Check("until 250 kbit/s, s", seconds_until(10, most_bps=250_000), at_most(0.1)),
        Check("target 10 s after it ended, bit/s", target_at(25), at_least(1_800_000), at_least(1_500_000)),
        Check("until 1.8 Mbit/s, s", seconds_until(15, 1_800_000), at_most(2)),
    ),
)

A18 = Scenario(
    "A18",
    "bloat",
    f"{GOOG_CC} LimitsToFloorIfRttIsHigh",
    20,
    path((0, 100_000)),
    back(),
    (EncoderPlan(start_bps=100_000),),
    (Check("until 55 kbit/s, s", seconds_until(10, most_bps=55_000), at_most(3), at_most(6)),),
    cross=(BurstPlan(125_000, begins_s=10),),
)


def target_kept(before_s: float, after_s: float) -> Measure:
    """The estimate of one moment by that of another."""

    def measure(run: Record, clean: Record) -> float:
        return run.flows[0].target_at(after_s) / run.flows[0].target_at(before_s)

    return measure


A19 = Scenario(
    "A19",
    "sender silent for 4 s",
    f"{GOOG_CC} NoRttBackoffCollapse",
    25,
    path((0, 2_000_000)),
    back(),
    (EncoderPlan(start_bps=300_000, media=Schedule((0, True), (15, False), (19, True))),),
    (
        Check("target after it, bit/s", target_at(19.5), at_least(1_000_000), at_least(1_000_000)),
        Check("target after it by that before", target_kept(14.9, 19.5), at_least(0.95)),
    ),
)

A20 = Scenario(
    "A20",
    "feedback 300 s late",
    f"{GOOG_CC} NoCrashOnVeryLateFeedback",
    320,
    path((0, 500_000)),
    LinkPlan(Schedule((0, OPEN_BPS), (5, 0), (305, OPEN_BPS)), always(50.0), queue=ENDLESS),
    (EncoderPlan(start_bps=300_000),),
    (Check("until 300 kbit/s again, s", seconds_until(305, 300_000), at_most(2)),),
)


def precision(name: str, title: str, offset_s: float) -> Scenario:
    """A packet each 10 ms that comes up to 250 us early or late: nothing that says overuse."""
    return Scenario(
        name,
        title,
        "libwebrtc delay_based_bwe_unittest TestTimestampPrecisionHandling",
        20,
        path((0, OPEN_BPS), jitter_ms=0.25),
        back(),
        (EncoderPlan(start_bps=300_000, max_bps=always(800_000), fps=100, clock_offset_s=offset_s),),
        (Check("greatest fall, share", greatest_fall(0, 20), at_most(0), at_most(0)),),
    )


A27 = precision("A27", "timestamps of 250 us", 0)
A27_OFFSET = precision("A27-offset", "timestamps of 250 us, clock a day ahead", 86_400.06)


def mean_target_by_clean(from_s: float, to_s: float) -> Measure:
    """The mean of the estimate by that of the clean run."""

    def measure(run: Record, clean: Record) -> float:
        times = [from_s + i / 10 for i in range(int((to_s - from_s) * 10))]
        return sum(run.flows[0].target_at(at) for at in times) / sum(clean.flows[0].target_at(at) for at in times)

    return measure


A28 = replace(
    A1,
    id="A28",
    title="feedback lost, late and twice",
    source="ours",
    backward=LinkPlan(
        always(OPEN_BPS),
        always(100.0),
        loss=always(RandomLoss(0.05)),
        reordered=0.02,
        reorder_ms=120,
        duplicated=0.02,
    ),
    checks=(Check("mean target from 5 s by that of the clean run", mean_target_by_clean(5, 30), within(0.95, 1.05)),),
    clean=A1,
)

SCENARIOS = (A17, A18, A19, A20, A27, A27_OFFSET, A28)
