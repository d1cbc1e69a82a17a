"""What may be promised of an audit's flags, from people's decisions on a random sample of them.

The audit's own rate of false flags is its model's. A rate that holds whatever the model gets wrong comes from pairs
drawn at random, evenly along the order of the flags and of as many pairs below them, and decided by people: the longest
first part of the order is taken whose share of false ones a bet by query bounds (`judge.calibration.abstain`). All
decisions, however they came, also correct the chances: by a logistic fit that few decisions cannot move far.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from judge.calibration.abstain import CONFIDENCE, walk
from judge.documents import Kind, load
from judge.files import dump_json, write_whole
from judge.records import Record

BUDGETS = (0.1, 0.2, 0.3, 0.5)
"""Shares of false flags that are tried; each holds with `CONFIDENCE` by itself."""
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
    """Of the sample, those among them; of all that was drawn where nothing can be promised."""
    false: int
    """Of those, the labels that were kept or left unsure."""
    bound: float
    """The upper bound of the false share; at most the budget unless nothing can be promised."""
    confidence: float


def order_digest(order: Ints) -> str:
    """What names an order of rows, the likeliest wrong label first."""
    return hashlib.sha256(np.ascontiguousarray(order, dtype="<i8").tobytes()).hexdigest()


def draw(order: Ints, pairs: list[Pair], flagged: int, count: int, seed: int = 0) -> Sample:
    """`count` pairs at random, one from each of as many equal stretches of the order (systematic sampling).

    Args:
        order: Rows, the likeliest wrong label first.
        pairs: Their (query_id, candidate_id).
        flagged: How many of them are flagged: as many again are drawn from.
        count: At least 1.
        seed: Of the draw.
    """
    pool = min(len(order), max(2 * flagged, count))
    size = min(count, pool)
    # One start for all stretches, which are longer than a pair: every pair is as likely, and none comes twice.
    start = np.random.default_rng(seed).random()
    at = np.floor((np.arange(size) + start) * (pool / size)).astype(int)
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
    false = np.array([not wrong[pair] for pair in sample.pairs], dtype=np.float64)
    rank = np.array(sample.ranks, dtype=np.float64)
    query = np.unique([pair[0] for pair in sample.pairs], return_inverse=True)[1].astype(np.int64)
    found = []
    for budget in BUDGETS:
        chosen, lowest = walk(-rank, false, query, budget)
        kept = -rank >= chosen.least if chosen else np.ones(len(rank), dtype=bool)
        found.append(
            Promise(
                budget=budget,
                pairs=int(rank[kept].max()) if chosen else 0,
                decided=int(kept.sum()),
                false=int(false[kept].sum()),
                bound=chosen.bound if chosen else lowest,
                confidence=CONFIDENCE,
            )
        )
    return found


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
