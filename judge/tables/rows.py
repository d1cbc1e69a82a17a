"""Rows out of the files users have, plain or packed, of whatever kind `judge.tables.sniff` says they are.

What is wrong with one row comes out as a `Problem` in its place, so that a job of millions can go on without it. What
makes the rest of a file unreadable (a truncated gzip, a missing header, a quote that never closes) raises `InputError`.
At the end of a file, its rows and problems are held against a count that no reader of rows has a part in.
"""

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

from judge.records import Problem
from judge.tables.crowds import Crowd
from judge.tables.file import File, Row
from judge.tables.json_rows import JsonRows
from judge.tables.parquet import ParquetRows
from judge.tables.qrels import QrelsRows
from judge.tables.separated import SeparatedRows
from judge.tables.sniff import HEAD, kind_of
from judge.tables.workbook import WorkbookRows

__all__ = ["Row", "Table"]

ALIASES: dict[tuple[str, ...], dict[str, str]] = {
    ("query-id", "corpus-id", "score"): {"query_id": "query-id", "candidate_id": "corpus-id", "grade": "score"},
    ("query", "docid", "rating"): {"candidate_id": "docid", "grade": "rating"},
}
"""Headers that a format fixes (BEIR and MTEB, Quepid), with what our names are called there."""


QUEPID = {"query": "Query Text", "candidate_id": "Doc ID", "grade": "Rating"}
"""The same of Quepid's snapshots, which have columns of the case around these."""


class RowReader(Protocol):
    """One kind of file."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Column names; null where every row has its own."""

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order."""


class Table(File):
    """A file of rows, opened far enough to know its columns.

    Args:
        path: Where it lies: a file, a folder of Parquet, or a pattern such as `part-*.parquet`.
        name: What to call it in messages; the path unless given.
        encoding: What its text is in, unless it is UTF-8.

    Raises:
        InputError: The file is absent, of no kind that can be read, or its head cannot be read.
    """

    def __init__(self, path: Path, name: str | None = None, encoding: str | None = None) -> None:
        super().__init__(path, name, encoding)
        with self.reading():
            self.format = kind_of(self.suffix, self._head(), self.name)
            self._reader = self._choose()
        self.crowd = Crowd.of(self.columns)
        """What a platform of crowds says of its rows; null for other files."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Column names; null for JSON, where every row has its own."""
        return self._reader.columns

    def all_columns(self, head: int = 20_000) -> list[str]:
        """The columns; of JSON, the keys of its first rows: many write a key only where it says something."""
        if self.columns is not None:
            return list(self.columns)
        rows = (row.values for row in islice(self.rows(), head) if isinstance(row, Row))
        return list(dict.fromkeys(key for values in rows for key in values))

    @property
    def aliases(self) -> dict[str, str]:
        """Our names to the columns, of a header that a format fixes."""
        columns = self.columns or ()
        return QUEPID if {*QUEPID.values()} <= {*columns} else ALIASES.get(columns, {})

    @property
    def is_plain(self) -> bool:
        """Whether it is Parquet, plain CSV or TSV, or JSON Lines, for which logs have fast readers."""
        if isinstance(self._reader, SeparatedRows):
            return self._reader.dialect.is_plain
        if isinstance(self._reader, ParquetRows):
            return not self._reader.within
        return isinstance(self._reader, JsonRows) and self._reader.is_plain

    @property
    def separator(self) -> str | None:
        """What parts the cells of CSV or TSV; null for other kinds."""
        return self._reader.dialect.separator if isinstance(self._reader, SeparatedRows) else None

    @property
    def width(self) -> int:
        """The cells of a row of CSV or TSV."""
        return self._reader.width if isinstance(self._reader, SeparatedRows) else len(self.columns or ())

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order. Of a Parquet file only the `wanted` columns are read, all unless given.

        Raises:
            InputError: The rest of the file cannot be read, or the rows do not add up to the file's own count.
        """
        with self.reading():
            if self.crowd is None:
                yield from self._reader.rows(wanted)
            else:
                more = None if wanted is None else {*wanted, *self.crowd.columns}
                yield from self.crowd.marked(self._reader.rows(more))

    def _head(self) -> bytes:
        if self.suffix in (".parquet", ".xlsx"):
            return b""
        with self.open()[1] as stream:
            return stream.read(HEAD)

    def _choose(self) -> RowReader:
        if self.format == ".parquet":
            return ParquetRows(self)
        if self.format == ".xlsx":
            return WorkbookRows(self)
        if self.format == ".qrels":
            return QrelsRows(self)
        if self.format in (".jsonl", ".json"):
            return JsonRows(self, document=self.format == ".json")
        return SeparatedRows(self, self.format)
