"""The objective and the choice of a candidate, written down from the formulas in plain floats, as an outside judge."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import floor, log
from statistics import median


@dataclass
class Observation:
    size: int
    lost: int
    rate: int


@dataclass
class Reference:
    """All observations since the beginning; those of the window count."""

    window: int = 15
    fade: float = 0.9
    offset: float = 0.05
    balance: int = 100_000
    step: float = 0.75
    iterations: int = 1
    observations: list[Observation] = field(default_factory=list)

    def aged(self) -> list[tuple[float, Observation]]:
        return [(self.fade**age, o) for age, o in enumerate(reversed(self.observations[-self.window :]))]

    def average_loss(self) -> float:
        total = len(self.observations)
        if total == 0:
            return 0.0
        # ties go to the place in the ring, which is the number modulo the window
        places = sorted(range(max(0, total - self.window), total), key=lambda number: number % self.window)
        rows = [(self.fade ** (total - 1 - number), self.observations[number]) for number in places]
        sizes = [floor(weight * o.size + 0.5) for weight, o in rows]
        losses = [floor(weight * o.lost + 0.5) for weight, o in rows]
        shares = [o.lost / o.size if o.size else 0.0 for _, o in rows]
        if sum(losses) == 0:
            return 0.0
        worst = shares.index(max(shares))
        fast = rows[worst][1].rate
        rates = [o.rate for _, o in rows if o.rate > 0]
        average = sum(losses) / sum(sizes)
        if total <= 3 or fast >= 2 * (median(rates) if rates else 0):
            return average
        out = {worst}
        if min(shares) < 1.0:
            out.add(shares.index(min(shares)))
        rest = [place for place in range(len(rows)) if place not in out]
        left = sum(sizes[place] for place in rest)
        return sum(losses[place] for place in rest) / left if left else average

    @staticmethod
    def probability(bandwidth: int, inherent: float, rate: int) -> float:
        over = max(0.0, (rate - bandwidth) / rate) if rate else 0.0
        return min(max(inherent + (1 - inherent) * over, 1e-6), 1 - 1e-6)

    def feasible(self, inherent: float, bandwidth: int) -> float:
        high = min(1.0, self.offset + self.balance / bandwidth) if bandwidth else 1.0
        return min(max(inherent, 0.001), high)

    def fit(self, bandwidth: int, inherent: float) -> float:
        for _ in range(self.iterations):
            slope = curve = 0.0
            for weight, o in self.aged():
                p = self.probability(bandwidth, inherent, o.rate)
                slope += weight * (o.lost / p - (o.size - o.lost) / (1 - p))
                curve -= weight * (o.lost / p**2 + (o.size - o.lost) / (1 - p) ** 2)
            if curve < 0:
                inherent -= self.step * slope / curve
            inherent = self.feasible(inherent, bandwidth)
        return inherent

    def objective(self, bandwidth: int, inherent: float) -> float:
        kbps = floor(bandwidth / 1000 + 0.5)
        margin = 0.2 - self.average_loss()
        bias = (0.0002 * kbps + 0.02 * log(1 + kbps)) * margin / (0.002 + abs(margin))
        total = 0.0
        for weight, o in self.aged():
            p = self.probability(bandwidth, inherent, o.rate)
            total += weight * (o.lost * log(p) + (o.size - o.lost) * log(1 - p) + o.size * bias)
        return total

    def choices(self, bandwidths: Sequence[int], inherent: float) -> list[tuple[float, int, float]]:
        """Each candidate as (objective, bandwidth, inherent loss), the best first."""
        rows = []
        for bandwidth in bandwidths:
            fitted = self.fit(bandwidth, self.feasible(inherent, bandwidth))
            rows.append((self.objective(bandwidth, fitted), bandwidth, fitted))
        return sorted(rows, key=lambda row: -row[0])


def candidates(present: int, acked: int | None, delay: int | None, ceiling: int, use_acked: bool) -> list[int]:
    tried = [floor(factor * present + 0.5) for factor in (1.02, 1.0, 0.95)]
    if acked is not None and use_acked:
        tried.append(acked)
    if delay is not None and delay > present:
        tried.append(delay)
    return [min(bandwidth, max(present, ceiling)) for bandwidth in tried]
