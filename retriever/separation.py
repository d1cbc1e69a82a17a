"""How well a system's scores tell one grade from the next, over all queries together.

A threshold on scores serves a shop where scores mean the same for every query; the area under the ROC curve says how
far they do, and what a threshold costs in single categories says how far it travels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from judge.statistics.intervals import ALIKE, FEWEST, ROUNDING

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
ENOUGH = 10
"""Pairs on either side of a threshold before a category has one of its own."""


@dataclass(frozen=True)
class Scored:
    """Judged pairs with a system's scores; all of shape (N,)."""

    score: Floats
    grade: Ints
    query: Ints
    category: Ints
    """The product's leaf category; -1 where it has none."""


@dataclass(frozen=True)
class InCategories:
    """How a threshold fares in single categories."""

    categories: int
    """With enough pairs on both sides."""
    own_low: float | None
    """A quarter of the categories would set their own threshold below this."""
    own_high: float | None
    """A quarter above this."""
    worst: str | None
    """The category where the common threshold does worst."""
    worst_accuracy: float | None
    """Its balanced accuracy there."""


@dataclass(frozen=True)
class Separation:
    """One grade against the next lower one."""

    upper: int
    lower: int
    n_upper: int
    n_lower: int
    auc: float | None
    """The chance that a pair of the upper grade scores above one of the lower; .5 says nothing."""
    low: float | None
    high: float | None
    reason: str | None
    threshold: float | None
    """The score that best splits `upper` and better from `lower` and worse."""
    balanced_accuracy: float | None
    """Of that split, on these very pairs: the mean of both sides' shares that fall on their side."""
    in_categories: InCategories


def separations(scored: Scored, values: Sequence[int], categories: Sequence[str]) -> list[Separation]:
    """Each grade against the next lower one, the highest first. Pairs without a score are the caller's to leave out."""
    return [_between(scored, upper, lower, categories) for lower, upper in reversed(list(pairwise(values)))]


def _between(scored: Scored, upper: int, lower: int, categories: Sequence[str]) -> Separation:
    above, below = scored.grade == upper, scored.grade == lower
    both = above | below
    auc, interval, reason = clustered_auc(scored.score[both], above[both], scored.query[both])
    good = scored.grade >= upper
    split = best_threshold(scored.score, good)
    return Separation(
        upper=upper,
        lower=lower,
        n_upper=int(above.sum()),
        n_lower=int(below.sum()),
        auc=auc,
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        reason=reason,
        threshold=split[0] if split else None,
        balanced_accuracy=split[1] if split else None,
        in_categories=_in_categories(scored, good, split[0] if split else None, categories),
    )


def clustered_auc(
    score: Floats, positive: npt.NDArray[np.bool_], query: Ints, level: float = 0.95
) -> tuple[float | None, tuple[float, float] | None, str | None]:
    """The area under the ROC curve, its interval, and why one is undefined. Ties count half.

    The interval is value +- t times an error from sums by query, since pairs of a query are not independent. Source:
    Obuchowski 1997, "Nonparametric analysis of clustered ROC curve data", with DeLong's placement values.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return None, None, "one of the two grades has no scored pair"
    ups, downs = np.sort(score[positive]), np.sort(score[~positive])
    placement = np.where(
        positive,
        (np.searchsorted(downs, score, "left") + np.searchsorted(downs, score, "right")) / (2 * n),
        1 - (np.searchsorted(ups, score, "left") + np.searchsorted(ups, score, "right")) / (2 * m),
    )
    auc = float(placement[positive].mean())
    influence = np.bincount(query, (placement - auc) / np.where(positive, m, n))
    queries = len(np.unique(query))
    if queries < FEWEST:
        return auc, None, f"{queries} queries are too few for an interval"
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    error = float(np.sqrt(queries / (queries - 1) * (influence @ influence)))
    if error < ROUNDING:
        return auc, None, ALIKE
    reach = float(stats.t.ppf((1 + level) / 2, queries - 1)) * error
    return auc, (max(auc - reach, 0.0), min(auc + reach, 1.0)), None


def best_threshold(score: Floats, good: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """The score from which on a pair is called good, and the balanced accuracy of that; null where a side is empty.

    Of equal ones the lowest threshold. Source: Youden 1950, "Index for rating diagnostic tests".
    """
    if good.all() or not good.any():
        return None
    order = np.argsort(score, kind="stable")
    sorted_score, sorted_good = score[order], good[order]
    # Called bad is what lies before a place; a threshold lies between two different scores.
    missed = np.concatenate([[0], np.cumsum(sorted_good)]) / good.sum()
    spared = np.concatenate([[0], np.cumsum(~sorted_good)]) / (~good).sum()
    cuts = np.flatnonzero(np.concatenate([[True], sorted_score[1:] > sorted_score[:-1]]))
    accuracy = np.round((1 - missed[cuts] + spared[cuts]) / 2, 12)  # equal ones stay equal
    at = int(np.argmax(accuracy))
    return float(sorted_score[cuts[at]]), float(accuracy[at])


def _in_categories(
    scored: Scored, good: npt.NDArray[np.bool_], threshold: float | None, categories: Sequence[str]
) -> InCategories:
    own: list[float] = []
    fares: list[tuple[float, int]] = []
    for category in np.unique(scored.category[scored.category >= 0]) if threshold is not None else ():
        here = scored.category == category
        sides = good[here]
        if min(int(sides.sum()), int((~sides).sum())) < ENOUGH:
            continue
        split = best_threshold(scored.score[here], sides)
        called = scored.score[here] >= threshold
        fares.append((float((called[sides].mean() + (~called[~sides]).mean()) / 2), int(category)))
        own += [split[0]] if split else []
    worst = min(fares) if fares else None
    low, high = (float(q) for q in np.quantile(own, [0.25, 0.75])) if own else (None, None)
    return InCategories(len(fares), low, high, categories[worst[1]] if worst else None, worst[0] if worst else None)
