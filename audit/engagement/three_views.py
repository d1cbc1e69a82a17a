"""How often are labels wrong at all? By how label, clicks and the labels of a query's other pairs agree.

None of the three knows the true grade, but each says something of it, and given it they hardly depend on each other:
whoever labelled the pair, who shopped, and what else was found. So the squared correlation of label and true grade is
r(label, clicks) r(label, others) / r(clicks, others), whatever the noise of clicks. Nothing of the shape of clicks
within a grade is assumed, which is what a model of a shop has to go by. Method of triplets: McDonald 1970, "The
theoretical foundations of principal factor analysis", and for labels Ratner et al. 2019, "Training Complex Models with
Multi-Task Weak Supervision".

It says nothing where engagement does not tell rich queries from poor ones. Clicks do not where shoppers click once and
a query's good products share that click: then the last correlation is about zero, or the result above one. What is put
into carts of what was clicked does, and what is bought of it, so these are asked next. Errors that a query's labels
share hide. What makes clicks likelier in rich queries by itself looks like errors, so small differences count
for nothing, and labels that claim to be all but certain are held to no more than grades without probabilities are.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import logit

from audit.engagement.counts import Floats, Ints
from audit.engagement.labelled import TRUST, Labelled

DRAWS, GROUPS = 200, 2_000
QUERIES = 20
"""Queries below which resampling them says too little."""
LEVEL = (2.5, 97.5)
SHRUNK = 10.0
"""Examined impressions at the mean rate that each pair's click rate is held to; of carts and purchases, the trials at
which a pair has half of the most that it weighs."""
POORER = 2.0
"""How many times as many wrong labels as claimed, or as grades without probabilities are taken to have, it takes: by so
much what else makes clicks likelier in rich queries is not taken for poor labels."""
ENOUGH = 50_000
"""Pairs, at most, by which it is told what labels claim."""
FLATTEST = 0.02
"""The least exponent of what labels claim."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What three views say of the labels; figures are null where it cannot be told."""

    claimed: float
    """The squared correlation of label and true grade if labels are right as often as they claim."""
    found: float | None = None
    low: float | None = None
    high: float | None = None
    """The bounds of 95%, by resampling queries. None of these is above 1."""
    by: str | None = None
    """Which engagement told it: clicks, carts or purchases."""
    wrong: float | None = None
    """The share of wrong labels of which `found` is the correlation; null unless the labels are far poorer than they
    claim."""

    def likeness(self, mixing: float) -> float:
        """How much of what the labels of queries have in common their grades have.

        Where labels have more in common, as by a judge that is lenient in some queries, `found` is above `claimed`. It
        is 1 at most: where it cannot be told, that is what is assumed, as far as shoppers side with the others' labels.

        Args:
            mixing: How far they do (`Shop.mixing`).
        """
        if self.found is None:
            return self.claimed * min(1.0, mixing)
        return min(1.0, self.claimed / max(self.found, 1e-9))

    def note(self, *, by_people: bool) -> str | None:
        """What to know of labels that are poorer than they claim, and what to do; null where they are not."""
        if self.wrong is None:
            return None
        fix = "have a sample rated again" if by_people else "calibrate or fine-tune the judge on a rated sample"
        return (
            f"labels, {self.by} and the other labels of queries agree as if {self.wrong:.0%} of the labels were wrong, "
            f"more than they claim; {fix} before you correct pair by pair"
        )


def believed(labelled: Labelled, grades: int, seed: int = 0) -> tuple[Labelled, Agreement]:
    """The labels with as much of their claim as the three views leave, and what these say.

    Where even the upper bound means `POORER` times as many wrong labels as they claim, and as 1 - `TRUST`, each label's
    distribution is flattened by one exponent, until the correlation is what was found.
    """
    rng = np.random.default_rng(seed)
    told = _three(labelled, rng)
    some = rng.permutation(len(labelled))[:ENOUGH]
    label, stated = labelled.grade[some], labelled.prior(grades)[some]
    agreement = Agreement(_claimed(label, stated))
    if told is None:
        return labelled, agreement
    found, low, high, by = told
    agreement = replace(agreement, found=found, low=low, high=high, by=by)
    own = np.arange(len(some)), label
    found, most = (_sharpness(label, stated, each) for each in (found, high))
    if 1 - _flattened(stated, most)[own].mean() < POORER * max(1 - stated[own].mean(), 1 - TRUST):
        return labelled, agreement
    wrong = 1 - _flattened(stated, found)[own].mean()
    return replace(labelled, sharpness=found), replace(agreement, wrong=float(wrong))


def _sharpness(label: Ints, stated: Floats, found: float) -> float:
    """The exponent at which labels claim the squared correlation `found`; 1 where they claim no more."""

    def beyond(sharpness: float) -> float:
        return _claimed(label, _flattened(stated, sharpness)) - found

    if beyond(1.0) <= 0:
        return 1.0
    return float(brentq(beyond, FLATTEST, 1.0)) if beyond(FLATTEST) < 0 else FLATTEST


def _flattened(stated: Floats, sharpness: float) -> Floats:
    weights = stated**sharpness
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _claimed(label: Ints, stated: Floats) -> float:
    """The squared correlation of labels and grades drawn from what the labels claim."""
    value = np.arange(stated.shape[1])
    mean = stated @ value
    square = float((stated @ value**2).mean() - mean.mean() ** 2)
    if not label.std() > 0 or square <= 0:
        return 1.0
    shared = float((label * mean).mean() - label.mean() * mean.mean())
    return shared**2 / (float(label.var()) * square)


def _three(labelled: Labelled, rng: np.random.Generator) -> tuple[float, float, float, str] | None:
    """The squared correlation of label and true grade with its bounds, none above 1, and which engagement told it; null
    where none tells."""
    size, total = np.bincount(labelled.index), np.bincount(labelled.index, labelled.grade)
    beyond: tuple[float, float, float, str] | None = None
    for name, (trials, seen, weight) in _engagement(labelled).items():
        rows = np.flatnonzero((trials > 0) & (size[labelled.index] > 1))
        query, label = labelled.index[rows], labelled.grade[rows].astype(float)
        others = (total[query] - label) / (size[query] - 1)
        told = _triplet(np.stack([label, seen[rows], others]), weight[rows], query, rng)
        if told is None:
            continue
        middle, low, high = (min(each, 1.0) for each in told)
        if told[0] <= 1:
            return middle, low, high, name
        # No squared correlation is above one: chance, or shoppers who take one good product for another.
        beyond = beyond or (middle, low, high, name)
    return beyond


def _engagement(labelled: Labelled) -> dict[str, tuple[Floats, Floats, Floats]]:
    """Trials of clicks, carts and purchases, what these say of each pair, and its weight, of shape (N,) each.

    A click is held against the impressions that were seen, of which there are as many in rich queries as in poor ones.
    Of the clicks that carts are counted of there are not, so a rate that is drawn to the mean where they are few would
    follow the richness of the query. These are rates as they are, of the mean rate of their kind of query.
    """
    looked, clicks = labelled.examined, labelled.debiased_clicks
    rate = min(max(clicks[looked > 0].sum() / max(looked.sum(), 1e-9), 1e-6), 0.5)
    share = (clicks + SHRUNK * rate) / (np.maximum(looked, clicks) + SHRUNK)
    seen = logit(np.clip(share, 1e-6, 1 - 1e-6))
    found = {"clicks": (looked, seen, np.ones(len(labelled)))}
    for name, count in (("carts", labelled.carts), ("purchases", labelled.purchases)):
        kind = getattr(labelled.trials, name)
        trials = labelled.trials.counted(name, (looked, labelled.clicks, labelled.carts))
        rates = count / np.maximum(np.maximum(trials, count), 1e-9)
        weight = trials / (trials + SHRUNK)
        mean = np.bincount(kind, weight * rates, 3) / np.maximum(np.bincount(kind, weight, 3), 1e-9)
        found[name] = trials, rates / np.maximum(mean[kind], 1e-9) - 1, weight
    return found


def _triplet(views: Floats, weight: Floats, query: Ints, rng: np.random.Generator) -> tuple[float, float, float] | None:
    """The squared correlation of the first of three views, shape (3, N), with what they have in common, and its bounds;
    null where it cannot be told."""
    _, place = np.unique(query, return_inverse=True)
    if place.max(initial=-1) + 1 < QUERIES:
        return None
    # Sums by query, so that queries can be drawn again: weights, means and products. Many are drawn in groups.
    parts = [weight, *(weight * each for each in views)]
    parts += [weight * views[a] * views[b] for a in range(3) for b in range(a, 3)]
    group = rng.permutation(int(place.max()) + 1)[place] % GROUPS
    sums = np.stack([np.bincount(group, part) for part in parts], axis=1)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=DRAWS).astype(np.float64) @ sums
    r, spread = _correlations(sums.sum(axis=0)[None])[0], _correlations(drawn)
    # Engagement has to tell something of the label and of the others; whether labels tell of each other is in question.
    lowest = np.percentile(spread, LEVEL[0], axis=0)
    if not (lowest[0] > 0 and lowest[2] > 0):
        return None
    squared = np.maximum(spread[:, 0] * spread[:, 1] / np.maximum(spread[:, 2], 1e-9), 0)
    found = r[0] * r[1] / r[2], *np.percentile(squared, LEVEL)
    return None if found[1] > 1 else (float(max(found[0], 0)), float(found[1]), float(found[2]))


def _correlations(sums: Floats) -> Floats:
    """Of label and clicks, label and others, clicks and others, shape (B, 3), from sums of shape (B, 10)."""
    mean = sums[:, 1:4] / sums[:, :1]
    square = sums[:, 4:] / sums[:, :1]
    at = {(0, 0): 0, (0, 1): 1, (0, 2): 2, (1, 1): 3, (1, 2): 4, (2, 2): 5}
    cover = {pair: square[:, k] - mean[:, pair[0]] * mean[:, pair[1]] for pair, k in at.items()}
    scale = {a: np.sqrt(np.maximum(cover[a, a], 1e-12)) for a in range(3)}
    return np.stack([cover[a, b] / (scale[a] * scale[b]) for a, b in ((0, 1), (0, 2), (1, 2))], axis=1)
