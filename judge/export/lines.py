"""Formats of text: one file a split, one record a line, read back line by line as whoever reads them would."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from judge.errors import RunError
from judge.export.account import account
from judge.export.chosen import Chosen
from judge.export.formats import Output
from judge.export.joined_run import called, row_called
from judge.export.query_batches import Window, query_batches
from judge.export.written import WrittenView
from judge.notes import note

Key = tuple[str, str, int]
"""A row as a format names it: its query (id or text), its candidate's id, its grade."""


@dataclass(frozen=True)
class Line:
    """One record."""

    text: str
    """Without the line break at its end. A line break within is for CSV's quotes only."""
    split: int
    keys: tuple[Key, ...]
    """The rows that are in it."""


@dataclass(frozen=True)
class LineFormat:
    """A format of lines.

    `write` makes lines of a window; `read` says which rows a file holds, as a program that takes the format finds them.
    """

    write: Callable[[Window, Chosen], Iterator[Line]]
    read: Callable[[Path], Iterable[Key]]
    head: str = ""
    between: str = "\n"
    foot: str = "\n"
    labels: tuple[str, ...] = ()
    qrels: bool = False
    """Whether what reads it takes every grade above 0 as relevant, as trec_eval does."""


def lines_of(form: LineFormat) -> Callable[[Output], WrittenView]:
    """What writes a format of lines."""
    return lambda output: write_lines(output.chosen, form, output.of_split)


def write_lines(chosen: Chosen, form: LineFormat, path_of: Callable[[str], Path]) -> WrittenView:
    """Write a format of lines, one file for each split, and read it back.

    Raises:
        InputError: There is nothing to write.
        RunError: What was read back is not what was to be written, or the format cannot hold it.
    """
    if form.qrels:
        say_all_relevant(chosen.values)
    names = chosen.selection.names
    with ExitStack() as stack:
        files = [stack.enter_context(_Lines(path_of(name), form)) for name in names]
        for window in query_batches(chosen, form.labels):
            for line in form.write(window, chosen):
                files[line.split].add(line)
    for file in files:
        file.read_back(chosen.values)
    rows = sum(file.rows for file in files)
    if rows != chosen.kept:
        raise RunError(f"{called(chosen.run)}: {chosen.kept:,} rows to export, {rows:,} written", "export again")
    records = {name: file.lines for name, file in zip(names, files, strict=True)}
    return account(chosen, records, Counter(), by_row=False)


def say_all_relevant(values: Sequence[int]) -> None:
    """Note that programs which read qrels will take the scale's lowest grade as relevant, where they will."""
    if values[0] > 0:
        note(
            f"the lowest grade is {values[0]}, and trec_eval, BEIR and MTEB take every grade above 0 as relevant: say "
            f"there from which grade on, as in ir_measures' AP(rel={values[-1]})"
        )


class _Lines:
    """One file: grows by lines, and remembers in two numbers which rows it holds."""

    def __init__(self, path: Path, form: LineFormat) -> None:
        self.path = path
        self.lines = self.rows = 0
        self._form = form
        self._sum = 0
        self._stream: IO[str]

    def __enter__(self) -> "_Lines":
        self._stream = self.path.open("w", encoding="utf-8", newline="")
        self._stream.write(self._form.head)
        return self

    def add(self, line: Line) -> None:
        self._stream.write(line.text if not self.lines else self._form.between + line.text)
        self.lines += 1
        self.rows += len(line.keys)
        self._sum = _added(self._sum, line.keys)

    def __exit__(self, *error: object) -> None:
        # A file of lines only has no lone line break where it has no lines.
        self._stream.write(self._form.foot if self.lines or self._form.foot != "\n" else "")
        self._stream.close()

    def read_back(self, values: tuple[int, ...]) -> None:
        """Raise `RunError` unless the file holds the rows that were written, with grades of the guideline."""
        rows = total = 0
        for key in self._form.read(self.path):
            rows += 1
            total = _added(total, (key,))
            if key[2] not in values:
                raise RunError(
                    f"{self.path.name}: holds grade {key[2]}", "report this: the guideline has no such grade"
                )
        if (rows, total) != (self.rows, self._sum):
            what = f"{rows:,} rows read back of {self.rows:,} written"
            raise RunError(f"{self.path.name}: {what}, or others than these", "look at the disk, and export again")


def _added(total: int, keys: Iterable[Key]) -> int:
    return (total + sum(hash(key) for key in keys)) % 2**64


def columns(window: Window, *names: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a window: these columns of its table, then grade and split."""
    read = [window.table.column(name).to_pylist() for name in names]
    return zip(*read, window.grade.tolist(), window.split.tolist(), strict=True)


def refuse_ids(window: Window, chosen: Chosen, pattern: re.Pattern[str], says: tuple[str, str]) -> None:
    """Refuse ids that a format would tear apart: those that hold what a pattern finds, which `says` names, and the fix.

    Raises:
        RunError: One does; names its row.
    """
    for field in ("query_id", "candidate_id"):
        for row, value in zip(window.row.tolist(), window.table.column(field).to_pylist(), strict=True):
            if pattern.search(value):
                where = f"{row_called(chosen.run, row)}, field {field!r}"
                raise RunError(f"{where}: {value!r} holds {says[0]}", says[1])
