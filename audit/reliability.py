"""Agreement among several raters, rank correlation, and whether a judge's confidence can be trusted.

Ratings are a matrix of shape (raters, units), a unit being a query-product pair, NaN where a rater did not
rate. Undefined is NaN, never 0.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats  # type: ignore[import-untyped, unused-ignore]

from audit.measures import Weights, agreement_weights, gwet_chance

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Metric = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(ratings: npt.ArrayLike, values: npt.ArrayLike, metric: Metric = "ordinal") -> float:
    """1 - observed / expected disagreement among any number of raters; at most 1, 0 at chance.

    `ratings` has shape (raters, units), NaN for missing; `values` holds the K grade values, ascending.
    Units with fewer than two ratings are not used. NaN where no unit has two ratings, or all of them are
    one grade. Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
    """
    return float(alpha_of(coincidences(ratings, values).sum(axis=0), values, metric))


def coincidences(ratings: npt.ArrayLike, values: npt.ArrayLike) -> Floats:
    """Krippendorff's coincidences of each unit, shape (units, K, K): the ordered pairs of grades given to it.

    A unit of m ratings weighs m over all its cells, one of fewer than two nothing. Sums over units are what
    `alpha_of` takes, so that a bootstrap can resample them.
    """
    counts = _unit_counts(ratings, np.asarray(values, dtype=np.float64))
    raters = counts.sum(axis=1)
    weight = np.divide(1.0, raters - 1, out=np.zeros_like(raters), where=raters >= 2)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])
    return np.asarray(pairs * weight[:, None, None])


def alpha_of(coincidence: npt.ArrayLike, values: npt.ArrayLike, metric: Metric = "ordinal") -> Floats:
    """Alpha of summed coincidences (..., K, K), shape (...). NaN and source as for `krippendorff_alpha`."""
    scale, observed = np.asarray(values, dtype=np.float64), np.asarray(coincidence, dtype=np.float64)
    margin = observed.sum(axis=-1)
    if metric == "nominal":
        cost = 1 - np.eye(len(scale))
    elif metric in ("ordinal", "interval"):
        # Ordinal: the distance between the mid-ranks that the ratings in use give to two grades.
        place = np.cumsum(margin, axis=-1) - margin / 2 if metric == "ordinal" else scale
        cost = (place[..., :, None] - place[..., None, :]) ** 2
    else:
        raise ValueError(f"unknown metric {metric!r}: use nominal, ordinal or interval")
    expected = np.asarray((margin[..., :, None] * cost * margin[..., None, :]).sum(axis=(-2, -1)))
    found = (margin.sum(axis=-1) - 1) * (observed * cost).sum(axis=(-2, -1))
    return np.asarray(1 - np.divide(found, expected, out=np.full(expected.shape, np.nan), where=expected > 0))


def gwet_ac(ratings: npt.ArrayLike, values: npt.ArrayLike, weights: Weights = "identity") -> float:
    """Gwet's AC1 (identity weights) or AC2 (any other) for several raters; at most 1, 0 at chance.

    `ratings` and `values` as for `krippendorff_alpha`; for the weights see
    `audit.measures.agreement_weights`. Units with one rating count towards how common a grade is but not
    towards agreement. NaN where no unit has two ratings, or for K = 1. Source: Gwet 2014, Handbook of
    Inter-Rater Reliability, 4th ed.
    """
    scale = np.asarray(values, dtype=np.float64)
    counts = _unit_counts(ratings, scale)
    raters = counts.sum(axis=1)
    rated, paired = raters >= 1, raters >= 2
    if not paired.any() or len(scale) == 1:
        return float("nan")
    credit = agreement_weights(scale, weights)
    agreeing = (counts * (counts @ credit - 1)).sum(axis=1)[paired]
    observed = float((agreeing / (raters * (raters - 1))[paired]).mean())
    prevalence = (counts[rated] / raters[rated, None]).mean(axis=0)
    chance = float(gwet_chance(prevalence, credit))
    return (observed - chance) / (1 - chance)


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Spearman's rank correlation of two (N,) arrays, ties at their mean rank; in [-1, 1].

    NaN where a side is constant or holds a NaN, or N < 2. Source: scipy.stats.spearmanr.
    """
    if _constant(first) or _constant(second):
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)


def kendall_tau_b(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Kendall's tau-b of two (N,) arrays, corrected for ties; in [-1, 1].

    NaN where a side is constant or holds a NaN, or N < 2. Source: scipy.stats.kendalltau.
    """
    if _constant(first) or _constant(second):
        return float("nan")
    return float(stats.kendalltau(first, second, variant="b").statistic)


def top_label(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(confidence, correct), both (N,): the likeliest grade's probability, and whether it is the outcome.

    `probabilities` has shape (N, K) and rows that sum to 1; `outcomes` holds N grade positions in 0..K-1.
    The lower grade wins a tie. Raises ValueError for other shapes, sums or positions.
    """
    shares, truth = _distribution(probabilities, outcomes)
    return shares.max(axis=1), shares.argmax(axis=1) == truth


def brier_score(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """Mean over pairs of the squared distance to the outcome, summed over grades; in [0, 2], lower is better.

    Arguments as for `top_label`. NaN without pairs. Source: Brier 1950, "Verification of Forecasts
    Expressed in Terms of Probability" (his multi-class form, twice the common two-class one).
    """
    shares, truth = _distribution(probabilities, outcomes)
    return _mean(((shares - np.eye(shares.shape[1])[truth]) ** 2).sum(axis=1))


def log_loss(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """Mean of -ln(probability of the outcome), in nats; lower is better. NaN without pairs.

    Arguments as for `top_label`. A probability of 0 counts as 2.2e-16 (36 nats), as in scikit-learn, so
    that a single pair cannot make the figure infinite.
    """
    shares, truth = _distribution(probabilities, outcomes)
    given = shares[np.arange(len(truth)), truth]
    return _mean(-np.log(np.maximum(given, np.finfo(np.float64).eps)))


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """A reliability chart's bins, ascending: arrays of shape (B,).

    `low` and `high` bound the confidences, `confidence` and `accuracy` are the bin's means (NaN if it is
    empty), `n` its number of pairs.
    """

    low: Floats
    high: Floats
    confidence: Floats
    accuracy: Floats
    n: Ints


def reliability_bins(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = 15, equal_mass: bool = False
) -> ReliabilityBins:
    """Confidence against accuracy, from `top_label`'s two (N,) arrays.

    Bins of equal width are (low, high], the first one with 0. Bins of equal mass hold about N / bins pairs
    each; pairs of one confidence stay together, so the order of rows cannot matter. Source: Guo et al.
    2017, "On Calibration of Modern Neural Networks"; equal mass, Nguyen and O'Connor 2015, "Posterior
    calibration".
    """
    sure, right = _confidences(confidence, correct)
    edges = np.linspace(0, 1, bins + 1)
    if equal_mass:
        ahead = np.searchsorted(np.sort(sure), sure)
        index = ahead * bins // max(len(sure), 1)
    else:
        index = np.searchsorted(edges[1:-1], sure)
    n = np.bincount(index, minlength=bins)
    means = np.full((2, bins), np.nan)
    for row, amount in zip(means, (sure, right), strict=True):
        np.divide(np.bincount(index, amount, minlength=bins), n, out=row, where=n > 0)
    low, high = edges[:-1], edges[1:]  # of the bin itself; for equal mass, of the confidences in it
    if equal_mass:
        low, high = np.full((2, bins), np.nan)
        np.fmin.at(low, index, sure)
        np.fmax.at(high, index, sure)
    return ReliabilityBins(low, high, means[0], means[1], n)


def expected_calibration_error(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = 15, equal_mass: bool = False
) -> float:
    """Mean over pairs of their bin's |accuracy - confidence|; in [0, 1], lower is better.

    NaN without pairs. Arguments and sources as for `reliability_bins`. The figure depends on the bins:
    state them beside it.
    """
    chart = reliability_bins(confidence, correct, bins=bins, equal_mass=equal_mass)
    return _mean(np.repeat(np.abs(chart.accuracy - chart.confidence), chart.n))


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """What is left wrong if labels below a confidence go to people: arrays of shape (T,), coverage rising.

    The pairs with confidence >= `threshold` are the share `coverage` of all; `error_rate` of them are wrong.
    """

    threshold: Floats
    coverage: Floats
    error_rate: Floats

    @property
    def area(self) -> float:
        """Mean error rate over coverages 0 to 1, in [0, 1], lower is better; NaN without pairs."""
        steps = np.diff(self.coverage, prepend=0.0)
        return float(self.error_rate @ steps) if len(steps) else float("nan")


def risk_coverage(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> RiskCoverage:
    """The risk-coverage curve, from `top_label`'s two (N,) arrays; a point per distinct confidence.

    Pairs of one confidence enter together: a threshold cannot part them. Without ties the area is the AURC
    of Geifman and El-Yaniv 2017, "Selective Classification for Deep Neural Networks". Empty without pairs.
    """
    sure, right = _confidences(confidence, correct)
    rising, inverse = np.unique(sure, return_inverse=True)
    kept = np.cumsum(np.bincount(inverse, minlength=len(rising))[::-1])
    wrong = np.cumsum(np.bincount(inverse, 1 - right, minlength=len(rising))[::-1])
    return RiskCoverage(rising[::-1], kept / max(len(sure), 1), wrong / kept)


def _unit_counts(ratings: npt.ArrayLike, scale: Floats) -> Floats:
    """How often each unit got each grade, shape (units, K)."""
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or not len(scale) or (np.diff(scale) <= 0).any():
        raise ValueError(f"need (raters, units) and ascending values, got {table.shape}, {scale.tolist()}")
    _, unit = np.nonzero(~np.isnan(table))
    given = table[~np.isnan(table)]
    grade = np.minimum(np.searchsorted(scale, given), len(scale) - 1)
    if (scale[grade] != given).any():
        raise ValueError(f"a rating is off the scale {scale.tolist()}")
    cells = np.bincount(unit * len(scale) + grade, minlength=table.shape[1] * len(scale))
    return cells.reshape(table.shape[1], len(scale)).astype(np.float64)


def _distribution(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> tuple[Floats, Ints]:
    shares, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(outcomes)
    if shares.ndim != 2 or truth.shape != shares.shape[:1]:
        raise ValueError(f"need shapes (N, K) and (N,), got {shares.shape} and {truth.shape}")
    # Probabilities come rounded from files or as float32, so the sum is only near 1.
    if not (np.abs(shares.sum(axis=1) - 1) < 1e-3).all() or (shares < 0).any():
        raise ValueError("a row of probabilities is negative somewhere or does not sum to 1")
    if not ((truth >= 0) & (truth < shares.shape[1]) & (truth % 1 == 0)).all():
        raise ValueError(f"an outcome is no grade position in 0..{shares.shape[1] - 1}")
    return shares, truth.astype(np.int64)


def _confidences(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[Floats, Floats]:
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if sure.ndim != 1 or sure.shape != right.shape or not ((sure >= 0) & (sure <= 1 + 1e-3)).all():
        raise ValueError("need two arrays of one shape (N,), confidences in 0..1")
    return sure, right


def _constant(column: npt.ArrayLike) -> bool:
    array = np.asarray(column)
    return array.size < 2 or bool((array == array.flat[0]).all())


def _mean(terms: Floats) -> float:
    return float(terms.mean()) if len(terms) else float("nan")
