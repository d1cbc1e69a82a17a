"""The panel: who gave which grade to which pair, as matrices that every measure reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.run.lookup import find_one

Floats = npt.NDArray[np.float64]

FACETS = ("kind", "category", "locale", "language", "traffic")
"""What a file may say of a pair beside its grade: the segments of a report."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A rated pair. `facets` holds what the file or the run says of it: `FACETS`, `title`, `description`."""

    query_id: str
    query: str
    candidate_id: str
    facets: Mapping[str, str]


@dataclass(frozen=True)
class Panel:
    """Who gave which grade to which pair. Arrays are NaN where there is no rating."""

    file: str
    values: tuple[int, ...]
    """The scale, ascending."""
    units: Sequence[Unit]
    raters: tuple[str, ...]
    grades: Floats
    """Shape (raters, units)."""
    gold: Floats | None
    """Shape (units,): the adjudicated grade."""
    gold_name: str | None
    clauses: Mapping[tuple[int, int], str]
    """(rater, unit) to the clause they invoked. The rater -1 is gold."""
    times: Floats
    """Shape (raters, units): when each rating was given, in seconds since 1970."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Rows of the file that could not be used, by what is wrong with them."""

    def of(self, query_id: str, query: str, candidate_id: str) -> list[dict[str, Any]]:
        """Who gave what to a pair: `rater, grade, clause, time` (seconds since 1970), the adjudicated grade last.

        The pair is found as `judge.run.lookup` finds pairs.
        """
        pairs = [(unit.query_id, unit.query, unit.candidate_id) for unit in self.units]
        unit = find_one((query_id, query, candidate_id), pairs)
        if unit is None:
            return []
        rows = [(index, rater, self.grades[index, unit]) for index, rater in enumerate(self.raters)]
        rows += [] if self.gold is None else [(-1, self.gold_name or "gold", self.gold[unit])]
        return [
            {
                "rater": rater,
                "grade": int(grade),
                "clause": self.clauses.get((index, unit)),
                "time": None if index < 0 or np.isnan(self.times[index, unit]) else float(self.times[index, unit]),
            }
            for index, rater, grade in rows
            if not np.isnan(grade)
        ]

    @property
    def queries(self) -> npt.NDArray[np.str_]:
        """The units' query ids, shape (units,)."""
        return np.array([unit.query_id for unit in self.units], dtype=np.str_)

    @property
    def occurring(self) -> list[int]:
        """The grades that anybody gave, gold included, ascending."""
        given = self.grades if self.gold is None else np.vstack([self.grades, self.gold])
        return [int(grade) for grade in np.unique(given[~np.isnan(given)])]

    def others(self, rater: int) -> Floats:
        """The ratings of everybody else, shape (raters - 1, units)."""
        return np.delete(self.grades, rater, axis=0)


def majority(grades: Floats) -> Floats:
    """The commonest grade of each unit, shape (units,); NaN where two grades tie, or nobody rated.

    `grades` has shape (raters, units).
    """
    found = np.unique(grades[~np.isnan(grades)])
    if not found.size:
        return np.full(grades.shape[1], np.nan)
    votes = (grades[None] == found[:, None, None]).sum(axis=1)
    best = votes.max(axis=0)
    clear = (best > 0) & ((votes == best).sum(axis=0) == 1)
    return np.where(clear, found[votes.argmax(axis=0)], np.nan)


def described(panel: Panel, sources: Sequence[Sequence[Mapping[str, Any]]]) -> Panel:
    """The panel with facets from elsewhere (a run, a catalogue): each source has one mapping a unit, the first that
    knows a facet has it, and what the file of ratings says comes before them all."""
    units = []
    for index, unit in enumerate(panel.units):
        found: dict[str, str] = {}
        for source in reversed(sources):
            found |= {name: str(text) for name, text in source[index].items() if text}
        units.append(replace(unit, facets={**found, **unit.facets}))
    return replace(panel, units=units)
