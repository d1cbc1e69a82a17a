"""Agreement between people and a judge, as pure functions of a confusion matrix.

Every function takes `confusion` of shape (..., K, K): rows are the reference (people), columns the judge,
both in the order of the scale's K grades, cells counts or weights of pairs. Leading dimensions are a batch
and come back as the shape of the result, so a bootstrap evaluates thousands of replicates in one call. A
measure that has no meaning for a matrix is NaN, never 0; `judge.statistics.agreement` has them by name, and says why.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Weights = Literal["identity", "linear", "quadratic", "ordinal"]


def accuracy(confusion: npt.ArrayLike) -> Floats:
    """Share of pairs with the same grade on both sides; shape (...), in [0, 1]. NaN without pairs."""
    counts = _square(confusion)
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), _total(counts))


def within_1(confusion: npt.ArrayLike) -> Floats:
    """Share of pairs whose grades are the same or neighbours on the scale; shape (...), in [0, 1]. NaN without pairs.

    Steps of the scale count, whatever its values: on a guideline of 0, 10 and 20, a 10 is within one grade of a 20, and
    on one of 0, 1 and 3 a 0 is two grades from a 3. With K = 2 the figure is 1 by construction and says nothing.
    """
    counts = _square(confusion)
    near = _distances(np.arange(counts.shape[-1], dtype=np.float64)) <= 1
    return _ratio(_weighted_sum(counts, near.astype(np.float64)), _total(counts))


def precision(confusion: npt.ArrayLike) -> Floats:
    """Of the pairs the judge gave a grade, the share people gave it too; shape (..., K), in [0, 1].

    NaN for a grade that the judge never gave.
    """
    counts = _square(confusion)
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-2))


def recall(confusion: npt.ArrayLike) -> Floats:
    """Of the pairs people gave a grade, the share the judge gave it too; shape (..., K), in [0, 1].

    NaN for a grade that the reference never gave.
    """
    counts = _square(confusion)
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


def macro_f1(confusion: npt.ArrayLike) -> Floats:
    """Unweighted mean of F1 over the grades that either side gave; shape (...), in [0, 1].

    NaN without pairs. The grades are those scikit-learn's `f1_score(average="macro")` takes when it is
    given no labels. A grade that only one side gave counts with F1 = 0: that is a miss and not an absence.
    """
    counts = _square(confusion)
    given = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1 = _ratio(2 * np.diagonal(counts, axis1=-2, axis2=-1), given)
    return _ratio(np.where(given > 0, f1, 0.0).sum(axis=-1), (given > 0).sum(axis=-1))


def majority_baseline(confusion: npt.ArrayLike) -> Floats:
    """Accuracy of always answering the reference's commonest grade; shape (...), in [1/K, 1].

    NaN without pairs.
    """
    counts = _square(confusion)
    return _ratio(counts.sum(axis=-1).max(axis=-1), _total(counts))


def cohen_kappa(confusion: npt.ArrayLike) -> Floats:
    """Agreement beyond the chance that both sides' own grade frequencies give; shape (...), in [-1, 1].

    NaN without pairs, and where both sides gave one single grade (chance agreement is 1). Source: Cohen
    1960, "A Coefficient of Agreement for Nominal Scales".
    """
    counts = _square(confusion)
    return _kappa(counts, 1 - np.eye(counts.shape[-1]))


def weighted_kappa(confusion: npt.ArrayLike, values: npt.ArrayLike, weights: Weights = "quadratic") -> Floats:
    """Kappa where a disagreement costs its distance in grade values, squared or not; shape (...), in [-1, 1].

    `values` holds the K grade values, ascending; for the kinds of weights see `agreement_weights`. Equals
    scikit-learn's `cohen_kappa_score` for evenly spaced values, since that counts steps. NaN as for
    `cohen_kappa`. Source: Cohen 1968, "Weighted Kappa".
    """
    counts = _square(confusion)
    return _kappa(counts, 1 - agreement_weights(_scale(values, counts), weights))


def gwet_ac1(confusion: npt.ArrayLike) -> Floats:
    """Gwet's AC1 for two raters, steady where one grade dominates and kappa is not; shape (...), at most 1.

    K counts the whole scale, grades nobody gave included. NaN without pairs or with K = 1. Source: Gwet
    2008, "Computing inter-rater reliability and its variance in the presence of high agreement".
    """
    counts = _square(confusion)
    return _gwet(counts, np.eye(counts.shape[-1]))


def gwet_ac2(confusion: npt.ArrayLike, values: npt.ArrayLike, weights: Weights = "quadratic") -> Floats:
    """Gwet's AC2 for two raters: AC1 with partial credit for near grades; shape (...), at most 1.

    `values` holds the K grade values, ascending; for the kinds of weights see `agreement_weights`. NaN as
    for `gwet_ac1`. Source: Gwet 2014, Handbook of Inter-Rater Reliability, 4th ed.
    """
    counts = _square(confusion)
    return _gwet(counts, agreement_weights(_scale(values, counts), weights))


def agreement_weights(values: npt.ArrayLike, weights: Weights) -> Floats:
    """Credit for each pair of grades, shape (K, K): 1 on the diagonal, 0 for the scale's two ends.

    "linear" and "quadratic" fall with the distance in grade values; "ordinal" takes ranks i and j only, as
    1 - C(|i - j| + 1, 2) / C(K, 2); "identity" gives no partial credit. Source: Gwet 2014, see `gwet_ac2`.
    """
    scale = np.asarray(values, dtype=np.float64)
    if weights == "identity" or len(scale) == 1:
        return np.eye(len(scale))
    if weights == "ordinal":
        steps = _distances(np.arange(len(scale), dtype=np.float64))
        return np.asarray(1 - steps * (steps + 1) / (len(scale) * (len(scale) - 1)))
    share = _distances(scale) / (scale[-1] - scale[0])
    if weights not in ("linear", "quadratic"):
        raise ValueError(f"unknown weights {weights!r}: use identity, linear, quadratic or ordinal")
    credit: Floats = 1 - share ** (1 if weights == "linear" else 2)
    return credit


def gwet_chance(prevalence: Floats, credit: Floats) -> Floats:
    """Chance agreement in Gwet's sense, from grade shares (..., K) and credits (K, K); NaN for K = 1."""
    size = credit.shape[-1]
    spread = (prevalence * (1 - prevalence)).sum(axis=-1)
    return _ratio(credit.sum() * spread, np.full(spread.shape, size * (size - 1)))


def _kappa(counts: Floats, cost: Floats) -> Floats:
    """1 - observed / expected cost. Costs, unlike agreements, are exactly 0 where kappa is undefined."""
    total = _total(counts)
    expected = ((counts.sum(axis=-1) @ cost) * counts.sum(axis=-2)).sum(axis=-1)
    return np.asarray(1 - _ratio(_weighted_sum(counts, cost) * total, expected))


def _gwet(counts: Floats, credit: Floats) -> Floats:
    total = _total(counts)
    observed = _ratio(_weighted_sum(counts, credit), total)
    shares = _ratio(counts.sum(axis=-1) + counts.sum(axis=-2), 2 * total[..., None])
    chance = gwet_chance(shares, credit)
    return _ratio(observed - chance, 1 - chance)


def _ratio(top: npt.ArrayLike, bottom: npt.ArrayLike) -> Floats:
    """Division that answers NaN, silently, where the denominator is 0."""
    over, under = np.broadcast_arrays(np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64))
    return np.asarray(np.divide(over, under, out=np.full(over.shape, np.nan), where=under != 0))


def _square(confusion: npt.ArrayLike) -> Floats:
    counts = np.asarray(confusion, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2] or not counts.shape[-1]:
        raise ValueError(f"a confusion matrix has the shape (..., K, K), this one has {counts.shape}")
    return counts


def _scale(values: npt.ArrayLike, counts: Floats) -> Floats:
    scale = np.asarray(values, dtype=np.float64)
    if scale.shape != counts.shape[-1:] or (np.diff(scale) <= 0).any():
        raise ValueError(f"need {counts.shape[-1]} ascending grade values, got {scale.tolist()}")
    return scale


def _distances(scale: Floats) -> Floats:
    gaps: Floats = np.abs(scale[:, None] - scale[None, :])
    return gaps


def _total(counts: Floats) -> Floats:
    return np.asarray(counts.sum(axis=(-2, -1)))


def _weighted_sum(counts: Floats, weights: Floats) -> Floats:
    return np.asarray((counts * weights).sum(axis=(-2, -1)))
