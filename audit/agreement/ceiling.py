"""How good a judge can look at best: people's agreement with each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from audit.agreement.comparison import GradedSide, coincidences_by_query, pooled
from judge.statistics import measures
from judge.statistics.agreement import OfConfusion, headline
from judge.statistics.intervals import Estimate, each_by_query

Floats = npt.NDArray[np.float64]

SHARED = 20
"""Pairs that two raters must share for a kappa of their own, unless no two do."""
MOST_COUPLES = 200
"""Couples of raters that are compared; of more, those that share most pairs."""


@dataclass(frozen=True)
class Ceiling:
    """A randomly drawn rater against another, and the judge against a randomly drawn rater, on the same pairs."""

    measure: str
    n: int
    """Pairs that the judge and at least two people graded."""
    people: Estimate
    judge: Estimate
    difference: Estimate
    """Judge less people: below 0 where the judge agrees with people less than they do with each other."""


def ceilings(
    people: Sequence[GradedSide], judge: GradedSide | None, queries: npt.NDArray[np.str_], values: Sequence[int]
) -> list[Ceiling]:
    """Accuracy and quadratic kappa of people and of the judge against people; empty with fewer than two raters.

    Accuracies are pooled: a pair (of query and product) of m ratings weighs m on either side, so that pairs which many
    were asked about weigh no more among people. Kappas are means over couples of raters, weighed by the
    pairs that they share, of the kappa between the two, and of the judge's with either on these pairs. If confusions
    were pooled, raters who lean to different sides would look alike in their grades and the judge would not, so that
    what chance gives would be less on its side.
    """
    graded = sum(~np.isnan(side.grades) for side in people)
    shared = np.asarray(graded) >= 2
    if judge is not None:
        shared &= ~np.isnan(judge.grades)
    if len(people) < 2 or not shared.any():
        return []
    on = [_only(side, shared) for side in people]
    other = _only(judge, shared) if judge else None
    among = coincidences_by_query([side.grades for side in on], queries, values)
    against = pooled([(a, other) for a in on], queries, values) if other else among
    sides: dict[str, tuple[Floats, Floats, OfConfusion, OfConfusion]] = {
        "accuracy": (among, against, measures.accuracy, measures.accuracy)
    }
    for name, measure in headline().of_confusion(values).items():
        sides[name] = _couples(on, other, queries, values, measure)
    found = []
    for name, (first, second, people_measure, judge_measure) in sides.items():
        estimates = _both(first, second, people_measure, judge_measure)
        if judge is None:
            nobody = Estimate(None, None, None, "there is no run to compare with people")
            estimates |= {"judge": nobody, "difference": nobody}
        found.append(Ceiling(name, int(shared.sum()), **estimates))
    return found


def _both(among: Floats, against: Floats, people: OfConfusion, judge: OfConfusion) -> dict[str, Estimate]:
    """What people have among themselves, the judge with them, and the difference, over the same draws of queries."""
    size = among.shape[1]

    def difference(confusion: Floats) -> Floats:
        return np.subtract(judge(confusion[..., size:, :]), people(confusion[..., :size, :]), dtype=np.float64)

    wanted: dict[str, OfConfusion] = {
        "people": lambda c: people(c[..., :size, :]),
        "judge": lambda c: judge(c[..., size:, :]),
        "difference": difference,
    }
    return each_by_query(np.concatenate([among, against], axis=1), wanted)


def _couples(
    people: Sequence[GradedSide],
    judge: GradedSide | None,
    queries: npt.NDArray[np.str_],
    values: Sequence[int],
    measure: OfConfusion,
) -> tuple[Floats, Floats, OfConfusion, OfConfusion]:
    """The confusions by query of couples of raters, one below the other; those of the judge and either of them, on the
    pairs that the couple shares; and the mean of a measure over the ones and the others."""
    from scipy import sparse  # type: ignore[import-untyped, unused-ignore]

    there = ~np.isnan(np.array([side.grades for side in people]))
    rated = sparse.csr_array(there, dtype=np.int64)  # of ten thousand raters, few have pairs in common
    common = sparse.triu(rated @ rated.T, 1).tocoo()
    least = SHARED if common.data.max() >= SHARED else 1
    sharing = zip(common.row, common.col, common.data, strict=True)
    most = sorted((each for each in sharing if each[2] >= least), key=lambda each: (-each[2], each[:2]))[:MOST_COUPLES]
    couples, weights = [(a, b) for a, b, _ in most], np.array([n for *_, n in most], dtype=np.float64)
    among, against = [], []
    for a, b in couples:
        both = there[a] & there[b]
        among.append(pooled([(people[a], people[b])], queries, values))
        against += [pooled([(_only(people[c], both), judge)], queries, values) for c in (a, b) if judge]
    return (
        np.concatenate(among, axis=1),
        np.concatenate(against or among, axis=1),
        partial(_mean_measure, measure, weights),
        partial(_mean_measure, measure, np.repeat(weights, 2) if judge else weights),
    )


def _mean_measure(measure: OfConfusion, weights: Floats, confusions: Floats) -> Floats:
    """The weighted mean of a measure over stacked confusions, shape (..., W * K, K) to (...); those for which it is
    undefined are passed over."""
    size = confusions.shape[-1]
    each = np.asarray(measure(confusions.reshape(*confusions.shape[:-2], len(weights), size, size)))
    known = np.where(np.isnan(each), 0.0, weights)
    total = known.sum(axis=-1)
    mean = (np.nan_to_num(each) * known).sum(axis=-1)
    return np.asarray(np.divide(mean, total, out=np.full(total.shape, np.nan), where=total > 0))


def _only(side: GradedSide, units: npt.NDArray[np.bool_]) -> GradedSide:
    return GradedSide(side.name, np.where(units, side.grades, np.nan))
