"""Written rows read back through the one reader of tables that ratings and pairs go through, too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from judge.errors import RunError
from judge.export.formats import ReadPair
from judge.export.lines import Key
from judge.tables.rows import Row, Table


def read_pairs(path: Path) -> Iterator[ReadPair]:
    """The rows of a table with `query_id, query, candidate_id, grade`: CSV, JSONL or Parquet, as its suffix says.

    Raises:
        RunError: A row cannot be read.
    """

    def text(value: Any) -> str | None:
        return None if value is None else str(value)

    for row in Table(path).rows(("query_id", "query", "candidate_id", "grade")):
        if not isinstance(row, Row):
            raise RunError(f"{path.name}: reads back otherwise than written ({row})", "export again")
        query_id, query, candidate_id = (text(row.values.get(name)) for name in ("query_id", "query", "candidate_id"))
        grade = row.values.get("grade")
        yield ReadPair(query_id, query, candidate_id, int(grade) if grade not in (None, "") else None)


def by_id(found: Iterator[Key]) -> Iterator[ReadPair]:
    """Rows that know their query by its id."""
    return (ReadPair(query_id, None, candidate_id, grade) for query_id, candidate_id, grade in found)


def by_words(found: Iterator[Key]) -> Iterator[ReadPair]:
    """Rows that know their query by its words."""
    return (ReadPair(None, query, candidate_id, grade) for query, candidate_id, grade in found)
