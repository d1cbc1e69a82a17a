"""What the true figure is when only a sample is rated: prediction-powered inference.

The judge's mean over all labelled pairs, put right by how far it is off on the pairs that people rated. Sources:
Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023, "Prediction-powered inference"; the weight on the judge, chosen
so that the interval can only gain, Angelopoulos, Duchi and Zrnic 2023, "PPI++". Variances are of sums by query, since
pairs of one query are not independent. It holds where the rated pairs are a random sample of the labelled ones, or all
pairs of a random sample of their queries.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from judge.statistics.intervals import ALIKE, ROUNDING, Estimate

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Weighted sums by query, each of shape (Q,); y is people's value of a pair, f the judge's, both in [0, 1]."""

    weight: Floats
    """Of all labelled pairs."""
    rated_weight: Floats
    """Of those that people rated."""
    judged: Floats
    """f over all labelled pairs."""
    rated_judged: Floats
    """f over the rated ones."""
    rated_people: Floats
    """y over the rated ones."""
    n: float
    """Labelled pairs."""
    n_rated: float
    """Rated pairs among them."""


@dataclass(frozen=True)
class Powered:
    """A share over all labelled pairs, estimated three ways."""

    judge_only: float | None
    """The judge's own, uncorrected."""
    rated_only: Estimate
    """Of the rated pairs alone."""
    powered: Estimate
    """With the judge's labels of all others."""
    power: float | None
    """The weight on the judge, in [0, 1]: 0 where its labels say nothing, 1 as in the first paper."""
    n: int
    n_rated: int


def powered_mean(sums: Sums, power: float | None = None, level: float = 0.95) -> Powered:
    """The weighted mean of y over all labelled pairs.

    With `power` 0 it is the mean of the rated pairs, with 1 the estimate of the 2023 paper; left out, the power that
    makes the variance least is used, as PPI++ does. Intervals are value +- t times the error from the queries'
    influence (linearised ratio estimator), which covers that the rated pairs are among the labelled ones; t and the
    error's correction count the rated queries, since the others tell nothing of how far the judge is off. Null, with
    its reason, without rated pairs, and intervals with fewer than two rated queries.
    """
    counts = int(sums.n), int(sums.n_rated)
    total, rated = sums.weight.sum(), sums.rated_weight.sum()
    if not rated:
        nothing = Estimate(None, None, None, "none of the labelled pairs is rated")
        return Powered(float(sums.judged.sum() / total) if total else None, nothing, nothing, None, *counts)
    people = sums.rated_people.sum() / rated
    everywhere, there = sums.judged.sum() / total, sums.rated_judged.sum() / rated
    # A query's influence on the mean of the rated pairs, and on what the judge adds to it.
    direct = (sums.rated_people - people * sums.rated_weight) / rated
    added = (sums.judged - everywhere * sums.weight) / total - (sums.rated_judged - there * sums.rated_weight) / rated
    spread = float(added @ added)
    if power is None:
        power = float(np.clip(-(direct @ added) / spread, 0, 1)) if spread > 1e-15 else 0.0
    rated_queries = int((sums.rated_weight > 0).sum())
    return Powered(
        float(everywhere),
        _interval(float(people), direct, rated_queries, level),
        _interval(float(people + power * (everywhere - there)), direct + power * added, rated_queries, level),
        power,
        *counts,
    )


def _interval(value: float, influence: Floats, rated: int, level: float) -> Estimate:
    if rated < 2:
        return Estimate(value, None, None, "fewer than two queries are rated, so there is no interval")
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    error = float(np.sqrt(rated / (rated - 1) * (influence @ influence)))
    reach = float(stats.t.ppf((1 + level) / 2, rated - 1)) * error
    # A share cannot leave [0, 1]; the estimator itself can, where the judge is far off on few rated pairs.
    if error < ROUNDING:
        return Estimate(min(max(value, 0.0), 1.0), None, None, ALIKE)
    figure, low, high = (min(max(x, 0.0), 1.0) for x in (value, value - reach, value + reach))
    return Estimate(figure, low, high)
