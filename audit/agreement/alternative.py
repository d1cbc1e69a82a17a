"""Whether a judge could take a person's place: the alternative annotator test."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from judge.statistics.discoveries import corrected
from judge.statistics.intervals import ROUNDING, Estimate, by_query_index
from judge.statistics.multi_rater import unit_counts

Floats = npt.NDArray[np.float64]

LEAST_PAIRS = 30
"""The published test leaves out raters with fewer: its t-test needs them."""


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
    p_by_query: float | None
    """The same as `p` with errors clustered by query; null with pairs of one query."""
    won_by_query: bool


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
    winning_rate_by_query: float | None
    """The same where queries, not pairs, are taken as independent."""
    advantage: Estimate
    """Mean over raters of `Replaced.advantage`: the probability that the judge is as good as a randomly drawn rater
    or better. Its interval resamples queries."""
    reason: str | None = None

    @property
    def passed(self) -> bool | None:
        """Whether the judge may take people's place; null where the test cannot be run."""
        return None if self.winning_rate is None else self.winning_rate >= 0.5

    @property
    def passed_by_query(self) -> bool | None:
        """The same with errors clustered by query: what to go by where pairs of one query are alike."""
        return None if self.winning_rate_by_query is None else self.winning_rate_by_query >= 0.5


def alternative_annotator_test(
    ratings: Floats, judged: Floats, queries: npt.NDArray[np.str_], names: Sequence[str], epsilon: float = 0.2
) -> AlternativeAnnotator:
    """May the judge take a rater's place? Leave one rater out, and see who is closer to the others.

    `ratings` has shape (raters, units) and `judged` (units,), NaN where nothing was given. Closeness is the share of
    the others that gave the same grade (the paper's ACC). For each rater, a one-sided paired t-test of the advantages
    against `epsilon` (0.2 for expert raters, 0.15 for skilled, 0.1 for crowds); the p-values are corrected by
    Benjamini and Yekutieli at 0.05. Raters with fewer than 30 pairs are left out. Source: Calderon, Reichart and Dror
    2025, "The Alternative Annotator Test for LLM-as-a-Judge".

    The published test takes pairs as independent. Where pairs of one query are alike it passes too often, so the same
    is given with errors clustered by query, `mean_below`.
    """
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    level, wins, found, p_values = 0.05, [], [], list[tuple[float, float | None]]()
    grades = np.unique(np.append(ratings, judged))
    grades = grades[~np.isnan(grades)]
    votes = unit_counts(ratings, grades) if grades.size else np.empty((len(judged), 0))
    for own, name in zip(ratings, names, strict=True):
        judge_wins, rater_wins = _wins(votes - (own[:, None] == grades), grades, own, judged)
        there = ~np.isnan(judge_wins)
        if there.sum() < LEAST_PAIRS:
            continue
        lead = (rater_wins - judge_wins)[there]
        constant = bool((lead == lead[0]).all())
        p = float(lead[0] >= epsilon) if constant else stats.ttest_1samp(lead, epsilon, alternative="less").pvalue
        wins.append(judge_wins)
        means = float(judge_wins[there].mean()), float(rater_wins[there].mean())
        found.append((name, int(there.sum()), *means))
        p_values.append((float(p), mean_below(lead, queries[there], epsilon)))
    if len(found) < 2:
        reason = f"it needs two raters who share {LEAST_PAIRS} pairs or more with others and the judge"
        return AlternativeAnnotator(epsilon, level, [], None, None, Estimate(None, None, None, reason), reason)
    won, clustered = (_won(each, level) for each in zip(*p_values, strict=True))
    results = zip(found, p_values, won, clustered, strict=True)
    raters = [Replaced(*row, p, one, by_query, other) for row, (p, by_query), one, other in results]
    table = np.array(wins)
    used = ~np.isnan(table).all(axis=0)  # queries without such pairs carry no evidence
    advantage = by_query_index(queries[used], partial(_mean_of_means, table[:, used]), resamples=500)
    return AlternativeAnnotator(epsilon, level, raters, float(np.mean(won)), float(np.mean(clustered)), advantage)


def _won(p_values: Sequence[float | None], level: float) -> list[bool]:
    return [q is not None and q <= level for q in corrected(p_values, any_dependence=True)]


def mean_below(amounts: Floats, queries: npt.NDArray[np.str_], bound: float) -> float | None:
    """The one-sided p-value of a mean's being at `bound` or above, with errors clustered by query; null with one query.

    `amounts` and `queries` have shape (N,). The linearised ratio estimator of the mean, whose error is the jackknife's
    over queries, against Student's t with one degree of freedom less than queries (as Cameron, Gelbach and Miller 2008,
    "Bootstrap-Based Improvements for Inference with Clustered Errors", recommend for few clusters).
    """
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    _, query = np.unique(queries, return_inverse=True)
    sums, sizes = np.bincount(query, amounts), np.bincount(query)
    count = len(sums)
    if count < 2:
        return None
    without = (sums.sum() - sums) / (sizes.sum() - sizes)
    error = float(np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum()))
    gap = float(amounts.mean()) - bound
    if error < ROUNDING:
        return float(gap >= 0)
    return float(stats.t.cdf(gap / error, count - 1))


def _wins(others: Floats, grades: Floats, own: Floats, judged: Floats) -> tuple[Floats, Floats]:
    """Whether the judge is at least as close to the others as the rater, and the reverse; NaN where nobody can say.
    `others` says how often they gave each of `grades`, shape (units, K)."""
    usable = (others.sum(axis=1) > 0) & ~np.isnan(own) & ~np.isnan(judged)
    judge_hits, own_hits = ((others * (given[:, None] == grades)).sum(axis=1) for given in (judged, own))
    return (
        np.where(usable, judge_hits >= own_hits, np.nan),
        np.where(usable, own_hits >= judge_hits, np.nan),
    )


def _mean_of_means(table: Floats, times: Floats) -> Floats:
    """The mean of the rows' means where columns count so often each, shape (..., N); NaN where a row has none."""
    there = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        return np.asarray(((times @ np.where(there, table, 0).T) / (times @ there.T)).mean(axis=-1))
