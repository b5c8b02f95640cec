"""A4, A5, A7, A8, A11: how soon a new flow, or one that may take more, finds out what the link carries."""

from mediarouter.testing.sim.checks import Check, at_least, at_most, within
from mediarouter.testing.sim.encoder import EncoderPlan
from mediarouter.testing.sim.figures import most_target, seconds_until, seconds_until_received, target_at
from mediarouter.testing.sim.layer_figures import seconds_until_layer
from mediarouter.testing.sim.link import OPEN_BPS
from mediarouter.testing.sim.publisher import SimulcastPlan
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.scenarios.paths import back, path
from mediarouter.testing.sim.schedule import Schedule, always
from mediarouter.testing.sim.viewer import ViewerPlan

PROBING = "libwebrtc test/scenario/probing_test"
RAMP = "libwebrtc bwe_ramp_up_test"
PROBE_RATE = "libwebrtc delay_based_bwe_unittest ProbeDetection"

A4 = Scenario(
    "A4",
    "start",
    f"{PROBING} Initial",
    5,
    path((0, 2_000_000)),
    back(),
    (EncoderPlan(start_bps=300_000),),
    (
        Check("target at 1 s, bit/s", target_at(1), within(1_800_000, 2_000_000), at_least(900_000)),
        Check("most target, bit/s", most_target(0, 5), at_most(2_000_000)),
    ),
)


def without_media(name: str, capacity_bps: int, reference_bps: int, goal_bps: int) -> Scenario:
    """Nothing but probes in the first seconds."""
    return Scenario(
        name,
        "start without media",
        RAMP,
        5,
        path((0, capacity_bps)),
        back(),
        (EncoderPlan(start_bps=300_000, media=Schedule((0, False), (3, True))),),
        (
            Check("target at 1 s, bit/s", target_at(1), within(goal_bps, capacity_bps)),
            Check(
                "target at 2 s, bit/s",
                target_at(2),
                within(goal_bps, capacity_bps),
                within(reference_bps, capacity_bps),
            ),
        ),
    )


A5 = without_media("A5", 3_000_000, 2_500_000, 2_700_000)
A5_LOW = without_media("A5-500k", 500_000, 400_000, 450_000)

A7 = Scenario(
    "A7",
    "cap lifted",
    f"{PROBING} MidCall",
    15,
    path((0, OPEN_BPS)),
    back(),
    (EncoderPlan(start_bps=100_000, max_bps=Schedule((0, 100_000), (10, 3_000_000))),),
    (
        Check("target 1 s after, bit/s", target_at(11), at_least(1_500_000), at_least(1_500_000)),
        Check("until 1.5 Mbit/s, s", seconds_until(10, 1_500_000), at_most(0.5)),
        Check("until 1.5 Mbit/s arrive, s", seconds_until_received(10, 1_500_000), at_most(0.8)),
    ),
)

LARGE = SimulcastPlan((150_000, 3_250_000), wanted=Schedule((0, 0), (20, 1)))
A8 = Scenario(
    "A8",
    "layer enabled",
    f"{PROBING} VideoEncoderConfig",
    25,
    path((0, 250_000), (19, OPEN_BPS)),
    back(),
    (ViewerPlan((LARGE,), start_bps=300_000),),
    (
        Check("until the estimate is 3.25 Mbit/s, s", seconds_until(20, 3_250_000), at_most(1), at_most(2)),
        Check("until the top layer goes, s", seconds_until_layer(20, 1), at_most(1)),
    ),
)


def probe_precision(name: str, start_bps: int, capacity_bps: int) -> Scenario:
    """The first probe goes at three times the start, more than the link carries: 0.95 of what came is right."""
    right_bps = round(0.95 * capacity_bps)
    precise = within(right_bps - 10_000, right_bps + 10_000)
    return Scenario(
        name,
        f"probe at {start_bps * 3 / 1e6:.1f} Mbit/s",
        PROBE_RATE,
        2,
        path((0, capacity_bps), delay_ms=20),
        back(20),
        (EncoderPlan(start_bps=start_bps, media=always(False)),),
        (Check("most target, bit/s", most_target(0.05, 2), precise, precise),),
    )


A11 = probe_precision("A11", 533_334, 1_142_000)
A11_FAST = probe_precision("A11-fast", 2_666_667, 4_000_000)

SCENARIOS = (A4, A5, A5_LOW, A7, A8, A11, A11_FAST)
