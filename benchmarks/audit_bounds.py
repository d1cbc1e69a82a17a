"""What bounds an audit's order? Average precision of those who know ever more of a shop than its counts.

    python benchmarks/audit_bounds.py [--seeds 1] [--median 1000]

For `dbn` and `cascade` of `worlds.py`, labels without probabilities. All know how the shop's grades attract and differ.
Rows are what else is known of engagement: nothing at all; the counts, with the auditor's examination; with who looked
at what; with each query's level, too; what shoppers like, without any chance in the counts (the oracle). Columns are
what is known of labels: 90% for each; how often each grade is taken for which; also the labels of the query's other
pairs; also that some queries were misread as a whole, though not which.
"""

import argparse
from pathlib import Path

import numpy as np
from audit_worlds import DATA, SETS, USUAL
from planted import plant_errors, real_grades
from raters import judge_says
from scipy.special import expit, logsumexp
from sklearn.metrics import average_precision_score
from worlds import WORLDS, Shop, Taste

from audit.engagement import examination
from audit.engagement.counts import Cells
from audit.engagement.mix import query_mix

LOGITS = np.arange(-9, 4.01, 0.1)
NODES = np.linspace(-3, 3, 31)
TASTES = {
    "dbn": (Taste(), 0.08),
    "cascade": (Taste(satisfy=(0.5, 0.8, 0.95), popularity=0.85), 0.0),
}
"""As in `worlds.py`, with the trust in the first place."""


def main() -> None:
    """Print a table for each world and seed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--median", type=int, default=1000)
    parser.add_argument("--data", type=Path, default=DATA)
    args = parser.parse_args()
    examination.RESAMPLES = 0
    for world in TASTES:
        for seed in map(int, args.seeds.split(",")):
            rng = np.random.default_rng([seed, list(WORLDS).index(world)])
            grade, query = real_grades(args.data, SETS.get(world, USUAL))
            label, kind = plant_errors(grade, query, rng)
            judge_says(label, grade, rng)  # the same chances as in `audit_worlds.py` come after
            shop = WORLDS[world](grade, query, args.median, rng)
            print(f"{world}, seed {seed}: {(label != grade).sum()} of {len(label)} labels are wrong")
            priors = _priors(shop, label, kind)
            for name, (score, nodes) in _evidence(shop, world).items():
                found = [_precision(shop, label, score, nodes, prior) for prior in priors]
                print(f"  {name:40}", *(f"{value:.3f}" for value in found), flush=True)


def _priors(shop: Shop, label: np.ndarray, kind: np.ndarray) -> list[list[tuple[np.ndarray, float]]]:
    """By column: hypotheses about a query, each a prior of shape (N, K) and a log weight."""
    apart = np.abs(np.arange(3) - label[:, None])
    rest = np.where(apart > 0, 0.5**apart, 0)
    stated = np.where(apart == 0, 0.9, 0.1 * rest / rest.sum(axis=1, keepdims=True))
    misread = np.isin(shop.query, shop.query[kind == 4])
    mix = np.exp(query_mix(label, shop.query, 3))

    def confused(rows: np.ndarray) -> np.ndarray:
        found = np.zeros((3, 3))
        np.add.at(found, (label[rows], shop.grade[rows]), 1)
        return (found / found.sum(axis=1, keepdims=True))[label]

    def normal(weights: np.ndarray) -> np.ndarray:
        return weights / weights.sum(axis=1, keepdims=True)

    anything = np.broadcast_to(np.bincount(shop.grade, minlength=3) / len(label), stated.shape)
    share = np.unique(shop.query[misread]).size / (shop.query.max() + 1)
    every = np.ones(len(label), dtype=bool)
    read = normal(confused(~misread) * mix), np.log(1 - share)
    return [
        [(stated, 0.0)],
        [(confused(every), 0.0)],
        [(normal(confused(every) * mix), 0.0)],
        [read, (anything, np.log(share))],
    ]


def _evidence(shop: Shop, world: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By row: log-likelihoods by pair, grade and level of the query (N, K, L), and the log weights of the levels."""
    taste, trusted = TASTES[world]
    counts, size = {name: each.astype(float) for name, each in shop.counts.items()}, len(shop.grade)
    pair, position = shop.counts["pair"], shop.counts["position"]
    cells = Cells(
        pair, shop.query[pair], position, np.zeros_like(pair), *(counts[n] for n in ("impressions", "clicks"))
    )
    model = examination.examine(cells, None).model
    seen, trust = model.examined[position * 64], np.nan_to_num(model.trusted[position * 64])
    known = ~np.isnan(seen)
    looked = np.bincount(pair[known], (counts["impressions"] * seen * (1 - trust))[known], minlength=size)
    drawn = counts["clicks"] - counts["impressions"] * seen * trust
    drawn = np.maximum(np.bincount(pair[known], drawn[known], minlength=size), 0)
    alone = np.arange(size), np.zeros(size)
    guessed = _likelihood(np.maximum(looked, drawn), drawn, *alone, size)
    exact = _likelihood(counts["looked_at"], counts["clicks"], pair, trusted * 0.7 ** (position - 1), size)
    none = np.zeros(len(pair))
    carts = _likelihood(counts["clicks"], counts["add_to_carts"], pair, none, size)
    bought = _likelihood(counts["add_to_carts"], counts["purchases"], pair, none, size)
    after = _marginal(carts, np.array(taste.cart), taste.whim) + _marginal(bought, np.array(taste.buy), taste.whim)
    levels = -0.5 * NODES**2 - logsumexp(-0.5 * NODES**2)
    centres = (np.array(taste.click)[:, None] + taste.by_query * NODES).ravel()
    by_level = [
        _marginal(each, centres, taste.popularity).reshape(size, 3, -1) + after[:, :, None] for each in (guessed, exact)
    ]
    own = np.empty((size, 3))
    for q in range(shop.query.max() + 1):
        rows = np.flatnonzero(shop.query == q)
        own[rows] = _marginal(exact[rows], shop.centres[rows[0], :, 0], taste.popularity)
    apart = shop.signals[:, None, :] - shop.centres
    oracle = -0.5 * np.einsum("nkc,cd,nkd->nk", apart, np.linalg.inv(shop.covariance), apart)
    one = np.zeros(1)
    return {
        "no engagement": (np.zeros((size, 3, 1)), one),
        "counts, the auditor's examination": (by_level[0], levels),
        "counts, who looked at what": (by_level[1], levels),
        "the same, and each query's level": ((own + after)[:, :, None], one),
        "what shoppers like": (oracle[:, :, None], one),
    }


def _likelihood(n: np.ndarray, s: np.ndarray, pair: np.ndarray, trust: np.ndarray, size: int) -> np.ndarray:
    """Log-likelihood of each logit, by pair: shape (N, logits)."""
    out = np.zeros((size, len(LOGITS)))
    for rows in np.array_split(np.arange(len(pair)), max(len(pair) // 20_000, 1)):
        chance = expit(LOGITS) + trust[rows, None] * (1 - expit(LOGITS))
        part = s[rows, None] * np.log(chance) + (n - s)[rows, None] * np.log1p(-chance)
        np.add.at(out, pair[rows], part)
    return out


def _marginal(likelihood: np.ndarray, centres: np.ndarray, spread: float) -> np.ndarray:
    """The logarithm of its mean where logits are Normal about each centre: shape (N, centres)."""
    weight = np.exp(-0.5 * ((LOGITS[:, None] - centres) / spread) ** 2)
    top = likelihood.max(axis=1, keepdims=True)
    return np.log(np.exp(likelihood - top) @ (weight / weight.sum(axis=0)) + 1e-300) + top


def _precision(
    shop: Shop, label: np.ndarray, score: np.ndarray, nodes: np.ndarray, prior: list[tuple[np.ndarray, float]]
) -> float:
    """Average precision of the posterior; levels and hypotheses about each query are summed over."""
    joint = [np.log(each + 1e-12)[:, :, None] + score for each, _ in prior]
    pair = [logsumexp(each, axis=1) for each in joint]
    total = np.zeros((len(prior), shop.query.max() + 1, len(nodes)))
    for at, (_, weight) in enumerate(prior):
        total[at] += nodes + weight
        np.add.at(total[at], shop.query, pair[at])
    most = logsumexp(total, axis=(0, 2))
    posterior = np.zeros(score.shape[:2])
    for at, each in enumerate(joint):
        others = (total[at] - most[:, None])[shop.query] - pair[at]
        posterior += np.exp(logsumexp(each + others[:, None, :], axis=2))
    right = posterior[np.arange(len(label)), label] / posterior.sum(axis=1)
    return float(average_precision_score(label != shop.grade, np.round(1 - right, 9)))


if __name__ == "__main__":
    main()
