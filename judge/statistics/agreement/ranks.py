"""Rank correlations of the judge's expected grade with the reference's grade."""

from collections.abc import Callable

from judge.statistics import ranks
from judge.statistics.agreement import SLOW_RESAMPLES, GradedPairs, Measure
from judge.statistics.intervals import Estimate, by_query_index

ONE_GRADE = "one side gave one single grade, so there is no order to compare"


def _correlation(of: Callable[..., ranks.Correlation]) -> Callable[[GradedPairs], Estimate]:
    def estimate(pairs: GradedPairs) -> Estimate:
        found = by_query_index(pairs.query, of(pairs.means, pairs.expected), resamples=SLOW_RESAMPLES)
        return found.because(ONE_GRADE if len(pairs.query) else None)

    return estimate


SPEARMAN = Measure(
    name="spearman",
    label="Spearman",
    source="`scipy.stats.spearmanr` of the expected grade",
    range="−1 to 1",
    undefined=ONE_GRADE,
    order=120,
    places=frozenset({"table", "chart"}),
    pairs=_correlation(ranks.spearman_of),
)
KENDALL = Measure(
    name="kendall_tau_b",
    label="Kendall's tau-b",
    source="`scipy.stats.kendalltau` of the expected grade",
    range="−1 to 1",
    undefined=ONE_GRADE,
    order=130,
    pairs=_correlation(ranks.kendall_tau_b_of),
)
