"""How well people agree among themselves, all raters together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from audit.agreement.comparison import METRICS, coincidences_by_query
from judge.ratings.panel import Panel, majority
from judge.statistics import multi_rater as several
from judge.statistics.intervals import Estimate, by_query_index, each_by_query

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class People:
    """How well people agree among themselves. Figures of two or more ratings a pair."""

    raters: Sequence[str]
    gold: str | None
    pairs: int
    """Rated pairs."""
    shared: int
    """Pairs with two ratings or more."""
    tied: int
    """Pairs whose raters have no majority."""
    figures: Mapping[str, Estimate]


def report_people(panel: Panel) -> People:
    """Alpha and AC of all raters together."""
    count = (~np.isnan(panel.grades)).sum(axis=0)
    shared = count >= 2
    reason = "no pair has two ratings" if not shared.any() else "all ratings are one single grade"
    queries, grades = panel.queries[shared], panel.grades[:, shared]
    matrices = coincidences_by_query(grades, queries, panel.values)
    alphas = {f"alpha_{m}": partial(several.alpha_of, values=panel.values, metric=m) for m in METRICS}
    figures = {name: found.because(reason) for name, found in each_by_query(matrices, alphas).items()}
    for name, weights in (("gwet_ac1", "identity"), ("gwet_ac2", "quadratic")):
        figures[name] = by_query_index(
            queries,
            lambda rows, w=weights: several.gwet_ac(grades[:, rows], panel.values, w),  # type: ignore[misc]
            resamples=500,
        ).because(reason)
    tied = int((shared & np.isnan(majority(panel.grades))).sum())
    return People(panel.raters, panel.gold_name, len(panel.units), int(shared.sum()), tied, figures)


def people_agree(panel: Panel) -> Floats:
    """The share of rater pairs that agree on each unit, shape (units,); NaN with fewer than two ratings."""
    votes = (panel.grades[:, :, None] == np.array(panel.values)).sum(axis=0)
    count = votes.sum(axis=1)
    pairs = count * (count - 1)
    agreeing = (votes * (votes - 1)).sum(axis=1)
    return np.asarray(np.divide(agreeing, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
