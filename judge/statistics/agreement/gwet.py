"""Gwet's AC1 and AC2: steady where one grade dominates, and kappa is not."""

from functools import partial

from judge.statistics import measures, multi_rater
from judge.statistics.agreement import Measure

ONE_GRADE = "the scale has one single grade, so there is nothing to agree about"

AC1 = Measure(
    name="gwet_ac1",
    label="Gwet's AC1",
    source='Gwet 2008, "Computing inter-rater reliability and its variance in the presence of high agreement"',
    range="at most 1, 0 at chance",
    undefined=ONE_GRADE,
    order=80,
    confusion=lambda counts, values: measures.gwet_ac1(counts),
    ratings=partial(multi_rater.gwet_ac, weights="identity"),
)
AC2 = Measure(
    name="gwet_ac2",
    label="Gwet's AC2",
    source="Gwet 2014, Handbook of Inter-Rater Reliability, 4th ed.",
    range="at most 1, 0 at chance",
    undefined=ONE_GRADE,
    order=81,
    places=frozenset({"table", "chart", "card", "people"}),
    confusion=lambda counts, values: measures.gwet_ac2(counts, values),
    ratings=partial(multi_rater.gwet_ac, weights="quadratic"),
)
