"""Agreement among several raters.

Ratings are a matrix of shape (raters, units), a unit being a query-product pair, NaN where a rater did not
rate. Undefined is NaN, never 0.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from judge.statistics.measures import Weights, agreement_weights, gwet_chance

Floats = npt.NDArray[np.float64]
Metric = Literal["nominal", "ordinal", "interval"]


def coincidences(ratings: npt.ArrayLike, values: npt.ArrayLike) -> Floats:
    """Krippendorff's coincidences of each unit, shape (units, K, K): the ordered pairs of grades given to it.

    `ratings` has shape (raters, units), NaN for missing; `values` holds the K grade values, ascending. A unit of m
    ratings weighs m over all its cells, one of fewer than two nothing. Sums over units are what `alpha_of` takes, so
    that a bootstrap can resample them.
    """
    counts = unit_counts(ratings, values)
    raters = counts.sum(axis=1)
    weight = np.divide(1.0, raters - 1, out=np.zeros_like(raters), where=raters >= 2)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])
    return np.asarray(pairs * weight[:, None, None])


def alpha_of(coincidence: npt.ArrayLike, values: npt.ArrayLike, metric: Metric = "ordinal") -> Floats:
    """Krippendorff's alpha of summed coincidences (..., K, K), shape (...); at most 1, 0 at chance.

    It is 1 - observed / expected disagreement among any number of raters. NaN where no unit has two ratings, or all of
    them are one grade. Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
    """
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


def gwet_ac(
    ratings: npt.ArrayLike,
    values: npt.ArrayLike,
    times: npt.ArrayLike | None = None,
    *,
    weights: Weights = "identity",
) -> Floats:
    """Gwet's AC1 (identity weights) or AC2 (any other) for several raters; at most 1, 0 at chance.

    `ratings` and `values` as for `coincidences`; `times` says how often each unit counts, shape (..., units), once
    unless given, and the result has shape (...). For the weights see `judge.statistics.measures.agreement_weights`.
    Units with one rating count towards how common a grade is but not towards agreement. NaN where no unit has two
    ratings, or for K = 1. Source: Gwet 2014, Handbook of Inter-Rater Reliability, 4th ed.
    """
    scale = np.asarray(values, dtype=np.float64)
    counts = unit_counts(ratings, scale)
    count = np.ones(len(counts)) if times is None else np.asarray(times, dtype=np.float64)
    if len(scale) == 1:
        return np.full(count.shape[:-1], np.nan)
    raters = counts.sum(axis=1)
    rated, paired = raters >= 1, raters >= 2
    credit = agreement_weights(scale, weights)
    couples = (raters * (raters - 1))[paired]
    agreeing = (counts * (counts @ credit - 1)).sum(axis=1)[paired] / couples
    observed = _mean(agreeing[:, None], count[..., paired])[..., 0]
    chance = gwet_chance(_mean(counts[rated] / raters[rated, None], count[..., rated]), credit)
    return np.asarray((observed - chance) / (1 - chance))


def _mean(amounts: Floats, count: Floats) -> Floats:
    """The mean of rows (N, M) that count so often each (..., N): shape (..., M), NaN where none counts."""
    with np.errstate(invalid="ignore"):
        return np.asarray((count @ amounts) / count.sum(axis=-1, keepdims=True))


def unit_counts(ratings: npt.ArrayLike, values: npt.ArrayLike) -> Floats:
    """How often each unit got each grade, shape (units, K); `ratings` and `values` as for `coincidences`."""
    table, scale = np.asarray(ratings, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not len(scale) or (np.diff(scale) <= 0).any():
        raise ValueError(f"need (raters, units) and ascending values, got {table.shape}, {scale.tolist()}")
    _, unit = np.nonzero(~np.isnan(table))
    given = table[~np.isnan(table)]
    grade = np.minimum(np.searchsorted(scale, given), len(scale) - 1)
    if (scale[grade] != given).any():
        raise ValueError(f"a rating is off the scale {scale.tolist()}")
    cells = np.bincount(unit * len(scale) + grade, minlength=table.shape[1] * len(scale))
    return cells.reshape(table.shape[1], len(scale)).astype(np.float64)
