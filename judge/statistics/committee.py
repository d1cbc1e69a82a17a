"""What several judges say together, and how far they disagree.

Sources: Dagan and Engelson 1995 (vote entropy); McCallum and Nigam 1998 (divergence from the mean). Both are the
Jensen-Shannon divergence of what was said, where a grade alone counts as all of its judge's belief.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Committee:
    """What M judges said of N units with K grades."""

    beliefs: Floats
    """Probabilities, shape (M, N, K): NaN where a judge told none."""
    votes: Floats
    """1 at the grade given, else 0, shape (M, N, K): NaN where a judge gave none."""

    @property
    def told(self) -> Bools:
        """Which judges told probabilities, shape (M, N)."""
        return np.asarray(~np.isnan(self.beliefs[..., 0]))

    @property
    def voted(self) -> Bools:
        """Which judges gave a grade, shape (M, N)."""
        return np.asarray(~np.isnan(self.votes[..., 0]))

    @property
    def by_votes(self) -> Bools:
        """Units of which a judge gave a grade and no probabilities, shape (N,): there grades are counted."""
        return np.asarray((self.voted & ~self.told).any(axis=0))

    @property
    def mean(self) -> Floats:
        """The mean of the probabilities, or the shares of the votes, shape (N, K); NaN where there is neither.

        Where votes are counted, a judge that told probabilities has the vote of its grade, and none if it abstained.
        """
        opinions = np.where(self.by_votes[None, :, None], self.votes, self.beliefs)
        heard = ~np.isnan(opinions[..., 0])
        count = heard.sum(axis=0)[:, None]
        total = np.where(heard[..., None], opinions, 0.0).sum(axis=0)
        return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))

    @property
    def disagreement(self) -> Floats:
        """The divergence of everything that was said, in bits: see `divergence`."""
        return divergence(np.where(self.told[..., None], self.beliefs, self.votes))


def divergence(said: Floats) -> Floats:
    """The Jensen-Shannon divergence of several distributions, in bits.

    Args:
        said: Shape (M, N, K); NaN where a judge said nothing.

    Returns:
        Shape (N,): 0 where all say the same, at most log2 of min(M, K); NaN where fewer than two said anything.
    """
    there = np.asarray(~np.isnan(said[..., 0]))
    count = there.sum(axis=0)
    filled = np.where(there[..., None], said, 0.0)
    several = np.maximum(count, 1)
    gap = _entropy(filled.sum(axis=0) / several[:, None]) - _entropy(filled).sum(axis=0) / several
    return np.asarray(np.where(count >= 2, np.maximum(gap, 0.0), np.nan))


def _entropy(probabilities: Floats) -> Floats:
    logs = np.log2(np.where(probabilities > 0, probabilities, 1.0))
    return np.asarray(-(probabilities * logs).sum(axis=-1))


def tied(mean: Floats) -> Bools:
    """Where the highest of K shares is not one alone, shape (N,), for shares of shape (N, K) without NaN."""
    top = mean.max(axis=1, keepdims=True)
    return np.asarray(np.isclose(mean, top, rtol=0, atol=1e-12).sum(axis=1) > 1)
