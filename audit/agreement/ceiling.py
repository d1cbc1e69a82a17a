"""How good a judge can look at best: people's agreement with each other, and whether it could take a person's place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.agreement.comparison import GradedSide, coincidences_by_query, pooled
from judge.statistics import measures
from judge.statistics.agreement import OfConfusion, headline
from judge.statistics.discoveries import corrected
from judge.statistics.intervals import Estimate, by_query_index, each_by_query

Floats = npt.NDArray[np.float64]

LEAST_PAIRS = 30
"""The published test leaves out raters with fewer: its t-test needs them."""


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

    Each pair of raters counts in both directions, so that neither is the reference. A pair (of query and product) of m
    ratings weighs m on either side, so that pairs which many were asked about weigh no more among people.
    """
    graded = sum(~np.isnan(side.grades) for side in people)
    shared = np.asarray(graded) >= 2
    if judge is not None:
        shared &= ~np.isnan(judge.grades)
    if len(people) < 2 or not shared.any():
        return []
    on = [_only(side, shared) for side in people]
    among = coincidences_by_query([side.grades for side in on], queries, values)
    against = pooled([(a, _only(judge, shared)) for a in on], queries, values) if judge else among
    both = np.concatenate([among, against], axis=1)
    size = len(values)
    wanted: dict[str, OfConfusion] = {"accuracy": measures.accuracy}
    wanted |= headline().of_confusion(values)
    found = []
    for name, measure in wanted.items():

        def among_people(confusion: Floats, measure: OfConfusion = measure) -> Floats:
            return np.asarray(measure(confusion[..., :size, :]))

        def with_judge(confusion: Floats, measure: OfConfusion = measure) -> Floats:
            return np.asarray(measure(confusion[..., size:, :]))

        def difference(confusion: Floats, measure: OfConfusion = measure) -> Floats:
            return with_judge(confusion, measure) - among_people(confusion, measure)

        sides = {"people": among_people, "judge": with_judge, "difference": difference}
        estimates = each_by_query(both, sides)
        if judge is None:
            nobody = Estimate(None, None, None, "there is no run to compare with people")
            estimates |= {"judge": nobody, "difference": nobody}
        found.append(Ceiling(name, int(shared.sum()), **estimates))
    return found


def _only(side: GradedSide, units: npt.NDArray[np.bool_]) -> GradedSide:
    return GradedSide(side.name, np.where(units, side.grades, np.nan))


@dataclass(frozen=True)
class Replaced:
    """The judge in one rater's place."""

    rater: str
    n: int
    advantage: float
    """Share of pairs on which the judge is at least as close to the other raters as this one is, in [0, 1]."""
    rater_advantage: float
    """The same the other way round."""
    p: float
    """That the judge is at least `epsilon` worse: one-sided, before the correction for several raters."""
    won: bool
    """Whether that is rejected at the false discovery rate."""


@dataclass(frozen=True)
class AlternativeAnnotator:
    """The alternative annotator test's result."""

    epsilon: float
    """What a person's time is worth: how much less often the judge may be the better one."""
    level: float
    """The false discovery rate."""
    raters: Sequence[Replaced]
    winning_rate: float | None
    """Share of raters whose place the judge may take; at 0.5 it passes."""
    advantage: Estimate
    """Mean over raters of `Replaced.advantage`: the probability that the judge is as good as a randomly drawn rater
    or better. Its interval resamples queries, and is ours; the test itself takes pairs as independent, as published."""
    reason: str | None = None

    @property
    def passed(self) -> bool | None:
        """Whether the judge may take people's place; null where the test cannot be run."""
        return None if self.winning_rate is None else self.winning_rate >= 0.5


def alternative_annotator_test(
    ratings: Floats, judged: Floats, queries: npt.NDArray[np.str_], names: Sequence[str], epsilon: float = 0.2
) -> AlternativeAnnotator:
    """May the judge take a rater's place? Leave one rater out, and see who is closer to the others.

    `ratings` has shape (raters, units) and `judged` (units,), NaN where nothing was given. Closeness is the share of
    the others that gave the same grade (the paper's ACC). For each rater, a one-sided paired t-test of the advantages
    against `epsilon` (0.2 for expert raters, 0.15 for skilled, 0.1 for crowds); the p-values are corrected by
    Benjamini and Yekutieli at 0.05. Raters with fewer than 30 pairs are left out. Source: Calderon, Reichart and Dror
    2025, "The Alternative Annotator Test for LLM-as-a-Judge".
    """
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    level, wins, found = 0.05, [], []
    for index, name in enumerate(names):
        judge_wins, rater_wins = _wins(ratings, judged, index)
        there = ~np.isnan(judge_wins)
        if there.sum() < LEAST_PAIRS:
            continue
        lead = (rater_wins - judge_wins)[there]
        constant = bool((lead == lead[0]).all())
        p = float(lead[0] >= epsilon) if constant else stats.ttest_1samp(lead, epsilon, alternative="less").pvalue
        wins.append(judge_wins)
        means = float(judge_wins[there].mean()), float(rater_wins[there].mean())
        found.append((name, int(there.sum()), *means, float(p)))
    if len(found) < 2:
        reason = f"it needs two raters who share {LEAST_PAIRS} pairs or more with others and the judge"
        return AlternativeAnnotator(epsilon, level, [], None, Estimate(None, None, None, reason), reason)
    adjusted = corrected([row[-1] for row in found], any_dependence=True)
    raters = [Replaced(*row, won=q is not None and q <= level) for row, q in zip(found, adjusted, strict=True)]
    table = np.array(wins)
    advantage = by_query_index(queries, lambda rows: _mean_of_means(table[:, rows]), resamples=500)
    return AlternativeAnnotator(epsilon, level, raters, float(np.mean([r.won for r in raters])), advantage)


def _wins(ratings: Floats, judged: Floats, rater: int) -> tuple[Floats, Floats]:
    """Whether the judge is at least as close to the others as the rater, and the reverse; NaN where nobody can say."""
    others, own = np.delete(ratings, rater, axis=0), ratings[rater]
    count = (~np.isnan(others)).sum(axis=0)
    usable = (count > 0) & ~np.isnan(own) & ~np.isnan(judged)
    judge_hits, own_hits = (others == judged).sum(axis=0), (others == own).sum(axis=0)
    return (
        np.where(usable, judge_hits >= own_hits, np.nan),
        np.where(usable, own_hits >= judge_hits, np.nan),
    )


def _mean_of_means(table: Floats) -> float:
    there = ~np.isnan(table)
    counts = there.sum(axis=1)
    if not counts.all():
        return float("nan")
    return float((np.where(there, table, 0).sum(axis=1) / counts).mean())
