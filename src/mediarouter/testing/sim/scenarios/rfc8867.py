"""TC1, TC3-TC7 of RFC 8867, and A16: flows that share with others, with TCP, and with their own feedback."""

from dataclasses import replace

from mediarouter.testing.sim.checks import Check, Measure, at_least, at_most, within
from mediarouter.testing.sim.encoder import EncoderPlan
from mediarouter.testing.sim.figures import (
    jain,
    longest_dip_s,
    loss,
    queue_ms,
    settle_s,
    share_of_flow,
    target_at,
    utilisation,
)
from mediarouter.testing.sim.queues import DropTail
from mediarouter.testing.sim.record import Record
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.scenarios.paths import back, path
from mediarouter.testing.sim.schedule import always
from mediarouter.testing.sim.tcp import TcpPlan

LEAST_BPS, MOST_BPS = 150_000, 1_500_000
QUEUE = DropTail(limit_ms=300)
FLOW = EncoderPlan(start_bps=300_000, min_bps=LEAST_BPS, max_bps=always(MOST_BPS), limit_bps=MOST_BPS)
RATES = ((0.0, 1_000_000), (40.0, 2_500_000), (60.0, 600_000), (80.0, 1_000_000))

TC1 = Scenario(
    "TC1",
    "variable capacity, one flow",
    "RFC 8867 section 5.1",
    100,
    path(*RATES, queue=QUEUE),
    back(),
    (FLOW,),
    (
        Check("utilisation", utilisation(0, 100, MOST_BPS), at_least(0.88)),
        Check("queue p95, ms", queue_ms(95, 0, 100), at_most(80)),
        Check("loss", loss(0, 100), at_most(0.005)),
        Check("worst time to settle, s", settle_s((0, 40, 60, 80), 100, MOST_BPS), at_most(5)),
    ),
)


def received_by_clean(from_s: float, to_s: float) -> Measure:
    """What the first flow got by what it gets in the clean run."""

    def measure(run: Record, clean: Record) -> float:
        return run.flows[0].received_bps(from_s, to_s) / clean.flows[0].received_bps(from_s, to_s)

    return measure


TC3_CLEAN = Scenario(
    "TC3-clean",
    "feedback's way not congested",
    "RFC 8867 section 5.3",
    100,
    path((0, 2_000_000), (20, 1_000_000), (40, 500_000), (60, 2_000_000), queue=QUEUE),
    back(),
    (FLOW, replace(FLOW, backwards=True)),
    (),
)
TC3 = replace(
    TC3_CLEAN,
    id="TC3",
    title="congested feedback",
    backward=path((0, 2_000_000), (35, 800_000), (70, 2_000_000), queue=QUEUE),
    checks=(
        Check("rate by that of the clean run", received_by_clean(0, 100), at_least(0.9)),
        Check("queue p95, ms", queue_ms(95, 0, 100), at_most(80)),
    ),
    clean=TC3_CLEAN,
)

TC4 = Scenario(
    "TC4",
    "three flows",
    "RFC 8867 section 5.4",
    120,
    path((0, 3_500_000), queue=QUEUE),
    back(),
    tuple(replace(FLOW, begins_s=20.0 * i) for i in range(3)),
    (
        Check("Jain's index of two, 15 s after the join", jain(35, 40, 2), at_least(0.95)),
        Check("Jain's index of three, from 20 s after the join", jain(60, 120, 3), at_least(0.95)),
        Check("utilisation with three", utilisation(60, 120), at_least(0.85)),
        Check("queue p95, ms", queue_ms(95, 60, 120), at_most(80)),
    ),
)

DISTANCES_MS = (10.0, 25.0, 50.0, 100.0, 150.0)
TC5 = Scenario(
    "TC5",
    "five distances",
    "RFC 8867 section 5.5",
    300,
    path((0, 4_000_000), delay_ms=0, queue=QUEUE),
    back(0),
    tuple(replace(FLOW, begins_s=10.0 * i, access_delay_ms=ms) for i, ms in enumerate(DISTANCES_MS)),
    (
        Check("Jain's index of the last 100 s", jain(200, 300, 5), at_least(0.9)),
        Check("utilisation of the last 100 s", utilisation(200, 300), at_least(0.85)),
    ),
)


def beside_tcp(name: str, queue_limit_ms: int, algorithm: str, fair: Check) -> Scenario:
    """One long connection and one flow."""
    return Scenario(
        name,
        f"long {algorithm.capitalize()}, queue of {queue_limit_ms} ms",
        "RFC 8867 section 5.6",
        120,
        path((0, 2_000_000), queue=DropTail(limit_ms=queue_limit_ms)),
        back(),
        (FLOW,),
        (fair,),
        cross=(TcpPlan(algorithm, begins_s=5),),
    )


SHORT_FAIR = Check("share from 30 s", share_of_flow(30, 120), within(0.35, 0.65))
LONG_FAIR = Check("share from 30 s", share_of_flow(30, 120), at_least(0.25))
TC6 = beside_tcp("TC6", 300, "reno", SHORT_FAIR)
TC6_LONG = beside_tcp("TC6-1000", 1000, "reno", LONG_FAIR)
TC6_CUBIC = beside_tcp("TC6-cubic", 300, "cubic", SHORT_FAIR)

TC7 = Scenario(
    "TC7",
    "ten short TCP, two flows",
    "RFC 8867 section 5.7",
    300,
    path((0, 2_000_000), queue=QUEUE),
    back(),
    (FLOW, FLOW),
    (
        Check("utilisation from 20 s", utilisation(20, 300), at_least(0.85)),
        Check("longest time below half of what is left, s", longest_dip_s(20, 300, MOST_BPS), at_most(3)),
    ),
    cross=tuple(TcpPlan("reno", transfer_bytes=(30_000, 50_000), pause_s=10) for _ in range(10)),
)

A16 = Scenario(
    "A16",
    "share with TCP",
    "libwebrtc goog_cc_network_control_unittest IsFairToTCP",
    71,
    path((0, 1_000_000), queue=QUEUE),
    back(),
    (EncoderPlan(start_bps=300_000),),
    (
        Check("target at 10 s, bit/s", target_at(10), within(0, 750_000), within(0, 750_000)),
        Check("share from 10 s", share_of_flow(10, 70), within(0.35, 0.65)),
    ),
    cross=(TcpPlan("reno"),),
)

SCENARIOS = (A16, TC1, TC3, TC4, TC5, TC6, TC6_LONG, TC6_CUBIC, TC7)
