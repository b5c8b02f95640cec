"""A scenario: a path through the network, who sends over it, and what is asked of the run."""

from dataclasses import dataclass
from typing import TypeAlias

from mediarouter.testing.sim.checks import Check
from mediarouter.testing.sim.encoder import EncoderPlan
from mediarouter.testing.sim.link import LinkPlan
from mediarouter.testing.sim.tcp import TcpPlan
from mediarouter.testing.sim.unresponsive import BurstPlan, StreamPlan
from mediarouter.testing.sim.viewer import ViewerPlan

FlowPlan: TypeAlias = EncoderPlan | ViewerPlan
CrossPlan: TypeAlias = TcpPlan | StreamPlan | BurstPlan


@dataclass(frozen=True)
class Scenario:
    """What happens for some time on one path.

    Args:
        id: by which it is called, as A1, TC4 or S2.
        title: what it is about, in a few words.
        source: the test or document it is taken from.
        seconds: how long it lasts.
        forward: the way that media takes.
        backward: the way that feedback takes.
        flows: whose estimators are judged; the first one mostly.
        cross: other traffic over the forward link.
        checks: what is asked.
        clean: the run that some of the checks compare with.
    """

    id: str
    title: str
    source: str
    seconds: float
    forward: LinkPlan
    backward: LinkPlan
    flows: tuple[FlowPlan, ...]
    checks: tuple[Check, ...]
    cross: tuple[CrossPlan, ...] = ()
    clean: "Scenario | None" = None
