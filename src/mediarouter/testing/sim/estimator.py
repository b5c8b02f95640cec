"""What the simulator judges, by name: the library's estimator, one that somebody brings, and two plain ones."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from typing_extensions import Buffer

from mediarouter._transport_feedback import from_bytes
from mediarouter.congestion import Controller, SendSideEstimator
from mediarouter.rtcp import Ccfb, parse

TRANSPORT_FEEDBACK = 205  # RFC 4585 section 6.1


Estimator: TypeAlias = Controller | SendSideEstimator  # the latter is one, though only by registration
# start, least and most bits per second, and what time it is
MakeEstimator: TypeAlias = Callable[[int, int, int, int], Estimator]


class FixedRate(Controller):
    """Estimates the same for ever.

    Args:
        start_bps: that.
    """

    def __init__(self, start_bps: int, min_bps: int = 0, max_bps: int = 0, now_us: int = 0) -> None:
        self._target_bps = start_bps

    @property
    def target_bps(self) -> int:
        return self._target_bps

    def on_feedback(self, rtcp: Buffer, now_us: int) -> int:
        return 0


class LossAimd(Controller):
    """Grows by a twelfth a second, and falls by three tenths where a report tells of losses: no more than a stand-in.

    It knows nothing of delay, so it fills each queue before it yields. Estimators are held against the network, not
    against this.
    """

    GROWTH_A_SECOND = 1 / 12
    KEPT_AT_LOSS = 0.7
    PATIENCE_US = 300_000  # after a fall, until what it did can be seen

    def __init__(self, start_bps: int, min_bps: int, max_bps: int, now_us: int = 0) -> None:
        self._target = float(start_bps)
        self._min_bps, self._max_bps = min_bps, max_bps
        self._grown_us = now_us
        self._fell_us = -self.PATIENCE_US

    @property
    def target_bps(self) -> int:
        return int(self._target)

    def on_feedback(self, rtcp: Buffer, now_us: int) -> int:
        data = bytes(rtcp)
        if data[1] != TRANSPORT_FEEDBACK:
            return 0
        (report,) = parse(data)
        if isinstance(report, Ccfb):
            arrivals = [arrival for stream in report.streams for arrival in stream.arrivals]
        else:
            arrivals = [arrival for _, arrival in from_bytes(data).arrivals]
        elapsed_us, self._grown_us = now_us - self._grown_us, now_us
        if all(arrival is not None for arrival in arrivals):
            self._target *= 1 + self.GROWTH_A_SECOND * min(elapsed_us, 1_000_000) / 1_000_000
        elif now_us - self._fell_us >= self.PATIENCE_US:
            self._fell_us = now_us
            self._target *= self.KEPT_AT_LOSS
        self._target = min(max(self._target, self._min_bps), self._max_bps)
        return len(arrivals)


def known_estimators() -> dict[str, MakeEstimator]:
    """What can be judged, by name; the first is what is judged by default."""
    return {"send-side": SendSideEstimator, "loss-aimd": LossAimd, "fixed": FixedRate}


def find_estimator(name: str) -> MakeEstimator:
    """What makes the estimators to be judged.

    Args:
        name: of a known one; or `module:Class`, where the module can be imported; or `path/to/file.py:Class`. The class
            is a `Controller`, or registered as one.

    Raises:
        ValueError: nothing of this name, or it is no such class.
    """
    known = known_estimators()
    if name in known:
        return known[name]
    place, colon, class_name = name.rpartition(":")
    if not colon:
        raise ValueError(f"nothing is called {name}: {', '.join(known)}, or module:Class")
    try:
        found = getattr(load(place), class_name)
    except (ImportError, OSError, AttributeError) as error:
        raise ValueError(f"nothing is called {name}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Controller)):
        raise ValueError(f"{name} is no mediarouter.congestion.Controller")
    return found


def load(place: str) -> ModuleType:
    """A module by its name, or by the path of its file."""
    if not place.endswith(".py"):
        return import_module(place)
    name = Path(place).stem
    spec = spec_from_file_location(name, place)
    assert spec is not None and spec.loader is not None  # it ends with .py
    sys.modules[name] = module = module_from_spec(spec)  # before it runs: dataclasses look themselves up
    spec.loader.exec_module(module)
    return module
