"""Which form of calibration to keep: one with more to fit where it is better on queries that it was not fitted on."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from judge.calibration.cuts import Objective, quality
from judge.statistics.reliability import cross_entropy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def choose_by(
    objective: Objective, tried: Sequence[Floats], shares: Floats, query: Ints, grades: Sequence[int] = ()
) -> int:
    """Which form to take by an objective.

    For the log loss, one with more to fit has to be better by more than chance: see `choose_form`. For quadratic kappa
    and accuracy the better one is taken. To wait for a standard error there, which is wide, keeps judges from the cut
    points of their shop more often than from a mistake: `benchmarks/choices.py`.

    Args:
        objective: What has to be better.
        tried: The probabilities (N, K) of each form on queries that it was not fitted on, the simplest first.
        shares: People's ratings, shape (N, K).
        query: Each pair's query, shape (N,), counted from 0 without gaps.
        grades: The guideline's values, for quadratic kappa.
    """
    if objective == "log_loss":
        return choose_form([cross_entropy(chances, shares) for chances in tried], query)
    judged = quality(objective, grades, shares.argmax(axis=1))
    return int(np.argmax([judged(chances.argmax(axis=1)) for chances in tried]))


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
