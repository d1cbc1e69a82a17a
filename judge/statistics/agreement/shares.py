"""Shares of pairs, and what the commonest grade alone would get."""

from collections.abc import Sequence

import numpy.typing as npt

from judge.statistics import measures
from judge.statistics.agreement import Floats, Measure

ACCURACY = Measure(
    name="accuracy",
    label="accuracy",
    source="scikit-learn `accuracy_score`",
    range="0 to 1",
    undefined="",
    order=10,
    places=frozenset({"table", "chart", "card"}),
    confusion=lambda counts, values: measures.accuracy(counts),
)
MAJORITY_BASELINE = Measure(
    name="majority_baseline",
    label="majority baseline",
    source="accuracy of always giving the reference's commonest grade",
    range="1/K to 1",
    undefined="",
    order=20,
    places=frozenset({"table", "card"}),
    confusion=lambda counts, values: measures.majority_baseline(counts),
)
WITHIN_1 = Measure(
    name="within_1",
    label="within one grade",
    source="share of pairs with the same grade or a neighbour on the scale",
    range="0 to 1",
    undefined="",
    order=30,
    places=frozenset({"table", "chart", "card"}),
    confusion=lambda counts, values: measures.within_1(counts),
)


def _gain(counts: Floats, values: Sequence[int]) -> npt.ArrayLike:
    return measures.accuracy(counts) - measures.majority_baseline(counts)


ACCURACY_GAIN = Measure(
    name="accuracy_gain",
    label="accuracy above the baseline",
    source="accuracy less the majority baseline",
    range="−1 to 1",
    undefined="",
    order=35,
    confusion=_gain,
)
MACRO_F1 = Measure(
    name="macro_f1",
    label="macro F1",
    source='scikit-learn `f1_score(average="macro")`',
    range="0 to 1",
    undefined="",
    order=90,
    places=frozenset({"table", "chart", "card"}),
    confusion=lambda counts, values: measures.macro_f1(counts),
)
