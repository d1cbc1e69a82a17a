"""A pair's training target: shares over the grades, shape (N, K), rows that sum to 1."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from judge.errors import InputError
from judge.statistics.dawid_skene import RatingMatrix, dawid_skene, shares

Floats = npt.NDArray[np.float64]


def targets(
    votes: Sequence[Mapping[str, int]], values: Sequence[int], how: str, means: Sequence[Mapping[str, float]] = ()
) -> Floats:
    """Shares of the K grades for each of N pairs.

    A mean, such as 1.33, is shared between the two grades around it so that their mean is the same: a third of a vote
    for 2 and two thirds for 1. `majority` and `dawid-skene` take the grade that it was cut to.

    Args:
        votes: Each pair's grades by rater; at least one.
        values: The grades, ascending.
        how: `distribution`, `majority` or `dawid-skene`; see `lora.yaml`.
        means: For each pair, the means of those raters whose grade was cut from one; nothing where nobody gave any.

    Raises:
        InputError: Dawid-Skene is asked for and no pair has two raters.
    """
    ratings = RatingMatrix.of_votes(votes, values)
    counts = ratings.votes()
    if how == "distribution":
        for row, given in enumerate(means):
            for rater, mean in given.items():
                counts[row, values.index(votes[row][rater])] -= 1
                counts[row] += around(mean, values)
    if how == "majority":
        counts = (counts == counts.max(axis=1, keepdims=True)).astype(np.float64)
    if how != "dawid-skene":
        return shares(counts)
    if counts.sum(axis=1).max() < 2:
        raise InputError(
            "targets: dawid-skene needs pairs with several raters, and these have one each",
            "name the raters' columns with --raters A,B,C, or choose targets: distribution",
        )
    return dawid_skene(ratings).posterior


def around(mean: float, values: Sequence[int]) -> Floats:
    """Shares of the K grades, shape (K,), on the one or two grades around a mean, with that mean."""
    scale = np.asarray(values, dtype=np.float64)
    found = np.zeros(len(scale))
    above = int(np.clip(np.searchsorted(scale, mean), 1, len(scale) - 1))
    found[above] = np.clip((mean - scale[above - 1]) / (scale[above] - scale[above - 1]), 0, 1)
    found[above - 1] = 1 - found[above]
    return found
