"""Rows out of the files users have: CSV, TSV, JSONL and Parquet, plain or gzip, by suffix.

What is wrong with one row comes out as a `Problem` in its place, so that a job of millions can go on without it. What
makes the rest of a file unreadable (a truncated gzip, a missing header, a quote that never closes) raises `InputError`.
"""

import csv
import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from judge.errors import InputError
from judge.records import Problem

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

    def __iter__(self) -> Iterator[Row | Problem]:
        """All rows in order. Raises `InputError` where the rest of the file cannot be read."""
        read = {".parquet": self._parquet_rows, ".jsonl": self._json_rows}.get(self.format, self._csv_rows)
        with self._reading():
            yield from read()

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
        text = _text(stream, self.name)
        return csv.reader(text, delimiter="\t" if self.format == ".tsv" else ",", strict=True)

    def _header(self) -> tuple[str, ...]:
        with self._open() as stream:
            try:
                header = tuple(name.strip() for name in next(self._csv(stream), []))
            except csv.Error as error:
                raise InputError(f"{self.name}, line 1: {error}", "mend the quotes of the header") from None
        if not any(header):
            raise InputError(f"{self.name}: has no header line", "put the column names on the first line")
        for name in header:
            if not _encodable(name):
                raise InputError(f"{self.name}, line 1: is not UTF-8 text", "save the file as UTF-8")
            if name and header.count(name) > 1:
                raise InputError(f"{self.name}, line 1: column {name!r} occurs twice", "rename or drop one of them")
        return header

    def _csv_rows(self) -> Iterator[Row | Problem]:
        columns = cast("tuple[str, ...]", self.columns)
        with self._open() as stream:
            reader = self._csv(stream)
            next(reader)
            number, before = 0, reader.line_num
            while True:
                line = before + 1
                try:
                    cells = next(reader, None)
                except csv.Error as error:
                    number, before = number + 1, reader.line_num
                    yield self._broken_csv(str(error), number, line, before)
                    continue
                if cells is None:
                    return
                before = reader.line_num
                if not cells:
                    continue
                number += 1
                if len(cells) != len(columns):
                    message = f"has {len(cells)} cells where the header has {len(columns)}"
                    if before > line:
                        message += f" and runs on to line {before}: a quote may be open"
                    fix = "quote cells that hold the separator, and double the quotes inside them"
                    yield self.problem("ragged_row", message, fix, number, line)
                else:
                    yield Row(number, line, dict(zip(columns, cells, strict=True)))

    def _broken_csv(self, error: str, number: int, line: int, last: int) -> Problem:
        message = error + (f", and runs on to line {last}: a quote may be open" if last > line else "")
        problem = self.problem(
            "broken_quotes", message, "quote the whole cell, and double the quotes inside it", number, line
        )
        if "end of data" in error:
            # Everything after the open quote was read as one cell: the rows in it are lost to any reader.
            raise InputError(str(problem), problem.fix)
        return problem

    # JSON Lines

    def _json_rows(self) -> Iterator[Row | Problem]:
        number = 0
        fix = "write one JSON object on each line, as UTF-8"
        with self._open() as stream:
            for line, raw in enumerate(stream, 1):
                if line == 1:
                    _refuse_utf16(raw, self.name)
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                if not raw.strip():
                    continue
                number += 1
                try:
                    value = json.loads(raw.decode("utf-8"))
                except UnicodeDecodeError as error:
                    yield self.problem("wrong_encoding", f"is not UTF-8 text ({error.reason})", fix, number, line)
                    continue
                except (json.JSONDecodeError, RecursionError) as error:
                    message = f"invalid JSON ({getattr(error, 'msg', 'nested too deep')})"
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

    def _parquet_rows(self) -> Iterator[Row]:
        number = 0
        for batch in self._parquet().iter_batches(batch_size=8192):
            for values in batch.to_pylist():
                number += 1
                yield Row(number, None, values)


def as_text(value: Any, join: str = ", ") -> str | None:
    """A cell as text: lists joined, whole floats without `.0`, null, NaN and blank as null.

    Raises:
        ValueError: The value is an object, or text that is not valid Unicode.
    """
    if isinstance(value, str):
        text = value
    elif value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        text = str(int(value))
    elif isinstance(value, list | tuple):
        text = join.join(part for part in (as_text(item, join) for item in value) if part)
    elif isinstance(value, Mapping):
        raise ValueError("is an object where text is wanted")
    elif isinstance(value, bytes):
        raise ValueError("holds bytes where text is wanted")
    else:
        text = str(value)
    if not _encodable(text):
        raise ValueError("is not UTF-8 text")
    return text if text.strip() else None


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


def _text(stream: IO[bytes], name: str) -> Iterator[str]:
    """Lines with undecodable bytes kept as surrogates, which `as_text` finds later, at their row and field."""
    for index, raw in enumerate(stream):
        if index == 0:
            _refuse_utf16(raw, name)
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        yield raw.decode("utf-8", "surrogateescape")


def _refuse_utf16(head: bytes, name: str) -> None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{name}: is UTF-16 text", "save the file as UTF-8")


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
