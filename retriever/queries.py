"""The queries to search for: every row of a file used, or counted under one reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from judge.errors import InputError
from judge.pairs.query_rows import QueryRows
from judge.records import query_key
from judge.tables.ids import whole_ids
from judge.tables.rows import Table
from judge.words.normalise import same_words


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
    rows = QueryRows(table, mapping)
    found: dict[str, SearchQuery] = {}
    for row, words, texts in rows.read(need_id=True):
        query = SearchQuery(texts["query_id"] or query_key(words), words, texts["locale"], row.number)
        before = found.setdefault(query.id, query)
        if before is query:
            continue
        if same_words(before.words) == same_words(words):
            rows.repeated()
        else:
            rows.conflicting(row, query.id)
    set_aside = rows.close(skip_bad_rows=skip_bad_rows)
    if not found:
        raise InputError(f"{table.name}: holds no query", "give rows of `query_id, query`")
    ids = whole_ids(list(found))
    if len(set(ids)) < len(ids):
        ids = list(found)
    queries = [replace(q, id=key) for key, q in zip(ids, found.values(), strict=True)]
    return SearchQueries(table.name, queries, rows.rows, set_aside)
