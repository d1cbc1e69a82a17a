"""The user's rows of pairs and candidates as rows of ours, each checked on its own."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from judge.files import unless_it_fails
from judge.pairs.identity import OWN_WORDS, Identity, QueryNames, identify, missing, read_texts
from judge.pairs.origin import ORIGIN, Origins
from judge.records import Problem, query_key
from judge.tables.columns import Columns
from judge.tables.problems import Problems
from judge.tables.rows import Row, Table
from judge.words.guideline import Guideline

PAIR_NAMES = ("query", "candidate_id", "query_id", "locale")
"""What a file of pairs is read for, besides texts where there is no catalogue."""
PRODUCT_NAMES = ("candidate_id", "locale")
"""What a catalogue is read for, besides texts."""
BATCH = 20_000
"""Rows written at once, fewer where they have more than `LETTERS` characters: 64 MiB of the widest."""
LETTERS = 2**24


class Grader(Protocol):
    """Reads the grades of a file while its pairs are read; `judge.ratings.cells` is one."""

    def columns(self) -> set[str]:
        """The file's columns that it reads."""

    def add(self, row: Row | Problem, pair: Identity | Problem) -> None:
        """Take the grades of one row, and count what is wrong with the row."""

    def settle(self, scratch: Path, problems: Problems, kept: frozenset[str]) -> Path:
        """Write `row, grade, skip` of each row as Parquet, and add to `problems` what is wrong with rows.

        `kept` has our names of the columns whose ids stay as written.
        """


class Intake:
    """Turns rows of the user's files into rows of ours; keeps count of what is wrong with them.

    Args:
        guideline: Whose fields a candidate's texts are.
        columns: Where they stand in the user's files.
        grader: Reads grades in the same pass; null for pairs that bring none.
        limit: Read only so many pairs.
        names: How rows name their queries.
    """

    def __init__(
        self,
        guideline: Guideline,
        columns: Columns,
        grader: Grader | None,
        limit: int | None,
        names: QueryNames = OWN_WORDS,
    ) -> None:
        self.names = names
        self.joins = {f.name: f.join for f in guideline.fields}
        self.columns = columns
        self.grader, self.limit = grader, limit
        self.problems = Problems()
        self.read = 0
        """Rows of pairs so far, whatever was wrong with them."""
        self.text_columns: set[str] = set()
        """The candidate's fields that some row had a column for."""
        self.origins = Origins()

    @property
    def unused(self) -> list[str]:
        """Columns of the files that nothing reads."""
        return [name for name in self.columns.unused if not (self.origins.pairs and name in ORIGIN)]

    def schema(self) -> Any:
        """The Arrow schema of both kinds of rows."""
        import pyarrow as pa

        text = pa.string()
        names = [("query_id", text), ("query", text), ("candidate_id", text), ("locale", text), ("skip", text)]
        candidate = pa.struct([(name, text) for name in self.joins])
        texts = [("candidate", candidate), ("chars", pa.int64()), ("text", text)]
        mined = pa.struct([(name, text) for name in ORIGIN])
        return pa.schema([("row", pa.int64()), ("line", pa.int64()), *names, *texts, ("mined", mined)])

    def write(self, rows: Iterator[dict[str, Any]], path: Path) -> None:
        """Lay rows down as a Parquet file, a batch at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with (
            unless_it_fails(path, path),
            pq.ParquetWriter(path, self.schema(), compression="zstd", compression_level=1) as writer,
        ):
            batch: list[dict[str, Any]] = []
            letters = 0
            for row in rows:
                batch.append(self._measured(row))
                letters += row["chars"] + len(row.get("query") or "")
                if len(batch) == BATCH or letters >= LETTERS:
                    writer.write_table(pa.Table.from_pylist(batch, schema=self.schema()))
                    batch, letters = [], 0
            writer.write_table(pa.Table.from_pylist(batch, schema=self.schema()))

    def _measured(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with the length of its candidate's texts, and a digest that tells them from others: what the joins
        need of them."""
        texts = row.get("candidate") or {}
        parts = [texts.get(name) or "" for name in self.joins]
        row["chars"] = sum(map(len, parts))
        # A separator keeps neighbouring fields apart: "a","bc" is another text than "ab","c".
        row["text"] = blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
        return row

    def catalogue(self, table: Table | None) -> Iterator[dict[str, Any]]:
        """Candidates of a catalogue. A row that cannot be used is counted and left out."""
        if table is None:
            return
        names = (*PRODUCT_NAMES, *self.joins)
        for row in table.rows(self.columns.sources(names)):
            if isinstance(row, Problem):
                self.problems.note(row)
                continue
            found = self.columns.find(tuple(row.values), names)
            texts = self._texts(table, row, found, names)
            problem = texts if isinstance(texts, Problem) else missing(table, row, found, texts, ["candidate_id"])
            if problem:
                self.problems.note(problem)
            elif isinstance(texts, dict):
                candidate = {name: texts[name] for name in self.joins}
                identity = {"row": row.number, "line": row.line, "candidate_id": texts["candidate_id"]}
                yield {**identity, "locale": texts["locale"], "candidate": candidate}

    def pairs(self, table: Table, catalogue: bool) -> Iterator[dict[str, Any]]:
        """One row for every input row: what could be read of it, and in `skip` what is wrong with it."""
        names = (*PAIR_NAMES, *(() if catalogue else self.joins))
        wanted = self.columns.sources(names) | (self.grader.columns() if self.grader else set()) | {*ORIGIN}
        for row in islice(table.rows(wanted), self.limit):
            self.read += 1
            if isinstance(row, Problem):
                self._settle(row, row)
                yield {"row": row.row, "line": row.line, "skip": f"{row.kind}: {row.message}"}
                continue
            out: dict[str, Any] = {"row": row.number, "line": row.line}
            found = self.columns.find(tuple(row.values), names)
            texts = self._texts(table, row, found, names)
            pair = texts if isinstance(texts, Problem) else identify(table, row, found, texts, self.names)
            if isinstance(texts, dict):
                out |= {name: texts[name] for name in PAIR_NAMES}
                if isinstance(pair, Identity):
                    out["query"] = pair.query
                out["mined"] = self.origins.read(row.values, row.number)
                out["candidate"] = None if catalogue else {name: texts[name] for name in self.joins}
                # A row that lacks its candidate is shown with its query.
                out["query_id"] = (
                    pair.query_id
                    if isinstance(pair, Identity)
                    else texts["query_id"] or (texts["query"] and query_key(texts["query"]))
                )
            self._settle(row, pair)
            if row.aside is not None and self.grader is not None:
                out["skip"] = row.aside
            elif isinstance(pair, Problem):
                out["skip"] = f"{pair.kind}: {pair.message}"
            yield out

    def _settle(self, row: Row | Problem, pair: Identity | Problem) -> None:
        """Count what is wrong with a row of pairs; where rows bring grades, whoever reads those counts both."""
        if self.grader is not None:
            self.grader.add(row, pair)
        elif isinstance(pair, Problem):
            self.problems.note(pair)

    def _texts(
        self, table: Table, row: Row, found: dict[str, str], names: Sequence[str]
    ) -> dict[str, str | None] | Problem:
        self.text_columns.update(self.joins.keys() & found.keys() & set(names))
        return read_texts(table, row, found, names, self.joins)
