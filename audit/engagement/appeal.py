"""One appeal a pair: what clicks, carts and purchases say together of its grade, once the shop is known.

Given its grade k, a pair's logits of click, cart and purchase are Normal about `level_k + slope x known + offset_q`,
with one covariance for all channels: what draws clicks and carts alike (a price, a brand) counts once, not twice.
`offset_q` is the query's own, shrunk; in the clicks it has a slope on how far a pair stands from where shoppers looked,
since they read on further in some queries than in others. Counts are binomial. A tenth of the pairs is taken to differ
four times as much, in variance: popular or misplaced products would otherwise pass for proof of another grade.

A pair's logits are summed over by Laplace's approximation (Tierney and Kadane 1986, "Accurate Approximations for
Posterior Moments and Marginal Densities"), its query's offset comes from the query's other pairs alone.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from audit.engagement.counts import Floats, Ints
from audit.engagement.mix import Labels

TAIL = np.array([0.9, 0.1])
"""Shares of pairs with the common covariance, and with `WIDER` times it."""
WIDER = np.array([1.0, 4.0])
STEP = 2.0
"""The longest Newton step, in logits."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Counts of N pairs in C channels, each of shape (N, C), and what they are grouped by, of shape (N,)."""

    trials: Floats
    successes: Floats
    query: Ints
    kind: Ints
    """How a pair's query is shopped in, 0..H-1: each kind has levels and covariances of its own."""
    known: Floats
    """Shape (N, J): what else moves a pair's logits, centred within its query; last, the logarithm of the share of its
    impressions that were examined."""

    def __len__(self) -> int:
        return len(self.query)

    @property
    def design(self) -> Floats:
        """What each of a query's effects does to its pairs' logits, shape (N, C, C + 1): one for each channel, and one
        that moves clicks with the last covariate."""
        size, channels = self.trials.shape
        out = np.zeros((size, channels, channels + 1))
        out[:, :, :channels] = np.eye(channels)
        out[:, 0, channels] = self.known[:, -1]
        return out

    def where(self, rows: Ints) -> "Evidence":
        """Some of the pairs, their queries numbered anew."""
        query = np.unique(self.query[rows], return_inverse=True)[1]
        return Evidence(self.trials[rows], self.successes[rows], query, self.kind[rows], self.known[rows])


@dataclass(frozen=True, slots=True)
class Shop:
    """What was learned of a shop, in H kinds of queries, K grades, C channels and J covariates."""

    level: Floats
    """Shape (H, K, C): mean logits; they ascend with the grade."""
    slope: Floats
    """Shape (H, J, C): what the covariates add."""
    residual: Floats
    """Shape (H, C, C): how pairs of one grade and query differ."""
    between: Floats
    """Shape (H, C + 1, C + 1): how the effects of queries differ."""
    noise: Floats
    """Shape (K, K): what is added to the log prior of a grade (column) where the label is another (row)."""
    mixing: float
    """How far a query's other labels bear on a pair's grade: 1 as they claim, 0 where engagement contradicts them, 2
    at most."""

    def moved(self, evidence: Evidence) -> Floats:
        """What the covariates add to each pair's logits, shape (N, C)."""
        return np.asarray(np.einsum("nj,njc->nc", evidence.known, self.slope[evidence.kind]))

    def prior(self, labels: Labels) -> Floats:
        """P(grade) before engagement, with the learned noise, shape (N, K)."""
        return normal(labels.weights(self.mixing) + self.noise[labels.grade])


@dataclass(frozen=True, slots=True)
class Offsets:
    """What a query adds to its pairs' logits."""

    mean: Floats
    """By the other pairs of the query alone, shape (N, C)."""
    spread: Floats
    """Their covariance, shape (N, C, C)."""
    whole: Floats
    """Its effects, by all pairs of the query, shape (Q, C + 1)."""
    whole_spread: Floats


@dataclass(frozen=True, slots=True)
class Moments:
    """Of each pair, grade and width (N, K, T), all in logits."""

    share: Floats
    """P(grade, width | counts)."""
    mode: Floats
    """Shape (N, K, T, C)."""
    cover: Floats
    """Covariance about the mode, shape (N, K, T, C, C)."""
    weight: Floats
    """Precision with which the counts tell the pair's centre, shape (N, K, T, C, C)."""
    seen: Floats
    """`weight` times the logits that the counts alone would say, shape (N, K, T, C)."""


def start_offsets(shop: Shop, evidence: Evidence) -> Offsets:
    """Nothing known of any query."""
    queries, design = int(evidence.query.max()) + 1, evidence.design
    effects = design.shape[2]
    return Offsets(
        np.zeros(evidence.trials.shape),
        design @ shop.between[evidence.kind] @ design.swapaxes(1, 2),
        np.zeros((queries, effects)),
        np.zeros((queries, effects, effects)),
    )


def expect(
    shop: Shop, evidence: Evidence, prior: Floats, offsets: Offsets, mode: Floats | None = None, steps: int = 2
) -> Moments:
    """Laplace's approximation of each pair's logits, by Newton's method from `mode` on."""
    eye = np.eye(evidence.trials.shape[1])
    n, s = evidence.trials[:, None, None, :], evidence.successes[:, None, None, :]
    centre = shop.level[evidence.kind] + (shop.moved(evidence) + offsets.mean)[:, None, :]
    centre = np.repeat(centre[:, :, None, :], len(TAIL), axis=2)
    own = shop.residual[evidence.kind][:, None] * WIDER[:, None, None]  # (N, T, C, C)
    inverse = np.linalg.inv(own + offsets.spread[:, None])
    if mode is None:
        raw = logit((evidence.successes + 0.5) / (evidence.trials + 1.0))[:, None, None, :]
        mode, steps = centre + n / (n + 20) * np.clip(raw - centre, -4, 4), steps + 3
    for _ in range(steps):
        p = expit(mode)
        slope = s - n * p - times(inverse[:, None], mode - centre)
        bend = inverse[:, None] + (n * p * (1 - p))[..., None] * eye
        mode = mode + np.clip(np.linalg.solve(bend, slope[..., None])[..., 0], -STEP, STEP)
    p = expit(mode)
    bend = n * p * (1 - p)
    sharp = inverse[:, None] + bend[..., None] * eye
    apart = mode - centre
    value = (s * mode - n * np.logaddexp(0, mode)).sum(axis=-1)
    value = value - 0.5 * (apart * times(inverse[:, None], apart)).sum(axis=-1)
    value = value + 0.5 * np.linalg.slogdet(inverse)[1][:, None] - 0.5 * np.linalg.slogdet(sharp)[1]
    value = value + np.log(TAIL) + np.log(np.maximum(prior, 1e-12))[:, :, None]
    share = normal(value.reshape(len(value), -1)).reshape(value.shape)
    # (own + 1 / bend) ** -1, without dividing by what may be 0.
    keep = np.linalg.inv(eye + bend[..., None] * own[:, None])
    seen = bend * mode + s - n * p
    return Moments(share, mode, np.linalg.inv(sharp), keep * bend[..., None, :], times(keep, seen))


def offsets_of(shop: Shop, evidence: Evidence, found: Moments) -> Offsets:
    """Each query's offset by what its pairs leave unexplained."""
    centre = shop.level[evidence.kind] + shop.moved(evidence)[:, None, :]
    left = found.seen - times(found.weight, np.repeat(centre[:, :, None, :], len(TAIL), axis=2))
    design = evidence.design
    turned = design.swapaxes(1, 2)
    a = turned @ np.einsum("nkt,nktcd->ncd", found.share, found.weight) @ design
    b = times(turned, np.einsum("nkt,nktc->nc", found.share, left))
    queries = int(evidence.query.max()) + 1
    total, pulled = np.zeros((queries, *a.shape[1:])), np.zeros((queries, b.shape[1]))
    np.add.at(total, evidence.query, a)
    np.add.at(pulled, evidence.query, b)
    kind = np.zeros(queries, dtype=np.int64)
    kind[evidence.query] = evidence.kind
    base = np.linalg.inv(shop.between)
    spread = np.linalg.inv(base[evidence.kind] + total[evidence.query] - a)
    mean = times(spread, pulled[evidence.query] - b)
    whole = np.linalg.inv(base[kind] + total)
    return Offsets(times(design, mean), design @ spread @ turned, times(whole, pulled), whole)


def normal(log_weights: Floats) -> Floats:
    """Shares of shape (N, K) from their logarithms but for a constant."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def times(matrix: Floats, vector: Floats) -> Floats:
    """Matrices times vectors, shapes (..., C, R) and (..., R)."""
    return np.asarray((matrix @ vector[..., None])[..., 0])
