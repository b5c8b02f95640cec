"""What a controller is: the face of the estimator, which is one; and what one of Python's has without saying more."""

import inspect

import pytest

from mediarouter.congestion import Controller, SendSideEstimator
from mediarouter.testing.sim import SCENARIOS, run

OWN = {"counters", "memory_size", "set_limits"}  # of the estimator alone


class Steady(Controller):
    def __init__(self, start_bps, min_bps, max_bps, now_us=0):
        self._target_bps = start_bps

    @property
    def target_bps(self):
        return self._target_bps

    def on_feedback(self, rtcp, now_us):
        return 0


def face(kind):
    return {name for name in dir(kind) if not name.startswith("_") and name not in dir(type("Empty", (), {}))}


def test_the_estimator_is_one_and_has_the_same_face():
    assert issubclass(SendSideEstimator, Controller)
    assert isinstance(SendSideEstimator(), Controller)
    assert face(SendSideEstimator) - OWN == face(Controller) - {"register"}


def test_both_are_called_alike():
    compared = 0
    for name in face(Controller) - {"register"}:
        if callable(getattr(Controller, name)):
            ours = inspect.signature(getattr(SendSideEstimator, name)).parameters.values()
            theirs = inspect.signature(getattr(Controller, name)).parameters.values()
            assert [(one.name, one.default) for one in ours] == [(one.name, one.default) for one in theirs], name
            compared += 1
        else:
            assert not callable(getattr(SendSideEstimator, name)), name
    assert compared == 5
    for kind in (SendSideEstimator, Steady):
        made = kind(start_bps=500_000, min_bps=100_000, max_bps=900_000, now_us=5)
        assert made.target_bps == 500_000


def test_what_is_a_must_is_asked_for():
    for missing in ("target_bps", "on_feedback", "__init__"):
        body = {name: member for name, member in vars(Steady).items() if name != missing}
        with pytest.raises(TypeError, match=missing):
            type("Incomplete", (Controller,), body)(1, 1, 1)


def test_without_more_there_are_no_probes_and_no_deadlines():
    steady = Steady(400_000, 100_000, 900_000)
    steady.on_packet_sent(0, 1200, 0)
    steady.set_demand(1_000_000, 0)
    assert (steady.poll(1), steady.poll_probe(1)) == (None, None)
    assert (steady.budget_bps, steady.pacing_bps) == (400_000, 1_000_000)
    assert (steady.rtt_us, steady.acked_bps) == (None, None)


def test_it_takes_the_estimator_s_place_in_the_simulator():
    record = run(SCENARIOS["A1"], Steady)
    assert set(record.flows[0].target_bps) == {300_000}
    assert 250_000 < record.flows[0].received_bps(5, 20) < 330_000
