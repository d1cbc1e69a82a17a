"""Two sides that graded the same pairs: every measure of their agreement, with its interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.statistics import multi_rater
from judge.statistics.agreement import GradedPairs, OfConfusion, agreement_measures
from judge.statistics.intervals import Estimate, confusion_by_query, each_by_query

Floats = npt.NDArray[np.float64]


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
        """A dict of JSON values; figures and names together."""
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
        told = None if shares is None else shares[both]
        pairs = GradedPairs(query, truth, means, judged.expected[both], told, values)
        figures |= {m.name: m.pairs(pairs) for m in agreement_measures().values() if m.pairs is not None}
    names = reference.name, judged.name
    return Comparison(*names, int(both.sum()), len(matrices), figures, matrices.sum(axis=0).tolist())


def compare_people(people: Sequence[GradedSide], queries: npt.NDArray[np.str_], values: Sequence[int]) -> Comparison:
    """A randomly drawn rater against another: every two raters of a pair count, both ways round.

    `n` is the number of pairs with two ratings or more, and the confusion counts every two of them. The figures weigh a
    pair by its ratings, as alpha does: by their couples, pairs that many were asked about would decide alone.
    """
    matrices = coincidences_by_query([side.grades for side in people], queries, values)
    used = sum((~np.isnan(side.grades)).astype(np.int64) for side in people) >= 2
    figures = _of_confusions(matrices, values, many=True)
    votes = multi_rater.unit_counts([side.grades for side in people], values)
    couples = votes.T @ votes - np.diag(votes.sum(axis=0))  # nobody is a couple with themselves
    shown = couples.astype(np.int64).tolist()
    return Comparison("another rater", "a rater", int(np.sum(used)), len(np.unique(queries[used])), figures, shown)


def coincidences_by_query(ratings: npt.ArrayLike, queries: npt.NDArray[np.str_], values: Sequence[int]) -> Floats:
    """Krippendorff's coincidences, shape (Q, K, K) over the distinct queries in sorted order.

    `ratings` has shape (raters, pairs), NaN where a rater gave nothing. A pair of m ratings, where m
    is two or more, weighs m.
    """
    units = multi_rater.coincidences(ratings, values)
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


def _of_confusions(matrices: npt.NDArray[Any], values: Sequence[int], *, many: bool = False) -> dict[str, Estimate]:
    """Every measure that is a function of a confusion; where `many` raters made coincidences of it, of these."""
    total = matrices.sum(axis=0)
    wanted: dict[str, OfConfusion] = {}
    reasons: dict[str, str] = {}
    for measure in agreement_measures().values():
        if many and measure.coincidence is not None:
            functions: dict[str, OfConfusion] = {measure.name: partial(_swapped, measure.coincidence, values)}
        else:
            functions = measure.of_confusion(values)
        wanted |= functions
        reasons |= dict.fromkeys(functions, measure.reason(total))
    return {name: found.because(reasons[name]) for name, found in each_by_query(matrices, wanted).items()}


def _swapped(function: Callable[[Floats, Sequence[int]], npt.ArrayLike], values: Sequence[int], counts: Floats) -> Any:
    return function(counts, values)
