"""A run compared with a panel: its label of every rated pair, and what it says of the pairs that nobody rated."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.agreement.comparison import GradedSide
from judge.errors import InputError
from judge.ratings.panel import Panel
from judge.run.lookup import REPEATS, find_pairs, key_table
from judge.run.seen import NOTHING, learned_known, read_seen
from judge.run.store import Run
from judge.statistics.prediction_powered import Powered, Sums, powered_mean
from judge.text import candidate_name

Floats = npt.NDArray[np.float64]

DEPTHS = (1, 3, 5, 10)
"""The k of precision at k."""
SEVERAL = "its words are several queries of the run"
"""The status of a rated pair of which nobody can tell which pair of the run it is."""
TEXT = 400
"""Characters of a candidate's description that a report shows."""


@dataclass(frozen=True)
class JudgedPairs:
    """A run's labels of a panel's units."""

    run: Run
    side: GradedSide
    rows: npt.NDArray[np.int64]
    """The run's input row of each unit, shape (units,); -1 where the run does not have the pair."""
    statuses: Sequence[str | None]
    """Why each unit has no grade that the run could have one of; null for all others."""
    facets: Sequence[Mapping[str, Any]]
    """What the run says of each unit besides the grade: locale, category, title, description."""
    learned: npt.NDArray[np.bool_]
    """Whether the judge learned from each unit's query, shape (units,), as far as the run says so."""
    learned_known: bool
    """Whether it says so of every query."""

    def compared_and_learned(self, wanted: npt.NDArray[np.bool_]) -> tuple[int, int]:
        """How many of the wanted units have a grade of the run, and how many of those the judge learned from."""
        compared = wanted & ~np.isnan(self.side.grades)
        return int(compared.sum()), int((compared & self.learned).sum())

    def lacking(self, wanted: npt.NDArray[np.bool_]) -> tuple[int, dict[str, int]]:
        """How many of the wanted units the run does not have, and how many without a grade, by status."""
        found = Counter(status for status, here in zip(self.statuses, wanted, strict=True) if here and status)
        absent = [row < 0 and status is None for row, status in zip(self.rows, self.statuses, strict=True)]
        return int((wanted & np.array(absent)).sum()), dict(sorted(found.items()))


def find_labels(run: Run, panel: Panel, name: str) -> JudgedPairs:
    """Find each unit's label in a run, as `judge.run.lookup` finds pairs. The run need not be finished: what has no
    label yet counts as not graded.

    Raises:
        InputError: The run has none of the pairs: the files name queries or candidates differently.
    """
    units = panel.units
    grades, expected = np.full((2, len(units)), np.nan)
    shares = np.full((len(units), len(panel.values)), np.nan)
    rows = np.full(len(units), -1, dtype=np.int64)
    facets: list[Mapping[str, Any]] = [{}] * len(units)
    statuses: list[str | None] = [None] * len(units)
    queries: list[str] = [""] * len(units)
    with run.database(keys=key_table([(unit.query_id, unit.query, unit.candidate_id) for unit in units])) as db:
        find_pairs(db)
        labels = db.execute(_LABELS).fetchall()
    for unit, row, status, grade, mean, probabilities, locale, query, candidate in labels:
        if row is None:
            statuses[unit] = status
            continue
        rows[unit] = row
        facets[unit], queries[unit] = _facets(locale, candidate or {}), query or ""  # a skipped row may have none
        if grade is None:
            statuses[unit] = status
            continue
        grades[unit], expected[unit] = grade, grade if mean is None else mean
        if probabilities is not None:
            shares[unit] = probabilities
    if (rows < 0).all():
        theirs = run.query("SELECT query_id, query, candidate_id FROM pairs WHERE skip IS NULL ORDER BY row LIMIT 1")
        here = (units[0].query_id, units[0].query, units[0].candidate_id)
        first = f"it begins with {here}, the run with {next(iter(theirs), None)}"
        raise InputError(
            f"{panel.file}: none of its {len(units):,} rated pairs is in {run.path}: {first}",
            "name the columns with the run's ids with --map query_id=COLUMN and --map candidate_id=COLUMN",
        )
    # Labels of people carry no probabilities: then there is nothing to calibrate, and the grade is what was expected.
    side = GradedSide(name, grades, expected, None if np.isnan(shares).all() else shares)
    learned = np.array((read_seen(run.path) or NOTHING).learned_from(queries))
    return JudgedPairs(run, side, rows, statuses, facets, learned, learned_known(run))


def _facets(locale: str | None, candidate: Mapping[str, str | None]) -> dict[str, Any]:
    title = candidate_name(candidate)
    rest = [text for name, text in candidate.items() if text and text != title and name != "category"]
    told = " · ".join(rest)
    return {
        "locale": locale,
        "category": candidate.get("category"),
        "title": title,
        "description": told if len(told) <= TEXT else f"{told[: TEXT - 1]}…",
        "text_length": sum(len(text or "") for text in candidate.values()) or None,
    }


def sums_by_query(
    judged: JudgedPairs, reference: Floats, values: Sequence[int], depths: Sequence[int | None] = (None,)
) -> dict[int | None, dict[int, Sums]]:
    """What prediction-powered inference needs, by depth and grade: the judge's and people's shares, summed by query.

    Args:
        judged: The run; pairs without a grade are no part of the sums.
        reference: People's grade of each unit, NaN where it is not rated.
        values: The grades.
        depths: None for all graded pairs; a number for those among so many first rows of each query, where each weighs
            1 / their number.
    """
    import pyarrow as pa

    use = (judged.rows >= 0) & ~np.isnan(reference)
    rated = pa.table({"row": judged.rows[use], "grade": reference[use].astype(np.int64)})
    shares = ", ".join(
        f"coalesce(l.probabilities[{i + 1}], (l.grade = {value})::INT) AS f{i}" for i, value in enumerate(values)
    )
    columns = [column for depth in depths for column in _sums_within(depth, values)]
    found = judged.run.query(
        f"""WITH placed AS (
            SELECT row, row_number() OVER (PARTITION BY query_id ORDER BY row) AS place FROM pairs WHERE {_ASKED}),
        chosen AS (
            SELECT l.query_id, place, {shares}, r.grade AS y
            FROM labels l JOIN placed USING (row) LEFT JOIN rated r USING (row) WHERE l.grade IS NOT NULL)
        SELECT {", ".join(columns)} FROM chosen GROUP BY query_id ORDER BY query_id""",
        rated=rated,
    )
    table = np.array([[0.0 if cell is None else float(cell) for cell in row] for row in found])
    blocks = np.split(table.reshape(len(found), len(columns)), len(depths), axis=1)
    return {depth: _by_grade(block, values, depth is not None) for depth, block in zip(depths, blocks, strict=True)}


def _sums_within(depth: int | None, values: Sequence[int]) -> list[str]:
    """SQL of one query's sums: pairs, rated ones, and by grade the judge's share of either and people's."""
    kept = "true" if depth is None else f"place <= {depth}"
    sums = [f"count(*) FILTER ({kept})", f"count(y) FILTER ({kept})"]
    for i, value in enumerate(values):
        sums += [f"sum(f{i}) FILTER ({kept})", f"sum(f{i}) FILTER ({kept} AND y IS NOT NULL)"]
        sums += [f"sum((y = {value})::INT) FILTER ({kept})"]
    return sums


def _by_grade(block: Floats, values: Sequence[int], alike: bool) -> dict[int, Sums]:
    """Sums by grade from rows of `_sums_within`, a query each; where `alike`, every query weighs 1."""
    sums = block[block[:, 0] > 0]
    n, n_rated = sums[:, :2].sum(axis=0)
    if alike:
        sums = sums / sums[:, :1]
    return {
        value: Sums(
            weight=sums[:, 0],
            rated_weight=sums[:, 1],
            judged=sums[:, 2 + 3 * i],
            rated_judged=sums[:, 3 + 3 * i],
            rated_people=sums[:, 4 + 3 * i],
            n=n,
            n_rated=n_rated,
        )
        for i, value in enumerate(values)
    }


def shares_of_grades(
    judged: JudgedPairs, reference: Floats, values: Sequence[int]
) -> tuple[dict[int, Powered], dict[int, Powered]]:
    """Each grade's share of all labelled pairs, and by k the highest grade's share among a query's first k rows.

    Rows stand in the order of the run's input. A row without a grade keeps its place: what stands below it does not
    move up.
    """
    whole, *first = sums_by_query(judged, reference, values, (None, *DEPTHS)).values()
    mix = {value: powered_mean(sums) for value, sums in whole.items()}
    return mix, {k: powered_mean(sums[values[-1]]) for k, sums in zip(DEPTHS, first, strict=True)}


_ASKED = f"(skip IS NULL OR skip NOT LIKE '{REPEATS}')"
_LABELS = f"""
    SELECT f.place, f.row, CASE WHEN f.pairs > 1 THEN '{SEVERAL}' WHEN f.pairs = 1 THEN
           coalesce(l.status, 'not labelled yet') END, l.grade, l.expected_grade, l.probabilities, p.locale, p.query,
           p.candidate
    FROM found f LEFT JOIN labels l ON l.row = f.row LEFT JOIN pairs p ON p.row = f.row ORDER BY f.place"""
