"""The pairs whose grade or status moved between two versions, largest movement first: a few to show, all to a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.diff.versions import column_title
from judge.errors import InputError
from judge.files import new_file
from judge.places import check_writable
from judge.sql import quoted
from judge.tables.values import inert_sql

SUFFIXES = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER", ".jsonl": "FORMAT json"}


@dataclass(frozen=True)
class Move:
    """One pair that moved. A decided grade counts as the grade, and as what was expected."""

    query_id: str
    """In the later version."""
    query: str
    candidate_id: str
    title: str | None
    a_status: str
    b_status: str
    a_grade: int | None
    b_grade: int | None
    a_expected: float | None
    b_expected: float | None
    shift: float | None
    """By how much the expected grade rose; null where a side has none."""
    a_confidence: float | None
    b_confidence: float | None
    a_reason: str | None
    b_reason: str | None
    a_label_grade: int | None
    """The label's own grade, before any decision."""
    b_label_grade: int | None
    a_decided_by: str | None
    b_decided_by: str | None
    a_decision_reason: str | None
    b_decision_reason: str | None
    reworded: bool | None
    """Whether query or candidate had another text."""


TEXTS = (
    *("query_id", "query", "candidate_id", "title", "a_reason", "b_reason"),
    *("a_decided_by", "b_decided_by", "a_decision_reason", "b_decision_reason"),
)
"""Columns with words of others."""


def largest(db: Any, most: int) -> list[Move]:
    """The first `most` of the moved pairs."""
    return [Move(*row) for row in db.execute(f"{_sql(db)} LIMIT {most}").fetchall()]


def write_moves(db: Any, out: Path, *, overwrite: bool = False) -> int:
    """Write every moved pair to a file, whole or not at all; returns how many. In CSV no cell begins a formula.

    Raises:
        InputError: The suffix is none of `SUFFIXES`, the file is already there, or cannot be written.
    """
    check_out(out)
    sql = _sql(db)
    if out.suffix == ".csv":
        sql = f"SELECT * REPLACE ({', '.join(map(inert_sql, TEXTS))}) FROM ({sql})"
    with new_file(out, overwrite=overwrite) as partial:
        return int(db.execute(f"COPY ({sql}) TO {quoted(partial)} ({SUFFIXES[out.suffix]})").fetchone()[0])


def check_out(out: Path) -> None:
    """Refuse a file whose name does not say what to write, and one that cannot be written.

    Raises:
        InputError: It is such a file.
    """
    if out.suffix not in SUFFIXES:
        raise InputError(f"--out {out}: cannot tell what to write", f"name it {', '.join(SUFFIXES)}")
    check_writable(out.parent)


def _sql(db: Any) -> str:
    """Moved pairs with their texts: B's, or A's where B has none."""
    titles = {}
    for side in "ab":
        kind = db.execute(f"SELECT candidate FROM pairs_{side} LIMIT 0").description[0][1]
        titles[side] = column_title(f"p{side}", [name for name, _ in kind.children])
    columns = {"query_id": "b_query_id", "query": "pb.query", "title": f"coalesce({titles['b']}, {titles['a']})"}
    chosen = ", ".join(f"{columns.get(name, 'paired.' + name)} AS {name}" for name in Move.__dataclass_fields__)
    return f"""SELECT {chosen} FROM paired JOIN pairs_a pa ON pa.row = a_row JOIN pairs_b pb ON pb.row = b_row
        WHERE NOT same ORDER BY abs(shift) DESC NULLS LAST, b_query_id, paired.candidate_id"""
