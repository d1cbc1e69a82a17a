"""Pairs in: the user's rows, joined with a catalogue, checked, and laid down in the order in which they are judged.

The work happens on disk (Parquet files, DuckDB over them), so that ten million rows need no more memory than ten
thousand. Order: queries as they first appear, and within a query by length of text, so that engines share a query's
prefix and pad little. Each input row keeps its number, and ends either with a pair to judge or with the reason why it
is skipped.
"""

import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judge.cells import as_grade, as_text
from judge.columns import Columns
from judge.errors import InputError
from judge.guideline import Guideline
from judge.records import Problem, counted, query_key
from judge.rows import Row, Table

SHOWN = 5
"""Problems of one kind that are kept in full."""
BATCH = 20_000


@dataclass(frozen=True)
class Source:
    """What the user gave.

    Args:
        pairs: File of rows with `query`, `candidate_id` and, without a catalogue, the candidate's fields.
        catalogue: File of candidates, or null.
        mapping: Our names to the user's columns; of several, each file uses the first it has.
        limit: Read only so many rows.
        grades: For rows that bring a grade: what the user writes to the guideline's value; null for rows without.
        need_text: Whether a pair without any text is skipped.
        skip_bad_rows: Whether rows that are wrong are recorded as skipped, rather than refused.
        name: What to call the file of pairs in messages.
    """

    pairs: Path
    catalogue: Path | None = None
    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limit: int | None = None
    grades: Mapping[str, int] | None = None
    need_text: bool = True
    skip_bad_rows: bool = False
    name: str | None = None


@dataclass(frozen=True)
class Staged:
    """The input as normalised.

    `path` is a Parquet file: `row, query_id, query, candidate_id, locale, candidate, grade, skip`, where `skip` is the
    reason why the row is not judged, or null, and `grade` is null unless rows bring one.
    """

    path: Path
    rows: int
    skipped: int
    queries: int
    kinds: Mapping[str, int]
    """Problems by kind, with their counts: rows that are wrong."""
    repeats: int
    """Rows that are skipped without being wrong: exact repeats, candidates without text, rows without a grade."""
    problems: Sequence[Problem]
    """The first few problems of each kind."""
    unused: Sequence[str]
    """Columns of the files that nothing reads."""
    missing: Sequence[str] = ()
    """Fields of the guideline that no file has a column for."""
    check: str = "judge validate"
    """The command that lists all problems, with the options that say what the file's grades are."""
    passed_over: Mapping[str, str] = field(default_factory=dict)
    """Names that a file has several mapped columns for: `{"title": "name, not label"}`."""

    def refuse(self) -> None:
        """Raise `InputError` for the first problem, where there is one."""
        if self.problems:
            count = sum(self.kinds.values())
            more = f" (and {counted(count - 1, 'more problem')}; `{self.check}` lists them)" if count > 1 else ""
            raise InputError(f"{self.problems[0]}{more}", self.problems[0].fix)


def stage(source: Source, guideline: Guideline, directory: Path) -> Staged:
    """Read everything, check it, and write `pairs.parquet` into `directory`, which must exist.

    Raises:
        InputError: A file as a whole cannot be used. What is wrong with single rows is in the result.
    """
    fields = [f.name for f in guideline.fields]
    rating = ["grade"] if source.grades is not None else []
    columns = Columns(source.mapping, ["query", "candidate_id", "query_id", "locale", *rating, *fields])
    reader = _Reader(guideline, columns, source)
    with tempfile.TemporaryDirectory(prefix="staging-", dir=directory) as scratch:
        rows, catalogue = Path(scratch) / "rows.parquet", Path(scratch) / "catalogue.parquet"
        catalogue_table = Table(source.catalogue) if source.catalogue else None
        if catalogue_table:
            columns.require(catalogue_table, ["candidate_id"])
        pairs_table = Table(source.pairs, source.name)
        columns.require(pairs_table, ["query", "candidate_id", *rating])
        if pairs_table.columns is not None and (catalogue_table is None or catalogue_table.columns is not None):
            columns.check_used()
        if source.need_text:
            _require_text(catalogue_table or pairs_table, columns, fields)
        reader.write(reader.catalogue(catalogue_table), catalogue)
        reader.write(reader.pairs(pairs_table, bool(catalogue_table)), rows)
        columns.check_used()
        staged = _settle(source, guideline, directory, Path(scratch), reader, pairs_table.name)
    if not staged.rows:
        where = "under its header" if pairs_table.columns else "a JSON object on each line"
        raise InputError(f"{pairs_table.name}: holds no rows", f"give a file with at least one row, {where}")
    if source.need_text and not reader.text_columns and not staged.kinds:
        raise _no_text((catalogue_table or pairs_table).name, columns.unused, fields)
    return staged


def _require_text(table: Table, columns: Columns, fields: Sequence[str]) -> None:
    if table.columns is not None and not set(fields) & columns.find(table.columns).keys():
        raise _no_text(table.name, table.columns, fields)


def _no_text(name: str, columns: Sequence[str], fields: Sequence[str]) -> InputError:
    return InputError(
        f"{name}, row 1, field {fields[0]!r}: no column holds a candidate's text; it has {', '.join(columns[:20])}",
        f"give --catalogue FILE, or name the columns with --map {fields[0]}=COLUMN (fields: {', '.join(fields)})",
    )


class _Reader:
    """Turns rows of the user's files into rows of ours; keeps count of what is wrong with them."""

    def __init__(self, guideline: Guideline, columns: Columns, source: Source) -> None:
        self.joins = {f.name: f.join for f in guideline.fields}
        self.columns = columns
        self.source = source
        self.kinds: dict[str, int] = {}
        self.problems: list[Problem] = []
        self.text_columns: set[str] = set()
        """The candidate's fields that some row had a column for."""

    def note(self, problem: Problem) -> None:
        """Count a problem, and keep it if it is among the first of its kind."""
        self.kinds[problem.kind] = self.kinds.get(problem.kind, 0) + 1
        if self.kinds[problem.kind] <= SHOWN:
            self.problems.append(problem)

    def schema(self) -> Any:
        import pyarrow as pa

        text = pa.string()
        names = [("query_id", text), ("query", text), ("candidate_id", text), ("locale", text), ("skip", text)]
        candidate = pa.struct([(name, text) for name in self.joins])
        return pa.schema(
            [("row", pa.int64()), ("line", pa.int64()), *names, ("grade", pa.int32()), ("candidate", candidate)]
        )

    def write(self, rows: Iterator[dict[str, Any]], path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, self.schema(), compression="zstd", compression_level=1) as writer:
            batch: list[dict[str, Any]] = []
            for row in rows:
                batch.append(row)
                if len(batch) == BATCH:
                    writer.write_table(pa.Table.from_pylist(batch, schema=self.schema()))
                    batch = []
            writer.write_table(pa.Table.from_pylist(batch, schema=self.schema()))

    def catalogue(self, table: Table | None) -> Iterator[dict[str, Any]]:
        """Candidates of a catalogue. A row that cannot be used is counted and left out."""
        if table is None:
            return
        names = ["candidate_id", *self.joins]
        for row in table.rows(self.columns.sources(names)):
            if isinstance(row, Problem):
                self.note(row)
                continue
            texts = self._texts(table, row, names)
            problem = texts if isinstance(texts, Problem) else self._missing(table, row, texts, ["candidate_id"])
            if problem:
                self.note(problem)
            elif isinstance(texts, dict):
                candidate = {name: texts[name] for name in self.joins}
                found = {"candidate_id": texts["candidate_id"], "candidate": candidate}
                yield {"row": row.number, "line": row.line, **found}

    def pairs(self, table: Table, catalogue: bool) -> Iterator[dict[str, Any]]:
        """One row for every input row: what could be read of it, and in `skip` what is wrong with it."""
        names = ["query", "candidate_id", "query_id", "locale", *([] if catalogue else self.joins)]
        read = [*names, "grade"] if self.source.grades is not None else names
        for index, row in enumerate(table.rows(self.columns.sources(read))):
            if index == self.source.limit:
                return
            if isinstance(row, Problem):
                self.note(row)
                yield {"row": row.row, "line": row.line, "skip": f"{row.kind}: {row.message}"}
                continue
            out: dict[str, Any] = {"row": row.number, "line": row.line}
            texts = self._texts(table, row, names)
            if isinstance(texts, dict):
                out |= {name: texts[name] for name in names[:4]}
                out["candidate"] = None if catalogue else {name: texts[name] for name in self.joins}
                out["query_id"] = texts["query_id"] or (texts["query"] and query_key(texts["query"]))
            problem = texts if isinstance(texts, Problem) else self._missing(table, row, texts, self._required(row))
            if problem is None and self.source.grades is not None:
                problem = self._grade(table, row, out)
            if problem is not None:
                self.note(problem)
                out["skip"] = f"{problem.kind}: {problem.message}"
            yield out

    def _required(self, row: Row) -> list[str]:
        # A file with query ids must have them all: the same query would else go by two names.
        has_id = "query_id" in self.columns.find(tuple(row.values))
        return ["query", "candidate_id", *(["query_id"] if has_id else [])]

    def _missing(self, table: Table, row: Row, texts: Mapping[str, str | None], names: Sequence[str]) -> Problem | None:
        for name in names:
            if texts[name] is not None:
                continue
            if name not in self.columns.find(tuple(row.values)):
                message = f"missing; the row has {', '.join(map(str, list(row.values)[:12])) or 'nothing'}"
                fix = f"add it, or name the key to use with --map {name}=KEY"
                return table.problem(f"missing_{name}", message, fix, row.number, row.line, name)
            kind = "empty_query" if name == "query" else f"missing_{name}"
            return table.problem(kind, "is empty", "fill it in, or leave the row out", row.number, row.line, name)
        return None

    def _grade(self, table: Table, row: Row, out: dict[str, Any]) -> Problem | None:
        grades = self.source.grades or {}
        column = self.columns.find(tuple(row.values)).get("grade")
        try:
            value = as_text(row.values.get(column)) if column else None
        except ValueError:
            value = "?"
        if value is None:
            out["skip"] = "no grade given"
        elif (grade := as_grade(value, grades)) is not None:
            out["grade"] = grade
        else:
            message = f"unknown grade {value.strip()!r}; known: {', '.join(grades)}"
            fix = f"mend it, or say what it means: --grades {value.strip()}=GRADE,…"
            return table.problem("unknown_grade", message, fix, row.number, row.line, column)
        return None

    def _texts(self, table: Table, row: Row, names: Sequence[str]) -> dict[str, str | None] | Problem:
        found = self.columns.find(tuple(row.values))
        self.text_columns.update(self.joins.keys() & found.keys() & set(names))
        texts: dict[str, str | None] = {}
        for name in names:
            column = found.get(name)
            try:
                texts[name] = as_text(row.values[column], self.joins.get(name, ", ")) if column else None
            except ValueError as error:
                kind = "wrong_encoding" if "UTF-8" in str(error) else "not_text"
                fix = "save the file as UTF-8" if kind == "wrong_encoding" else "give text, a number, or a list of them"
                return table.problem(kind, str(error), fix, row.number, row.line, column)
        for name in ("query", "candidate_id", "query_id"):
            texts[name] = (texts.get(name) or "").strip() or None
        return texts


def _settle(source: Source, guideline: Guideline, directory: Path, scratch: Path, reader: _Reader, name: str) -> Staged:
    from judge.staging import Staging

    with Staging(scratch, [f.name for f in guideline.fields]) as staging:
        if source.catalogue:
            staging.join_catalogue()
        for problem, count in staging.problems(name, str(source.catalogue), SHOWN):
            reader.problems.append(problem)
            reader.kinds[problem.kind] = count
        path = directory / "pairs.parquet"
        counts = staging.write(path, source.need_text)
    order = sorted(reader.problems, key=lambda p: (p.file != name, p.row or 0))
    return Staged(
        path=path,
        kinds=reader.kinds,
        problems=order,
        unused=reader.columns.unused,
        missing=[name for name in reader.joins if name not in reader.text_columns],
        passed_over=reader.columns.passed_over,
        check=_check(source, guideline),
        **counts,
    )


def _check(source: Source, guideline: Guideline) -> str:
    if source.grades is None:
        return "judge validate"
    plain = dict(source.grades) == {str(value): value for value in guideline.values}
    grades = ",".join(f"{theirs}={ours}" for theirs, ours in source.grades.items())
    rating = ["--rating", *source.mapping.get("grade", ["grade"])[:1]]
    return shlex.join(["judge", "validate", *rating, *([] if plain else ["--grades", grades])])
