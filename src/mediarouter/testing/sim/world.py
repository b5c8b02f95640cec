"""Runs a scenario: builds the path, lets flows and cross traffic begin at their time, and keeps the record.

Everything random comes from one generator for each component, seeded by the scenario, the seed of the run and the
component's name: a change to one component leaves the dice of the others as they were.
"""

from random import Random

from mediarouter.testing.sim.allocators import MakeAllocator, default_allocator
from mediarouter.testing.sim.clock import Clock
from mediarouter.testing.sim.encoder import Encoder
from mediarouter.testing.sim.estimator import MakeEstimator
from mediarouter.testing.sim.link import Link
from mediarouter.testing.sim.publisher import Publisher
from mediarouter.testing.sim.receiver import Feedback
from mediarouter.testing.sim.record import Flow, Record
from mediarouter.testing.sim.router_sender import RouterSender
from mediarouter.testing.sim.scenario import CrossPlan, FlowPlan, Scenario
from mediarouter.testing.sim.schedule import SECOND_US
from mediarouter.testing.sim.sender import Sender
from mediarouter.testing.sim.tcp import Tcp, TcpPlan
from mediarouter.testing.sim.trace import Trace
from mediarouter.testing.sim.unresponsive import Unresponsive
from mediarouter.testing.sim.viewer import Viewer, ViewerPlan

COUNTS = ("offered", "delivered", "dropped", "lost", "duplicated", "in_flight")


class World:
    """A scenario at work.

    Args:
        make: makes the estimator of each flow.
        seed: of all that is random.
        make_allocator: makes the allocator of each viewer.
        feedback: what receivers give: "twcc", or "ccfb" for RFC 8888.
    """

    def __init__(
        self,
        scenario: Scenario,
        make: MakeEstimator,
        seed: int = 0,
        make_allocator: MakeAllocator = default_allocator,
        feedback: Feedback = "twcc",
    ) -> None:
        self._feedback: Feedback = feedback
        self.scenario, self.seed = scenario, seed
        self._make_allocator = make_allocator
        self.clock = Clock()
        self.forward = Link(self.clock, scenario.forward, self._random("forward"))
        self.backward = Link(self.clock, scenario.backward, self._random("backward"))
        self.traces: list[tuple[str, Trace]] = []
        self.cross_traces: list[tuple[str, Trace]] = []
        self.events = 0
        self._make = make
        for number, flow in enumerate(scenario.flows):
            self._begin_at(flow.begins_s, self._begin_flow, (number, flow))
        for number, cross in enumerate(scenario.cross):
            self._begin_at(cross.begins_s, self._begin_cross, (number, cross))

    def run(self) -> Record:
        """Go through all of it."""
        self.events += self.clock.run_until(round(self.scenario.seconds * SECOND_US))
        return Record(
            self.scenario.id,
            self.seed,
            self.scenario.seconds,
            flows=[Flow(trace, name) for name, trace in self.traces],
            cross=[Flow(trace, name) for name, trace in self.cross_traces],
            rate_bps=self.scenario.forward.rate_bps,
            waits=(self.forward.wait_at_us, self.forward.waits_us),
            counts={name: getattr(self.forward, name) for name in COUNTS},
            events=self.events,
        )

    def _random(self, component: str) -> Random:
        return Random(f"{self.scenario.id}/{self.seed}/{component}")

    def _begin_at(self, begins_s: float, begin: object, argument: object) -> None:
        self.clock.call_at(round(begins_s * SECOND_US), begin, argument)  # type: ignore[arg-type]

    def _begin_flow(self, what: tuple[int, FlowPlan]) -> None:
        number, plan = what
        name = f"flow {number}" + (" backwards" if plan.backwards else "")
        forward, backward = (self.backward, self.forward) if plan.backwards else (self.forward, self.backward)
        estimator = self._make(plan.start_bps, plan.min_bps, plan.limit_bps, self.clock.now_us)
        sender = (RouterSender if isinstance(plan, ViewerPlan) else Sender)(
            self.clock,
            estimator,
            forward,
            backward,
            clock_offset_us=round(plan.clock_offset_s * SECOND_US),
            access_delay_us=round(plan.access_delay_ms * 1000),
            feedback=self._feedback,
        )
        self.traces.append((name, sender.trace))
        if isinstance(plan, ViewerPlan):
            streams = enumerate(plan.streams)
            dice = [self._random(f"{name}/stream {i}") for i in range(len(plan.streams))]
            publishers = [Publisher(self.clock, stream, dice[i]) for i, stream in streams]
            Viewer(plan, sender, publishers, self._make_allocator())
        else:
            Encoder(plan, sender, self._random(name))

    def _begin_cross(self, what: tuple[int, CrossPlan]) -> None:
        number, plan = what
        name = f"cross {number}"
        traffic: Tcp | Unresponsive
        if isinstance(plan, TcpPlan):
            traffic = Tcp(self.clock, plan, self.forward, self.backward, self._random(name))
        else:
            traffic = Unresponsive(self.clock, plan, self.forward)
        self.cross_traces.append((name, traffic.trace))


def run(
    scenario: Scenario,
    make: MakeEstimator,
    seed: int = 0,
    make_allocator: MakeAllocator = default_allocator,
    feedback: Feedback = "twcc",
) -> Record:
    """One run of a scenario from beginning to end; the same arguments give the same record.

    Args:
        make: makes the estimator of each flow.
        seed: of all that is random.
        make_allocator: makes the allocator of each viewer.
        feedback: what receivers give: "twcc", or "ccfb" for RFC 8888.
    """
    return World(scenario, make, seed, make_allocator, feedback).run()
