"""Congestion control: what a viewer's network carries, and how that is shared out among what it watches.

`SendSideEstimator` estimates, by the transport-wide feedback about what was sent; `allocate` shares out; `TwccRecorder`
is the other end, which gives such feedback to publishers. `Controller` is what an estimator is, for those who bring
another. All of it is sans-IO, and none needs a router.
"""

from mediarouter.congestion._estimator import Probe, SendSideEstimator
from mediarouter.congestion._twcc import TwccRecorder
from mediarouter.congestion.allocation import (
    Allocation,
    History,
    Layer,
    Reason,
    StreamClass,
    StreamWish,
    Target,
    allocate,
    applied,
    plan,
)
from mediarouter.congestion.controller import Controller

__all__ = [
    "Allocation",
    "Controller",
    "History",
    "Layer",
    "Probe",
    "Reason",
    "SendSideEstimator",
    "StreamClass",
    "StreamWish",
    "Target",
    "TwccRecorder",
    "allocate",
    "applied",
    "plan",
]
