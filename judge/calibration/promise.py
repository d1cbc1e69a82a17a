"""What may be promised of an audit's flags, from people's decisions on a random sample of them.

The audit's own rate of false flags is its model's. A rate that holds whatever the model gets wrong comes from pairs
drawn at random from the first part of the order, without replacement, and decided by people: the longest first part is
taken whose share of false ones is bounded by how many of those that were drawn from it are false. The order is fixed
before the draw, and only the draw is random, so the bound is the hypergeometric distribution's, exact for any order and
however errors gather in queries. (A judge's threshold, `judge.calibration.abstain`, is for pairs to come: there queries
are what is drawn.) All decisions, however they came, also correct the chances: by a logistic fit that few decisions
cannot move far.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from judge.calibration.abstain import CONFIDENCE
from judge.documents import Kind, load
from judge.files import dump_json, write_whole
from judge.records import Record

BUDGETS = (0.1, 0.2, 0.3, 0.5)
"""Shares of false flags that are tried; each holds with `CONFIDENCE` by itself."""
STEPS = tuple(eighth / 8 for eighth in range(1, 9))
"""Shares of the pairs drawn from that are tried, in order, up to the first that does not pass: fixed beforehand, so
that all of them together break a promise no more often than one (fixed-sequence testing)."""
POOL = 2
"""Times as many pairs as are drawn are drawn from, at least: the rest is what a promise is of use for."""
SAMPLE = "calibration_sample.json"
_KIND = Kind("delete this calibration sample, and draw one again")
SPREAD = (1.0, 0.3)
"""Standard deviations of the intercept and of the slope of the corrected log odds, about 0 and 1."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pair = tuple[str, str]


class Sample(Record):
    """Pairs drawn at random for people to decide on."""

    order: str
    """SHA-256 of the order that they were drawn from."""
    pool: int
    """They were drawn from the first so many pairs of that order."""
    seed: int
    ranks: tuple[int, ...]
    """Places in the order, counted from 1, ascending."""
    pairs: tuple[Pair, ...]
    """(query_id, candidate_id) of each."""

    @model_validator(mode="after")
    def _a_pair_has_each_rank(self) -> "Sample":
        if len(self.ranks) != len(self.pairs):
            raise ValueError(f"{len(self.ranks)} ranks of {len(self.pairs)} pairs")
        return self


class Promise(Record):
    """A rate of false flags that decisions bear out."""

    budget: float
    pairs: int
    """The first so many pairs of the order; 0 where nothing can be promised."""
    decided: int
    """Of the sample, those among them; those of the first step where nothing can be promised."""
    false: int
    """Of those, the labels that were kept or left unsure."""
    bound: float
    """The upper bound of the false share among `pairs`; of the first step where nothing can be promised."""
    confidence: float


def order_digest(order: Ints) -> str:
    """What names an order of rows, the likeliest wrong label first."""
    return hashlib.sha256(np.ascontiguousarray(order, dtype="<i8").tobytes()).hexdigest()


def draw(order: Ints, pairs: list[Pair], chance: Floats, count: int, seed: int = 0) -> Sample:
    """`count` pairs at random, without replacement, of the first part of an order.

    Drawn from is what the model takes for at least half wrong, and no fewer than `POOL` times as many as are drawn.

    Args:
        order: Rows, the likeliest wrong label first.
        pairs: Their (query_id, candidate_id).
        chance: P(the label is wrong) of each.
        count: At least 1.
        seed: Of the draw.
    """
    half = np.flatnonzero(np.cumsum(chance) >= 0.5 * np.arange(1, len(chance) + 1))
    pool = min(len(order), max(int(half.max(initial=-1)) + 1, POOL * count))
    at = np.sort(np.random.default_rng(seed).choice(pool, min(count, pool), replace=False))
    return Sample(
        order=order_digest(order),
        pool=pool,
        seed=seed,
        ranks=tuple(int(i) + 1 for i in at),
        pairs=tuple(pairs[i] for i in at),
    )


def write_sample(folder: Path, sample: Sample) -> None:
    """Keep a sample with its run."""
    write_whole(folder / SAMPLE, dump_json(sample.model_dump(mode="json")).encode())


def read_sample(folder: Path) -> Sample | None:
    """The sample of a run; null where none was drawn.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / SAMPLE
    return load(path, Sample, _KIND) if path.is_file() else None


def promises(sample: Sample, wrong: Mapping[Pair, bool]) -> list[Promise]:
    """What may be promised at each of `BUDGETS`; nothing before every pair of the sample was looked at.

    Args:
        sample: What was drawn.
        wrong: Of each pair that somebody looked at, whether the label was changed.
    """
    if not sample.pairs or any(pair not in wrong for pair in sample.pairs):
        return []
    false = np.array([not wrong[pair] for pair in sample.pairs])
    rank = np.array(sample.ranks)
    found = []
    for budget in BUDGETS:
        best: Promise | None = None
        for step in STEPS:
            size = max(round(step * sample.pool), 1)
            within = rank <= size
            decided, wrongly = int(within.sum()), int(false[within].sum())
            bound = most_false(size, decided, wrongly, 1 - CONFIDENCE) / size
            tried = Promise(
                budget=budget, pairs=size, decided=decided, false=wrongly, bound=bound, confidence=CONFIDENCE
            )
            if bound > budget:
                best = best or tried.model_copy(update={"pairs": 0})
                break
            best = tried
        assert best is not None
        found.append(best)
    return found


def most_false(size: int, drawn: int, false: int, risk: float) -> int:
    """How many of `size` pairs may be false, given how many of those that were drawn at random are.

    The largest number under which no more false ones than these are drawn with a probability above `risk`, by the
    hypergeometric distribution (Cochran 1977, "Sampling Techniques", 3.6); exact where all were drawn.
    """
    from scipy.stats import hypergeom  # type: ignore[import-untyped, unused-ignore]

    able = np.arange(false, size - drawn + false + 1)
    chance = hypergeom.cdf(false, size, able, drawn)
    return int(able[chance > risk].max())


def corrected(chance: Floats, decided: Floats, wrong: npt.NDArray[np.bool_]) -> Floats:
    """Chances to be wrong, shape (N,), corrected by M decided pairs: what they were given, and what they were.

    A logistic fit by maximum posterior density; without decisions, the chances as they are.
    """
    if not len(decided):
        return chance
    from scipy.special import expit  # type: ignore[import-untyped, unused-ignore]

    x = np.stack([np.ones(len(decided)), _odds(decided)])
    mean, inverse = np.array([0.0, 1.0]), np.diag(1 / np.square(SPREAD))
    theta = mean.copy()
    for _ in range(30):
        p = expit(theta @ x)
        slope = x @ (wrong - p) - inverse @ (theta - mean)
        step = np.linalg.solve((x * (p * (1 - p))) @ x.T + inverse, slope)
        theta = theta + np.clip(step, -1, 1)
    return np.asarray(expit(theta @ np.stack([np.ones(len(chance)), _odds(chance)])))


def _odds(chance: Floats) -> Any:
    within = np.clip(chance, 1e-4, 1 - 1e-4)
    return np.log(within / (1 - within))
