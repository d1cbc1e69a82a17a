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
from judge.run.store import Run
from judge.statistics.prediction_powered import Powered, Sums, powered_mean

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
    with run.database(keys=key_table([(unit.query_id, unit.query, unit.candidate_id) for unit in units])) as db:
        find_pairs(db)
        labels = db.execute(_LABELS).fetchall()
    for unit, row, status, grade, mean, probabilities, locale, candidate in labels:
        if row is None:
            statuses[unit] = status
            continue
        rows[unit] = row
        facets[unit] = _facets(locale, candidate or {})
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
    return JudgedPairs(run, side, rows, statuses, facets)


def _facets(locale: str | None, candidate: Mapping[str, str | None]) -> dict[str, Any]:
    texts = [text for text in candidate.values() if text]
    found = {
        "locale": locale,
        "category": candidate.get("category"),
        "title": candidate.get("title") or "".join(texts[:1]),
    }
    rest = " · ".join(text for name, text in candidate.items() if text and name not in ("title", "category"))
    return {**found, "description": rest[:TEXT], "text_length": sum(map(len, texts)) or None}


def sums_by_query(
    judged: JudgedPairs, reference: Floats, values: Sequence[int], top: int | None = None
) -> dict[int, Sums]:
    """What prediction-powered inference needs, by grade: the judge's and people's shares, summed by query.

    Args:
        judged: The run; pairs without a grade are no part of the sums.
        reference: People's grade of each unit, NaN where it is not rated.
        values: The grades.
        top: Take the graded pairs among the first `top` rows of each query alone, each at a weight of 1 / their number.
    """
    import pyarrow as pa

    use = (judged.rows >= 0) & ~np.isnan(reference)
    rated = pa.table({"row": judged.rows[use], "grade": reference[use].astype(np.int64)})
    columns = [
        f"sum(w * f{i}), sum(w * f{i}) FILTER (y IS NOT NULL), sum(w * (y = {value})::INT)"
        for i, value in enumerate(values)
    ]
    shares = ", ".join(
        f"coalesce(l.probabilities[{i + 1}], (l.grade = {value})::INT) AS f{i}" for i, value in enumerate(values)
    )
    found = judged.run.query(
        f"""WITH placed AS (
            SELECT row, row_number() OVER (PARTITION BY query_id ORDER BY row) AS place FROM pairs WHERE {_ASKED}),
        chosen AS (
            SELECT l.query_id, {shares}, r.grade AS y,
                   {"1.0 / count(*) OVER (PARTITION BY l.query_id)" if top else "1.0"} AS w
            FROM labels l JOIN placed USING (row) LEFT JOIN rated r USING (row)
            WHERE l.grade IS NOT NULL {f"AND place <= {top}" if top else ""})
        SELECT sum(w), coalesce(sum(w) FILTER (y IS NOT NULL), 0), count(*), count(y), {", ".join(columns)}
        FROM chosen GROUP BY query_id ORDER BY query_id""",
        rated=rated,
    )
    table = np.array([[0.0 if cell is None else float(cell) for cell in row] for row in found])
    table = table.reshape(len(found), 4 + 3 * len(values))
    return {
        value: Sums(
            weight=table[:, 0],
            rated_weight=table[:, 1],
            judged=table[:, 4 + 3 * i],
            rated_judged=table[:, 5 + 3 * i],
            rated_people=table[:, 6 + 3 * i],
            n=table[:, 2].sum(),
            n_rated=table[:, 3].sum(),
        )
        for i, value in enumerate(values)
    }


def grade_mix(judged: JudgedPairs, reference: Floats, values: Sequence[int]) -> dict[int, Powered]:
    """Each grade's share of all labelled pairs."""
    return {value: powered_mean(sums) for value, sums in sums_by_query(judged, reference, values).items()}


def precision_at(judged: JudgedPairs, reference: Floats, values: Sequence[int]) -> dict[int, Powered]:
    """The share of the highest grade among a query's first k rows, in the order of the run's input.

    A row without a grade keeps its place: what stands below it does not move up.
    """
    return {k: powered_mean(sums_by_query(judged, reference, values, top=k)[values[-1]]) for k in DEPTHS}


_ASKED = f"(skip IS NULL OR skip NOT LIKE '{REPEATS}')"
_LABELS = f"""
    SELECT f.place, f.row, CASE WHEN f.pairs > 1 THEN '{SEVERAL}' WHEN f.pairs = 1 THEN
           coalesce(l.status, 'not labelled yet') END, l.grade, l.expected_grade, l.probabilities, p.locale, p.candidate
    FROM found f LEFT JOIN labels l ON l.row = f.row LEFT JOIN pairs p ON p.row = f.row ORDER BY f.place"""
