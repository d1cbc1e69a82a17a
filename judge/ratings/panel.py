"""The panel: who gave which grade to which pair, as matrices that every measure reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.ratings.layout import DESCRIBED, RatingsLayout
from judge.ratings.reader import Ratings, read_ratings
from judge.records import Rating
from judge.run.lookup import find_one
from judge.statistics.multi_rater import unit_counts
from judge.tables.levels import ends_note

Floats = npt.NDArray[np.float64]


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
    means: Floats | None = None
    """Shape (raters, units): what was given on the guideline's scale, where any of it is a mean; a grade elsewhere."""
    gold_mean: Floats | None = None
    """Shape (units,): the same of gold."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Grades and rows of the file that could not be used, by what is wrong with them."""
    scale_note: str | None = None
    """That no rating is the lowest or the highest grade, where nobody said what the file's values mean."""

    def of(self, query_id: str, query: str, candidate_id: str) -> list[Rating]:
        """Who gave what to a pair, the adjudicated grade last.

        The pair is found as `judge.run.lookup` finds pairs.
        """
        pairs = [(unit.query_id, unit.query, unit.candidate_id) for unit in self.units]
        unit = find_one((query_id, query, candidate_id), pairs)
        if unit is None:
            return []
        rows = [(index, rater, self.grades[index, unit]) for index, rater in enumerate(self.raters)]
        rows += [] if self.gold is None else [(-1, self.gold_name or "gold", self.gold[unit])]
        pair = self.units[unit]
        return [
            Rating(
                pair.query_id,
                pair.query,
                pair.candidate_id,
                rater,
                int(grade),
                self.clauses.get((index, unit)),
                None if index < 0 or np.isnan(self.times[index, unit]) else float(self.times[index, unit]),
                None
                if (given := self.gold_mean if index < 0 else self.means) is None
                else float(given[unit] if index < 0 else given[index, unit]),
            )
            for index, rater, grade in rows
            if not np.isnan(grade)
        ]

    @property
    def queries(self) -> npt.NDArray[np.str_]:
        """The units' query ids, shape (units,)."""
        return np.array([unit.query_id for unit in self.units], dtype=np.str_)


def read_panel(path: Path, layout: RatingsLayout, values: Sequence[int], name: str | None = None) -> Panel:
    """Read a file of ratings as a panel.

    Raises:
        InputError: The file, a row or a grade cannot be used.
    """
    return as_panel(read_ratings(path, layout, values, name, described=True))


def as_panel(ratings: Ratings) -> Panel:
    """Ratings that were read with what the file says of their pairs; gold is no rater."""
    table, gold_name = ratings.table, ratings.layout.gold
    _, first, unit = np.unique(table["unit"].to_numpy(), return_index=True, return_inverse=True)
    units = [
        Unit(row["query_id"], row["query"], row["candidate_id"], _filled(row, DESCRIBED))
        for row in table.select(["query_id", "query", "candidate_id", *DESCRIBED]).take(first).to_pylist()
    ]
    place = {name: index for index, name in enumerate(ratings.raters)}
    whose = np.array([place.get(name, -1) for name in table["rater"].to_pylist()], dtype=np.int64)
    given = table["grade"].to_numpy().astype(np.float64)
    grades, times = np.full((2, len(place), len(units)), np.nan)
    gold = np.full(len(units), np.nan)
    people = whose >= 0
    grades[whose[people], unit[people]] = given[people]
    times[whose[people], unit[people]] = table["time"].to_numpy()[people]
    gold[unit[~people]] = given[~people]
    found = np.array(table["mean"].to_pylist(), dtype=np.float64)
    meant = ~np.isnan(found)
    means = grades.copy() if (people & meant).any() else None
    if means is not None:
        means[whose[people & meant], unit[people & meant]] = found[people & meant]
    gold_mean = gold.copy()
    gold_mean[unit[~people & meant]] = found[~people & meant]
    clauses = {
        (int(whose[index]), int(unit[index])): clause
        for index, clause in enumerate(table["clause"].to_pylist())
        if clause
    }
    return Panel(
        file=ratings.file,
        values=ratings.scale.values,
        units=units,
        raters=ratings.raters,
        grades=grades,
        gold=None if gold_name is None else gold,
        gold_name=gold_name,
        clauses=clauses,
        times=times,
        left_out=ratings.left_out,
        scale_note=ends_note(table["grade"].unique().to_pylist(), ratings.scale.values, ratings.scale.grades),
        means=means,
        gold_mean=gold_mean if gold_name is not None and (~people & meant).any() else None,
    )


def _filled(row: Mapping[str, str | None], names: Sequence[str]) -> dict[str, str]:
    return {name: text for name in names if (text := row[name])}


def majority(grades: Floats) -> Floats:
    """The commonest grade of each unit, shape (units,); NaN where two grades tie, or nobody rated.

    `grades` has shape (raters, units).
    """
    found = np.unique(grades[~np.isnan(grades)])
    return commonest(unit_counts(grades, found), found) if found.size else np.full(grades.shape[1], np.nan)


def commonest(votes: Floats, values: npt.ArrayLike) -> Floats:
    """The same of how often each unit got each of `values`, shape (units, K)."""
    best = votes.max(axis=1, keepdims=True)
    clear = (best[:, 0] > 0) & ((votes == best).sum(axis=1) == 1)
    return np.where(clear, np.asarray(values, dtype=np.float64)[votes.argmax(axis=1)], np.nan)


def mean_rating(means: Floats) -> Floats:
    """The mean over raters of what was given to each unit, shape (units,); NaN where nobody rated."""
    there = ~np.isnan(means)
    count = there.sum(axis=0)
    total = np.where(there, means, 0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(means.shape[1], np.nan), where=count > 0))


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
