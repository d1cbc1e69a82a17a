"""How far the judge's expected grade is from the reference's grade, or its mean where it gave one."""

import numpy as np

from judge.statistics.agreement import GradedPairs, Measure
from judge.statistics.intervals import NO_PAIRS, Estimate
from judge.statistics.shares import mean_by_query


def _of_judge(pairs: GradedPairs) -> Estimate:
    return mean_by_query(pairs.query, np.abs(pairs.means - pairs.expected))


def _of_majority(pairs: GradedPairs) -> Estimate:
    grades, counts = np.unique(pairs.reference, return_counts=True)
    commonest = grades[counts.argmax()] if len(grades) else np.nan
    return mean_by_query(pairs.query, np.abs(pairs.means - commonest))


MEAN_ABSOLUTE_ERROR = Measure(
    name="mean_absolute_error",
    label="mean absolute error",
    source="scikit-learn `mean_absolute_error` of the expected grade",
    range="0 to the scale's length, 0 is best",
    undefined=NO_PAIRS,
    order=132,
    places=frozenset({"table"}),
    pairs=_of_judge,
)
MAJORITY_ABSOLUTE_ERROR = Measure(
    name="majority_absolute_error",
    label="the same, majority baseline",
    source="mean absolute error of always giving the reference's commonest grade",
    range="0 to the scale's length",
    undefined=NO_PAIRS,
    order=134,
    places=frozenset({"table"}),
    pairs=_of_majority,
)
