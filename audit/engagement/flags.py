"""Typed flags: labels that the evidence contradicts, with the false discovery rate of each type held down.

A pair's chance that the label is right is its local false discovery rate (Efron 2007); flags of one type, strongest
first, are taken as long as its mean stays at or below the level. It holds as far as the model fits.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import logit
from scipy.stats import betabinom

from audit.engagement.appeal import normal
from audit.engagement.borne_out import BorneOut, bear_out
from audit.engagement.confident import suspects
from audit.engagement.counts import Floats, Ints
from audit.engagement.evidence import ChannelPosterior, Counts, Rates, update
from audit.engagement.joint import FIT_PAIRS, Joint, weigh_together
from audit.engagement.labelled import Labelled
from audit.engagement.mix import HELD, Labels, query_mix
from audit.engagement.three_views import Agreement
from audit.engagement.trials import PER
from judge.run.flag_types import Bools, FlagType, PairEvidence, flag_types
from judge.statistics.discoveries import posterior_q_values

RATER = 0.8
"""How often a person's grade is taken to be right; what is left goes to the neighbours first."""
VIEWS = 0.25
"""Pairs, for each pair, that hold the share of wrong labels to what three views say of it."""
TOGETHER = 0.7
"""The joint model's part in the order of pairs: in three simulated shops the order is about as good from .6 to .8."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """All evidence together."""

    posterior: Floats
    """Shape (N, K)."""
    unlabelled: Floats
    """What engagement and the other pairs' labels say, without the pair's own: shape (N, K)."""
    clicks: ChannelPosterior
    carts: Mapping[str, ChannelPosterior]
    """By what they are counted against, the most pairs first."""
    purchases: Mapping[str, ChannelPosterior]
    joint: Joint
    borne_out: BorneOut
    order: Ints
    """The pairs with engagement, the likeliest wrong label first."""

    def wrong(self, labelled: Labelled) -> Floats:
        """P(the label is wrong), shape (N,)."""
        return np.asarray(1 - self.posterior[np.arange(len(labelled)), labelled.grade])


@dataclass(frozen=True, slots=True)
class FlagRow:
    """One label of one type of contradiction; `pair` is the position in `Labelled`, grades are positions."""

    pair: int
    type: str
    chance: float
    """P(the label is wrong in the direction of the flag)."""
    q_value: float
    suggested: int
    action: str

    @property
    def strength(self) -> float:
        """Log10 odds that the label is wrong."""
        return float(np.log10(max(self.chance, 1e-9) / max(1 - self.chance, 1e-9)))


def weigh(labelled: Labelled, grades: int, seed: int = 0, agreement: Agreement | None = None) -> Weighed:
    """The posterior over grades of every pair: label, engagement, people.

    Two models read the engagement. One takes clicks, carts and purchases for independent: it claims too much, and adds
    a little to the order. The other knows that they share causes: it tells how many labels are wrong. Pairs are ordered
    by both, and get the second's chances along that order, once what the labels of their queries do not bear out is
    taken back, as far as `agreement` says that these can; without it nothing is.
    """
    # How many labels are wrong, three views tell better than labels claim it.
    held = HELD if labelled.sharpness == 1 else max(HELD, VIEWS * min(len(labelled), FIT_PAIRS))
    mix = query_mix(labelled.grade, labelled.index, grades)
    labels = Labels(labelled.grade, labelled.prior(grades), mix, held)
    joint = weigh_together(labelled, labels, seed)
    prior = normal(labels.weights(joint.shop.mixing if joint.shop else 0.0))
    clicks = update(prior, Counts(labelled.examined, labelled.debiased_clicks, labelled.index), seed=seed)
    carts, posterior = _by_trials(labelled, "carts", clicks.posterior)
    purchases, posterior = _by_trials(labelled, "purchases", posterior)
    common = np.bincount(labelled.grade, minlength=grades) + 1.0
    alone = _normal(joint.posterior / np.maximum(joint.prior, 1e-30) * common)
    rows = np.flatnonzero(labelled.examined > 0)
    likeness = agreement.likeness(joint.shop.mixing) if agreement and joint.shop else 0.0
    joint, borne_out = bear_out(labelled.grade, labelled.index, labels.mix, joint, rows, likeness)
    posterior, score = in_order(labelled, posterior, joint.posterior)
    rated = labelled.people >= 0
    said = np.ones_like(posterior)
    apart = np.abs(np.arange(grades) - labelled.people[rated][:, None])
    rest = np.where(apart > 0, 0.5**apart, 0)
    said[rated] = np.where(apart == 0, RATER, (1 - RATER) * rest / rest.sum(axis=1, keepdims=True))
    posterior = _normal(posterior * said)
    wrong = 1 - posterior[np.arange(len(labelled)), labelled.grade]
    order = rows[np.lexsort((-score[rows], -wrong[rows]))]
    return Weighed(posterior, alone, clicks, carts, purchases, joint, borne_out, order)


def in_order(labelled: Labelled, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """The `second` posterior of shape (N, K), its chances to be wrong made to fall along the order of both; and the
    order's score, a mean of both log odds, shape (N,)."""
    own = np.arange(len(labelled)), labelled.grade
    wrong = [1 - posterior[own] for posterior in (first, second)]
    odds = [logit(np.clip(chance, 1e-9, 1 - 1e-9)) for chance in wrong]
    score = np.asarray((1 - TOGETHER) * odds[0] + TOGETHER * odds[1])
    rows = np.flatnonzero(labelled.examined > 0)
    out = second.copy()
    if len(rows):
        order = rows[np.argsort(-score[rows], kind="stable")]
        fitted = isotonic_regression(wrong[1][order], increasing=False).x
        # The other grades keep their shares of what the label's own does not have.
        out[order] *= (fitted / np.maximum(wrong[1][order], 1e-12))[:, None]
        out[order, labelled.grade[order]] = 1 - fitted
    return out, score


def _by_trials(labelled: Labelled, action: str, prior: Floats) -> tuple[dict[str, ChannelPosterior], Floats]:
    """What carts or purchases say, by what they are counted against; and the posterior over grades of all pairs."""
    per = getattr(labelled.trials, action)
    trials = labelled.trials.counted(action, (labelled.examined, labelled.clicks, labelled.carts))
    found, posterior = {}, prior.copy()
    for kind in sorted(set(per.tolist()), key=lambda kind: -(per == kind).sum()):
        rows = np.flatnonzero(per == kind)
        counts = Counts(trials[rows], getattr(labelled, action)[rows], labelled.index[rows])
        found[PER[kind]] = update(prior[rows], counts, learn_prior=False)
        posterior[rows] = found[PER[kind]].posterior
    return found, posterior


def find_flags(
    labelled: Labelled,
    weighed: Weighed,
    level: float,
    held: Collection[str] = frozenset(),
    apart: Collection[str] = frozenset(),
) -> list[FlagRow]:
    """Flags of every type but those `held` back, whose false discovery rate stays at `level`, strongest first.

    In the queries `apart`, by id, only what people said is flagged.
    """
    evidence = _evidence(labelled, weighed)
    kinds = [kind for name, kind in flag_types().items() if name not in held]
    everywhere = np.ones(len(labelled), dtype=bool)
    free = np.array([query not in apart for query in labelled.query_id]) if apart else everywhere
    flags = []
    for kind in kinds:
        flags += _of_type(kind, evidence, weighed, level, everywhere if kind.by_people else free)
    return sorted(flags, key=lambda flag: (-flag.chance, flag.pair, flag.type))


def _evidence(labelled: Labelled, weighed: Weighed) -> PairEvidence:
    rate = weighed.clicks.expected[np.arange(len(labelled)), labelled.grade]
    if len(labelled):
        suspect, _ = suspects(labelled.grade, weighed.unlabelled)
    else:
        suspect = np.zeros(0, dtype=bool)
    return PairEvidence(
        grades=weighed.posterior.shape[1],
        grade=labelled.grade,
        people=labelled.people,
        impressions=labelled.impressions,
        examined=labelled.examined,
        live_examined=labelled.live,
        clicks=labelled.clicks,
        debiased_clicks=labelled.debiased_clicks,
        expected_clicks=rate * labelled.examined,
        most_clicks=labelled.debiased_clicks + labelled.unused_clicks,
        most_expected=rate * (labelled.examined + labelled.unused),
        carts=labelled.carts,
        purchases=labelled.purchases,
        suspect=suspect,
    )


def _of_type(kind: FlagType, evidence: PairEvidence, weighed: Weighed, level: float, free: Bools) -> list[FlagRow]:
    eligible, way = kind.rule(evidence)
    rows = np.flatnonzero(eligible & free)
    toward = np.where(way[rows], weighed.posterior[rows], 0.0)
    chance = np.minimum(toward.sum(axis=1), 1.0)
    q = posterior_q_values(chance)
    # Half a chance is the least: below, the label is likelier right than wrong, whatever its neighbours are.
    kept = np.flatnonzero((q <= level) & (chance > 0.5))
    return [
        FlagRow(
            pair=int(rows[i]),
            type=kind.name,
            chance=float(chance[i]),
            q_value=float(q[i]),
            suggested=int(toward[i].argmax()),
            action=kind.action(float(toward[i].max())),
        )
        for i in kept
    ]


def expected_clicks(labelled: Labelled, weighed: Weighed, rows: Ints) -> list[tuple[float, int, int] | None]:
    """(mean, low, high) of the clicks that pairs of the label's grade would get, 90%; null if nothing was learned."""
    rates = weighed.clicks.rates
    if rates is None:
        return [None] * len(rows)
    return [_interval(rates, weighed.clicks.expected[i, labelled.grade[i]], labelled, int(i)) for i in rows]


def _interval(rates: Rates, mean: float, labelled: Labelled, pair: int) -> tuple[float, int, int] | None:
    looked = max(labelled.examined[pair], labelled.debiased_clicks[pair])
    if np.isnan(mean) or looked <= 0:
        return None
    kappa = rates.kappa[labelled.grade[pair]]
    low, high = betabinom.ppf([0.05, 0.95], max(round(looked), 1), mean * kappa, (1 - mean) * kappa)
    return float(mean * looked), int(low), int(high)


def _normal(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
