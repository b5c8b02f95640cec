"""Losses that have nothing to do with how full a queue is: single ones, and bursts as radio makes them."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

Die = Callable[[], bool]  # whether the next packet is lost


class LossModel(Protocol):
    """How packets are lost."""

    def die(self, random: Random) -> Die:
        """Something to throw for each packet, in the order in which they go."""


@dataclass(frozen=True, slots=True)
class RandomLoss:
    """Each packet is lost with the same probability, whatever befell the others.

    Args:
        share: 0..1.

    Raises:
        ValueError: `share` is out of range.
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError("a share is 0..1")

    def die(self, random: Random) -> Die:
        share, throw = self.share, random.random
        return lambda: throw() < share


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """Losses in bursts: a state that loses little and one that loses much, and a chance at each packet to change over.

    Args:
        to_bad: probability that a packet ends the good state, 0..1.
        to_good: probability that a packet ends the bad state, 0..1.
        good_loss: share lost in the good state.
        bad_loss: share lost in the bad state.

    Raises:
        ValueError: a probability is out of range, or both states would last for ever.

    Source: E. N. Gilbert, Capacity of a burst-noise channel (1960); E. O. Elliott (1963).
    """

    to_bad: float
    to_good: float
    good_loss: float = 0.0
    bad_loss: float = 1.0

    def __post_init__(self) -> None:
        if not all(0 <= p <= 1 for p in (self.to_bad, self.to_good, self.good_loss, self.bad_loss)):
            raise ValueError("a probability is 0..1")
        if self.to_bad + self.to_good == 0:
            raise ValueError("neither state ever ends")

    @classmethod
    def bursts(cls, share: float, packets: float) -> "GilbertElliott":
        """The one that loses this share of all packets, in bursts of so many on average.

        Raises:
            ValueError: `share` is not in 0..1 without 1, or a burst is shorter than a packet.
        """
        if not 0 <= share < 1 or packets < 1:
            raise ValueError("a share is 0..1, a burst has a packet at least")
        return cls(to_bad=min(1.0, share / (1 - share) / packets), to_good=1 / packets)

    @property
    def share(self) -> float:
        """Lost of all packets in the long run."""
        bad = self.to_bad / (self.to_bad + self.to_good)
        return bad * self.bad_loss + (1 - bad) * self.good_loss

    def die(self, random: Random) -> Die:
        throw = random.random
        is_bad = throw() < self.to_bad / (self.to_bad + self.to_good)

        def next_is_lost() -> bool:
            nonlocal is_bad
            if throw() < (self.to_good if is_bad else self.to_bad):
                is_bad = not is_bad
            return throw() < (self.bad_loss if is_bad else self.good_loss)

        return next_is_lost
