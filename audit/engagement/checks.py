"""Does the model that the chances come from fit these events? Five looks at what it makes of them, in words.

They are posterior-predictive in spirit (Gelman et al. 2013, "Bayesian Data Analysis", chapter 6): what the fitted model
expects is held against what it finds. None proves that the chances hold; each that fails halves the rate at which flags
are taken.
"""

from dataclasses import dataclass

import numpy as np

from audit.engagement.appeal import TAIL
from audit.engagement.borne_out import BorneOut
from audit.engagement.counts import Floats
from audit.engagement.flags import Weighed
from audit.engagement.labelled import Labelled
from judge.run.flag_types import flag_types

WIDE = 2.0
"""How many times as many pairs as assumed may differ widely from their grade."""
SHARED = 0.9
"""The correlation of two channels from which on they say one thing."""
MOST = 0.25
"""The share of labels expected wrong above which the labels, or the model, are of no use."""
WHOLE, PAIRS, QUERIES = 0.5, 5, 0.02
"""A query of so many pairs is doubted as a whole where more than half of its labels are expected wrong; so many may."""

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


def check(labelled: Labelled, weighed: Weighed) -> tuple[Check, ...]:
    """What can be checked; nothing where no channel had enough to say."""
    joint, rows = weighed.joint, np.flatnonzero(labelled.examined > 0)
    if joint.shop is None or not len(rows):
        return ()
    wrong = 1 - joint.posterior[np.arange(len(labelled)), labelled.grade]
    return (
        _spread(joint.wide[rows]),
        _dependence(joint.shop.residual, joint.channels),
        _expected(wrong[rows], 1 - labelled.prior(joint.posterior.shape[1])[rows, labelled.grade[rows]]),
        _queries(wrong[rows], labelled.index[rows]),
        _borne(weighed.borne_out),
    )


def engagement_types() -> tuple[str, ...]:
    """All types of flags but what people said."""
    return tuple(name for name in flag_types() if name != "judge_against_people")


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


def _expected(wrong: Floats, claimed: Floats) -> Check:
    found, stated = float(wrong.mean()), float(claimed.mean())
    words = f"{found:.1%} of the labels with engagement are expected wrong, where the labels claim {stated:.1%}"
    return Check("labels expected wrong", bool(found <= MOST), words)


def _queries(wrong: Floats, query: np.ndarray) -> Check:
    size = np.bincount(query)
    share = np.bincount(query, wrong) / np.maximum(size, 1)
    large = size >= PAIRS
    found, of = int((large & (share > WHOLE)).sum()), int(large.sum())
    words = f"{found:,} of {of:,} queries have more than half of their labels expected wrong"
    return Check(
        "whole queries", bool(found <= max(QUERIES * of, 1)), words + (": look at those as a whole" if found else "")
    )


def _borne(found: BorneOut) -> Check:
    """Whether doubted labels are unlike their queries, as wrong labels are (`audit.engagement.borne_out`)."""
    name, fix = "doubts borne out", "have a random sample decided: judge queue RUN --calibration-sample 150"
    if not found.error <= ERROR:
        return Check(name, True, "cannot be told: too few doubts, or too few labels of one query")
    often = f"{max(found.share, 0):.0%} (standard error {found.error:.0%})"
    words = f"the other labels of their queries bear out {often} of what shoppers doubt"
    if found.share >= BORNE:
        return Check(name, True, words)
    return Check(name, False, f"{words}: clicks tell more than grades here", fix)
