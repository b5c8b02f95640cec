"""A network in virtual time, and what an estimator of the send side does on it.

    from mediarouter.testing.sim import SCENARIOS, run, score

    record = run(SCENARIOS["TC1"], make, seed=1)      # make(start_bps, min_bps, max_bps, now_us) -> Controller
    record.windows()                                  # columns of numpy, 200 ms a row
    score(SCENARIOS["TC1"], make, seeds=range(20))    # figures beside reference and goal

The same scenario, estimator and seed give the same record.
"""

from mediarouter.testing.sim.allocation import Allocate, Decision, Layer, Stream, layer_major, next_demand
from mediarouter.testing.sim.allocators import MakeAllocator, known_allocators
from mediarouter.testing.sim.checks import Bounds, Check
from mediarouter.testing.sim.encoder import EncoderPlan
from mediarouter.testing.sim.estimator import (
    Estimator,
    FixedRate,
    LossAimd,
    MakeEstimator,
    find_estimator,
    known_estimators,
)
from mediarouter.testing.sim.link import OPEN_BPS, LinkPlan
from mediarouter.testing.sim.loss import GilbertElliott, LossModel, RandomLoss
from mediarouter.testing.sim.pictures import plot
from mediarouter.testing.sim.publisher import SimulcastPlan
from mediarouter.testing.sim.queues import CoDel, DropTail, QueuePlan
from mediarouter.testing.sim.record import Flow, Record
from mediarouter.testing.sim.scenario import Scenario
from mediarouter.testing.sim.scenarios import SCENARIOS, select
from mediarouter.testing.sim.schedule import Schedule, always
from mediarouter.testing.sim.scoring import Score, score
from mediarouter.testing.sim.tcp import TcpPlan
from mediarouter.testing.sim.unresponsive import BurstPlan, StreamPlan
from mediarouter.testing.sim.viewer import ViewerPlan
from mediarouter.testing.sim.world import run

__all__ = [
    "OPEN_BPS",
    "SCENARIOS",
    "Allocate",
    "Bounds",
    "BurstPlan",
    "Check",
    "CoDel",
    "Decision",
    "DropTail",
    "EncoderPlan",
    "Estimator",
    "FixedRate",
    "Flow",
    "GilbertElliott",
    "Layer",
    "LinkPlan",
    "LossAimd",
    "LossModel",
    "MakeAllocator",
    "MakeEstimator",
    "QueuePlan",
    "RandomLoss",
    "Record",
    "Scenario",
    "Schedule",
    "Score",
    "SimulcastPlan",
    "Stream",
    "StreamPlan",
    "TcpPlan",
    "ViewerPlan",
    "always",
    "find_estimator",
    "known_allocators",
    "known_estimators",
    "layer_major",
    "next_demand",
    "plot",
    "run",
    "score",
    "select",
]
