"""The true grade behind several raters' grades, and each rater's errors along the way: Dawid and Skene's model.

Ratings come as three arrays of one length, an entry a rating: which pair, which rater, which grade. Memory follows the
number of ratings, not that of all pairs times all raters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST = 1e-10
"""A share that EM may not go below: a grade that a rater never confused in the data is not thereby impossible."""


@dataclass(frozen=True)
class RatingMatrix:
    """Who gave which grade to what; every array has shape (ratings,)."""

    pair: Ints
    """Which pair, counted from 0."""
    rater: Ints
    """Which rater, counted from 0."""
    grade: Ints
    """Which of the K grades, by its place."""
    pairs: int
    """How many pairs there are, rated or not."""
    raters: int
    grades: int

    @classmethod
    def of_table(cls, table: Floats, values: Sequence[int]) -> "RatingMatrix":
        """Of grades of shape (raters, pairs), NaN where a rater gave none, and the K grades ascending."""
        rater, pair = np.nonzero(~np.isnan(table))
        grade = np.searchsorted(values, table[rater, pair])
        return cls(pair, rater, grade, table.shape[1], table.shape[0], len(values))

    @classmethod
    def of_votes(cls, votes: Sequence[Mapping[str, int]], values: Sequence[int]) -> "RatingMatrix":
        """Of each pair's grades by rater, and the K grades ascending; raters in the order of their names."""
        place = {name: at for at, name in enumerate(sorted({rater for pair in votes for rater in pair}))}
        given = [(at, place[rater], grade) for at, pair in enumerate(votes) for rater, grade in pair.items()]
        pair, rater, grade = np.array(given, dtype=np.int64).reshape(-1, 3).T
        return cls(pair, rater, np.searchsorted(values, grade), len(votes), len(place), len(values))

    def votes(self) -> Floats:
        """How many raters gave each pair each grade, shape (pairs, K)."""
        cells = np.bincount(self.pair * self.grades + self.grade, minlength=self.pairs * self.grades)
        return cells.reshape(self.pairs, self.grades).astype(np.float64)


@dataclass(frozen=True)
class DawidSkene:
    """What the model found."""

    posterior: Floats
    """Shape (pairs, K): the probability of each true grade; NaN where nobody rated."""
    confusion: Floats
    """Shape (raters, K, K): the probability that a rater gives the column's grade where the row's is true. It says
    nothing where `true_pairs` is near 0."""
    true_pairs: Floats
    """Shape (raters, K): how many of a rater's pairs are expected to have each true grade."""
    prior: Floats
    """Shape (K,): how common each true grade is."""
    steps: int
    """EM steps taken."""


def dawid_skene(ratings: RatingMatrix, *, steps: int = 100, tolerance: float = 1e-6) -> DawidSkene:
    """True grades and raters' confusions together, by EM from the vote shares.

    Stops when no posterior moves by more than `tolerance`. With few ratings a pair the likelihood has several maxima,
    and this is the one nearest the vote. Source: Dawid and Skene 1979, "Maximum Likelihood Estimation of Observer
    Error-Rates Using the EM Algorithm"; equals crowd-kit's where that runs as many steps.
    """
    posterior = shares(ratings.votes())
    there = ~np.isnan(posterior[:, 0])
    taken = 0
    while True:
        prior = np.maximum(posterior[there].sum(axis=0) / max(there.sum(), 1), LEAST)
        confusion = _confusions(ratings, posterior)
        if taken == steps:
            break
        likelihood = np.log(prior) + _evidence(ratings, np.log(confusion))
        moved = shares(np.exp(likelihood - likelihood.max(axis=1, keepdims=True)))
        moved[~there] = np.nan
        change = float(np.abs(moved - posterior)[there].max(initial=0.0))
        posterior, taken = moved, taken + 1
        if change < tolerance:
            steps = taken  # one more M-step, so that confusions belong to these posteriors
    rated = [np.bincount(ratings.rater, each, minlength=ratings.raters) for each in posterior[ratings.pair].T]
    return DawidSkene(posterior, confusion, np.stack(rated, axis=1), prior, taken)


def shares(amounts: Floats) -> Floats:
    """Rows that sum to 1, of amounts of shape (N, K); NaN where a row is all 0."""
    total = amounts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(amounts, total, out=np.full(amounts.shape, np.nan), where=total > 0))


def _confusions(ratings: RatingMatrix, posterior: Floats) -> Floats:
    """Shape (raters, K, K): how a rater's grades spread where each grade is likely true; rows sum to 1."""
    k = ratings.grades
    cell = ratings.rater * k + ratings.grade
    counted = [
        np.bincount(cell, posterior[ratings.pair, true], minlength=ratings.raters * k).reshape(-1, k)
        for true in range(k)
    ]
    confusion = np.maximum(np.stack(counted, axis=1), LEAST)
    return np.asarray(confusion / confusion.sum(axis=2, keepdims=True))


def _evidence(ratings: RatingMatrix, logs: Floats) -> Floats:
    """Shape (pairs, K): the log-likelihood of a pair's ratings under each true grade, of log confusions."""
    found = [
        np.bincount(ratings.pair, logs[ratings.rater, true, ratings.grade], minlength=ratings.pairs)
        for true in range(ratings.grades)
    ]
    return np.stack(found, axis=1)
