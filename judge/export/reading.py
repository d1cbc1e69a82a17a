"""Written rows read back through the one reader of tables that ratings and pairs go through, too."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from judge.errors import RunError
from judge.export.formats import ReadPair
from judge.export.lines import Key
from judge.tables.delimited import FIELD_LIMIT
from judge.tables.rows import Row, RowReader, Table


def read_pairs(path: Path) -> Iterator[ReadPair]:
    """The rows of a table with `query_id, query, candidate_id, grade`: CSV, JSONL or Parquet, as its suffix says.

    A header that a format fixes may call them otherwise.

    Raises:
        RunError: A row cannot be read.
    """

    def text(value: Any) -> str | None:
        return None if value is None else str(value)

    table = Table(path)
    names = [table.aliases.get(name, name) for name in ("query_id", "query", "candidate_id", "grade")]
    for row in table.rows(names):
        if not isinstance(row, Row):
            raise RunError(f"{path.name}: reads back otherwise than written ({row})", "export again")
        query_id, query, candidate_id = (text(row.values.get(name)) for name in names[:3])
        grade = row.values.get(names[3])
        yield ReadPair(query_id, query, candidate_id, int(grade) if grade not in (None, "") else None)


def read_keys(reader: RowReader, query: str) -> Iterator[Key]:
    """The rows of a file that is written for another tool, as the reader of that tool's files finds them.

    Args:
        reader: Of one kind of file.
        query: Whether a query is known by its `query_id` or by its words, `query`.

    Raises:
        RunError: A row cannot be read.
    """
    for row in reader.rows():
        found = row.values if isinstance(row, Row) else {}
        try:
            yield found[query], found["candidate_id"], int(found["grade"])
        except (KeyError, ValueError, TypeError):
            raise RunError(f"a record reads back otherwise than written ({row})", "export again") from None


def plain_cells(path: Path, separator: str, header: Sequence[str]) -> Iterator[list[str]]:
    """The rows under a header, as a program finds them that knows nothing of guarded cells.

    Raises:
        RunError: The file has another header.
    """
    csv.field_size_limit(FIELD_LIMIT)  # Python's own is less than what is read as an id or a query
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream, delimiter=separator, strict=True)
        if next(reader) != list(header):
            raise RunError(f"{path.name}: reads back without its header", "look at the disk, and export again")
        yield from reader


def by_id(found: Iterator[Key]) -> Iterator[ReadPair]:
    """Rows that know their query by its id."""
    return (ReadPair(query_id, None, candidate_id, grade) for query_id, candidate_id, grade in found)


def by_words(found: Iterator[Key]) -> Iterator[ReadPair]:
    """Rows that know their query by its words."""
    return (ReadPair(None, query, candidate_id, grade) for query, candidate_id, grade in found)
