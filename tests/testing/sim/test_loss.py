"""Losses have the share and the bursts that they are asked for."""

from itertools import groupby
from random import Random

import pytest

from mediarouter.testing.sim.loss import GilbertElliott, RandomLoss

THROWS = 200_000


def thrown(model, seed=3):
    die = model.die(Random(seed))
    return [die() for _ in range(THROWS)]


def bursts(losses):
    return [sum(1 for _ in group) for lost, group in groupby(losses) if lost]


@pytest.mark.parametrize("share", [0, 0.02, 0.1, 0.5, 1])
def test_random_loss_has_its_share_and_no_memory(share):
    losses = thrown(RandomLoss(share))
    assert sum(losses) / THROWS == pytest.approx(share, abs=4 * (share * (1 - share) / THROWS) ** 0.5)
    if 0 < share < 1:
        lengths = bursts(losses)
        assert sum(lengths) / len(lengths) == pytest.approx(1 / (1 - share), rel=0.05)


@pytest.mark.parametrize(("share", "packets"), [(0.02, 3), (0.1, 1), (0.2, 8), (0.01, 20)])
def test_bursts_have_their_share_and_length(share, packets):
    model = GilbertElliott.bursts(share, packets)
    assert model.share == pytest.approx(share)
    losses = thrown(model)
    lengths = bursts(losses)
    few = 3 * (2 / (THROWS * share / packets)) ** 0.5  # three deviations of a sum of so many geometric lengths
    assert sum(losses) / THROWS == pytest.approx(share, rel=few)
    assert sum(lengths) / len(lengths) == pytest.approx(packets, rel=few)


def test_the_stationary_share_of_both_states_is_met():
    model = GilbertElliott(to_bad=0.01, to_good=0.04, good_loss=0.005, bad_loss=0.5)
    assert model.share == pytest.approx(0.2 * 0.5 + 0.8 * 0.005)
    losses = [sum(thrown(model, seed)) / THROWS for seed in range(8)]
    assert sum(losses) / len(losses) == pytest.approx(model.share, rel=0.03)


def test_it_begins_in_the_stationary_state():
    model = GilbertElliott(to_bad=0.001, to_good=0.001)
    first = [model.die(Random(seed))() for seed in range(2000)]
    assert sum(first) / len(first) == pytest.approx(0.5, abs=0.05)


def test_the_same_seed_loses_the_same():
    model = GilbertElliott.bursts(0.1, 4)
    assert thrown(model, 5) == thrown(model, 5) != thrown(model, 6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomLoss(1.1),
        lambda: RandomLoss(-0.1),
        lambda: GilbertElliott(0, 0),
        lambda: GilbertElliott(2, 0.5),
        lambda: GilbertElliott.bursts(1, 3),
        lambda: GilbertElliott.bursts(0.1, 0.5),
    ],
)
def test_what_is_no_probability_is_refused(make):
    with pytest.raises(ValueError):
        make()
