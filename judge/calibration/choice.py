"""Which form of calibration to keep: one with more to fit only where it is better by more than chance."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from judge.calibration.cuts import Objective
from judge.statistics.measures import weighted_kappa
from judge.statistics.reliability import cross_entropy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def choose_by(
    objective: Objective, tried: Sequence[Floats], shares: Floats, query: Ints, grades: Sequence[int] = ()
) -> int:
    """Which form to take by an objective.

    Args:
        objective: What has to be better.
        tried: The probabilities (N, K) of each form on queries that it was not fitted on, the simplest first.
        shares: People's ratings, shape (N, K).
        query: Each pair's query, shape (N,), counted from 0 without gaps.
        grades: The guideline's values, for quadratic kappa.
    """
    if objective == "log_loss":
        return choose_form([cross_entropy(chances, shares) for chances in tried], query)
    truth, given = shares.argmax(axis=1), [chances.argmax(axis=1) for chances in tried]
    if objective == "accuracy":
        return choose_form([(places != truth).astype(np.float64) for places in given], query)
    chosen = 0
    for form in range(1, len(given)):
        gain, error = kappa_gain(given[chosen], given[form], truth, query, grades)
        if gain > error:
            chosen = form
    return chosen


def choose_form(losses: Sequence[Floats], query: Ints) -> int:
    """Which form to take, by the losses of shape (N,) of each on queries that it was not fitted on, the simplest first.

    A form with more to fit has to be better than the one before it by more than a standard error over queries (the rule
    of one standard error: Breiman et al., "Classification and Regression Trees", 1984, 3.4.3): what looks better by
    less may as well make new queries worse.
    """
    chosen = 0
    for form in range(1, len(losses)):
        gain = losses[chosen] - losses[form]
        sums = np.bincount(query, gain - gain.mean())
        error = np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / len(gain)
        if gain.mean() > error:
            chosen = form
    return chosen


def kappa_gain(first: Ints, second: Ints, truth: Ints, query: Ints, grades: Sequence[int]) -> tuple[float, float]:
    """How much higher the second grades' quadratic kappa is, and the standard error over queries.

    By the jackknife, a query left out at a time (Efron and Stein 1981, "The Jackknife Estimate of Variance"). Places of
    grades, and queries, of shape (N,). A kappa that is not defined counts as 0: one grade for all tells nothing.
    """
    count, queries = len(grades), int(query.max()) + 1

    def kappas(given: Ints) -> tuple[float, Floats]:
        cells = np.bincount((query * count + truth) * count + given, minlength=queries * count**2)
        by_query = cells.reshape(queries, count, count)
        whole = by_query.sum(axis=0)
        without = np.nan_to_num(weighted_kappa(whole - by_query, grades))
        return float(np.nan_to_num(weighted_kappa(whole, grades))), without

    (before, before_without), (after, after_without) = kappas(first), kappas(second)
    differences = after_without - before_without
    spread = ((differences - differences.mean()) ** 2).sum() * (queries - 1) / queries
    return after - before, float(np.sqrt(spread))
