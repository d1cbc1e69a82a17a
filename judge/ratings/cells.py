"""A file of ratings row by row: each grade with who gave it to which pair, or with what is wrong with it.

A cell that cannot be used costs the cell, and never the other raters' grades in its row. What is wrong with the row
itself (no query, no candidate, a time that is none) costs the row. Both count once.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from judge.pairs.identity import NAMES as IDENTITY
from judge.pairs.identity import OWN_WORDS, Identity, QueryNames, identify, read_texts
from judge.ratings.layout import CORE, DESCRIBED, RatingsLayout, Roles, find_roles
from judge.ratings.settle import Laid, Settled, settle
from judge.records import Problem
from judge.tables.likely import likely_rater
from judge.tables.problems import Problems
from judge.tables.rows import Row, Table
from judge.tables.scale import Scale
from judge.tables.values import TIMES, as_text, as_time

BATCH = 20_000
SAID = ("rater", "clause", "time")
PAIR = ("query_id", "query", "words", "candidate_id")
COLUMNS = ("row", "line", "field", *PAIR, "rater", "grade", "clause", "time", "mean", "reason", "skip")
"""What is laid down of each grade; `mean` as `judge.records.Rating` has it. `reason` is null where it counts, else a
short name; `skip` says it in words."""
TYPES = {"row": "int64", "line": "int64", "grade": "int32", "time": "float64", "mean": "float64"}
_NONE = (None,) * 4


class Cells:
    """Takes a table's rows in order, and lays their grades down on disk; see `judge.pairs.intake.Grader`.

    Args:
        table: The file.
        layout: What the user said of it.
        values: The guideline's grades, ascending.
        directory: Where to lay grades down; `settle` leaves `ratings.parquet` there.
        names: How rows name their queries.
        described: Whether to keep what the file says of pairs, `DESCRIBED`.
    """

    def __init__(
        self,
        table: Table,
        layout: RatingsLayout,
        values: Sequence[int],
        directory: Path,
        names: QueryNames = OWN_WORDS,
        *,
        described: bool = False,
    ) -> None:
        self.names = names
        self.table, self.layout, self.directory = table, layout, directory
        self.fitted = layout.columns()
        self.scale = Scale(layout.grades, values)
        self.problems = Problems()
        self.read = 0
        """Rows so far."""
        self.long = False
        """Whether rows name raters."""
        self.settled: Settled | None = None
        self._described = DESCRIBED if described else ()
        self._roles: Roles | None = None
        self._lines: list[tuple[Any, ...]] = []
        self._writer: Any = None
        if table.columns is not None:
            self._open(table.columns)

    def columns(self) -> set[str]:
        """The file's columns that hold grades, or say something of them."""
        names = (*CORE, *self._described)
        return {*self.fitted.sources(names), *self.layout.raters, self.layout.gold or ""} - {""}

    def add(self, row: Row | Problem, pair: Identity | Problem) -> None:
        """Take the grades of one row of `pair`, or count what is wrong with it."""
        self.read += 1
        if isinstance(row, Problem):
            self._aside(row)
            return
        roles = self._roles or self._open(tuple(row.values))
        if row.aside is not None:
            named = (pair.query_id, pair.query, pair.words, pair.candidate_id) if isinstance(pair, Identity) else _NONE
            self._put(row, None, (*named, *(None,) * 5), reason=row.aside, skip=row.aside.replace("_", " "))
            return
        found = self.fitted.find(tuple(row.values))
        # Of rows that are bad otherwise as well: what they hold tells the scale.
        columns = dict.fromkeys([*([found.get("grade")] if roles.single else []), *roles.wide])
        grades = [(column, self.scale.read(self.table, row, column)) for column in columns]
        given = [(column, grade) for column, grade in grades if column is not None and grade is not None]
        said = pair if isinstance(pair, Problem) else self._said(row, found) if given else None
        if isinstance(pair, Problem) or isinstance(said, Problem):
            assert isinstance(said, Problem)
            self._aside(said)
            return
        named = (pair.query_id, pair.query, pair.words, pair.candidate_id)
        if not given:  # its ids say all the same how the file writes ids
            self._put(row, None, (*named, *(None,) * 5), reason="no_grade", skip="no grade given")
            return
        assert said is not None
        rater, clause, time = said
        described = self._describe(row, found) if self._described else ()
        for column, grade in given:
            if isinstance(grade, Problem):
                self._aside(grade)
                continue
            whose = roles.wide.get(column, rater)
            reason = None if column in roles.wide or self._wanted(rater) else "other_rater"
            skip = reason and "a grade of another rater"
            names = (*named, whose, grade, clause, time, self.scale.mean(row, column))
            self._put(row, column, names, described, reason=reason, skip=skip)

    def _wanted(self, rater: str | None) -> bool:
        """Whether a rater whom a row names is one that was asked for; one whom nobody names is missed elsewhere."""
        return rater is None or not self.layout.raters or rater in {*self.layout.raters, self.layout.gold}

    def read_all(self) -> None:
        """Take all rows of the table."""
        for row in self.table.rows(self.columns()):
            if isinstance(row, Problem):
                self.add(row, row)
                continue
            found = self.fitted.find(tuple(row.values))
            texts = read_texts(self.table, row, found, IDENTITY)
            pair = texts if isinstance(texts, Problem) else identify(self.table, row, found, texts, self.names)
            self.add(row, pair)

    def settle(self, scratch: Path, problems: Problems, kept: frozenset[str] | None = None) -> Path:
        """Settle what no row can say alone, such as two grades by one rater; see `judge.ratings.settle`.

        `kept` has our names of the columns whose ids stay as written; unless given, the file's own ids say it.

        Raises:
            InputError: A mapped column is in no row, or rows were lost on the way.
        """
        self._flush()
        self._writer.close()
        self.fitted.check_used(CORE)
        laid = Laid(
            self.path,
            self.table,
            self.layout,
            self.roles,
            self.fitted,
            self.long,
            self.read,
            None if self.long or self.roles.wide else likely_rater(sorted(self.fitted.seen - self.columns())),
            self.names.queries is not None,
        )
        self.settled = settle(laid, scratch, kept)
        self.problems.add(self.settled.problems)
        problems.merge(self.problems)
        return self.settled.by_row

    @property
    def roles(self) -> Roles:
        """Where the grades are; nowhere in a file without a row that could be read."""
        return self._roles or Roles({}, True, "")

    @cached_property
    def path(self) -> Path:
        """All grades and rows, as they were laid down."""
        return self.directory / "cells.parquet"

    def _open(self, available: tuple[str, ...]) -> Roles:
        self._roles = find_roles(self.table, self.layout, self.fitted, available, self.names)
        if self.table.columns is not None:
            self.fitted.check_used(CORE)
            self.long = "rater" in self.fitted.find(available)
        return self._roles

    def _said(self, row: Row, found: dict[str, str]) -> tuple[str | None, str | None, float | None] | Problem:
        """Who graded, by which clause and when."""
        texts = read_texts(self.table, row, found, SAID)
        if isinstance(texts, Problem):
            return texts
        rater, clause, time = ((texts[name] or "").strip() or None for name in SAID)
        self.long = self.long or rater is not None
        if time is None:
            return rater, clause, None
        try:
            return rater, clause, as_time(time)
        except (ValueError, OverflowError):
            fix = f"write it like 2026-01-31T14:05:00Z; what is read is {TIMES}"
            column = found["time"]
            return self.table.problem("not_a_time", f"{time!r} is no time", fix, row.number, row.line, column)

    def _describe(self, row: Row, found: dict[str, str]) -> tuple[str | None, ...]:
        texts: list[str | None] = []
        for name in self._described:
            text = None
            with suppress(ValueError):  # what cannot be shown is not shown, and costs no grade
                text = (
                    as_text(row.values[found[name]], " > " if name == "category" else ", ") if name in found else None
                )
            texts.append((text or "").strip() or None)
        return tuple(texts)

    def _aside(self, problem: Problem) -> None:
        self.problems.note(problem)
        self._put(problem, problem.field, reason=problem.kind, skip=f"{problem.kind}: {problem.message}")

    def _put(
        self,
        row: Row | Problem,
        column: str | None,
        names: tuple[Any, ...] = (None,) * 9,
        described: tuple[str | None, ...] = (),
        *,
        reason: str | None,
        skip: str | None,
    ) -> None:
        number = row.number if isinstance(row, Row) else row.row
        blank = described or (None,) * len(self._described)
        self._lines.append((number, row.line, column, *names, reason, skip, *blank))
        if len(self._lines) == BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            names = [*COLUMNS, *self._described]
            schema = pa.schema([(name, getattr(pa, TYPES.get(name, "string"))()) for name in names])
            self._writer = pq.ParquetWriter(self.path, schema, compression="zstd", compression_level=1)
        schema = self._writer.schema
        columns = zip(*self._lines, strict=True) if self._lines else [()] * len(schema)
        arrays = [_array(cells, kind.type) for cells, kind in zip(columns, schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        self._lines = []


def _array(cells: Sequence[Any], kind: Any) -> Any:
    """Cells as an Arrow array; what words of a file cannot be written as UTF-8, as messages show them."""
    import pyarrow as pa

    try:
        return pa.array(cells, kind)
    except UnicodeEncodeError:
        return pa.array([c.encode("utf-8", "replace").decode() if isinstance(c, str) else c for c in cells], kind)
