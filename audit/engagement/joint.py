"""A shop learned from labels and counts together, and what it says of each label.

Expectation-maximisation over counts added up by pair, in the model that `audit.engagement.appeal` describes. The
label's noise is learned beside the rest, held by what the labels claim; so is how often and how high a product is
shown, which says how well it is liked, or how wrongly the curve of examination has it, whatever its grade.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import logit

from audit.engagement.appeal import (
    TAIL,
    WIDER,
    Evidence,
    Moments,
    Offsets,
    Shop,
    expect,
    offsets_of,
    start_offsets,
    times,
)
from audit.engagement.counts import Floats
from audit.engagement.labelled import Labelled
from audit.engagement.mix import Labels

ROUNDS, INFER = 30, 5
FIRM = 0.5
"""Pairs, for each pair of a label, that hold which grade it is mistaken for to one share of wrong labels."""
STIFF, START = 20.0, 0.4
"""Pairs, or queries, that hold a covariance to its start."""
FIT_PAIRS = 5_000
CHUNK = 20_000
LEAST = 30
"""Pairs with trials below which a channel says nothing."""


@dataclass(frozen=True, slots=True)
class Joint:
    """What clicks, carts and purchases say together."""

    posterior: Floats
    """Shape (N, K)."""
    prior: Floats
    """Without engagement, with the learned noise and what a query's other labels say, shape (N, K)."""
    wide: Floats
    """P(the pair is of the few that differ more than the rest), shape (N,)."""
    shop: Shop | None
    """Null where too little was there to learn from."""
    channels: tuple[str, ...]


def weigh_together(labelled: Labelled, labels: Labels, seed: int = 0) -> Joint:
    """The posterior over grades by all channels that have enough to say."""
    evidence, channels = gather_evidence(labelled)
    if not channels:
        return Joint(labels.stated, labels.stated, np.full(len(labels.grade), TAIL[1]), None, ())
    fitted = evidence
    rows = np.arange(len(evidence))
    live = np.flatnonzero(evidence.trials.any(axis=1))
    if len(live) > FIT_PAIRS:
        queries = np.random.default_rng(seed).permutation(int(evidence.query.max()) + 1)
        rank = np.argsort(queries)[evidence.query]
        sizes = np.cumsum(np.bincount(rank[live], minlength=len(queries)))
        rows = np.flatnonzero(rank <= np.searchsorted(sizes, FIT_PAIRS))
        fitted = evidence.where(rows)
    shop = fit(fitted, labels.where(rows))
    believed = shop.prior(labels)
    posterior, wide = believed.copy(), np.full(len(believed), TAIL[1])
    order = np.argsort(evidence.query, kind="stable")
    ends = np.searchsorted(evidence.query[order], np.arange(int(evidence.query.max()) + 2))
    cuts = np.unique(np.searchsorted(ends, np.arange(0, len(order) + CHUNK, CHUNK)).clip(max=len(ends) - 1))
    for a, b in zip(ends[cuts][:-1], ends[cuts][1:], strict=True):
        part = order[a:b]
        share = infer(shop, evidence.where(part), believed[part])
        posterior[part], wide[part] = share.sum(axis=2), share[:, :, 1].sum(axis=1)
    return Joint(posterior, believed, wide, shop, channels)


def gather_evidence(labelled: Labelled) -> tuple[Evidence, tuple[str, ...]]:
    """Counts in the channels that have enough to say, and the channels' names."""
    counts = labelled.examined, labelled.clicks, labelled.carts
    trials = {
        "clicks": labelled.examined,
        "carts": labelled.trials.counted("carts", counts),
        "purchases": labelled.trials.counted("purchases", counts),
    }
    successes = {"clicks": labelled.debiased_clicks, "carts": labelled.carts, "purchases": labelled.purchases}
    channels = tuple(name for name, n in trials.items() if (n > 0).sum() >= LEAST and successes[name].sum() > 0)
    kinds = np.stack([labelled.trials.carts, labelled.trials.purchases], axis=1)
    used = np.maximum(labelled.impressions - labelled.unused, 0)
    known = np.stack([np.log(labelled.impressions + 10), np.log((labelled.examined + 1) / (used + 1))], axis=1)
    size = np.maximum(np.bincount(labelled.index), 1)
    centre = np.stack([np.bincount(labelled.index, column) / size for column in known.T], axis=1)
    n = np.stack([trials[name] for name in channels], axis=1) if channels else np.zeros((len(labelled), 0))
    s = np.stack([successes[name] for name in channels], axis=1) if channels else n
    kind = np.unique(kinds, axis=0, return_inverse=True)[1].reshape(-1) if len(kinds) else labelled.index
    return Evidence(np.maximum(n, s), s, labelled.index, kind, known - centre[labelled.index]), channels


def fit(evidence: Evidence, labels: Labels, rounds: int = ROUNDS) -> Shop:
    """What makes the counts likeliest, given what the labels claim."""
    shop = _start(evidence, labels.stated)
    offsets, mode = start_offsets(shop, evidence), None
    for _ in range(rounds):
        found = expect(shop, evidence, shop.prior(labels), offsets, mode)
        mode = found.mode
        offsets = offsets_of(shop, evidence, found)
        shop = _maximise(shop, evidence, (found, offsets), labels)
    return shop


def infer(shop: Shop, evidence: Evidence, prior: Floats, rounds: int = INFER) -> Floats:
    """P(grade, width) of whole queries' pairs, shape (N, K, T)."""
    offsets, mode = start_offsets(shop, evidence), None
    for _ in range(rounds):
        found = expect(shop, evidence, prior, offsets, mode)
        mode = found.mode
        offsets = offsets_of(shop, evidence, found)
    return expect(shop, evidence, prior, offsets, mode).share


def _start(evidence: Evidence, prior: Floats) -> Shop:
    kinds, channels, grades = int(evidence.kind.max()) + 1, evidence.trials.shape[1], prior.shape[1]
    level = np.zeros((kinds, grades, channels))
    for h in range(kinds):
        own = evidence.kind == h
        n, s = evidence.trials[own], evidence.successes[own]
        base = 20 * (s.sum(axis=0) + 1) / (n.sum(axis=0) + 3)
        rate = (prior[own].T @ s + base) / (prior[own].T @ n + 20)
        level[h] = np.maximum.accumulate(logit(np.clip(rate, 1e-4, 0.95)), axis=0)
    spread = np.broadcast_to(np.eye(channels) * START, (kinds, channels, channels))
    slope = np.zeros((kinds, evidence.known.shape[1], channels))
    between = np.broadcast_to(np.eye(channels + 1) * START / 2, (kinds, channels + 1, channels + 1))
    return Shop(level, slope, spread.copy(), between.copy(), np.zeros((grades, grades)), 1.0)


def _maximise(shop: Shop, evidence: Evidence, state: tuple[Moments, Offsets], labels: Labels) -> Shop:
    found, offsets = state
    level, slope = shop.level.copy(), shop.slope.copy()
    residual, between = shop.residual.copy(), shop.between.copy()
    own, moved = times(evidence.design, offsets.whole[evidence.query]), shop.moved(evidence)
    weight = np.einsum("nkt,nktcd->nkcd", found.share, found.weight)
    seen = np.einsum("nkt,nktc->nkc", found.share, found.seen)
    # What is left for the levels, and what these leave for the covariates.
    left = seen - np.einsum("nkcd,nd->nkc", weight, own + moved)
    rest = (seen - np.einsum("nkcd,nkd->nkc", weight, shop.level[evidence.kind] + own[:, None])).sum(axis=1)
    moment = _residual(shop, evidence, found, offsets)
    eye = np.eye(evidence.trials.shape[1])
    kinds = np.zeros(len(offsets.whole), dtype=np.int64)
    kinds[evidence.query] = evidence.kind
    for h in range(len(level)):
        mine, theirs = evidence.kind == h, kinds == h
        a = weight[mine].sum(axis=0) + eye / 4
        b = left[mine].sum(axis=0) + level[h].mean(axis=0) / 4
        solved = np.linalg.solve(a, b[..., None])[..., 0]
        for c in range(len(eye)):
            level[h, :, c] = isotonic_regression(solved[:, c], weights=a[:, c, c]).x
        slope[h] = _slope(evidence.known[mine], weight[mine].sum(axis=1), rest[mine])
        residual[h] = (moment[mine].sum(axis=0) + STIFF * START * eye) / (mine.sum() + STIFF)
        mean = offsets.whole[theirs]
        both = mean.T @ mean + offsets.whole_spread[theirs].sum(axis=0)
        between[h] = (both + STIFF * START / 4 * np.eye(mean.shape[1])) / (theirs.sum() + STIFF)
    share = found.share.sum(axis=2)
    return Shop(level, slope, residual, between, _noise(shop, share, labels), _mixing(shop, share, labels))


def _residual(shop: Shop, evidence: Evidence, found: Moments, offsets: Offsets) -> Floats:
    """How far each pair is from its centre by itself, and not by what is unknown of its query, shape (N, C, C)."""
    own = shop.residual[evidence.kind][:, None] * WIDER[:, None, None]
    gain = own @ np.linalg.inv(own + offsets.spread[:, None])
    centre = shop.level[evidence.kind] + (shop.moved(evidence) + offsets.mean)[:, None, :]
    apart = np.einsum("ntcd,nktd->nktc", gain, found.mode - centre[:, :, None, :])
    share = found.share / WIDER
    cover = np.einsum("nkt,nktcd->ntcd", share, found.cover)
    moment = np.einsum("nkt,nktc,nktd->ncd", share, apart, apart) + (gain @ cover @ gain.swapaxes(-1, -2)).sum(axis=1)
    return np.asarray(moment + np.einsum("nt,ntcd->ncd", share.sum(axis=1), own - gain @ own))


def _slope(known: Floats, weight: Floats, rest: Floats) -> Floats:
    """Least squares of what is left on the covariates, held to 0 by ten pairs, shape (J, C)."""
    size, channels = known.shape[1], rest.shape[1]
    a = np.einsum("nj,nl,ncd->jcld", known, known, weight, optimize=True).reshape(size * channels, size * channels)
    b = np.einsum("nj,nc->jc", known, rest).reshape(-1)
    return np.asarray(np.linalg.solve(a + 10 * np.eye(len(a)), b).reshape(size, channels))


def _noise(shop: Shop, share: Floats, labels: Labels) -> Floats:
    """The noise a step nearer to what is found: first how often labels are wrong at all, then to which grade.

    A matrix learned freely takes every oddity of how counts spread for noise, and finds twice the wrong labels that
    there are. So the share of wrong labels is held loosely, by `Labels.held` pairs, and the matrix by its own pairs'
    count.
    """
    noise, label, grades = shop.noise, labels.grade, share.shape[1]
    off, own = ~np.eye(grades, dtype=bool), (np.arange(len(label)), label)
    held, claimed = shop.prior(labels), replace(shop, noise=np.zeros_like(noise)).prior(labels)
    found, given, stated = (1 - each[own] for each in (share, held, claimed))
    step = np.log((found.sum() + labels.held * stated.mean()) / (given.sum() + labels.held * given.mean()))
    # Of one share of wrong labels, whatever grade they have.
    wanted = replace(shop, noise=np.where(off, noise[off].mean() + step, 0.0)).prior(labels)
    out = noise + np.where(off, step, 0.0)
    held = replace(shop, noise=out).prior(labels)
    for k in range(grades):
        rows = label == k
        if rows.any():
            now, hold = held[rows].sum(axis=0), FIRM * rows.sum()
            aim = share[rows].sum(axis=0) + hold * wanted[rows].mean(axis=0)
            out[k] += np.log(np.maximum(aim, 1e-9) / (now + hold * held[rows].mean(axis=0) + 1e-9))
            out[k] -= out[k, k]
    return np.asarray(out)


def _mixing(shop: Shop, share: Floats, labels: Labels) -> float:
    """A Newton step of logistic regression: how far engagement bears out what a query's other labels say, held to 1."""
    held = shop.prior(labels)
    mean = (held * labels.mix).sum(axis=1)
    slope = ((share - held) * labels.mix).sum() - STIFF * (shop.mixing - 1)
    bend = (held * labels.mix**2).sum() - (mean**2).sum() + STIFF
    return float(np.clip(shop.mixing + slope / bend, 0, 2))
