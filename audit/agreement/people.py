"""How well people agree among themselves, all raters together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.agreement.comparison import coincidences_by_query
from judge.ratings.panel import Panel, majority
from judge.statistics.agreement import SLOW_RESAMPLES, agreement_measures
from judge.statistics.intervals import Estimate, by_query, by_query_index

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
    figures = {}
    for name, measure in agreement_measures().items():
        if measure.coincidence is not None:
            found = by_query(matrices, partial(_with_values, measure.coincidence, panel.values))
        elif measure.ratings is not None:
            of_times = partial(measure.ratings, grades, panel.values)
            found = by_query_index(queries, of_times, resamples=SLOW_RESAMPLES)
        else:
            continue
        figures[name] = found.because(reason)
    tied = int((shared & np.isnan(majority(panel.grades))).sum())
    return People(panel.raters, panel.gold_name, len(panel.units), int(shared.sum()), tied, figures)


def _with_values(function: Callable[..., Any], values: Sequence[int], counts: Floats) -> Any:
    return function(counts, values)


def people_agree(panel: Panel) -> Floats:
    """The share of rater pairs that agree on each unit, shape (units,); NaN with fewer than two ratings."""
    votes = (panel.grades[:, :, None] == np.array(panel.values)).sum(axis=0)
    count = votes.sum(axis=1)
    pairs = count * (count - 1)
    agreeing = (votes * (votes - 1)).sum(axis=1)
    return np.asarray(np.divide(agreeing, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
