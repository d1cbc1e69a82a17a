"""What the labels of a query's other pairs say of a pair's grade, before any engagement.

In some queries nearly everything found is relevant, in others hardly anything: a label that differs from all others of
its query is likelier wrong than one of twenty like it. A query's shares of grades are drawn from a Dirichlet
distribution about the shares in all queries. How far queries differ is learned from the labels, by maximum likelihood:
where they do not differ, the others say nothing. Source: Minka 2000, "Estimating a Dirichlet distribution".
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from audit.engagement.counts import Floats, Ints

LIKE, UNLIKE = 1000.0, 0.3
"""Strengths between which one is looked for, in pairs: queries that are alike, and such that hold one grade each."""
HELD = 200.0
"""Pairs that hold the share of wrong labels to what the labels claim, where nothing else tells it."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What N labels claim before engagement is looked at."""

    grade: Ints
    stated: Floats
    """P(grade) by the label alone, shape (N, K)."""
    mix: Floats
    """What is added to its logarithm by the labels of the query's other pairs, shape (N, K)."""
    held: float = HELD
    """Pairs that hold the share of wrong labels to what the labels claim."""

    def weights(self, mixing: float) -> Floats:
        """Logarithms of P(grade) but for a constant, shape (N, K), where the query's others count `mixing` times."""
        return np.asarray(np.log(np.maximum(self.stated, 1e-9)) + mixing * self.mix)

    def where(self, rows: Ints) -> "Labels":
        """Some of the labels."""
        return Labels(self.grade[rows], self.stated[rows], self.mix[rows], self.held)


def query_mix(grade: Ints, query: Ints, grades: int) -> Floats:
    """By how much the other labels of its query raise the log-probability of each grade, of N pairs: shape (N, K).

    `grade` is 0..K-1, `query` numbers the queries from 0, both of shape (N,).
    """
    if not len(grade):
        return np.zeros((0, grades))
    counts = np.zeros((int(query.max()) + 1, grades))
    np.add.at(counts, (query, grade), 1)
    # One more pair of each grade: a grade that no label has is rare, and not impossible.
    common = (counts.sum(axis=0) + 1) / (len(grade) + grades)
    others = counts[query]
    others[np.arange(len(grade)), grade] -= 1
    strength = mix_strength(counts, common)
    return np.asarray(np.log(others / common + strength) - np.log(others.sum(axis=1, keepdims=True) + strength))


def mix_strength(counts: Floats, common: Floats) -> float:
    """How many pairs of the `common` shares, (K,), a query's own labels are held to; `counts` has shape (Q, K)."""
    size = counts.sum(axis=1)

    def loss(log_strength: float) -> float:
        strength = np.exp(log_strength)
        base = strength * common
        each = gammaln(counts + base) - gammaln(base)
        return float(-(gammaln(strength) - gammaln(strength + size) + each.sum(axis=1)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=np.log([UNLIKE, LIKE]), method="bounded").x))
