"""An estimator that knows the capacity: what it cannot reach is no goal."""

from mediarouter.congestion import Controller
from mediarouter.testing.sim.estimator import MakeEstimator
from mediarouter.testing.sim.scenario import Scenario

SHARE = 0.95


class Oracle(Controller):
    """Estimates 95 % of what the bottleneck carries at the moment, whatever is reported."""

    def __init__(self, scenario: Scenario, now_us: int) -> None:
        self._rates = scenario.forward.rate_bps
        self._now_us = now_us

    @property
    def target_bps(self) -> int:
        return int(self._rates.at(self._now_us) * SHARE)

    def on_packet_sent(self, seq: int, size: int, now_us: int, probe_cluster: int = 0) -> None:
        self._now_us = now_us

    def on_feedback(self, rtcp: bytes, now_us: int) -> int:
        self._now_us = now_us
        return 0

    def poll(self, now_us: int) -> int | None:
        self._now_us = now_us
        return None


def oracle(scenario: Scenario) -> MakeEstimator:
    """Makes oracles of this scenario."""
    return lambda start_bps, min_bps, max_bps, now_us: Oracle(scenario, now_us)
