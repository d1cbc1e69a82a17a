"""What a pair's ratings teach: shares over the grades, shape (N, K), rows that sum to 1."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from judge.errors import InputError
from judge.statistics.dawid_skene import RatingMatrix, dawid_skene, shares

Floats = npt.NDArray[np.float64]


def targets(votes: Sequence[Mapping[str, int]], values: Sequence[int], how: str) -> Floats:
    """Shares of the K grades for each of N pairs.

    Args:
        votes: Each pair's grades by rater; at least one.
        values: The grades, ascending.
        how: `distribution`, `majority` or `dawid-skene`; see `lora.yaml`.

    Raises:
        InputError: Dawid-Skene is asked for and no pair has two raters.
    """
    ratings = RatingMatrix.of_votes(votes, values)
    counts = ratings.votes()
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
