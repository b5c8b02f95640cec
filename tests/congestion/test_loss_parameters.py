"""The parameters of the loss-based estimate: defaults, and the ranges that keep the arithmetic sound."""

import pytest

from mediarouter.congestion._loss_based import LossLimiter
from mediarouter.congestion._loss_parameters import loss_parameters


def test_the_defaults_are_the_references() -> None:
    assert loss_parameters() == {
        "candidate_factors": (1.02, 1.0, 0.95),
        "acked_factor": 1.0,
        "bound_in_alr": False,
        "observations": 15,
        "observations_min": 3,
        "observation_us": 250_000,
        "sending_rate_smoothing": 0.0,
        "age_weight": 0.9,
        "inherent_loss_start": 0.01,
        "inherent_loss_min": 0.001,
        "inherent_loss_offset": 0.05,
        "inherent_loss_balance_bps": 100_000,
        "newton_iterations": 1,
        "newton_step": 0.75,
        "bandwidth_bias": 0.0002,
        "log_bandwidth_bias": 0.02,
        "preference_loss": 0.2,
        "preference_smoothing": 0.002,
        "bound_age_weight": 0.9,
        "bound_loss_offset": 0.05,
        "bound_balance_bps": 100_000,
        "burst_factor": 2.0,
        "no_rise_above_inherent_loss": True,
        "acked_floor_factor": 1.0,
        "ramp_factor": 1.5,
        "ramp_factor_in_hold": 1.2,
        "hold_threshold": 1.3,
        "window_factor": 1.3,
        "window_us": 300_000,
        "hold_us": 300_000,
        "hold_max_us": 60_000_000,
        "hold_growth": 2.0,
        "padding_us": 2_000_000,
    }
    assert LossLimiter().parameters == loss_parameters()


@pytest.mark.parametrize("factors", [(0.5,), (1.1, 1.0), (3.0, 2.0, 1.0, 0.5), [1.25]])
def test_one_to_four_factors(factors: tuple[float, ...]) -> None:
    assert loss_parameters(candidate_factors=factors)["candidate_factors"] == tuple(factors)


NAN, INFINITE = float("nan"), float("inf")
WRONG: dict[str, list[float | tuple[float, ...]]] = {
    "candidate_factors": [(), (1.0,) * 5, (0.0,), (1.0, -1.0), (NAN,), (INFINITE,)],
    "acked_factor": [-0.1, 1.1, NAN],
    "observations": [1, 33, -1],
    "observations_min": [0],
    "observation_us": [0, 1 << 40],
    "sending_rate_smoothing": [-0.1, 1.0, NAN],
    "age_weight": [0.0, 1.1, NAN],
    "inherent_loss_start": [-0.1, 1.0, NAN],
    "inherent_loss_min": [-0.1, 1.0, NAN],
    "inherent_loss_offset": [0.0, 1.0, NAN],
    "inherent_loss_balance_bps": [0, 1 << 50],
    "newton_iterations": [0, 17],
    "newton_step": [0.0, INFINITE, NAN],
    "bandwidth_bias": [-1.0, NAN],
    "log_bandwidth_bias": [-1.0, NAN],
    "preference_loss": [-0.1, 1.0, NAN],
    "preference_smoothing": [0.0, 1.1, NAN],
    "bound_age_weight": [0.0, 1.1, NAN],
    "bound_loss_offset": [-0.1, 1.0, NAN],
    "bound_balance_bps": [0, 1 << 50],
    "burst_factor": [-1.0, NAN],
    "acked_floor_factor": [-1.0, NAN],
    "ramp_factor": [1.0, NAN],
    "ramp_factor_in_hold": [1.0, NAN],
    "hold_threshold": [-1.0, NAN],
    "window_factor": [0.0, NAN],
    "window_us": [0, 1 << 40],
    "hold_us": [-1, 60_000_001],
    "hold_max_us": [1, 1 << 40],
    "hold_growth": [-1.0, NAN],
    "padding_us": [-1, 1 << 40],
}


def test_each_parameter_but_the_switches_has_a_range() -> None:
    assert set(loss_parameters()) - set(WRONG) == {"bound_in_alr", "no_rise_above_inherent_loss"}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_what_is_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        loss_parameters(**{name: value})


def test_what_is_unknown_or_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="'loss_offset' is no parameter"):
        loss_parameters(loss_offset=0.1)
    with pytest.raises(TypeError):
        loss_parameters(ramp_factor="much")
    with pytest.raises(TypeError):
        LossLimiter(candidate_factors=1.0)
