"""Precision and recall of each grade."""

from judge.statistics import measures
from judge.statistics.agreement import Measure

PRECISION = Measure(
    name="precision",
    label="precision",
    source="scikit-learn `precision_score(average=None)`",
    range="0 to 1",
    undefined="the judged side never gave this grade",
    order=100,
    confusion=lambda counts, values: measures.precision(counts),
    by_grade=True,
)
RECALL = Measure(
    name="recall",
    label="recall",
    source="scikit-learn `recall_score(average=None)`",
    range="0 to 1",
    undefined="the reference never gave this grade",
    order=110,
    confusion=lambda counts, values: measures.recall(counts),
    by_grade=True,
)
