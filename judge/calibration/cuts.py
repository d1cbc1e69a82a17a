"""Cut points on a score that serve quadratic kappa or accuracy, and probabilities that change at them."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from judge.statistics.measures import weighted_kappa
from judge.statistics.reliability import cross_entropy, softmax

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Objective = Literal["log_loss", "quadratic_kappa", "accuracy"]
OBJECTIVES: tuple[Objective, ...] = ("log_loss", "quadratic_kappa", "accuracy")

CANDIDATES = 60
"""Places at most where a cut is tried."""
LEAST_GAIN = 1e-9
"""What moving a cut has to gain."""


def adjacent(score: Floats, cuts: Floats, slope: float) -> Floats:
    """Probabilities of adjacent-category logits, shapes (N,), (K − 1,) to (N, K): the likeliest changes at the cuts."""
    steps = slope * (score[:, None] - cuts)
    return softmax(np.hstack([np.zeros((len(score), 1)), np.cumsum(steps, axis=1)]))


def best_cuts(score: Floats, truth: Ints, start: Floats, judged: Callable[[Ints], float]) -> Floats:
    """Cuts (K − 1,) under which the places of grades are judged best: cut after cut, until none moves.

    Places are tried between neighbouring scores; from two starts, the given one and that with people's mix of grades.
    A cut is never a score itself: pairs on a cut are a tie of two grades.
    """
    distinct = np.unique(score)
    between = (distinct[1:] + distinct[:-1]) / 2
    if not len(between):
        return np.sort(start)
    mix = np.cumsum(np.bincount(truth, minlength=len(start) + 1))[:-1] / len(truth)
    mixed, below = np.quantile(score, mix), np.append(2 * distinct[0] - between[0], between)
    place = np.searchsorted(distinct, mixed).clip(max=len(between))
    mixed = np.where(distinct[place] == mixed, below[place], mixed)
    if len(between) > CANDIDATES:
        between = np.setdiff1d(np.quantile(between, np.linspace(0, 1, CANDIDATES)), distinct)
    tried = []
    for cuts in (np.sort(start), mixed):
        best, improved = judged(np.searchsorted(cuts, score, side="right")), True
        while improved:
            improved = False
            for at in range(len(cuts)):
                low, high = (cuts[at - 1] if at else -np.inf), (cuts[at + 1] if at + 1 < len(cuts) else np.inf)
                for place in between[(between >= low) & (between <= high)]:
                    moved = cuts.copy()
                    moved[at] = place
                    if (new := judged(np.searchsorted(moved, score, side="right"))) > best + LEAST_GAIN:
                        best, cuts, improved = new, moved, True
        tried.append((best, cuts))
    return max(tried, key=lambda each: each[0])[1]


def quality(objective: Objective, grades: Sequence[int], truth: Ints) -> Callable[[Ints], float]:
    """How well grades' places (N,) agree with people's, by an objective of grades: higher is better, undefined is 0."""
    count = len(grades)

    def agreed(places: Ints) -> float:
        if objective == "accuracy":
            return float((places == truth).mean())
        table = np.bincount(truth * count + places, minlength=count**2).reshape(count, count)
        return float(np.nan_to_num(weighted_kappa(table, grades)))

    return agreed


def fit_slope(score: Floats, shares: Floats, cuts: Floats) -> float:
    """The slope of `adjacent` with the highest likelihood for shares (N, K)."""
    from scipy.optimize import minimize_scalar  # type: ignore[import-untyped, unused-ignore]

    def loss(log: float) -> float:
        return float(cross_entropy(adjacent(score, cuts, float(np.exp(log))), shares).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded").x))
