"""How far the judge's expected grade is from the reference's grade, or its mean where it gave one."""

import numpy as np

from judge.statistics.agreement import GradedPairs, Measure
from judge.statistics.intervals import NO_PAIRS, Estimate
from judge.statistics.shares import mean_by_query


def _of_judge(pairs: GradedPairs) -> Estimate:
    return mean_by_query(pairs.query, np.abs(pairs.means - pairs.expected))


def _of_median(pairs: GradedPairs) -> Estimate:
    """Of the grade whose error is least. The commonest one, often an end of the scale, would flatter any judge."""
    errors = np.abs(pairs.means - np.asarray(pairs.values, dtype=np.float64)[:, None])
    best = errors.sum(axis=1).argmin()
    return mean_by_query(pairs.query, errors[best])


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
BASELINE_ABSOLUTE_ERROR = Measure(
    name="baseline_absolute_error",
    label="the same, always the median grade",
    source="the least mean absolute error of always giving one grade",
    range="0 to the scale's length",
    undefined=NO_PAIRS,
    order=134,
    places=frozenset({"table"}),
    pairs=_of_median,
)
