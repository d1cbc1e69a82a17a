"""Labels out: a finished run as JSON Lines, Parquet or TREC qrels, in input order, streamed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from judge.errors import InputError, RunError
from judge.files import new_file
from judge.store import Run

COLUMNS = ("query_id", "query", "candidate_id", "status", "grade", "probabilities", "expected_grade", "reason")

_ALL = """SELECT l.query_id, p.query, l.candidate_id, l.status, l.grade, l.probabilities, l.expected_grade, l.reason
          FROM labels l JOIN pairs p USING (row) ORDER BY l.row"""


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
    with new_file(out, overwrite=overwrite) as partial, run.database() as db:
        run.check_whole()
        return FORMATS[form](db, partial)


def _copy(options: str) -> Callable[[Any, Path], int]:
    def write(db: Any, path: Path) -> int:
        target = str(path).replace("'", "''")
        return int(db.execute(f"COPY ({_ALL}) TO '{target}' ({options})").fetchone()[0])

    return write


def _trec(db: Any, path: Path) -> int:
    """Lines `query-id 0 candidate-id grade`. TREC separates by white space, so ids must have none."""
    rows = db.execute("SELECT row, query_id, candidate_id, grade FROM labels WHERE grade IS NOT NULL ORDER BY row")
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
