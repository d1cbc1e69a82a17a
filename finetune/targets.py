"""What a pair's ratings teach: shares over the grades, shape (N, K), rows that sum to 1."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from judge.errors import InputError

Floats = npt.NDArray[np.float64]

STEPS = 100
LEAST = 1e-10
"""A share that EM may not go below: what a rater never confused in these ratings is not thereby impossible."""


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
    """Posteriors of the true grades, raters' confusions learnt along the way, by EM from the vote shares.

    Source: Dawid and Skene 1979, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm".
    """
    raters = sorted({rater for pair in votes for rater in pair})
    given = np.zeros((len(votes), len(raters), len(values)))
    for index, pair in enumerate(votes):
        for rater, grade in pair.items():
            given[index, raters.index(rater), list(values).index(grade)] = 1
    posterior = given.sum(axis=1) / given.sum(axis=(1, 2))[:, None]
    for _ in range(STEPS):
        prior = np.maximum(posterior.mean(axis=0), LEAST)
        confusion = np.maximum(np.einsum("nk,nrj->rkj", posterior, given), LEAST)
        confusion /= confusion.sum(axis=2, keepdims=True)
        likelihood = np.log(prior) + np.einsum("nrj,rkj->nk", given, np.log(confusion))
        scaled = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
        moved = scaled / scaled.sum(axis=1, keepdims=True)
        change, posterior = float(np.abs(moved - posterior).max()), moved
        if change < 1e-6:
            break
    return np.asarray(posterior)
