"""What is kept of the pairs that a calibration was held against: figures alone, no texts and no ids."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat, model_validator

from judge.calibration.cuts import quality
from judge.records import Record
from judge.statistics import measures, reliability
from judge.statistics.intervals import by_query, confusion_by_query
from judge.statistics.shares import mean_by_query, share_by_query

Floats = npt.NDArray[np.float64]


class HeldOut(Record):
    """What choosing a threshold needs of held-out pairs."""

    confidence: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    """The likeliest grade's calibrated probability."""
    wrong: tuple[bool, ...]
    """Whether that grade is not the people's commonest."""
    query: tuple[Annotated[int, Field(ge=0)], ...]
    """Which query each pair belongs to, counted from 0."""

    @model_validator(mode="after")
    def _is_of_as_many_pairs(self) -> "HeldOut":
        if not len(self.confidence) == len(self.wrong) == len(self.query):
            raise ValueError("confidence, wrong and query are of different numbers of pairs")
        if max(self.query, default=-1) >= len(self.query):
            raise ValueError(f"query counts to {max(self.query)} with {len(self.query)} pairs")
        return self


class Trust(Record):
    """How far probabilities can be trusted, on some rated pairs. Lower is better in all but accuracy."""

    n: int
    queries: int
    accuracy: FiniteFloat
    """Share of pairs whose likeliest grade is the people's commonest (the lower one on a tie)."""
    log_loss: FiniteFloat
    """Mean over pairs of the cross-entropy with the people's shares, in nats."""
    brier: FiniteFloat
    """Mean squared distance to the people's shares, summed over grades; in [0, 2]."""
    calibration_error: FiniteFloat
    """Expected calibration error of the likeliest grade's probability, in bins of equal width; in [0, 1]."""
    quadratic_kappa: FiniteFloat | None = None
    """Of the likeliest grades with the people's commonest, higher is better, 0 where it is not defined; null where
    neither features nor an objective were asked for, nor a blend was there."""
    intervals: Mapping[str, tuple[FiniteFloat, FiniteFloat]] = Field(default={}, exclude=True, repr=False)
    """95% intervals of what was just measured, queries resampled, of the figures that have one: no file keeps them, and
    nothing is another thing for them."""

    def figure(self, name: str) -> str:
        """One of its figures, with its interval where it has one, as tables show it."""
        interval = self.intervals.get(name)
        return f"{getattr(self, name):.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trust) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash(tuple(self.model_dump().values()))


def trust(chances: Floats, shares: Floats, query: npt.ArrayLike, grades: Sequence[int] = ()) -> Trust:
    """How far probabilities (N, K) can be trusted, compared with people's shares (N, K); `grades` are the K values."""
    confidence, right = reliability.top_label(chances, shares)
    kappa = quality("quadratic_kappa", grades, shares.argmax(axis=1))(chances.argmax(axis=1)) if grades else None
    return Trust(
        n=len(chances),
        queries=len(np.unique(np.asarray(query))),
        accuracy=float(right.mean()),
        log_loss=reliability.log_loss(chances, shares),
        brier=reliability.brier_score(chances, shares),
        calibration_error=reliability.expected_calibration_error(confidence, right),
        quadratic_kappa=kappa,
        intervals=_intervals(chances, shares, np.asarray(query), grades),
    )


def _intervals(
    chances: Floats, shares: Floats, query: npt.NDArray[np.generic], grades: Sequence[int]
) -> dict[str, tuple[float, float]]:
    """Those of `Trust`; a calibration error has none, since resampling makes it larger."""
    found = {
        "accuracy": share_by_query(query, reliability.top_label(chances, shares)[1]),
        "log_loss": mean_by_query(query, reliability.cross_entropy(chances, shares)),
        "brier": mean_by_query(query, ((chances - shares) ** 2).sum(axis=1)),
    }
    if grades:
        places = np.arange(len(grades))
        tables = confusion_by_query(query, shares.argmax(axis=1), chances.argmax(axis=1), places)
        found["quadratic_kappa"] = by_query(tables, partial(measures.weighted_kappa, values=grades))
    return {name: figure.interval for name, figure in found.items() if figure.interval}


def majority_baseline(shares: Floats) -> float:
    """The accuracy, as `Trust` has it, of one grade for all: people's commonest. Shares of shape (N, K)."""
    return float(measures.majority_baseline(np.diag(np.bincount(shares.argmax(axis=1)))))
