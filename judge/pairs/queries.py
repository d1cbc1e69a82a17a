"""The words of queries that other files know by id alone: `--queries FILE`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from judge.errors import InputError
from judge.records import Problem
from judge.tables.columns import QUERY_ALIASES, announce
from judge.tables.file import USE_ENCODING
from judge.tables.headless import header_fix
from judge.tables.ids import SPOILT, SpoiltError, as_id, as_query, whole_id
from judge.tables.rows import Row, Table
from judge.words.normalise import same_words

T = TypeVar("T")
HITS = "query_response_hit_ids"
"""UBI's list of the candidates that a search showed, the first one first."""


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """A row of a file of queries; what it does not say is null."""

    row: int
    query_id: str | None
    query: str | None
    hits: tuple[str, ...]
    """The candidates that the search showed, in their order."""
    client_id: str | None = None


def query_records(
    path: Path, mapping: Mapping[str, Sequence[str]], encoding: str | None = None
) -> Iterator[QueryRecord]:
    """The rows of a file of queries.

    Raises:
        InputError: It cannot be read, or lacks an id or words; names the row.
    """
    table = Table(path, encoding=encoding)
    wanted = {name: (*mapping.get(name, ()), name, *aliases) for name, aliases in QUERY_ALIASES.items()}
    aliased: dict[str, str] = {}
    if table.columns is not None:
        _require(table, wanted, table.columns, 1)
    for row in table.rows():
        if isinstance(row, Problem):
            raise InputError(str(row), row.fix)
        if row.number == 1:
            _require(table, wanted, tuple(row.values), 1)
        found = {name: next((c for c in columns if c in row.values), None) for name, columns in wanted.items()}
        for name, column in found.items():
            if name not in aliased and column in QUERY_ALIASES[name] and column not in mapping.get(name, ()):
                aliased[name] = column
                announce({name: column})
        query_id = _cell(table, row, found["query_id"], as_id)
        query = _cell(table, row, found["query"], as_query)
        shown = _cell(table, row, HITS, _ids)
        client = _cell(table, row, "client_id", as_id)
        yield QueryRecord(row.number, query_id, (query and query.strip()) or None, shown, client)


def _ids(value: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(as_id, value))) if isinstance(value, list) else ()


def _cell(table: Table, row: Row, column: str | None, read: Callable[[Any], T]) -> T:
    try:
        return read(None if column is None else row.values.get(column))
    except ValueError as error:
        fix = USE_ENCODING if "UTF-8" in str(error) else "give ids and words as text"
        fix = SPOILT if isinstance(error, SpoiltError) else fix
        raise InputError(f"{table.name}, row {row.number}, field {column!r}: {error}", fix) from None


@dataclass(frozen=True)
class Queries:
    """The words of each query id, and what became of the file's rows."""

    name: str
    words: Mapping[str, str]
    rows: int
    set_aside: Mapping[str, int]
    """Rows that give no words, by reason: `no_id`, `no_words`, `repeat`."""

    def find(self, query_id: str) -> str | None:
        """The words of an id, also of one that a column of decimals wrote as `101.0`; null where there are none."""
        return self.words.get(query_id) or self.words.get(whole_id(query_id))


def read_queries(path: Path, mapping: Mapping[str, Sequence[str]], encoding: str | None = None) -> Queries:
    """Read a file of queries.

    Raises:
        InputError: It cannot be read, or one id has two different texts.
    """
    words: dict[str, str] = {}
    rows = 0
    aside = {"no_id": 0, "no_words": 0, "repeat": 0}
    for record in query_records(path, mapping, encoding):
        rows += 1
        if record.query_id is None or record.query is None:
            aside["no_id" if record.query_id is None else "no_words"] += 1
            continue
        key = whole_id(record.query_id)
        before = words.setdefault(key, record.query)
        if before is not record.query:
            aside["repeat"] += 1
            if same_words(before) != same_words(record.query):
                raise InputError(
                    f"{path}, row {record.row}, field 'query_id': {record.query_id!r} had another text before "
                    f"({before!r})",
                    "give each text its own query_id",
                )
    if not words:
        raise InputError(f"{path}: holds no query with an id and words", "give rows of `query_id, query`")
    return Queries(str(path), words, rows, {reason: count for reason, count in aside.items() if count})


def _require(table: Table, wanted: Mapping[str, Sequence[str]], there: Sequence[str], row: int) -> None:
    for name, columns in wanted.items():
        if not set(columns) & set(there):
            raise InputError(
                f"{table.name}, row {row}, field {name!r}: missing column; it has {', '.join(there)}",
                header_fix(table, ("query_id", "query"))
                or f"give a file of `query_id, query`, or name the column with --map {name}=COLUMN",
            )
