"""Every input row in input order, whatever became of it: `jsonl` and `parquet`.

A pair that was decided has the decided grade, `label_grade` keeps the label's own, and `decided_by` and
`decision_reason` say who decided and why. A row without a grade has its status and the reason.
"""

import tempfile
from pathlib import Path

from judge.errors import RunError
from judge.export.decided import decided
from judge.export.written import WrittenView
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
_ROWS = f"""SELECT {", ".join(COLUMNS)} FROM (
          SELECT l.query_id, p.query, l.candidate_id,
                 CASE WHEN d.grade IS NOT NULL THEN 'graded' ELSE l.status END AS status,
                 coalesce(d.grade, l.grade) AS grade, l.probabilities, l.expected_grade,
                 CASE WHEN d.grade IS NULL THEN l.reason END AS reason,
                 l.grade AS label_grade, d.decided_by, d.decision_reason, l.row
          FROM labels l JOIN pairs p USING (row)
          LEFT JOIN decided d
          ON l.query_id = d.query_id AND l.candidate_id = d.candidate_id AND l.status <> 'skipped')
          ORDER BY row"""
# Kinds are given: guessed from the first rows, they are wrong where none of these has a grade.
_JSON = "read_json('{}', format = 'newline_delimited', columns = {{'query_id': 'VARCHAR', 'grade': 'INTEGER'}})"
_OPTIONS = {
    "jsonl": ("FORMAT json, ARRAY false", _JSON),
    "parquet": ("FORMAT parquet, COMPRESSION zstd", "read_parquet('{}')"),
}


def write_everything(run: Run, form: str, path: Path) -> WrittenView:
    """Write every row of a finished run as `jsonl` or `parquet`, and read it back.

    Raises:
        RunError: The run is unfinished or does not add up, or the file reads back otherwise.
    """
    run.check_whole()
    target, (options, reading) = str(path).replace("'", "''"), _OPTIONS[form]
    with (
        tempfile.TemporaryDirectory(prefix="export-") as scratch,
        run.database(Path(scratch), decided=decided(run)) as db,
    ):
        rows = int(db.execute(f"COPY ({_ROWS}) TO '{target}' ({options})").fetchone()[0])
        found = db.execute(
            f"SELECT count(*), count(grade), sum(grade)::HUGEINT, count(query_id) FROM {reading.format(target)}"
        ).fetchone()
        there = db.execute(
            f"SELECT count(*), count(grade), sum(grade)::HUGEINT, count(query_id) FROM ({_ROWS})"
        ).fetchone()
    if found != there or rows != run.manifest.rows:
        raise RunError(f"{path.name}: reads back otherwise than it was written", "look at the disk, and export again")
    return WrittenView(records={"train": rows}, used=rows, left_out={}, files=())
