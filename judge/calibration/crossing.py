"""The forms of a calibration, each fitted on some queries and applied to others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from judge.calibration.ordinal import Evidence, Ordinal, fit_ordinal
from judge.calibration.temperature import FORMS, fit
from judge.statistics.reliability import softmax

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CUTS, BLEND = "cut points", "blend"
"""Forms that are tried where features are given: steps on what the judge says, and on all features together."""
PRESENT = "present blend"
"""The blend that the labels went through: fitted to none of the ratings."""


@dataclass(frozen=True)
class Present:
    """The blend that a run's labels went through."""

    blend: Ordinal
    chances: Floats
    """The run's probabilities, shape (N, K)."""
    grades: Sequence[int]
    """The guideline's values, ascending."""


@dataclass(frozen=True)
class Fitted:
    """One form, fitted."""

    temperature: float
    bias: Floats
    blend: Ordinal | None = None


@dataclass(frozen=True)
class RatedPairs:
    """What forms are fitted on."""

    scores: Floats
    shares: Floats
    query: Ints
    evidence: Evidence | None
    present: Present | None = None

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms to try, the simplest first: for quadratic kappa or accuracy, which a temperature and biases are not
        fitted for, what was asked for or what is there: a blend of the same features as read now, or nothing."""
        if self.evidence is None:
            return FORMS
        more = (CUTS,) if len(self.evidence.names) == 1 else (CUTS, BLEND)
        if self.evidence.objective == "log_loss":
            return (*FORMS, *more)
        there = self.present and (self.present.blend.reading, self.present.blend.encoder)
        return (PRESENT if there == (self.evidence.reading, self.evidence.encoder) else FORMS[0], more[-1])

    def fitted(self, rows: Ints, form: str) -> Fitted:
        """A form, fitted on some rows."""
        if form in FORMS:
            return Fitted(*fit(self.scores[rows], self.shares[rows], form))
        assert self.evidence is not None
        if form == PRESENT:
            return Fitted(1.0, np.zeros(self.shares.shape[1]), self.present.blend if self.present else None)
        names = self.evidence.names[:1] if form == CUTS else self.evidence.names
        found = fit_ordinal(self.evidence, names, self.shares, self.query, rows)
        return Fitted(1.0, np.zeros(self.shares.shape[1]), found)

    def applied(self, numbers: Fitted, rows: Ints) -> Floats:
        """Probabilities of some rows, shape (rows, K)."""
        if numbers.blend is None or self.evidence is None:
            return softmax(self.scores[rows] / numbers.temperature + numbers.bias)
        if self.present and numbers.blend is self.present.blend:
            return self.present.chances[rows]
        return numbers.blend.apply(self.evidence.columns(numbers.blend.names)[rows])


def crossed(pairs: RatedPairs, fold: Ints, form: str) -> Floats:
    """Probabilities of shape (N, K), each row's under a calibration fitted on the other folds."""
    found = np.empty_like(pairs.scores)
    for number in range(int(fold.max()) + 1):
        inside = np.flatnonzero(fold == number)
        found[inside] = pairs.applied(pairs.fitted(np.flatnonzero(fold != number), form), inside)
    return found
