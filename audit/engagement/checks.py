"""Does the model that the chances come from fit these events? Five looks at what it makes of them, in words.

They are posterior-predictive in spirit (Gelman et al. 2013, "Bayesian Data Analysis", chapter 6): what the fitted model
expects is held against what it finds. None proves that the chances hold; each that fails halves the rate at which flags
are taken, and in queries that are doubted as a whole nothing is flagged by engagement once there are many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audit.engagement.appeal import TAIL
from audit.engagement.borne_out import BorneOut
from audit.engagement.counts import Floats, Ints
from audit.engagement.flags import Weighed
from audit.engagement.labelled import Labelled
from audit.engagement.three_views import Agreement
from judge.run.flag_types import flag_types

WIDE = 2.0
"""How many times as many pairs as assumed may differ widely from their grade."""
SHARED = 0.9
"""The correlation of two channels from which on they say one thing."""
MOST = 0.25
"""The share of labels expected wrong above which the labels, or the model, are of no use."""
BEYOND_VIEWS = 1.25
"""How many times as many as three views tell, where these say that it is the labels."""
WHOLE, BEYOND, PAIRS, QUERIES = 0.3, 2.0, 5, 0.02
"""A query of so many pairs is doubted as a whole where more than this share of its labels is expected wrong, and more
than so many times the share of all; so many queries may be."""

SAMPLE = "have a random sample decided: judge queue RUN --to csv --out sample.csv --calibration-sample N"
"""How many can be drawn depends on the audit, and on whether a sample was drawn before: see `advice`."""
BORNE, ERROR = 0.5, 0.25
"""The share of shoppers' doubts that the other labels of a query have to bear out, and the standard error from which on
that share cannot be told."""


@dataclass(frozen=True, slots=True)
class Check:
    """One look at the model's fit."""

    name: str
    holds: bool
    words: str
    fix: str | None = None
    """What to do about one that fails, where something can be done."""
    held: tuple[str, ...] = ()
    """Types of flags that are held back; none where the rate at which flags are taken is halved instead."""
    queries: tuple[str, ...] = ()
    """Ids of the queries that it is about; where it fails, flags by engagement are held back in them."""


def check(labelled: Labelled, weighed: Weighed, agreement: Agreement | None = None) -> tuple[Check, ...]:
    """What can be checked; nothing where no channel had enough to say. `agreement` is what `three_views` found."""
    joint, rows = weighed.joint, np.flatnonzero(labelled.examined > 0)
    if joint.shop is None or not len(rows):
        return ()
    wrong = 1 - joint.posterior[np.arange(len(labelled)), labelled.grade]
    claimed = replace(labelled, sharpness=1.0).prior(joint.posterior.shape[1])
    return (
        _spread(joint.wide[rows]),
        _dependence(joint.shop.residual, joint.channels),
        _expected(wrong[rows], 1 - claimed[rows, labelled.grade[rows]], agreement),
        _queries(labelled, weighed),
        _borne(weighed.borne_out),
    )


def allowed(checks: Sequence[Check], level: float) -> tuple[float, set[str], set[str]]:
    """The rate at which flags are taken, half of `level` for each check of fit that fails; the types of flags that are
    held back; and the queries, by id, in which flags by engagement are."""
    failed = [each for each in checks if not each.holds]
    held = {name for each in failed for name in each.held}
    apart = {query for each in failed for query in each.queries}
    return level / 2 ** sum(not each.held for each in failed), held, apart


@dataclass(frozen=True, slots=True)
class DoubtedQuery:
    """A query whose labels are doubted together."""

    query_id: str
    query: str
    pairs: int
    """Labelled pairs with engagement."""
    expected_wrong: float
    """How many of them are expected to be labelled wrong, before pairs are ordered."""


def doubted_queries(labelled: Labelled, weighed: Weighed) -> list[DoubtedQuery]:
    """Queries whose labels are doubted together, the most wrong labels first; none where nothing was learned of the
    shop."""
    if weighed.joint.shop is None:
        return []
    size, expected = _by_query(labelled, weighed)
    most = max(WHOLE, BEYOND * expected.sum() / max(size.sum(), 1))
    first = np.unique(labelled.index, return_index=True)[1]
    found = [
        DoubtedQuery(labelled.query_id[first[q]], labelled.query[first[q]], int(size[q]), float(expected[q]))
        for q in np.flatnonzero((size >= PAIRS) & (expected > most * size))
    ]
    return sorted(found, key=lambda each: -each.expected_wrong)


def _by_query(labelled: Labelled, weighed: Weighed) -> tuple[Ints, Floats]:
    """Of each query, how many pairs have engagement, and how many of these are expected to be labelled wrong."""
    rows = np.flatnonzero(labelled.examined > 0)
    query, queries = labelled.index[rows], int(labelled.index.max(initial=-1)) + 1
    wrong: Floats = 1 - weighed.joint.posterior[rows, labelled.grade[rows]]
    size: Ints = np.bincount(query, minlength=queries)
    expected = np.asarray(np.bincount(query, weights=wrong, minlength=queries), dtype=np.float64)
    return size, expected


def engagement_types() -> tuple[str, ...]:
    """All types of flags but what people said."""
    return tuple(name for name, kind in flag_types().items() if not kind.by_people)


def _spread(wide: Floats) -> Check:
    found = float(wide.mean())
    words = f"{found:.0%} of the pairs differ widely from others of their grade, where {TAIL[1]:.0%} are assumed to"
    return Check("spread within a grade", bool(found <= WIDE * TAIL[1]), words)


def _dependence(residual: Floats, channels: tuple[str, ...]) -> Check:
    scale = np.sqrt(np.einsum("hcc->hc", residual))
    matrix = np.abs(residual / (scale[:, :, None] * scale[:, None, :]))
    matrix *= ~np.eye(len(channels), dtype=bool)
    kind, a, b = np.unravel_index(int(matrix.argmax()), matrix.shape)
    most = float(matrix[kind, a, b])
    if len(channels) < 2:
        return Check("dependence of channels", True, f"only {channels[0]} have enough to say")
    both = " and ".join(channels[c] for c in sorted((int(a), int(b))))
    words = f"{both} of one grade correlate by up to {most:.2f}; what they share counts once"
    return Check("dependence of channels", bool(most <= SHARED), words)


def _expected(wrong: Floats, claimed: Floats, agreement: Agreement | None) -> Check:
    found, stated = float(wrong.mean()), float(claimed.mean())
    words = f"{found:.1%} of the labels with engagement are expected wrong, where the labels claim {stated:.1%}"
    name, most = "labels expected wrong", MOST
    if agreement and agreement.wrong is not None:
        words += f"; three views of them say {agreement.wrong:.0%}"
        most = max(MOST, BEYOND_VIEWS * agreement.wrong)
    fix = f"{SAMPLE}; if it finds as many, the guideline or the judge is at fault: label again, do not go pair by pair"
    if found <= most:
        return Check(name, True, words)
    # The labels may claim as much themselves: then what is said of both looks as if all were well.
    return Check(name, False, f"{words}; more than {most:.0%} is too many", fix)


def _queries(labelled: Labelled, weighed: Weighed) -> Check:
    """Whether shoppers doubt the labels of whole queries. Such a query was misread, or means two things to shoppers:
    a rater's slip and a second meaning look alike, and neither a single label nor its neighbours tell them apart."""
    doubted = doubted_queries(labelled, weighed)
    of = int((_by_query(labelled, weighed)[0] >= PAIRS).sum())
    words = f"{len(doubted):,} of {of:,} queries have far more of their labels expected wrong than others"
    ids = tuple(each.query_id for each in doubted)
    fix = (
        "look at them before any flag: the report lists them, and where `judge review RUN` serves it a link opens all "
        "labels of a query; where a query means two things, write down in the guideline which one is graded"
    )
    return Check("whole queries", len(doubted) <= max(QUERIES * of, 1), words, fix if doubted else None, queries=ids)


def _borne(found: BorneOut) -> Check:
    """Whether doubted labels are unlike their queries, as wrong labels are (`audit.engagement.borne_out`)."""
    name, fix = "doubts borne out", SAMPLE
    held = [f"{limit:.0%} {way}" for way, limit in zip(("upwards", "downwards"), found.most, strict=True) if limit < 1]
    most = f"; doubts come to {' and '.join(held)} at most" if held else ""
    if not found.error <= ERROR:
        few = "cannot be told: too few doubts, or a query's labels say too little of each other"
        return Check(name, True, few + most)
    often = f"{max(found.share, 0):.0%} (standard error {found.error:.0%})"
    words = f"the other labels of their queries bear out {often} of what shoppers doubt{most}"
    if found.share >= BORNE:
        return Check(name, True, words)
    return Check(name, False, f"{words}: clicks tell more than grades here", fix)
