"""The user's rows of pairs and candidates as rows of ours, each checked on its own."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from judge.records import Problem, query_key
from judge.tables.columns import Columns
from judge.tables.ids import IDS, as_id
from judge.tables.rows import Row, Table
from judge.tables.scale import Scale
from judge.tables.values import as_text
from judge.words.guideline import Guideline

SHOWN = 5
"""Problems of one kind that are kept in full."""
BATCH = 20_000


class Intake:
    """Turns rows of the user's files into rows of ours; keeps count of what is wrong with them.

    Args:
        guideline: Whose fields a candidate's texts are.
        columns: Where they stand in the user's files.
        scale: What the user's grades mean; null for rows that bring no grade.
        limit: Read only so many pairs.
    """

    def __init__(self, guideline: Guideline, columns: Columns, scale: Scale | None, limit: int | None) -> None:
        self.joins = {f.name: f.join for f in guideline.fields}
        self.columns = columns
        self.scale, self.limit = scale, limit
        self.kinds: dict[str, int] = {}
        self.problems: list[Problem] = []
        self.read = 0
        """Rows of pairs so far, whatever was wrong with them."""
        self.text_columns: set[str] = set()
        """The candidate's fields that some row had a column for."""

    def note(self, problem: Problem) -> None:
        """Count a problem, and keep it if it is among the first of its kind."""
        self.kinds[problem.kind] = self.kinds.get(problem.kind, 0) + 1
        if self.kinds[problem.kind] <= SHOWN:
            self.problems.append(problem)

    def schema(self) -> Any:
        """The Arrow schema of both kinds of rows."""
        import pyarrow as pa

        text = pa.string()
        names = [("query_id", text), ("query", text), ("candidate_id", text), ("locale", text), ("skip", text)]
        candidate = pa.struct([(name, text) for name in self.joins])
        return pa.schema(
            [("row", pa.int64()), ("line", pa.int64()), *names, ("grade", pa.int32()), ("candidate", candidate)]
        )

    def write(self, rows: Iterator[dict[str, Any]], path: Path) -> None:
        """Lay rows down as a Parquet file, a batch at a time."""
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
        read = [*names, "grade"] if self.scale is not None else names
        for row in islice(table.rows(self.columns.sources(read)), self.limit):
            self.read += 1
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
            if self.scale is not None:  # of other bad rows as well: what they hold tells the scale
                graded = self._grade(self.scale, table, row, out)
                problem = problem or graded
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

    def _grade(self, scale: Scale, table: Table, row: Row, out: dict[str, Any]) -> Problem | None:
        grade = scale.read(table, row, self.columns.find(tuple(row.values)).get("grade"))
        if isinstance(grade, Problem):
            return grade
        if grade is None:
            out["skip"] = "no grade given"
        else:
            out["grade"] = grade
        return None

    def _texts(self, table: Table, row: Row, names: Sequence[str]) -> dict[str, str | None] | Problem:
        found = self.columns.find(tuple(row.values))
        self.text_columns.update(self.joins.keys() & found.keys() & set(names))
        texts: dict[str, str | None] = {}
        for name in names:
            column = found.get(name)
            try:
                value = row.values[column] if column else None
                texts[name] = as_id(value) if name in IDS else as_text(value, self.joins.get(name, ", "))
            except ValueError as error:
                kind = "wrong_encoding" if "UTF-8" in str(error) else "not_text"
                fix = "save the file as UTF-8" if kind == "wrong_encoding" else "give text, a number, or a list of them"
                return table.problem(kind, str(error), fix, row.number, row.line, column)
        for name in ("query", "candidate_id", "query_id"):
            texts[name] = (texts.get(name) or "").strip() or None
        return texts
