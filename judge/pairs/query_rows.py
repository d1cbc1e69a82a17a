"""Rows of a file of queries to search or to mine for: each is used, or counted under one reason."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from judge.pairs.identity import missing, read_texts
from judge.records import Problem
from judge.tables.columns import QUERY_ALIASES, Columns
from judge.tables.problems import Problems, refuse
from judge.tables.rows import Row, Table

QUERY_NAMES = ("query", "query_id", "locale")
REPEATED = "repeats another query"


class QueryRows:
    """A file's rows, and what became of them.

    Args:
        table: The file.
        mapping: Our names to its columns; names that are not `QUERY_NAMES` are passed over.

    Raises:
        InputError: It has no column for the words of a query.
    """

    def __init__(self, table: Table, mapping: Mapping[str, Sequence[str]]) -> None:
        ours = {name: columns for name, columns in mapping.items() if name in QUERY_NAMES}
        self._table, self._columns, self._problems = table, Columns(ours, QUERY_NAMES, QUERY_ALIASES), Problems()
        self._columns.require(table, ["query"])
        self._aside: Counter[str] = Counter()
        self.rows = 0
        """Rows so far."""

    def read(self, *, need_id: bool = False) -> Iterator[tuple[Row, str, Mapping[str, str | None]]]:
        """The rows that can be used: each with its words, and its texts by our names.

        Args:
            need_id: Whether a row needs an id, where the file has ids.
        """
        for row in self._table.rows(self._columns.sources(QUERY_NAMES)):
            self.rows += 1
            texts = row if isinstance(row, Problem) else self._texts(row, need_id)
            if isinstance(texts, Problem):
                self._set_aside(texts)
            elif not isinstance(row, Problem):
                yield row, str(texts["query"]), texts

    def repeated(self) -> None:
        """Set aside a row whose query another row has."""
        self._aside[REPEATED] += 1

    def conflicting(self, row: Row, query_id: str) -> None:
        """Set aside a row whose id stood for other words before."""
        fix = "give each query text its own query_id, or leave query_id out"
        message = f"{query_id!r} had another query text"
        self._set_aside(self._table.problem("conflicting_query", message, fix, row.number, row.line, "query_id"))

    def close(self, *, skip_bad_rows: bool) -> dict[str, int]:
        """How many rows were set aside, by reason.

        Raises:
            InputError: A row cannot be used and is not to be skipped, or a mapped column is nowhere.
        """
        self._columns.check_used(("query", "query_id"))  # the locale's column may be the catalogue's
        self._columns.announce()
        refuse(self._problems.first, self._problems.kinds, None, skip_bad_rows=skip_bad_rows)
        return dict(sorted(self._aside.items()))

    def _texts(self, row: Row, need_id: bool) -> dict[str, str | None] | Problem:
        fitted = self._columns.find(tuple(row.values))
        texts = read_texts(self._table, row, fitted, QUERY_NAMES)
        if isinstance(texts, Problem):
            return texts
        needed = ["query", "query_id"] if need_id and "query_id" in fitted else ["query"]
        return missing(self._table, row, fitted, texts, needed) or texts

    def _set_aside(self, problem: Problem) -> None:
        self._problems.note(problem)
        self._aside[problem.kind] += 1
