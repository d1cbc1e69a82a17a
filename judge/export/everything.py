"""Every input row in input order, whatever became of it: `jsonl`, `parquet`, and `csv` for spreadsheets.

A pair that was decided has the decided grade, `label_grade` keeps the label's own, and `decided_by` and
`decision_reason` say who decided and why. A row without a grade has its status and the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judge.errors import RunError
from judge.export.formats import Output
from judge.export.written import WrittenView
from judge.run.decided import Decided
from judge.run.flags import Flags
from judge.scratch import scratch_folder
from judge.sql import quoted
from judge.tables.values import EVERY_ROW as COLUMNS
from judge.tables.values import inert_sql

# A row that repeats a decided pair is skipped, and stays so; a pair without a grade gets the one that was decided.
_ROWS = """SELECT {} FROM (
          SELECT l.query_id, p.query, l.candidate_id,
                 CASE WHEN d.grade IS NOT NULL THEN 'graded' ELSE l.status END AS status,
                 coalesce(d.grade, l.grade) AS grade, l.probabilities, l.expected_grade,
                 CASE WHEN d.grade IS NULL THEN l.reason END AS reason,
                 l.grade AS label_grade, d.decided_by, d.decision_reason, l.row
          FROM labels l JOIN pairs p USING (row)
          LEFT JOIN decided d
          ON l.query_id = d.query_id AND l.candidate_id = d.candidate_id AND l.status <> 'skipped')
          ORDER BY row"""
# A spreadsheet opens this file: no text in it begins a formula (`inert`), and a list is numbers between spaces.
_TEXTS = ("query_id", "query", "candidate_id", "reason", "decided_by", "decision_reason")
_CELLS = {name: inert_sql(name) for name in _TEXTS}
_CELLS["probabilities"] = "array_to_string(probabilities, ' ') AS probabilities"
# Kinds are given: guessed from the first rows, they are wrong where none of these has a grade.
_JSON = "read_json({}, format = 'newline_delimited', columns = {{'query_id': 'VARCHAR', 'grade': 'INTEGER'}})"
# A text may hold line breaks, which readers of several threads cannot tell from the end of a row.
_CSV = """(SELECT grade::INTEGER AS grade, query_id FROM read_csv({}, header = true, delim = ',', quote = '"',
    escape = '"', all_varchar = true, auto_detect = false, parallel = false, max_line_size = 16777216, columns = {{"""
_CSV += ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS) + "}}))"


@dataclass(frozen=True)
class RowFile:
    """How a file of every row is written and read back."""

    options: str
    """DuckDB's, of `COPY`."""
    reading: str
    """SQL of its rows, with a place for the file's name."""
    cells: Mapping[str, str] = field(default_factory=dict)
    """SQL of columns that are written otherwise than they are."""


JSON_ROWS = RowFile("FORMAT json, ARRAY false", _JSON)
CSV_ROWS = RowFile("FORMAT csv, HEADER", _CSV, _CELLS)
PARQUET_ROWS = RowFile("FORMAT parquet, COMPRESSION zstd", "read_parquet({})")


def every_row(decisions: Decided) -> Any:
    """Every row of a finished run as an Arrow table of `COLUMNS`.

    Raises:
        RunError: The run is unfinished or does not add up.
    """
    run = decisions.run
    run.check_whole()
    with (
        scratch_folder("rows") as scratch,
        run.database(Path(scratch), decided=decisions.table()) as db,
    ):
        return db.sql(_ROWS.format(", ".join(COLUMNS))).to_arrow_table()


def rows_of(file: RowFile) -> Callable[[Output], WrittenView]:
    """What writes every row as a format."""
    return lambda output: _write(output.decisions, file, output.path)


def _write(decisions: Decided, file: RowFile, path: Path) -> WrittenView:
    """Write every row of a finished run, and read it back.

    Raises:
        RunError: The run is unfinished or does not add up, or the file reads back otherwise.
    """
    run = decisions.run
    run.check_whole()
    target = quoted(path)
    wanted = _ROWS.format(", ".join(file.cells.get(name, name) for name in COLUMNS))
    with (
        scratch_folder("export") as scratch,
        run.database(Path(scratch), decided=decisions.table(), flagged=Flags(run.path).pairs()) as db,
    ):
        rows = int(db.execute(f"COPY ({wanted}) TO {target} ({file.options})").fetchone()[0])
        undecided, *_ = db.execute("""SELECT count(*) FROM labels l JOIN flagged f USING (query_id, candidate_id)
            ANTI JOIN decided d USING (query_id, candidate_id) WHERE l.grade IS NOT NULL""").fetchone()
        found = db.execute(
            f"SELECT count(*), count(grade), sum(grade)::HUGEINT, count(query_id) FROM {file.reading.format(target)}"
        ).fetchone()
        there = db.execute(
            f"SELECT count(*), count(grade), sum(grade)::HUGEINT, count(query_id) FROM ({wanted})"
        ).fetchone()
    if found != there or rows != run.manifest.rows:
        raise RunError(f"{path.name}: reads back otherwise than it was written", "look at the disk, and export again")
    return WrittenView(records={"train": rows}, used=rows, left_out={}, undecided=undecided, files=())
