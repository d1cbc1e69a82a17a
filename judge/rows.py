"""Rows out of the files users have: CSV, TSV, JSONL and Parquet, plain or gzip, by suffix.

What is wrong with one row comes out as a `Problem` in its place, so that a job of millions can go on without it. What
makes the rest of a file unreadable (a truncated gzip, a missing header, a quote that never closes) raises `InputError`.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from judge.errors import InputError
from judge.heads import refuse_place, refuse_separator
from judge.lines import byte_lines, text_lines
from judge.records import Problem, counted
from judge.text import encodable

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
FIELD_LIMIT = 16 * 1024 * 1024
"""The longest CSV field in characters: beyond it a quote is open, not a text long."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the file has it."""

    number: int
    """Counted from 1; a header and blank lines do not count."""
    line: int | None
    """The line of the file it starts on; null for Parquet."""
    values: Mapping[str, Any]


class Table:
    """A file of rows, opened far enough to know its columns.

    Args:
        path: Where it lies. The suffix says what it is; `.gz` may follow.
        name: What to call it in messages; the path unless given.

    Raises:
        InputError: The file is absent, of another kind, or its head cannot be read.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        self.name = name or str(path)
        with self._reading():
            refuse_place(path, self.name)
        suffixes = [s.lower() for s in path.suffixes]
        self._zipped = bool(suffixes) and suffixes[-1] == ".gz"
        self.format = next(iter(suffixes[-2:-1] if self._zipped else suffixes[-1:]), "")
        if self.format not in SUFFIXES:
            raise InputError(
                f"{self.name}: cannot tell what kind of file this is", f"name it {', '.join(SUFFIXES)} (.gz may follow)"
            )
        self.columns: tuple[str, ...] | None = None
        """Column names; null for JSONL, where every row has its own."""
        with self._reading():
            if self.format == ".parquet":
                self.columns = tuple(self._parquet().schema_arrow.names)
            elif self.format != ".jsonl":
                self.columns = self._header()
            else:
                self._open().close()
        for column in self.columns or ():
            if column and (self.columns or ()).count(column) > 1:
                raise InputError(f"{self.name}, line 1: column {column!r} occurs twice", "rename or drop one of them")

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order. Of a Parquet file only the `wanted` columns are read, all unless given.

        Raises:
            InputError: The rest of the file cannot be read.
        """
        with self._reading():
            if self.format == ".parquet":
                yield from self._parquet_rows([name for name in self.columns or () if wanted is None or name in wanted])
            else:
                yield from self._json_rows() if self.format == ".jsonl" else self._csv_rows()

    def problem(
        self, kind: str, message: str, fix: str, row: int, line: int | None, field: str | None = None
    ) -> Problem:
        """A problem at a place in this file."""
        return Problem(kind=kind, file=self.name, message=message, fix=fix, row=row, line=line, field=field)

    def _open(self) -> IO[bytes]:
        return cast("IO[bytes]", gzip.open(self.path, "rb")) if self._zipped else self.path.open("rb")

    def _reading(self) -> "_Reading":
        return _Reading(self.name)

    # CSV and TSV

    def _csv(self, stream: IO[bytes]) -> Any:
        csv.field_size_limit(FIELD_LIMIT)
        text = text_lines(stream, self.name)
        return csv.reader(text, delimiter=self._separator, strict=True)

    @property
    def _separator(self) -> str:
        return "\t" if self.format == ".tsv" else ","

    def _header(self) -> tuple[str, ...]:
        with self._open() as stream:
            head = next(filter(str.strip, text_lines(stream, self.name)), None)
        if head is None:
            raise InputError(f"{self.name}: is empty", "give a file with the column names on its first line")
        refuse_separator(head, self._separator, self.name)
        with self._open() as stream:
            try:
                header = tuple(name.strip() for name in next(filter(None, self._csv(stream)), []))
            except csv.Error as error:
                fix = "mend the quotes of the header, and end lines with LF or CRLF"
                raise InputError(f"{self.name}, line 1: {error}", fix) from None
        if not any(header):
            raise InputError(f"{self.name}: has no header line", "put the column names on the first line")
        if not all(encodable(name) for name in header):
            raise InputError(f"{self.name}, line 1: is not UTF-8 text", "save the file as UTF-8")
        return header

    def _csv_rows(self) -> Iterator[Row | Problem]:
        columns = cast("tuple[str, ...]", self.columns)
        with self._open() as stream:
            reader = self._csv(stream)
            next(filter(None, reader))
            number, before = 0, reader.line_num
            while True:
                line = before + 1
                try:
                    cells = next(reader, None)
                except csv.Error as error:
                    number, before = number + 1, reader.line_num
                    yield self._broken("broken_quotes", str(error), (number, line, before))
                    continue
                if cells is None:
                    return
                before = reader.line_num
                if not cells:
                    continue
                number += 1
                if len(cells) != len(columns):
                    message = f"has {counted(len(cells), 'cell')} where the header has {len(columns)}"
                    yield self._broken("ragged_row", message, (number, line, before))
                elif before > line and self.format == ".tsv":
                    yield self._broken("broken_quotes", "a cell with a line break", (number, line, before))
                else:
                    yield Row(number, line, dict(zip(columns, cells, strict=True)))

    def _broken(self, kind: str, message: str, place: tuple[int, int, int]) -> Problem:
        """A row that does not fit, at row number, first and last line.

        One that runs over several lines has swallowed an unknown number of rows: that cannot be skipped, only refused.
        So are line breaks in TSV, where most writers do not quote and a quote is a letter.
        """
        number, line, last = place
        fix = "quote cells that hold the separator, a quote or a line break; double the quotes inside"
        problem = self.problem(kind, message, fix, number, line)
        if last == line and "end of data" not in message:
            return problem
        hint = fix if self.format == ".csv" else "give texts with line breaks or quotes as CSV or JSONL"
        raise InputError(f"{problem}, and runs on to line {last}: a quote may be open", hint)

    # JSON Lines

    def _json_rows(self) -> Iterator[Row | Problem]:
        number = 0
        fix = "write one JSON object on each line, as UTF-8"
        with self._open() as stream:
            for line, raw in enumerate(byte_lines(stream, self.name), 1):
                if not raw.strip():
                    continue
                number += 1
                try:
                    value = json.loads(raw.decode("utf-8"))
                except UnicodeDecodeError as error:
                    yield self.problem("wrong_encoding", f"is not UTF-8 text ({error.reason})", fix, number, line)
                    continue
                except (ValueError, RecursionError) as error:
                    what = getattr(error, "msg", "a number too long, or nested too deep")
                    message = f"invalid JSON ({what})"
                    yield self.problem("invalid_json", message, fix, number, line)
                    continue
                if isinstance(value, dict):
                    yield Row(number, line, value)
                else:
                    yield self.problem("invalid_json", "is not a JSON object", fix, number, line)

    # Parquet

    def _parquet(self) -> Any:
        import pyarrow.parquet as pq

        if self._zipped:
            raise InputError(f"{self.name}: Parquet compresses itself", "gunzip it first")
        return pq.ParquetFile(self.path)

    def _parquet_rows(self, columns: list[str]) -> Iterator[Row | Problem]:
        from judge.parquet import read_rows

        for number, values in enumerate(read_rows(self._parquet(), columns), 1):
            if isinstance(values, str):
                fix = "write a value that can be read, or null"
                yield self.problem("not_text", f"cannot be read ({values})", fix, number, None)
            else:
                yield Row(number, None, values)


class _Reading:
    """Turns what readers raise in mid-file into one clear error."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, InputError | GeneratorExit):
            return
        if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
            cut = (
                "ends in the middle: the gzip is truncated"
                if isinstance(error, EOFError)
                else f"is not whole gzip ({error})"
            )
            raise InputError(f"{self.name}: {cut}", "copy or write the file again") from None
        if isinstance(error, OSError):
            raise InputError(
                f"{self.name}: cannot be read ({error.strerror or error})", "name a file that can be read"
            ) from None
        if type(error).__module__.startswith("pyarrow"):
            raise InputError(f"{self.name}: is not whole Parquet ({error})", "write the file again") from None
