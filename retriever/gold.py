"""People's grades of products, as systems are evaluated by them: one grade a pair, every grade used or counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from judge.errors import InputError
from judge.ratings.panel import Panel
from judge.search.catalogue import Catalogue
from retriever.queries import SearchQuery
from retriever.ranked import Ints

UNJUDGED = -1
"""In place of a grade. Guidelines' values are 0 or more."""
NOT_IN_CATALOGUE = "product not in the catalogue"
WITHOUT_TEXT = "product without text"


@dataclass(frozen=True)
class Gold:
    """The judged products of every query."""

    name: str
    values: Sequence[int]
    """The scale, ascending."""
    queries: Sequence[SearchQuery]
    places: Sequence[Ints]
    """For each query its judged products, ascending."""
    grades: Sequence[Ints]
    """Their grades."""
    facets: Sequence[Mapping[str, str]]
    """What the file says of each query: `traffic`, `kind`, `locale` and the like."""
    rated: int
    """Pairs that people rated."""
    set_aside: Mapping[str, int]
    """Rated pairs that are not used, by reason; with those that are they add up to `rated`."""
    lost: int
    """Queries none of whose rated products is in the catalogue: they are left out."""
    disputed: int
    """Pairs whose raters differ: the middle grade counts, of two middle ones the lower."""
    left_out: Mapping[str, int]
    """Rows and grades of the file that could not be used, by what is wrong with them."""

    @property
    def used(self) -> int:
        """Pairs that count."""
        return sum(map(len, self.places))

    def graded(self, at: int, places: Ints) -> Ints:
        """The grades of some products of a query, `UNJUDGED` where people gave none."""
        mine, grades = self.places[at], self.grades[at]
        if not len(mine):
            return np.full(len(places), UNJUDGED, np.int64)
        found = np.minimum(np.searchsorted(mine, places), len(mine) - 1)
        return np.where(mine[found] == places, grades[found], UNJUDGED)

    def counts(self, relevant: int) -> dict[str, Any]:
        """What became of the rated pairs, and the queries that some measures leave out."""
        best = [int(grades.max()) for grades in self.grades]
        return {
            "name": self.name,
            "grades": list(self.values),
            "rated": self.rated,
            "used": self.used,
            "set_aside": self.set_aside,
            "disputed": self.disputed,
            "left_out": self.left_out,
            "queries": len(self.queries),
            "without_products": self.lost,
            "without_gain": sum(grade <= min(self.values) for grade in best),
            "without_relevant": sum(grade < relevant for grade in best),
            "by_grade": {str(v): sum(int((grades == v).sum()) for grades in self.grades) for v in self.values},
        }


def gold_of(panel: Panel, catalogue: Catalogue) -> Gold:
    """A file of ratings as one grade a pair: the adjudicated one where there is one, else the raters' middle grade.

    Raises:
        InputError: None of its products is in the catalogue, or two ids of a query are one product there.
    """
    grades, disputed = _one_grade(panel)
    found: dict[str, list[tuple[int, int]]] = {}
    words: dict[str, str] = {}
    facets: dict[str, Mapping[str, str]] = {}
    aside: Counter[str] = Counter()
    named: dict[str, list[str]] = {}
    for unit, grade in zip(panel.units, grades.tolist(), strict=True):
        words.setdefault(unit.query_id, unit.query)
        facets.setdefault(unit.query_id, unit.facets)
        named.setdefault(unit.query_id, []).append(unit.candidate_id)
        place = catalogue.find(unit.candidate_id)
        if place is None:
            aside[WITHOUT_TEXT if unit.candidate_id in catalogue.without_text else NOT_IN_CATALOGUE] += 1
        else:
            found.setdefault(unit.query_id, []).append((place, grade))
    if not found:
        theirs, ours = panel.units[0].candidate_id, catalogue.products[0].id
        raise InputError(
            f"{panel.file}: none of its products is in {catalogue.name}: {theirs!r} there, {ours!r} here",
            "name products by their candidate_id in both, with --map candidate_id=COLUMN",
        )
    for ids in named.values():
        catalogue.find_all(ids, panel.file)
    tables = [np.array(sorted(pairs), np.int64).T for pairs in found.values()]
    return Gold(
        name=panel.file,
        values=panel.values,
        queries=[SearchQuery(key, words[key], facets[key].get("locale")) for key in found],
        places=[table[0] for table in tables],
        grades=[table[1] for table in tables],
        facets=[facets[key] for key in found],
        rated=len(panel.units),
        set_aside=dict(aside),
        lost=len(named) - len(found),
        disputed=disputed,
        left_out=panel.left_out,
    )


def _one_grade(panel: Panel) -> tuple[Ints, int]:
    """A grade for every unit, and how many units' raters differ without an adjudicated grade."""
    given = np.sort(panel.grades, axis=0)  # NaN goes last
    count = (~np.isnan(given)).sum(axis=0)
    units = np.arange(len(panel.units))
    middle = given[np.maximum(count - 1, 0) // 2, units] if len(given) else np.full(len(units), np.nan)
    differ = (count > 1) & (given[0] != given[np.maximum(count - 1, 0), units]) if len(given) else count > 1
    if panel.gold is not None:
        settled = ~np.isnan(panel.gold)
        middle, differ = np.where(settled, panel.gold, middle), differ & ~settled
    return middle.astype(np.int64), int(differ.sum())
