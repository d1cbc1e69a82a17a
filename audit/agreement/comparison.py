"""Two sides that graded the same pairs: every measure of their agreement, with its interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.statistics import measures, reliability
from judge.statistics import multi_rater as several
from judge.statistics.intervals import Estimate, by_query_index, confusion_by_query, each_by_query
from judge.statistics.shares import mean_by_query

Floats = npt.NDArray[np.float64]
Measure = Callable[[Floats], npt.ArrayLike]

METRICS: tuple[several.Metric, ...] = ("nominal", "ordinal", "interval")
SLOW_RESAMPLES = 500
"""Replicates for measures that are no function of a confusion matrix: each costs a pass over the pairs."""


@dataclass(frozen=True)
class Comparison:
    """How well `judged` agrees with `reference`, on the pairs that both graded."""

    reference: str
    judged: str
    n: int
    queries: int
    figures: Mapping[str, Estimate]
    """By measure; `precision_G` and `recall_G` are of grade G."""
    confusion: Sequence[Sequence[int]]
    """Rows: the reference's grade; columns: the judged one's; both ascending."""

    def __getitem__(self, name: str) -> Estimate:
        return self.figures[name]

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON values; the figures stand beside the names."""
        figures = {name: estimate.as_json() for name, estimate in self.figures.items()}
        names = ("reference", "judged", "n", "queries", "confusion")
        return {name: getattr(self, name) for name in names} | figures


@dataclass(frozen=True)
class GradedSide:
    """What somebody gave to the units of a panel. Arrays are NaN where they gave nothing."""

    name: str
    grades: Floats
    """Shape (units,)."""
    expected: Floats | None = None
    """Shape (units,): the expected grade under a judge's probabilities, or the mean that people gave where `grades` was
    cut from one."""
    probabilities: Floats | None = None
    """Shape (units, K)."""


def compare(
    reference: GradedSide, judged: GradedSide, queries: npt.NDArray[np.str_], values: Sequence[int]
) -> Comparison:
    """All measures over the pairs that both sides graded."""
    both = ~np.isnan(reference.grades) & ~np.isnan(judged.grades)
    query, truth, given = queries[both], reference.grades[both], judged.grades[both]
    matrices = confusion_by_query(query, truth, given, values)
    figures = _of_confusions(matrices, values)
    if judged.expected is not None:
        shares = judged.probabilities
        means = truth if reference.expected is None else reference.expected[both]
        figures |= _ranks(query, means, judged.expected[both])
        figures |= _errors(query, means, judged.expected[both], truth)
        figures |= _calibration(truth, None if shares is None else shares[both], values)
    names = reference.name, judged.name
    return Comparison(*names, int(both.sum()), len(matrices), figures, matrices.sum(axis=0).tolist())


def compare_people(people: Sequence[GradedSide], queries: npt.NDArray[np.str_], values: Sequence[int]) -> Comparison:
    """A randomly drawn rater against another: every two raters of a pair count, both ways round.

    `n` is the number of pairs with two ratings or more, and the confusion counts every two of them. The figures weigh a
    pair by its ratings, as alpha does: by their couples, pairs that many were asked about would decide alone.
    """
    matrices = coincidences_by_query([side.grades for side in people], queries, values)
    used = sum((~np.isnan(side.grades)).astype(np.int64) for side in people) >= 2
    figures = _of_confusions(matrices, values)
    wanted = {f"alpha_{m}": partial(several.alpha_of, values=values, metric=m) for m in METRICS}
    total = matrices.sum(axis=0)
    figures |= {name: found.because(_reason(name, total)) for name, found in each_by_query(matrices, wanted).items()}
    couples = pooled([(a, b) for a in people for b in people if a is not b], queries, values).sum(axis=0)
    shown = couples.astype(np.int64).tolist()
    return Comparison("another rater", "a rater", int(np.sum(used)), len(np.unique(queries[used])), figures, shown)


def coincidences_by_query(ratings: npt.ArrayLike, queries: npt.NDArray[np.str_], values: Sequence[int]) -> Floats:
    """Krippendorff's coincidences, shape (Q, K, K) over the distinct queries in sorted order.

    `ratings` has shape (raters, pairs), NaN where a rater gave nothing. A pair of m ratings, where m
    is two or more, weighs m.
    """
    units = several.coincidences(ratings, values)
    every, query = np.unique(queries, return_inverse=True)
    matrices = np.zeros((len(every), len(values), len(values)))
    np.add.at(matrices, query, units)
    return matrices


def pooled(
    sides: Sequence[tuple[GradedSide, GradedSide]], queries: npt.NDArray[np.str_], values: Sequence[int]
) -> Floats:
    """Confusions by query of many pairs of sides, added up: what a randomly drawn pair of them looks like.

    Returns shape (Q, K, K) over the distinct queries in sorted order, so that two poolings can be subtracted.
    """
    every, index = np.unique(queries, return_inverse=True)
    total = np.zeros((len(every), len(values), len(values)))
    for reference, judged in sides:
        both = ~np.isnan(reference.grades) & ~np.isnan(judged.grades)
        found = confusion_by_query(index[both], reference.grades[both], judged.grades[both], values)
        total[np.unique(index[both])] += found
    return total


def alpha_of_two(confusion: Floats, values: Sequence[int], metric: several.Metric) -> Floats:
    """Krippendorff's alpha of two raters, from their confusion matrix (..., K, K)."""
    return several.alpha_of(confusion + np.swapaxes(confusion, -1, -2), values, metric)


def _measures(values: Sequence[int]) -> dict[str, Measure]:
    """By the names they have in JSON."""
    found: dict[str, Measure] = {
        "accuracy": measures.accuracy,
        "within_1": measures.within_1,
        "cohen_kappa": measures.cohen_kappa,
        "weighted_kappa": partial(measures.weighted_kappa, values=values),
        "linear_kappa": partial(measures.weighted_kappa, values=values, weights="linear"),
        "macro_f1": measures.macro_f1,
        "majority_baseline": measures.majority_baseline,
        "accuracy_gain": lambda c: measures.accuracy(c) - measures.majority_baseline(c),
        "gwet_ac1": measures.gwet_ac1,
        "gwet_ac2": partial(measures.gwet_ac2, values=values),
    }
    for metric in METRICS:
        found[f"alpha_{metric}"] = partial(alpha_of_two, values=values, metric=metric)
    for place, value in enumerate(values):
        found[f"precision_{value}"] = partial(_at, measures.precision, place)
        found[f"recall_{value}"] = partial(_at, measures.recall, place)
    return found


_LIKE = {"linear_kappa": "weighted_kappa", "accuracy_gain": "accuracy"}
"""Measures that are undefined where another is."""


def _at(measure: Measure, place: int, confusion: Floats) -> npt.ArrayLike:
    return np.asarray(measure(confusion))[..., place]


def _reason(name: str, total: npt.NDArray[Any]) -> str | None:
    if name.startswith("alpha_"):
        return "all ratings are one single grade, so there is nothing to agree about" if total.any() else None
    if name.startswith(("precision_", "recall_")):
        side = "judged side" if name.startswith("precision_") else "reference"
        return f"the {side} never gave this grade" if total.any() else None
    return measures.undefined_reason(_LIKE.get(name, name), total)


def _of_confusions(matrices: npt.NDArray[Any], values: Sequence[int]) -> dict[str, Estimate]:
    total = matrices.sum(axis=0)
    return {
        name: estimate.because(_reason(name, total))
        for name, estimate in each_by_query(matrices, _measures(values)).items()
    }


def _ranks(query: npt.NDArray[np.str_], truth: Floats, expected: Floats) -> dict[str, Estimate]:
    reason = "one side gave one single grade, so there is no order to compare" if len(query) else None
    found = {}
    for name, rank in (("spearman", reliability.spearman), ("kendall_tau_b", reliability.kendall_tau_b)):

        def correlation(rows: npt.NDArray[np.int64], rank: Callable[..., float] = rank) -> float:
            return rank(truth[rows], expected[rows])

        found[name] = by_query_index(query, correlation, resamples=SLOW_RESAMPLES).because(reason)
    return found


def _errors(query: npt.NDArray[np.str_], means: Floats, expected: Floats, truth: Floats) -> dict[str, Estimate]:
    """The mean absolute error of the judge's expected grade, and of the reference's commonest grade for every pair."""
    grades, counts = np.unique(truth, return_counts=True)
    commonest = np.full(len(truth), grades[counts.argmax()] if len(grades) else np.nan)
    return {
        "mean_absolute_error": mean_by_query(query, np.abs(means - expected)),
        "majority_absolute_error": mean_by_query(query, np.abs(means - commonest)),
    }


def _calibration(truth: Floats, shares: Floats | None, values: Sequence[int]) -> dict[str, Estimate]:
    name = "calibration_error"
    told = None if shares is None else ~np.isnan(shares).any(axis=1)
    if shares is None or told is None or not told.any():
        reason = "the labels carry no probabilities" if len(truth) else "there are no pairs to compare"
        return {name: Estimate(None, None, None, reason)}
    sure, right = reliability.top_label(shares[told], np.searchsorted(values, truth[told]))
    error, chance = reliability.expected_calibration_error(sure, right), reliability.calibration_error_by_chance(sure)
    # It is a mean of distances: chance adds to it, and resampling adds the same again.
    reason = f"no interval covers it; by chance a calibrated judge would show {chance:.3f}"
    if not told.all():
        reason += f"; {(~told).sum():,} grades came without probabilities"
    return {name: Estimate(error, None, None, reason)}
