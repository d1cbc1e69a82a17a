"""Do the labels of a query's other pairs bear out what shoppers doubt?

A wrong label stands among other labels as those of its true grade do. A right one that shoppers seem to doubt, because
it is dear, sold out or well pictured, stands among them as any of its grade. So how far doubted labels are unlike their
queries tells how many of the doubts are true, whatever the shape of clicks within a grade, which no log reveals.

The doubts are by engagement and the label alone. Method of moments: the other labels' shares of grades, weighted by the
doubts, are held against what they would be if the doubts were right. Where some products of a grade are treated by
shoppers as if they were of another, no amount of clicks makes a doubt surer than the share of wrong labels among all
that look so. So doubts of too low and of too high labels get a most that they come to, each as low as that asks for.

Labels can be alike for another reason: a judge that is lenient in one query and strict in the next. Others' labels then
follow clicks less than they follow the label, by as much as `likeness` says (`audit.engagement.three_views`), and less
is asked for.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from audit.engagement.appeal import Shop, normal
from audit.engagement.counts import Floats, Ints
from audit.engagement.joint import Joint

ALLOWED = 0.75
"""Of what is expected, so much is asked for: errors that fill whole queries hide among their like."""
LIMITS = np.array([1, 0.97, 0.94, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
"""What doubts may come to at most, of those that are tried; before the other labels are looked at, as likely as their
square roots say."""


@dataclass(frozen=True, slots=True)
class BorneOut:
    """What the other labels bear out."""

    share: float
    """How far doubted labels are unlike their queries, of how far they would be if the doubts were right: 1 if they
    are, about 0 if none is; NaN where labels say nothing of each other's grades."""
    error: float
    """Its standard error, queries taken as independent."""
    most: tuple[float, float] = (1.0, 1.0)
    """What the chance of a higher grade, and that of a lower one, comes to at most."""

    def as_json(self) -> dict[str, Any]:
        """For `audit.json`; what cannot be told is null, as the check "doubts borne out" says."""
        told = {"share": self.share, "standard_error": self.error}
        most = dict(zip(("higher", "lower"), self.most, strict=True))
        return {**{name: value if np.isfinite(value) else None for name, value in told.items()}, "at_most": most}


def bear_out(
    grade: Ints, query: Ints, mix: Floats, joint: Joint, seen: Ints, likeness: float
) -> tuple[Joint, BorneOut]:
    """The posterior with the doubts that other labels do not bear out lowered, and how far they do.

    Args:
        grade: Labels' positions, shape (N,).
        query: Queries numbered from 0, shape (N,).
        mix: By `query_mix`, shape (N, K).
        joint: What engagement says.
        seen: The pairs with engagement.
        likeness: How much of what labels of a query have in common their grades have, 0 to 1.
    """
    looked = _Look.at(grade, query, mix, joint, seen)
    if joint.shop is None or looked is None or not likeness > 0:
        return joint, BorneOut(float("nan"), float("nan"))
    found, expected = looked.leanings(np.ones(2)).sum(axis=0) * np.array([[1], [likeness]])  # each of shape (Q,)
    if not expected.sum() > 0:
        return joint, BorneOut(float("nan"), float("nan"))
    share = found.sum() / expected.sum()
    # The larger of what it is about the share found and, a few doubts being alike by chance, about 1.
    apart = [np.sqrt(((found - at * expected) ** 2).sum()) for at in (share, 1.0)]
    error = max(apart) / expected.sum()
    most = np.ones(2)
    for _ in range(2):
        for way in range(2):
            losses = []
            for limit in LIMITS:
                most[way] = limit
                own, asked = looked.leanings(most)[way]
                apart = ALLOWED * likeness * asked - own
                losses.append(max(apart.sum(), 0) ** 2 / max((apart**2).sum(), 1e-12) - np.log(limit))
            most[way] = LIMITS[int(np.argmin(losses))]
    posterior = joint.posterior.copy()
    if most.min() < 1:
        # What is held down is what engagement makes of the label; what the other labels say of the pair counts on.
        held = _at_most(_alone(joint.posterior, joint.shop, mix, seen), grade[seen], most)
        posterior[seen] = normal(np.log(np.maximum(held, 1e-300)) + joint.shop.mixing * mix[seen])
    higher, lower = most.tolist()
    return replace(joint, posterior=posterior), BorneOut(float(share), float(error), (higher, lower))


def _alone(posterior: Floats, shop: Shop, mix: Floats, rows: Ints) -> Floats:
    """P(grade) of some pairs by engagement and the label, without the query's other labels."""
    return normal(np.log(np.maximum(posterior[rows], 1e-300)) - shop.mixing * mix[rows])


def _ways(grade: Ints, grades: int) -> Floats:
    """1 for the grades above each label, and for those below: shape (2, N, K)."""
    above = np.arange(grades) - grade[:, None]
    return np.stack([above > 0, above < 0]).astype(np.float64)


def _at_most(chance: Floats, grade: Ints, most: Floats) -> Floats:
    """Chances of grades, (N, K), of which those above the label come to the first of `most` at most, and those below to
    the second; between both, and where they are small, they stay about what they are."""
    own, found = (np.arange(len(grade)), grade), chance.copy()
    found[own] = np.maximum(chance[own], 1e-200)  # of what is so sure, the limit is all that counts
    odds = (_ways(grade, chance.shape[1]) * found).sum(axis=2) / found[own]
    # Odds o become o / (1 + o (1 - m) / m).
    kept = 1 / (1 + (odds * ((1 - most) / most)[:, None]).sum(axis=0))
    label = found[own].copy()
    found *= kept[:, None]
    found[own] = label
    return np.asarray(found / found.sum(axis=1, keepdims=True))


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
        return cls(label, query[rows], _alone(joint.posterior, joint.shop, mix, rows), others, usual)

    def leanings(self, most: Floats) -> Floats:
        """How far the others of doubted labels lean to the grades that these are suspected of, beyond what is usual for
        the label, by query: [upwards, downwards] x [found, expected], shape (2, 2, Q)."""
        grades, own = self.chance.shape[1], np.arange(len(self.grade))
        chance = _at_most(self.chance, self.grade, most)
        beyond = [shares - self.usual[self.grade] for shares in (self.others, chance @ self.usual)]
        out = np.zeros((2, 2, int(self.query.max()) + 1))
        for way, there in enumerate(_ways(self.grade, grades)):
            for kind, shares in enumerate(beyond):
                lean = (chance * there * (shares - shares[own, self.grade][:, None])).sum(axis=1)
                out[way, kind] = np.bincount(self.query, lean, minlength=out.shape[2])
        return out
