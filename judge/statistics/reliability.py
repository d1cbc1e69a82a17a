"""Probabilities and how far they can be trusted. Undefined is NaN, never 0."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BINS = 15
"""Bins of a calibration error unless told otherwise, as in Guo et al."""


def softmax(scores: npt.ArrayLike) -> Floats:
    """Probabilities that sum to 1 over the last axis, of log-probabilities or logits of the same shape, (..., K).

    They need not be normalised. Equals scipy.special.softmax, which labelling would wait for: scipy is slow to import.
    """
    logits = np.asarray(scores, dtype=np.float64)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


SAME = 1e-9
"""Probabilities that differ by no more are equal: what remains of two equal ones after rounding."""


def likeliest(probabilities: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which grades share the highest probability of each row, both of shape (N, K); several true ones are a tie.

    A row of NaN has none.
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    highest = chances.max(axis=-1, keepdims=True)
    return np.asarray(chances >= highest - SAME)


def top_label(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(confidence, correct), both (N,): the likeliest grade's probability, and whether it is the commonest outcome.

    `probabilities` has shape (N, K) and rows that sum to 1; `outcomes` holds N grade positions in 0..K-1, or has the
    shape of `probabilities` and says how several people's grades of each pair are spread.
    The lower grade wins a tie. Raises ValueError for other shapes, sums or positions.
    """
    chances, shares = _distributions(probabilities, outcomes)
    return chances.max(axis=1), chances.argmax(axis=1) == shares.argmax(axis=1)


def brier_score(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """Mean over pairs of the squared distance to the outcome, summed over grades; in [0, 2], lower is better.

    Arguments as for `top_label`. NaN without pairs. Source: Brier 1950, "Verification of Forecasts
    Expressed in Terms of Probability" (his multi-class form, twice the common two-class one).
    """
    chances, shares = _distributions(probabilities, outcomes)
    return _mean(((chances - shares) ** 2).sum(axis=1))


def log_loss(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """Mean of `cross_entropy`: of -ln(probability of the outcome); lower is better. NaN without pairs.

    Arguments as for `top_label`.
    """
    return _mean(cross_entropy(*_distributions(probabilities, outcomes)))


def cross_entropy(probabilities: Floats, shares: Floats) -> Floats:
    """Each pair's cross-entropy with people's shares, in nats: shapes (N, K), (N, K) to (N,).

    A probability of 0 counts as 2.2e-16 (36 nats), as in scikit-learn, so that no pair makes a mean infinite.
    """
    return np.asarray(-(shares * np.log(np.maximum(probabilities, np.finfo(np.float64).eps))).sum(axis=1))


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
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS, equal_mass: bool = False
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
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS, equal_mass: bool = False
) -> float:
    """Mean over pairs of their bin's |accuracy - confidence|; in [0, 1], lower is better.

    NaN without pairs. Arguments and sources as for `reliability_bins`. The figure depends on the bins:
    state them with it.
    """
    chart = reliability_bins(confidence, correct, bins=bins, equal_mass=equal_mass)
    return _mean(np.repeat(np.abs(chart.accuracy - chart.confidence), chart.n))


def calibration_error_by_chance(confidence: npt.ArrayLike, *, bins: int = BINS) -> float:
    """About the expected calibration error of a judge that is right exactly as often as it says, pairs independent.

    `confidence` has shape (N,); bins are of equal width. A bin's distance is that of a normal variable from its mean.
    After Bröcker and Smith 2007, "Increasing the Reliability of Reliability Diagrams", who draw what is computed here.
    NaN without pairs.
    """
    sure = np.asarray(confidence, dtype=np.float64)
    if not len(sure):
        return float("nan")
    index = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], sure)
    variance = np.bincount(index, sure * (1 - sure), minlength=bins)
    return float(np.sqrt(2 / np.pi * variance).sum() / len(sure))


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


def _distributions(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Probabilities and outcomes, both as checked shares of shape (N, K)."""
    chances, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(outcomes)
    if chances.ndim != 2 or truth.shape not in (chances.shape, chances.shape[:1]):
        raise ValueError(f"need shapes (N, K) and (N,) or (N, K), got {chances.shape} and {truth.shape}")
    if truth.ndim == 1:
        if not ((truth >= 0) & (truth < chances.shape[1]) & (truth % 1 == 0)).all():
            raise ValueError(f"an outcome is no grade position in 0..{chances.shape[1] - 1}")
        truth = np.eye(chances.shape[1])[truth.astype(np.int64)]
    for shares in (chances, truth):
        # They come rounded from files or as float32, so the sum is only near 1.
        if not (np.abs(shares.sum(axis=1) - 1) < 1e-3).all() or (shares < 0).any():
            raise ValueError("a row of probabilities is negative somewhere or does not sum to 1")
    return chances, truth.astype(np.float64)


def _confidences(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[Floats, Floats]:
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if sure.ndim != 1 or sure.shape != right.shape or not ((sure >= 0) & (sure <= 1 + 1e-3)).all():
        raise ValueError("need two arrays of one shape (N,), confidences in 0..1")
    return sure, right


def _mean(terms: Floats) -> float:
    return float(terms.mean()) if len(terms) else float("nan")
