"""From a prior over grades to a posterior, by what was clicked, put into carts and bought.

A pair of grade k and query q has an unknown rate. Rates are Beta distributed about `sigmoid(level_k + base_q)` with a
concentration `kappa_k` that says how much pairs of one grade differ; `base_q ~ Normal(0, spread)` is the query's own.
Levels ascend with the grade. All of it is learned from the data by maximum marginal likelihood, together with how far
the prior can be believed; grades and base rates are summed over, not guessed. The hierarchical beta-binomial is that of
Gelman et al. 2013, "Bayesian Data Analysis", chapter 5, with grades as latent classes.

Each kind of evidence is one call: clicks of examined impressions, carts of clicks, purchases of carts. The posterior
of one is the prior of the next.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, expit, gammaln, logit

from audit.engagement.counts import Floats, Ints

NODES = np.linspace(-3, 3, 31)
"""Where base rates are summed over, in units of their spread."""
WEIGHTS = -0.5 * NODES**2 - np.log(np.exp(-0.5 * NODES**2).sum())
FIT_PAIRS = 2_500
CHUNK = 20_000
TAIL, LOOSER = 0.1, 8.0
"""This share of a grade's pairs differs more than the rest, with so much lower a concentration: popular or misplaced
products would otherwise pass for proof of another grade."""
LEAST = 30
"""Pairs with trials below which nothing is learned: the prior stands."""
Distinct = tuple[Floats, Ints]
"""The numbers that occur in an array of shape (N,), and the place of each of its entries among them, shape (N,)."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Trials and successes of N pairs: arrays of shape (N,); `query` numbers their queries from 0."""

    trials: Floats
    successes: Floats
    query: Ints
    distinct: tuple["Distinct", "Distinct", "Distinct"] = field(init=False, repr=False)
    """Of the trials, of the successes and of the failures: found once, and asked for in every step of learning."""

    def __post_init__(self) -> None:
        each = self.trials, self.successes, self.trials - self.successes
        object.__setattr__(self, "distinct", tuple(np.unique(counts, return_inverse=True) for counts in each))

    def where(self, rows: Ints) -> "Counts":
        """Some of the pairs."""
        return Counts(self.trials[rows], self.successes[rows], self.query[rows])


@dataclass(frozen=True, slots=True)
class Rates:
    """What was learned of one kind of evidence. `level` and `kappa` have one entry for each of K grades."""

    level: Floats
    kappa: Floats
    spread: float
    sharpness: float
    """The power that the prior's probabilities are taken to: below 1 where they claim too much."""
    doubt: float
    """How often the prior says nothing at all, in [0, 1]."""

    @property
    def mean(self) -> Floats:
        """The rate of each grade in a query of the middling base rate, shape (K,), in (0, 1)."""
        return np.asarray(expit(self.level))

    @property
    def by_node(self) -> Floats:
        """The rate of each grade at each base rate that is summed over, shape (K, nodes)."""
        return np.asarray(np.clip(expit(self.level[:, None] + self.spread * NODES), 1e-6, 1 - 1e-6))

    def believed(self, prior: Floats) -> Floats:
        """The prior as far as it can be believed, shape (N, K)."""
        sharp = np.exp(self.sharpness * np.log(np.maximum(prior, 1e-9)))
        sharp /= sharp.sum(axis=1, keepdims=True)
        return np.asarray((1 - self.doubt) * sharp + self.doubt * prior.mean(axis=0))


@dataclass(frozen=True, slots=True)
class ChannelPosterior:
    """What one kind of evidence says."""

    posterior: Floats
    """Shape (N, K)."""
    rates: Rates | None
    """Null where too little was there to learn from."""
    expected: Floats
    """Mean rate of each pair if its grade is k, in its own query: shape (N, K); NaN where nothing was learned."""
    reason: str | None = None


def update(prior: Floats, counts: Counts, *, learn_prior: bool = True, seed: int = 0) -> ChannelPosterior:
    """The posterior over grades, given the prior of shape (N, K) and what happened.

    `learn_prior` also learns how far the prior can be believed; say False where it is a posterior already.
    Pairs without trials keep their prior as far as it is believed.
    """
    counts = Counts(np.maximum(counts.trials, counts.successes), counts.successes, counts.query)
    live = np.flatnonzero(counts.trials > 0)
    blank = np.full(prior.shape, np.nan)
    if len(live) < LEAST or not counts.successes.sum() > 0:
        return ChannelPosterior(
            prior, None, blank, f"{len(live)} pairs with {counts.successes.sum():.0f} successes: too few"
        )
    rates = learn(prior[live], counts.where(live), learn_prior=learn_prior, seed=seed)
    posterior, expected = rates.believed(prior) if learn_prior else prior.copy(), blank
    order = live[np.argsort(counts.query[live], kind="stable")]
    for rows in _chunks(order, counts.query):
        posterior[rows], expected[rows] = _infer(rates, posterior[rows], counts.where(rows))
    return ChannelPosterior(posterior, rates, expected)


def learn(prior: Floats, counts: Counts, *, learn_prior: bool, seed: int = 0) -> Rates:
    """Rates that make the data likeliest, from whole queries of at most about `FIT_PAIRS` pairs."""
    if len(prior) > FIT_PAIRS:
        queries = np.random.default_rng(seed).permutation(np.unique(counts.query))
        place = np.argsort(queries, kind="stable")
        rank = place[np.searchsorted(np.sort(queries), counts.query)]
        sizes = np.cumsum(np.bincount(rank, minlength=len(queries)))
        rows = np.flatnonzero(rank <= np.searchsorted(sizes, FIT_PAIRS))
        prior, counts = prior[rows], counts.where(rows)
    counts = Counts(counts.trials, counts.successes, np.unique(counts.query, return_inverse=True)[1])
    grades = prior.shape[1]
    base = float(logit(np.clip(counts.successes.sum() / counts.trials.sum(), 1e-4, 0.9)))
    start = np.concatenate([[base - 0.5], np.full(grades - 1, -0.5), np.full(grades, 2.0), [-0.5, 0.0, -3.0]])

    def loss(theta: Floats) -> tuple[float, Floats]:
        value, slope = _likelihood(theta, prior, counts, learn_prior)
        return -value, -slope

    bounds = [(-12, 6), *[(-6, 3)] * (grades - 1), *[(-1, 8)] * grades, (-4, 1.5), (-1.5, 1.4), (-7, -0.4)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 80})
    return _rates(found.x, grades, learn_prior)


def _rates(theta: Floats, grades: int, learn_prior: bool) -> Rates:
    steps = np.concatenate([[0.0], np.exp(theta[1:grades])])
    kappa = np.exp(theta[grades : 2 * grades])
    sharp, doubt = (float(np.exp(theta[-2])), float(expit(theta[-1]))) if learn_prior else (1.0, 0.0)
    return Rates(theta[0] + np.cumsum(steps), kappa, float(np.exp(theta[-3])), sharp, doubt)


def _likelihood(theta: Floats, prior: Floats, counts: Counts, learn_prior: bool) -> tuple[float, Floats]:
    """Log marginal likelihood with weak priors, and its gradient: shape of `theta`."""
    grades = prior.shape[1]
    rates = _rates(theta, grades, learn_prior)
    belief = rates.believed(prior)
    log_rate, tail = _beta_binomial(rates, counts)
    joint = np.log(np.maximum(belief, 1e-12))[:, :, None] + log_rate
    pair = _logsum(joint, 1)
    query = np.zeros((int(counts.query.max()) + 1, len(NODES))) + WEIGHTS
    np.add.at(query, counts.query, pair)
    total = _logsum(query, 1)
    node = np.exp(query - total[:, None])[counts.query]
    share = np.exp(joint - pair[:, None, :]) * node[:, None, :]  # P(grade, node | data), shape (N, K, nodes)
    slope = np.zeros_like(theta)
    by_level, by_kappa = _slopes(rates, counts, tail)
    level = (share * by_level).sum(axis=(0, 2))
    slope[0] = level.sum()
    for k in range(1, grades):
        slope[k] = np.exp(theta[k]) * level[k:].sum()
    slope[grades : 2 * grades] = (share * by_kappa).sum(axis=(0, 2))
    slope[-3] = (share * by_level * NODES * rates.spread).sum()
    value = float(total.sum())
    # Weak priors hold what the data leave open: moderate concentration and steps, a prior taken at its word.
    centre = np.concatenate([[theta[0]], np.full(grades - 1, -0.5), np.full(grades, 2.0), [-0.5, 0.0, -3.0]])
    width = np.concatenate([[1.0], np.full(grades - 1, 1.0), np.full(grades, 1.5), [1.0, 0.4, 1.0]])
    value -= float((0.5 * ((theta - centre) / width) ** 2).sum())
    if learn_prior:
        for index in (-2, -1):
            moved = theta.copy()
            moved[index] += 1e-4
            change = np.log(np.maximum(_rates(moved, grades, True).believed(prior), 1e-12)) - np.log(
                np.maximum(belief, 1e-12)
            )
            slope[index] = (share.sum(axis=2) * change).sum() / 1e-4
    return value, slope - (theta - centre) / width**2


def _beta_binomial(rates: Rates, counts: Counts) -> tuple[Floats, Floats]:
    """(log-probability of the successes without the binomial coefficient, P(tail | successes)), (N, K, nodes) each."""
    core = _log_beta_binomial(rates.by_node, rates.kappa[:, None], counts) + np.log(1 - TAIL)
    tail = _log_beta_binomial(rates.by_node, rates.kappa[:, None] / LOOSER, counts) + np.log(TAIL)
    both = np.logaddexp(core, tail)
    return both, np.exp(tail - both)


def _log_beta_binomial(m: Floats, k: Floats, counts: Counts) -> Floats:
    n, c, missed = counts.distinct
    fixed = gammaln(k) - gammaln(m * k) - gammaln((1 - m) * k)
    return np.asarray(_at(gammaln, c, m * k) + _at(gammaln, missed, (1 - m) * k) - _at(gammaln, n, k) + fixed)


def _at(function: Callable[[Floats], Floats], counts: Distinct, more: Floats) -> Floats:
    """`function(counts + more)` for N counts: computed once for each count that occurs, (N, K, nodes)."""
    values, place = counts
    return np.asarray(function(values[:, None, None] + more)[place])


def _slopes(rates: Rates, counts: Counts, tail: Floats) -> tuple[Floats, Floats]:
    """Derivatives of `_beta_binomial` by level and by log kappa, each (N, K, nodes)."""
    m = rates.by_node
    n, c, missed = counts.distinct
    by_level, by_kappa = np.zeros_like(tail), np.zeros_like(tail)
    for k, share in ((rates.kappa[:, None], 1 - tail), (rates.kappa[:, None] / LOOSER, tail)):
        a = _at(digamma, c, m * k) - digamma(m * k)
        b = _at(digamma, missed, (1 - m) * k) - digamma((1 - m) * k)
        both = _at(digamma, n, k) - digamma(k)
        by_level += share * k * m * (1 - m) * (a - b)
        by_kappa += share * k * (m * a + (1 - m) * b - both)
    return by_level, by_kappa


def _infer(rates: Rates, belief: Floats, counts: Counts) -> tuple[Floats, Floats]:
    """Posterior and expected rates of whole queries' pairs; what a pair's own query expects leaves the pair out."""
    query = np.unique(counts.query, return_inverse=True)[1]
    log_rate, _ = _beta_binomial(rates, counts)
    joint = np.log(np.maximum(belief, 1e-12))[:, :, None] + log_rate
    pair = _logsum(joint, 1)
    total = np.zeros((int(query.max()) + 1, len(NODES))) + WEIGHTS
    np.add.at(total, query, pair)
    others = total[query] - pair
    weight = np.exp(others - _logsum(others, 1)[:, None])
    each = joint + others[:, None, :]
    posterior = np.exp(each - each.max(axis=(1, 2), keepdims=True)).sum(axis=2)
    return posterior / posterior.sum(axis=1, keepdims=True), weight @ rates.by_node.T


def _chunks(order: Ints, query: Ints) -> list[Ints]:
    """Rows in runs of about `CHUNK` that end where a query ends."""
    ends = np.flatnonzero(np.diff(query[order])) + 1
    next_end = np.searchsorted(ends, np.arange(CHUNK, len(order), CHUNK))
    return np.split(order, np.unique(ends[next_end[next_end < len(ends)]]))


def _logsum(values: Floats, axis: int) -> Floats:
    top = values.max(axis=axis, keepdims=True)
    return np.asarray(np.squeeze(top, axis) + np.log(np.exp(values - top).sum(axis=axis)))
