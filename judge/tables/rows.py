"""Rows out of the files users have: CSV, TSV, JSONL and Parquet, plain or gzip, by suffix.

What is wrong with one row comes out as a `Problem` in its place, so that a job of millions can go on without it. What
makes the rest of a file unreadable (a truncated gzip, a missing header, a quote that never closes) raises `InputError`.
At the end of a file, its rows and problems are held against a count that no reader of rows has a part in.
"""

import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from judge.documents import NotJSON, unique
from judge.errors import InputError
from judge.records import Problem, counted
from judge.tables.delimited import Cells, read_cells
from judge.tables.line_count import CHUNK, CountedBytes, open_bytes
from judge.tables.lines import byte_lines, text_lines
from judge.tables.sniff import refuse_place, refuse_separator
from judge.tables.values import GUARDED, restored
from judge.text import encodable

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


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
        with self.reading():
            refuse_place(path, self.name)
        suffixes = [s.lower() for s in path.suffixes]
        self.zipped = bool(suffixes) and suffixes[-1] == ".gz"
        self.format = next(iter(suffixes[-2:-1] if self.zipped else suffixes[-1:]), "")
        if self.format not in SUFFIXES:
            raise InputError(
                f"{self.name}: cannot tell what kind of file this is", f"name it {', '.join(SUFFIXES)} (.gz may follow)"
            )
        self.columns: tuple[str, ...] | None = None
        """Column names; null for JSONL, where every row has its own."""
        with self.reading():
            if self.format == ".parquet":
                self.columns = tuple(self._parquet().schema_arrow.names)
            elif self.format != ".jsonl":
                self.columns = self._header()
            else:
                open_bytes(path, self.zipped).close()
        for column, times in Counter(filter(None, self.columns or ())).items():
            if times > 1:
                raise InputError(f"{self.name}, line 1: column {column!r} occurs twice", "rename or drop one of them")

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order. Of a Parquet file only the `wanted` columns are read, all unless given.

        Raises:
            InputError: The rest of the file cannot be read, or the rows do not add up to the file's own count.
        """
        with self.reading():
            if self.format == ".parquet":
                yield from self._parquet_rows([name for name in self.columns or () if wanted is None or name in wanted])
            else:
                yield from self._json_rows() if self.format == ".jsonl" else self._csv_rows()

    def problem(
        self, kind: str, message: str, fix: str, row: int, line: int | None, field: str | None = None
    ) -> Problem:
        """A problem at a place in this file."""
        return Problem(kind=kind, file=self.name, message=message, fix=fix, row=row, line=line, field=field)

    def _open(self) -> tuple[CountedBytes, io.BufferedReader]:
        counted_bytes = CountedBytes(open_bytes(self.path, self.zipped))
        return counted_bytes, io.BufferedReader(counted_bytes, CHUNK)

    def reading(self) -> "_Reading":
        """A context in which what goes wrong with the file's bytes becomes one clear error."""
        return _Reading(self.name)

    def _prove(self, read: int, there: int, noun: str) -> None:
        """Refuse a file of which not all was read."""
        if read != there:
            message = f"{self.name}: {counted(read, noun)} could be read of {there:,} that the file has"
            raise InputError(message, "write the file again, or give its rows as JSONL")

    # CSV and TSV

    @property
    def _separator(self) -> str:
        return "\t" if self.format == ".tsv" else ","

    @property
    def _fix(self) -> str:
        if self.format == ".tsv":
            return "TSV has no quotes: give texts that hold tabs or line breaks as CSV or JSONL"
        return "quote cells that hold the separator, a quote or a line break; double the quotes inside"

    def _header(self) -> tuple[str, ...]:
        with self._open()[1] as stream:
            head = next(filter(str.strip, text_lines(stream, self.name)), None)
        if head is None:
            raise InputError(f"{self.name}: is empty", "give a file with the column names on its first line")
        refuse_separator(head, self._separator, self.name)
        with self._open()[1] as stream:
            found = next(filter(_filled, read_cells(text_lines(stream, self.name), self._separator)))
        if found.swallowed:
            raise self._runs_on(found, f"{self.name}, line {found.line}: is the header")
        if found.fault:
            raise InputError(f"{self.name}, line {found.line}: {found.fault}", "fix the quotes of the header")
        header = tuple(name.strip() for name in found.cells)
        if not any(header):
            raise InputError(f"{self.name}: has no header line", "put the column names on the first line")
        if not all(encodable(name) for name in header):
            raise InputError(f"{self.name}, line 1: is not UTF-8 text", "save the file as UTF-8")
        return header

    def _csv_rows(self) -> Iterator[Row | Problem]:
        columns = cast("tuple[str, ...]", self.columns)
        counted_bytes, stream = self._open()
        with stream:
            number, lines = -1, 0
            for record in read_cells(text_lines(stream, self.name), self._separator):
                lines += record.last - record.line + 1
                number += _filled(record)
                if number > 0 and _filled(record):
                    yield self._row(record, number, columns)
            self._prove(lines, counted_bytes.finish().total, "line")

    def _row(self, record: Cells, number: int, columns: tuple[str, ...]) -> Row | Problem:
        fault = record.fault
        if not fault and len(record.cells) != len(columns):
            fault = f"has {counted(len(record.cells), 'cell')} where the header has {len(columns)}"
        if not fault and not record.swallowed:
            cells = map(restored, record.cells) if columns in GUARDED else record.cells
            return Row(number, record.line, dict(zip(columns, cells, strict=True)))
        kind = "broken_quotes" if record.fault or record.swallowed else "ragged_row"
        problem = self.problem(kind, fault or "holds lines that look like rows", self._fix, number, record.line)
        if record.last > record.line or record.unclosed:
            raise self._runs_on(record, str(problem))
        return problem

    def _runs_on(self, record: Cells, what: str) -> InputError:
        """Lines that a quote may have swallowed: nobody knows how many rows they were, so none of them is skipped."""
        fix = f"{self._fix}; texts of several lines can also be given as JSONL"
        return InputError(f"{what}, and runs on to line {record.last}: a quote may be open", fix)

    # JSON Lines

    def _json_rows(self) -> Iterator[Row | Problem]:
        number = 0
        fix = "write one JSON object on each line, as UTF-8"
        counted_bytes, stream = self._open()
        with stream:
            for line, raw in enumerate(byte_lines(stream, self.name), 1):
                if not raw.strip():
                    continue
                number += 1
                try:
                    value = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
                except UnicodeDecodeError:
                    yield self.problem("wrong_encoding", "is not UTF-8 text", fix, number, line)
                    continue
                except NotJSON as error:
                    yield self.problem("invalid_json", f"invalid JSON ({error})", "give each key once", number, line)
                    continue
                except (ValueError, RecursionError) as error:
                    at = f"wrong at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
                    message = f"invalid JSON ({at or 'a number too long, or nested too deep'})"
                    yield self.problem("invalid_json", message, fix, number, line)
                    continue
                if isinstance(value, dict):
                    yield Row(number, line, value)
                else:
                    yield self.problem("invalid_json", "is not a JSON object", fix, number, line)
            self._prove(number, counted_bytes.finish().filled, "row")

    # Parquet

    def _parquet(self) -> Any:
        import pyarrow.parquet as pq

        if self.zipped:
            raise InputError(f"{self.name}: Parquet compresses itself", "gunzip it first")
        return pq.ParquetFile(self.path)

    def _parquet_rows(self, columns: list[str]) -> Iterator[Row | Problem]:
        from judge.tables.parquet import read_rows

        file, number = self._parquet(), 0
        for number, values in enumerate(read_rows(self.path, columns, self.name), 1):
            if values is None:
                fix = "write a value that can be read, or null"
                what = "a value is beyond what its type can hold, or the row longer than 64 MiB"
                yield self.problem("not_text", what, fix, number, None)
            else:
                yield Row(number, None, values)
        self._prove(number, file.metadata.num_rows, "row")


def _filled(record: Cells) -> bool:
    return bool(record.cells or record.fault)


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
            cut = "ends in the middle: the gzip is truncated" if isinstance(error, EOFError) else "is not whole gzip"
            raise InputError(f"{self.name}: {cut}", "copy or write the file again") from None
        if isinstance(error, OSError) and error.strerror:
            raise InputError(
                f"{self.name}: cannot be read ({error.strerror})", "name a file that can be read"
            ) from None
        if isinstance(error, MemoryError):
            raise InputError(
                f"{self.name}: holds more than memory does", "give it in parts, or without its longest texts"
            ) from None
        # A damaged page of Parquet is an OSError without a number.
        if isinstance(error, OSError) or type(error).__module__.startswith("pyarrow"):
            raise InputError(f"{self.name}: is not whole Parquet", "write the file again") from None
