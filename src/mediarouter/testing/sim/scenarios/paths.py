"""Paths that many scenarios share."""

from mediarouter.testing.sim.link import OPEN_BPS, LinkPlan
from mediarouter.testing.sim.loss import LossModel
from mediarouter.testing.sim.queues import DropTail
from mediarouter.testing.sim.schedule import Schedule, always

ENDLESS = DropTail(limit_ms=None)  # the links of libwebrtc's scenarios have no limit


def path(
    *rates: tuple[float, int],
    delay_ms: float = 50.0,
    jitter_ms: float = 0.0,
    queue: DropTail = ENDLESS,
    loss: LossModel | None = None,
) -> LinkPlan:
    """A link with a rate that changes at some times, in seconds."""
    return LinkPlan(Schedule(*rates), always(delay_ms), jitter_ms, queue, always(loss))


def back(delay_ms: float = 50.0) -> LinkPlan:
    """A way back that nothing fills."""
    return LinkPlan(always(OPEN_BPS), always(delay_ms))
