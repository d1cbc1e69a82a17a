"""A run's labels beside people's grades of the same pairs."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from audit import measures
from audit.intervals import Estimate, by_query, confusion_by_query
from judge.errors import InputError
from judge.guideline import Guideline, known_grades
from judge.pairs import Source, stage
from judge.store import Run

RATING_COLUMNS = ("query", "candidate_id", "query_id", "grade")


@dataclass(frozen=True)
class Agreement:
    """How well a run agrees with people, on the pairs that both graded.

    Every figure stands with its interval (95%, queries resampled); `majority_baseline` is the accuracy of always giving
    people's commonest grade.
    """

    run: str
    fingerprint: str
    judge: str | None
    ratings: str
    grades: Sequence[int]
    grade_names: Sequence[str]
    rated: int
    """Pairs that people graded."""
    n: int
    """Pairs that both graded."""
    queries: int
    """Queries of those pairs."""
    not_in_run: int
    """Rated pairs that the run does not have."""
    not_graded: Mapping[str, int]
    """Rated pairs that the run has without a grade, by status."""
    figures: Mapping[str, Estimate]
    confusion: Sequence[Sequence[int]]
    """Rows: people's grade; columns: the run's. Both in `grades` order."""

    @property
    def coverage(self) -> float | None:
        """The share of rated pairs that the run graded."""
        return self.n / self.rated if self.rated else None

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON values. Undefined figures are null and say why."""
        names = ("run", "fingerprint", "judge", "ratings", "grades", "grade_names", "n", "queries", "rated")
        plain = {name: getattr(self, name) for name in names}
        figures = {name: estimate.as_json() for name, estimate in self.figures.items()}
        counts = {"coverage": self.coverage, "not_in_run": self.not_in_run, "not_graded": dict(self.not_graded)}
        return plain | counts | figures | {"confusion": [list(row) for row in self.confusion]}


def agree(
    run: Run,
    ratings: Path,
    *,
    mapping: Mapping[str, Sequence[str]],
    grades: Mapping[str, int] | None = None,
    name: str | None = None,
) -> Agreement:
    """Compare a run with a file of ratings, one grade a pair.

    A rating finds its pair by `query_id` and `candidate_id`; where the file has no `query_id`, by the query's text.

    Args:
        run: Need not be finished: what has no label yet counts as not graded.
        ratings: File with `query, candidate_id` and a grade.
        mapping: Our names to the file's columns.
        grades: What the file writes to the guideline's value; the values themselves unless given.

    Raises:
        InputError: The file cannot be used, or holds a grade that is none of the guideline's.
    """
    manifest = run.manifest
    guideline = Guideline.model_validate(manifest.guideline)
    known = known_grades(grades, guideline)
    narrow = {key: columns for key, columns in mapping.items() if key in RATING_COLUMNS}
    with tempfile.TemporaryDirectory(prefix="ratings-") as scratch:
        source = Source(ratings, mapping=narrow, grades=known, need_text=False, name=name)
        staged = stage(source, guideline, Path(scratch))
        staged.refuse()
        rows = run.query(_JOIN.format(ratings=str(staged.path).replace("'", "''")))
    if not rows:
        raise InputError(f"{ratings}: holds no grade", "name the column with the grades with --rating COLUMN")
    pairs = [(query, people, mine) for query, people, mine, status in rows if mine is not None]
    statuses = [status for *_, mine, status in rows if mine is None]
    missing = {status: statuses.count(status) for status in sorted({s for s in statuses if s})}
    return Agreement(
        run=str(run.path),
        fingerprint=manifest.fingerprint,
        judge=manifest.parts.get("judge"),
        ratings=name or str(ratings),
        grades=guideline.values,
        grade_names=[grade.name for grade in guideline.grades],
        rated=len(rows),
        n=len(pairs),
        queries=len({query for query, *_ in pairs}),
        not_in_run=statuses.count(None),
        not_graded=missing,
        **compare(pairs, guideline.values),
    )


def compare(pairs: Sequence[tuple[str, int, int]], values: Sequence[int]) -> dict[str, Any]:
    """Figures and confusion matrix of (query, people's grade, the run's grade)."""
    query, people, mine = [[pair[i] for pair in pairs] for i in range(3)]
    matrices = confusion_by_query(query, people, mine, values)
    total = matrices.sum(axis=0)

    def within_1(confusion: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return measures.within_1(confusion, values)

    def weighted_kappa(confusion: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return measures.weighted_kappa(confusion, values)

    wanted = (
        measures.accuracy,
        within_1,
        measures.cohen_kappa,
        weighted_kappa,
        measures.macro_f1,
        measures.majority_baseline,
    )
    figures = {m.__name__: by_query(matrices, m).because(measures.undefined_reason(m.__name__, total)) for m in wanted}
    return {"figures": figures, "confusion": total.tolist()}


# A rating whose `query_id` is the digest of its text came without one: it may find its pair by the text.
_JOIN = """
    WITH ratings AS (SELECT * FROM read_parquet('{ratings}') WHERE skip IS NULL),
    asked AS (
        SELECT row, query_id, query, candidate_id FROM pairs WHERE skip IS NULL OR skip NOT LIKE 'repeats row %'),
    matched AS (
        SELECT r.row AS rating, r.query_id, r.grade, coalesce(a.row, b.row) AS row
        FROM ratings r
        LEFT JOIN asked a ON a.query_id = r.query_id AND a.candidate_id = r.candidate_id
        LEFT JOIN asked b ON a.row IS NULL AND r.query_id = left(sha256(r.query), 16)
                          AND b.query = r.query AND b.candidate_id = r.candidate_id
        QUALIFY row_number() OVER (PARTITION BY r.row ORDER BY coalesce(a.row, b.row)) = 1)
    SELECT m.query_id, m.grade, l.grade, CASE WHEN m.row IS NOT NULL THEN coalesce(l.status, 'not labelled yet') END
    FROM matched m LEFT JOIN labels l ON l.row = m.row ORDER BY m.rating"""
