"""Labels out: a finished run as JSON Lines, Parquet or TREC qrels, in input order, streamed.

Decisions of `RUN/decisions.jsonl` are applied: a changed pair has the decided grade, `label_grade` keeps the label's
own, and `decided_by` and `decision_reason` say who changed it and why.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from judge.decisions import Decisions
from judge.errors import InputError, RunError
from judge.files import new_file
from judge.store import Run

COLUMNS = (
    "query_id",
    "query",
    "candidate_id",
    "status",
    "grade",
    "probabilities",
    "expected_grade",
    "reason",
    "label_grade",
    "decided_by",
    "decision_reason",
)

# A row that repeats a decided pair is skipped, and stays so; a pair without a grade gets the one that was decided.
_ALL = """SELECT l.query_id, p.query, l.candidate_id,
                 CASE WHEN d.grade IS NOT NULL THEN 'graded' ELSE l.status END AS status,
                 coalesce(d.grade, l.grade) AS grade, l.probabilities, l.expected_grade,
                 CASE WHEN d.grade IS NULL THEN l.reason END AS reason,
                 l.grade AS label_grade, d.decided_by, d.decision_reason, l.row
          FROM labels l JOIN pairs p USING (row)
          LEFT JOIN decided d
          ON l.query_id = d.query_id AND l.candidate_id = d.candidate_id AND l.status <> 'skipped'"""
_ROWS = f"SELECT {', '.join(COLUMNS)} FROM ({_ALL}) ORDER BY row"


def export(run: Run, form: str, out: Path, *, overwrite: bool = False) -> int:
    """Write a finished run to a file, whole or not at all; returns the number of rows written.

    Args:
        run: A run in which every row has its label.
        form: `jsonl` or `parquet` (a row for every input row: `COLUMNS`), or `trec` (the graded ones).
        out: The file to write.
        overwrite: Whether a file that stands there may be replaced.

    Raises:
        RunError: The run is unfinished or does not add up, or an id cannot be written in this format.
        InputError: There is no such format, or the file cannot be written.
    """
    if form not in FORMATS:
        raise InputError(f"--to {form}: there is no such format", f"name one of {', '.join(FORMATS)}")
    with new_file(out, overwrite=overwrite) as partial, run.database(decided=decided(run)) as db:
        run.check_whole()
        return FORMATS[form](db, partial)


def decided(run: Run) -> Any:
    """The decisions that change a grade, as an Arrow table.

    Raises:
        RunError: A decision names a grade that the guideline does not have.
    """
    import pyarrow as pa

    found = [decision for decision in Decisions(run.path).settled().values() if decision.grade is not None]
    values = run.manifest.values
    for decision in found:
        if decision.grade not in values:
            raise RunError(
                f"{run.path}: a decision on {decision.candidate_id!r} has grade {decision.grade}",
                f"decide again; the guideline's grades are {', '.join(map(str, values))}",
            )
    text = pa.string()
    return pa.table(
        {
            "query_id": pa.array([d.query_id for d in found], text),
            "candidate_id": pa.array([d.candidate_id for d in found], text),
            "grade": pa.array([d.grade for d in found], pa.int32()),
            "decided_by": pa.array([d.author for d in found], text),
            "decision_reason": pa.array([d.reason for d in found], text),
        }
    )


def _copy(options: str) -> Callable[[Any, Path], int]:
    def write(db: Any, path: Path) -> int:
        target = str(path).replace("'", "''")
        return int(db.execute(f"COPY ({_ROWS}) TO '{target}' ({options})").fetchone()[0])

    return write


def _trec(db: Any, path: Path) -> int:
    """Lines `query-id 0 candidate-id grade`. TREC separates by white space, so ids must have none."""
    rows = db.execute(f"SELECT row, query_id, candidate_id, grade FROM ({_ALL}) WHERE grade IS NOT NULL ORDER BY row")
    written = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        while batch := rows.fetchmany(10_000):
            for row, query_id, candidate_id, grade in batch:
                for field, value in (("query_id", query_id), ("candidate_id", candidate_id)):
                    if re.search(r"\s", value):
                        raise RunError(
                            f"row {row}, field {field!r}: {value!r} holds white space, which separates TREC's columns",
                            "give ids without white space, or export to jsonl or parquet",
                        )
                stream.write(f"{query_id} 0 {candidate_id} {grade}\n")
            written += len(batch)
    return written


FORMATS: dict[str, Callable[[Any, Path], int]] = {
    "jsonl": _copy("FORMAT json, ARRAY false"),
    "parquet": _copy("FORMAT parquet, COMPRESSION zstd"),
    "trec": _trec,
}
