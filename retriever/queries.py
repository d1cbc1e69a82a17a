"""The queries to search for: every row of a file used, or counted under one reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from judge.errors import InputError
from judge.pairs.identity import missing, read_texts
from judge.records import Problem, query_key
from judge.tables.columns import QUERY_ALIASES, Columns
from judge.tables.ids import whole_ids
from judge.tables.problems import Problems, refuse
from judge.tables.rows import Row, Table
from judge.words.normalise import same_words

REPEATED = "repeats another query"
NAMES = ("query", "query_id", "locale")


@dataclass(frozen=True)
class SearchQuery:
    """A query."""

    id: str
    words: str
    locale: str | None = None
    row: int | None = None
    """Where its file has it first."""


@dataclass(frozen=True)
class SearchQueries:
    """The queries of a file, as they first appear there."""

    name: str
    queries: Sequence[SearchQuery]
    rows: int
    set_aside: Mapping[str, int]
    """Rows that are none of them, by reason; with the queries they add up to the rows."""


def read_queries(
    path: Path,
    mapping: Mapping[str, Sequence[str]],
    *,
    skip_bad_rows: bool = False,
    name: str | None = None,
    encoding: str | None = None,
) -> SearchQueries:
    """Read a file with a column `query`; without `query_id`, a query's words make its id. A file of pairs will do.

    Raises:
        InputError: The file cannot be used, or a row cannot and is not to be skipped.
    """
    table = Table(path, name, encoding)
    ours = {ours: columns for ours, columns in mapping.items() if ours in NAMES}
    columns, problems = Columns(ours, NAMES, QUERY_ALIASES), Problems()
    columns.require(table, ["query"])
    found: dict[str, SearchQuery] = {}
    aside: Counter[str] = Counter()
    rows = 0
    for row in table.rows(columns.sources(NAMES)):
        rows += 1
        read = row if isinstance(row, Problem) else _query(table, row, columns)
        if isinstance(read, SearchQuery) and (before := found.setdefault(read.id, read)) is not read:
            if same_words(before.words) == same_words(read.words):
                aside[REPEATED] += 1
                continue
            fix = "give each query text its own query_id, or leave query_id out"
            message = f"{read.id!r} had another query text"
            number, line = (row.row or 0, row.line) if isinstance(row, Problem) else (row.number, row.line)
            read = table.problem("conflicting_query", message, fix, number, line, "query_id")
        if isinstance(read, Problem):
            problems.note(read)
            aside[read.kind] += 1
    columns.check_used()
    columns.announce()
    refuse(problems.first, problems.kinds, None, skip_bad_rows=skip_bad_rows)
    if not found:
        raise InputError(f"{table.name}: holds no query", "give rows of `query_id, query`")
    ids = whole_ids(list(found))
    if len(set(ids)) < len(ids):
        ids = list(found)
    queries = [replace(q, id=key) for key, q in zip(ids, found.values(), strict=True)]
    return SearchQueries(table.name, queries, rows, dict(sorted(aside.items())))


def _query(table: Table, row: Row, columns: Columns) -> SearchQuery | Problem:
    fitted = columns.find(tuple(row.values))
    texts = read_texts(table, row, fitted, NAMES)
    if isinstance(texts, Problem):
        return texts
    needed = ["query", "query_id"] if "query_id" in fitted else ["query"]
    if problem := missing(table, row, fitted, texts, needed):
        return problem
    words = str(texts["query"])
    return SearchQuery(texts["query_id"] or query_key(words), words, texts["locale"], row.number)
