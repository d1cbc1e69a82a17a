"""Probabilities that mean what they say, fitted on held-out ratings, in the simplest form that does it.

The forms are in `judge.calibration.temperature` (a temperature, a bias for each grade) and, where they are asked for,
`judge.calibration.ordinal` (cut points, a blend with features of the texts). The ratings may be shares of several
raters. Whoever fits must hold out whole queries: pairs of one query are alike.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from judge.calibration.choice import choose_by
from judge.calibration.crossing import Present, RatedPairs, crossed
from judge.calibration.held_out import HeldOut, Trust, trust
from judge.calibration.ordinal import Evidence, Number, Ordinal, Positive
from judge.documents import Kind, load
from judge.errors import InputError
from judge.fingerprint import Fingerprint, digest
from judge.records import Record, counted
from judge.statistics import reliability

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST = (30, 5)
"""Ratings and queries below which nothing is fitted."""
FOLDS = 5
"""Into how many parts queries are dealt."""
DECIMALS = 6
"""Of a confidence that a threshold is chosen by, and so of one that is held against it."""


CALIBRATION = Kind("make one with `judge calibrate RUN RATINGS --out FILE`")


DECIDING: tuple[str, ...] = ("weights", "adapter", "declared_adapter", "served")
DECIDING += ("guideline_digest", "template_digest", "fields", "budgets", "quantization", "lora")
"""Parts of a fingerprint; for a judge whose weights only its operator knows, its name stands for them."""
IN_WORDS = ("examples", "samples")
"""Those of a judge that is asked in words, which files of earlier versions do not say: what it was shown, and how often
it was asked, since shares of answers are no log-probabilities."""


class Calibration(Record):
    """A fitted calibration, what it did on the ratings that it was not fitted on, and what thresholds need."""

    temperature: Positive
    bias: Annotated[tuple[Number, ...], Field(min_length=2)]
    """One for each grade, in ascending grade order; they sum to 0."""
    before: Trust
    after: Trust
    """By cross-fitting: each pair under a calibration fitted on other queries."""
    present: Trust | None = None
    """Of the labels as they were, where they had gone through a blend; of a training, where its answers go through the
    blend of the judge that it went on from."""
    held_out: HeldOut
    ratings: str
    """SHA-256 (hex) of the ratings' file, or of the training data they were held out of."""
    judge: str | None = None
    """The first 16 digits of the fingerprint of the run whose labels were calibrated, where there was one."""
    parts: Mapping[str, str | None] = {}
    """What of that fingerprint decides the probabilities; empty for a fine-tuned judge's own calibration."""
    blend: Ordinal | None = None
    """Cut points or a blend, where one was asked for and is better: it makes the probabilities, out of features."""

    @model_validator(mode="after")
    def _is_one(self) -> "Calibration":
        if self.blend and len(self.blend.cuts) != len(self.bias) - 1:
            raise ValueError(f"{len(self.blend.cuts)} cuts are not between {len(self.bias)} grades")
        return self

    @property
    def numbers(self) -> dict[str, Any]:
        """The numbers that change probabilities, as JSON values."""
        plain: dict[str, Any] = {"temperature": self.temperature, "bias": list(self.bias)}
        return plain | ({"blend": self.blend.numbers} if self.blend else {})

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the numbers that change probabilities."""
        return digest(self.numbers)

    def as_text(self) -> str:
        """As a file has it. Without a blend it has no fields of one: earlier versions read it."""
        return self.model_dump_json(indent=1, exclude=self.unsaid or None)

    @property
    def unsaid(self) -> dict[str, Any]:
        """The fields that say nothing without a blend."""
        absent: dict[str, Any] = {name: True for name in ("present", "blend") if getattr(self, name) is None}
        return absent | ({part: {"quadratic_kappa"} for part in ("before", "after")} if len(absent) > 1 else {})

    @property
    def stays(self) -> bool:
        """Whether the blend that the labels had gone through was kept, since none that was fitted is better."""
        return self.blend is not None and self.after == self.present

    @property
    def form(self) -> str:
        """What was fitted, in words."""
        if self.blend is None:
            biased = "temperature and biases" if any(self.bias) else "temperature"
            return biased if self.temperature != 1 or any(self.bias) else "nothing"
        return "cut points" if set(self.blend.names) <= {"judge"} else "blend"

    def differences(self, parts: Mapping[str, str | None]) -> list[str]:
        """One line for each part in which the judge of a fingerprint differs from the one that this was fitted for."""
        names = {*DECIDING, *(name for name in IN_WORDS if name in self.parts)}
        names |= {"judge"} if self.parts.get("weights") is None else set()
        own, other = ({name: _said(held, name) for name in names} for held in (self.parts, parts))
        return Fingerprint(parts=own).differences(Fingerprint(parts=other)) if self.parts else []

    def apply(self, logprobs: npt.ArrayLike, values: npt.ArrayLike | None = None) -> Floats:
        """Calibrated probabilities, shape (..., K), of log-probabilities of that shape.

        A blend's are those of its features, `values` of shape (N, F), alone.
        """
        if self.blend is not None:
            assert values is not None, "a blend is of features"
            return self.blend.apply(values)
        return reliability.softmax(np.asarray(logprobs, dtype=np.float64) / self.temperature + np.array(self.bias))


def _said(parts: Mapping[str, str | None], name: str) -> str | None:
    """A deciding part; of an adapter that is merged, as engines do that do not say so, nothing."""
    said = parts.get(name)
    return None if (name, said) == ("lora", "merged") else said


def calibrate(
    logprobs: npt.ArrayLike,
    shares: npt.ArrayLike,
    queries: Sequence[str],
    ratings: str,
    evidence: Evidence | None = None,
    present: Present | None = None,
) -> Calibration:
    """Fit a calibration: see `cross_fitted`."""
    return cross_fitted(logprobs, shares, queries, ratings, evidence, present)[0]


def cross_fitted(
    logprobs: npt.ArrayLike,
    shares: npt.ArrayLike,
    queries: Sequence[str],
    ratings: str,
    evidence: Evidence | None = None,
    present: Present | None = None,
) -> tuple[Calibration, Floats]:
    """Fit a calibration, and tell what it does by cross-fitting over queries, which also chooses its form.

    Args:
        logprobs: Shape (N, K), of the labels; they need not be normalised.
        shares: Shape (N, K): how people's ratings of each pair are spread over the grades; rows sum to 1.
        queries: Length N; a query is on one side of every split.
        ratings: What the ratings were; see `Calibration.ratings`.
        evidence: The pairs' features, the judge's first, where cut points and a blend are to be tried too.
        present: The blend that the labels went through, where there is one. For quadratic kappa or accuracy another of
            its features has to be better than it, in place of better than the judge alone.

    Returns:
        The calibration, and the pairs' probabilities, shape (N, K), each under one that was fitted on other queries.

    Raises:
        InputError: There are too few ratings or queries to fit anything.
    """
    scores, truth = np.asarray(logprobs, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    names, query = np.unique(np.asarray(queries), return_inverse=True)
    if len(scores) < LEAST[0] or len(names) < LEAST[1]:
        raise InputError(
            f"{counted(len(scores), 'rated pair')} of {counted(len(names), 'query')} are too few to calibrate",
            f"rate at least {LEAST[0]} pairs of {LEAST[1]} queries",
        )
    # Queries are dealt by size, so that folds are of like size whatever the order of the file.
    dealt = np.empty(len(names), dtype=np.int64)
    dealt[np.argsort(-np.bincount(query), kind="stable")] = np.arange(len(names)) % min(FOLDS, len(names))
    pairs = RatedPairs(scores, truth, query, evidence, present)
    tried = [crossed(pairs, dealt[query], form) for form in pairs.forms]
    grades = evidence.grades if evidence else present.grades if present else ()
    form = choose_by(evidence.objective if evidence else "log_loss", tried, truth, query, grades)
    chances = tried[form]
    right = chances.argmax(axis=1) == truth.argmax(axis=1)
    chosen = pairs.fitted(np.arange(len(scores)), pairs.forms[form])
    found = Calibration(
        temperature=chosen.temperature,
        bias=tuple(chosen.bias.tolist()),
        blend=chosen.blend,
        before=trust(reliability.softmax(scores), truth, query, grades),
        after=trust(chances, truth, query, grades),
        present=trust(present.chances, truth, query, grades) if present else None,
        # Cross-fitted as well: a threshold must see confidences as new pairs will have them.
        held_out=HeldOut(
            confidence=tuple(np.round(chances.max(axis=1), DECIMALS).tolist()),
            # A tie gets no grade. Taken for wrong, it makes no promise easier.
            wrong=tuple(((reliability.likeliest(chances).sum(axis=1) > 1) | ~right).tolist()),
            query=tuple(query.tolist()),
        ),
        ratings=ratings,
    )
    return found, chances


def read_calibration(path: Path) -> Calibration:
    """A file that `judge calibrate` wrote.

    Raises:
        InputError: It cannot be read, is none, or does not say whose probabilities it is for.
    """
    found = load(path, Calibration, CALIBRATION)
    if not found.parts:
        raise CALIBRATION.damaged(path, "it does not say which judge it was fitted for")
    return found
