"""Which pair a row is about: `query`, `candidate_id` and `query_id` of any row that names a pair."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from judge.pairs.queries import Queries
from judge.records import Problem, query_key
from judge.tables.columns import Columns
from judge.tables.file import USE_ENCODING
from judge.tables.ids import IDS, SPOILT, SpoiltError, as_id, as_query
from judge.tables.likely import likely_name
from judge.tables.rows import Row, Table
from judge.tables.values import as_text
from judge.words.normalise import same_words

NAMES = ("query", "candidate_id", "query_id")
ONE = {**dict.fromkeys(IDS, as_id), "query": as_query}
"""How cells are read that hold one value; a list of several is none."""
PLAIN: Mapping[str, str] = {}
_same_words = lru_cache(1024)(same_words)


class Identity(NamedTuple):
    """The pair of a row."""

    query_id: str
    query: str
    candidate_id: str

    @property
    def words(self) -> str:
        """What must be equal for two queries of one `query_id` to be the same query."""
        return _same_words(self.query)


def read_texts(
    table: Table, row: Row, found: Mapping[str, str], names: Sequence[str], joins: Mapping[str, str] = PLAIN
) -> dict[str, str | None] | Problem:
    """A row's texts by our names, null where there is none; a problem where one is no text. Those that identify a pair
    are without the white space around them. `found` has the row's columns by our names, and `joins` says what stands
    between the parts of a list."""
    texts: dict[str, str | None] = dict.fromkeys(names)
    for name in names:
        column = found.get(name)
        if column is None:
            continue
        try:
            value = row.values[column]
            texts[name] = ONE[name](value) if name in ONE else as_text(value, joins.get(name, ", "))
        except ValueError as error:
            kind = "wrong_encoding" if "UTF-8" in str(error) else "not_text"
            fix = "give text or a number" + ("" if name in ONE else ", or a list of them")
            fix = USE_ENCODING if kind == "wrong_encoding" else fix
            if isinstance(error, SpoiltError):
                kind, fix = "spoilt_by_a_sheet", SPOILT
            return table.problem(kind, str(error), fix, row.number, row.line, column)
    for name in NAMES:
        if text := texts.get(name):
            texts[name] = text.strip() or None
    return texts


def missing(
    table: Table, row: Row, found: Mapping[str, str], texts: Mapping[str, str | None], names: Sequence[str]
) -> Problem | None:
    """The first of some names that a row has no text for."""
    for name in names:
        if texts[name] is not None:
            continue
        column = found.get(name)
        if column is None:
            message = f"missing; the row has {', '.join(map(str, list(row.values)[:12])) or 'nothing'}"
            free = [key for key in row.values if key not in found.values()]
            given = shlex.quote(f"{name}={likely_name(name, free) or 'KEY'}")
            fix = f"add it, or name the key to use with --map {given}"
            return table.problem(f"missing_{name}", message, fix, row.number, row.line, name)
        kind = "empty_query" if name == "query" else f"missing_{name}"
        return table.problem(kind, "is empty", "fill it in, or leave the row out", row.number, row.line, column)
    return None


@dataclass(frozen=True)
class QueryNames:
    """How rows may name their queries, other than by words of their own."""

    queries: Queries | None = None
    """The words of ids; null where there is no such file."""
    ids_alone: bool = False
    """Whether an id may stand without words: what people graded needs none."""

    def require(self, columns: Columns, table: Table, read: tuple[str, ...] | None = None) -> None:
        """Refuse a file whose header cannot name pairs; `read` as in `Columns.require`.

        Raises:
            InputError: It lacks a column.
        """
        by_id = "query_id" in columns.of(table, read) and (self.ids_alone or self.queries is not None)
        columns.require(table, ["candidate_id"] if by_id else ["query", "candidate_id"], read)


OWN_WORDS = QueryNames()


def identify(
    table: Table,
    row: Row,
    found: Mapping[str, str],
    texts: dict[str, str | None],
    names: QueryNames = OWN_WORDS,
) -> Identity | Problem:
    """The pair that a row's texts name. A file with query ids must have them all: one query would else go by two
    names. Without them, the query's text makes the id. Words that `names` knows of an id are put into `texts`; where an
    id stands alone, the words are empty."""
    has_id = "query_id" in found
    needed: Sequence[str] = NAMES if has_id else NAMES[:2]
    if has_id and texts["query"] is None and (query_id := texts["query_id"]):
        if names.queries is not None:
            texts["query"] = names.queries.find(query_id)
            if texts["query"] is None:
                message = f"{query_id!r} is not in {names.queries.name}"
                fix = "add the query to that file, or leave the row out"
                return table.problem("unknown_query", message, fix, row.number, row.line, found["query_id"])
        elif names.ids_alone and "query" not in found:
            needed = NAMES[1:]
    if problem := missing(table, row, found, texts, needed):
        return problem
    query, candidate_id = texts["query"] or "", str(texts["candidate_id"])
    return Identity(texts["query_id"] or query_key(query), query, candidate_id)
