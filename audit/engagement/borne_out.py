"""Do the labels of a query's other pairs bear out what shoppers doubt?

A wrong label stands among other labels as those of its true grade do. A right one that shoppers seem to doubt, because
it is dear, sold out or badly placed, stands among them as any of its grade. So how far doubted labels are unlike their
queries tells how many of the doubts are true, whatever the shape of clicks within a grade, which no log reveals.

The doubts are by engagement and the label alone. Method of moments: the other labels' shares of grades, weighted by the
doubts, are held against what they would be if the doubts were right. Doubts of too low and of too high labels are
lowered by a factor each, as far as that asks for; none is raised.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from audit.engagement.counts import Floats, Ints
from audit.engagement.joint import Joint

HELD = float(np.log(2))
"""Standard deviation of a factor's logarithm before the other labels are looked at: a factor of two."""
ALLOWED = 0.75
"""Of what is expected, so much is asked for: errors that fill whole queries hide among their like."""
STEPS = np.linspace(0, -4, 21)
"""Logarithms of the factors that are tried."""


@dataclass(frozen=True, slots=True)
class BorneOut:
    """What the other labels bear out."""

    share: float
    """How far doubted labels are unlike their queries, of how far they would be if the doubts were right: 1 if they
    are, about 0 if none is; NaN where labels say nothing of each other."""
    error: float
    """Its standard error, queries taken as independent."""
    kept: tuple[float, float] = (1.0, 1.0)
    """By what the odds of a higher and of a lower grade were multiplied."""

    def as_json(self) -> dict[str, Any]:
        """For `audit.json`; what cannot be told is null, as the check "doubts borne out" says."""
        told = {"share": self.share, "standard_error": self.error}
        lowered = dict(zip(("higher", "lower"), self.kept, strict=True))
        return {**{name: value if np.isfinite(value) else None for name, value in told.items()}, "odds_kept": lowered}


def bear_out(grade: Ints, query: Ints, mix: Floats, joint: Joint, seen: Ints) -> tuple[Joint, BorneOut]:
    """The posterior with the doubts that other labels do not bear out lowered, and how far they do.

    Args:
        grade: Labels' positions, shape (N,).
        query: Queries numbered from 0, shape (N,).
        mix: By `query_mix`, shape (N, K).
        joint: What engagement says.
        seen: The pairs with engagement.
    """
    looked = _Look.at(grade, query, mix, joint, seen)
    if joint.shop is None or looked is None:
        return joint, BorneOut(float("nan"), float("nan"))
    found, expected = looked.leanings(np.zeros(2)).sum(axis=0)  # each of shape (Q,)
    if not expected.sum() > 0:
        return joint, BorneOut(float("nan"), float("nan"))
    share = found.sum() / expected.sum()
    # The larger of what it is about the share found and, a few doubts being alike by chance, about 1.
    apart = [np.sqrt(((found - at * expected) ** 2).sum()) for at in (share, 1.0)]
    error = max(apart) / expected.sum()
    factors = np.zeros(2)
    for _ in range(2):
        for way in range(2):
            losses = []
            for step in STEPS:
                factors[way] = step
                own, asked = looked.leanings(factors)[way]
                apart = own - ALLOWED * asked
                losses.append(apart.sum() ** 2 / max((apart**2).sum(), 1e-12) + (step / HELD) ** 2)
            factors[way] = STEPS[int(np.argmin(losses))]
    posterior = joint.posterior.copy()
    posterior[seen] *= _by_way(grade[seen], posterior.shape[1], np.exp(factors))
    posterior[seen] /= posterior[seen].sum(axis=1, keepdims=True)
    up, down = np.exp(factors).tolist()
    return replace(joint, posterior=posterior), BorneOut(float(share), float(error), (up, down))


def _by_way(grade: Ints, grades: int, factors: Floats) -> Floats:
    """The first factor for grades above the label, the second for those below, 1 for its own: shape (N, K)."""
    above = np.arange(grades) - grade[:, None]
    return np.where(above > 0, factors[0], np.where(above < 0, factors[1], 1.0))


@dataclass(frozen=True, slots=True)
class _Look:
    """Pairs with engagement in queries with other labels, arrays of shape (n,) and (n, K)."""

    grade: Ints
    query: Ints
    chance: Floats
    """P(grade) by engagement and the label, without the query's other labels."""
    others: Floats
    """Their shares of grades."""
    usual: Floats
    """Shape (K, K): the mean of these for pairs labelled k."""

    @classmethod
    def at(cls, grade: Ints, query: Ints, mix: Floats, joint: Joint, seen: Ints) -> Self | None:
        """Null where no query has another label, or nothing was learned of the shop."""
        grades = joint.posterior.shape[1]
        counts = np.zeros((int(query.max(initial=0)) + 1, grades))
        np.add.at(counts, (query, grade), 1)
        rows = seen[counts[query[seen]].sum(axis=1) > 1]
        label, own = grade[rows], np.arange(len(rows))
        if not len(rows) or joint.shop is None:
            return None
        others = counts[query[rows]]
        others[own, label] -= 1
        others /= others.sum(axis=1, keepdims=True)
        sums = np.zeros((grades, grades))
        np.add.at(sums, label, others)
        sizes = np.bincount(label, minlength=grades)[:, None]
        usual = np.where(sizes > 0, sums / np.maximum(sizes, 1), others.mean(axis=0))
        score = np.log(np.maximum(joint.posterior[rows], 1e-300)) - joint.shop.mixing * mix[rows]
        chance = np.exp(score - score.max(axis=1, keepdims=True))
        return cls(label, query[rows], chance / chance.sum(axis=1, keepdims=True), others, usual)

    def leanings(self, factors: Floats) -> Floats:
        """How far the others of doubted labels lean to the grades that these are suspected of, beyond what is usual for
        the label, by query: [upwards, downwards] x [found, expected], shape (2, 2, Q)."""
        grades, own = self.chance.shape[1], np.arange(len(self.grade))
        chance = self.chance * _by_way(self.grade, grades, np.exp(factors))
        chance /= chance.sum(axis=1, keepdims=True)
        beyond = [shares - self.usual[self.grade] for shares in (self.others, chance @ self.usual)]
        out = np.zeros((2, 2, int(self.query.max()) + 1))
        for way in range(2):
            doubt = chance * (_by_way(self.grade, grades, np.eye(2)[way]) - np.eye(grades)[self.grade])
            for kind, shares in enumerate(beyond):
                lean = (doubt * (shares - shares[own, self.grade][:, None])).sum(axis=1)
                out[way, kind] = np.bincount(self.query, lean, minlength=out.shape[2])
        return out
