"""Kappas: agreement beyond the chance that both sides' own grade frequencies give."""

from judge.statistics import measures
from judge.statistics.agreement import Measure

ONE_GRADE = "both sides gave one single grade, so chance agreement is 1 and nothing is left to measure"

COHEN = Measure(
    name="cohen_kappa",
    label="Cohen's kappa",
    source='Cohen 1960, "A Coefficient of Agreement for Nominal Scales"',
    range="−1 to 1",
    undefined=ONE_GRADE,
    order=40,
    places=frozenset({"table", "chart"}),
    confusion=lambda counts, values: measures.cohen_kappa(counts),
)
QUADRATIC = Measure(
    name="weighted_kappa",
    label="quadratic kappa",
    source='Cohen 1968, "Weighted Kappa"',
    range="−1 to 1",
    undefined=ONE_GRADE,
    order=50,
    places=frozenset({"table", "chart", "card", "headline"}),
    confusion=lambda counts, values: measures.weighted_kappa(counts, values),
)
LINEAR = Measure(
    name="linear_kappa",
    label="linear kappa",
    source='Cohen 1968, "Weighted Kappa"',
    range="−1 to 1",
    undefined=ONE_GRADE,
    order=60,
    confusion=lambda counts, values: measures.weighted_kappa(counts, values, "linear"),
)
