"""What a pair's ratings teach: shares over the grades, shape (N, K), rows that sum to 1."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from judge.errors import InputError
from judge.statistics import dawid_skene as consensus

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
    counts = np.array([[list(pair.values()).count(value) for value in values] for pair in votes], dtype=np.float64)
    if how == "majority":
        counts = (counts == counts.max(axis=1, keepdims=True)).astype(np.float64)
    if how != "dawid-skene":
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))
    if counts.sum(axis=1).max() < 2:
        raise InputError(
            "targets: dawid-skene needs pairs with several raters, and these have one each",
            "name the raters' columns with --raters A,B,C, or choose targets: distribution",
        )
    return dawid_skene(votes, values)


def dawid_skene(votes: Sequence[Mapping[str, int]], values: Sequence[int]) -> Floats:
    """Posteriors of the true grades, raters' confusions learnt along the way; see `judge.statistics`."""
    raters = {name: place for place, name in enumerate(sorted({rater for pair in votes for rater in pair}))}
    given = [(index, raters[rater], grade) for index, pair in enumerate(votes) for rater, grade in pair.items()]
    pair, rater, grade = np.array(given, dtype=np.int64).reshape(-1, 3).T
    ratings = consensus.Ratings(pair, rater, np.searchsorted(values, grade), len(votes), len(raters), len(values))
    return consensus.dawid_skene(ratings).posterior
