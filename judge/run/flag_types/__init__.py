"""Types of flags: a module for each, which holds a `FlagType`: in which way evidence contradicts a label."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from judge.registry import registered

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SURE = 0.8
"""The chance of one grade from which on a judge, asked again, should find it."""


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """What an audit knows of N graded pairs: arrays of shape (N,); grades are places on the scale, from 0."""

    grades: int
    """How many grades the scale has: K."""
    grade: Ints
    """The label's."""
    people: Ints
    """What people gave; -1 where they gave nothing."""
    impressions: Floats
    examined: Floats
    """Impressions weighed by the chance that they were looked at."""
    live_examined: Floats
    """The same in searches where something was clicked; NaN where single searches are not known."""
    clicks: Floats
    debiased_clicks: Floats
    """Clicks less those that trust in the position explains."""
    expected_clicks: Floats
    """What examined pairs of the label's grade get; NaN where nothing was learned."""
    most_clicks: Floats
    """The clicks with those that were set aside, where it is not known whether anybody looked."""
    most_expected: Floats
    """What they would get, had everybody looked there."""
    carts: Floats
    purchases: Floats
    suspect: Bools
    """Whether confident learning on engagement alone puts the pair in another grade."""

    @property
    def above(self) -> Bools:
        """Grades above the label's, shape (N, K)."""
        return np.asarray(np.arange(self.grades) > self.grade[:, None])

    @property
    def below(self) -> Bools:
        """Grades below the label's, shape (N, K)."""
        return np.asarray(np.arange(self.grades) < self.grade[:, None])

    @property
    def others(self) -> Bools:
        """Grades that are not the label's, shape (N, K)."""
        return self.above | self.below


def _action(chance: float) -> str:
    return "re-judge" if chance >= SURE else "ask people"


@dataclass(frozen=True, kw_only=True)
class FlagType:
    """One way in which evidence contradicts a label."""

    name: str
    """As in files and in JSON: lower case, with `_` between words."""
    meaning: str
    """What is said of the label, in words."""
    needs: str
    """The evidence that it takes, in Markdown: for the table in docs/audit.md."""
    order: int
    """Its place in lists."""
    rule: Callable[[PairEvidence], tuple[Bools, Bools]]
    """Which pairs it may concern, shape (N,), and which grades would be right instead, shape (N, K)."""
    by_people: bool = False
    """Whether people say so, and not shoppers: what speaks against engagement does not hold it back."""
    action: Callable[[float], str] = _action
    """What to do, by the chance of the likeliest of those grades."""

    @property
    def words(self) -> str:
        """The name as words."""
        return self.name.replace("_", " ")


def flag_types() -> Mapping[str, FlagType]:
    """Every type by name, in the order of lists."""
    return registered(__name__, FlagType)
