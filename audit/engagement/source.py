"""Engagement files in: UBI 1.3 events, plain event tables, impression tables, or counts, as one DuckDB view.

| shape | known by | one row is |
|---|---|---|
| ubi | JSONL whose objects have `action_name` and `event_attributes` | one event |
| events | a column `action` | one event |
| impressions | a column `clicked` | one shown result, with `clicked` and perhaps `add_to_cart`, `purchase` as 0 or 1 |
| counts | a column `impressions` | one (query, candidate, position), added up |

UBI is OpenSearch's User Behavior Insights: its `query_id` is one search, its `user_query` the text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audit.engagement.json_lines import is_nested_sql, one_sql
from audit.engagement.log_lines import LogLines
from audit.engagement.row_lines import RowLines
from audit.engagement.shapes import NAMES, ONE, find_shape, refuse_nested
from audit.engagement.ubi_queries import contradicting_id, load_records, words_of_ids
from judge.errors import InputError
from judge.pairs.queries import HITS, query_records
from judge.sql import identifier, quoted
from judge.tables.columns import Columns
from judge.tables.rows import Table

BLANK = " \t\v\f\r\n"
"""What a blank line consists of."""
SHORT = "give more memory with --memory, more disk with TMPDIR, or fewer events"
_UBI = {
    "search_id": "$.query_id",
    "query": "$.user_query",
    "candidate_id": "$.event_attributes.object.object_id",
    "position": "$.event_attributes.position.ordinal",
    "action": "$.action_name",
    "client_id": "$.client_id",
    "timestamp": "$.timestamp",
}


@dataclass(frozen=True)
class EngagementFile:
    """What the user gave.

    Args:
        path: The file; its suffix says what it is.
        mapping: Our names to the user's columns.
        name: What to call the file in messages; its path unless given.
        queries: A file of `query_id, query`, such as UBI's `ubi_queries`, for rows that bring an id alone.
        encoding: What the files' text is in, where it is not UTF-8.
    """

    path: Path
    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name: str | None = None
    queries: Path | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Opened:
    """An engagement file as the DuckDB view `raw`.

    `shape` is `ubi`, `events`, `impressions` or `counts`; `columns` are those of our names that the view has. A cell
    is text unless the file is Parquet. The column `broken` says of a row that has no cells why.
    """

    shape: str
    columns: tuple[str, ...]
    name: str
    rows: int
    """The file's rows, counted apart from the view: lines of text that are not blank, or what the footer says."""
    made: bool = False
    """Whether the view also has impressions, marked in its column `made`, that records of queries tell of."""

    @property
    def placed(self) -> bool:
        """Whether rows say where a result stood; counts need not."""
        return "position" in self.columns


def open_engagement(db: Any, source: EngagementFile) -> Opened:
    """Make the view `raw` over an engagement file, one column for each of our names that it has.

    Text is read once, into a Parquet file in the connection's scratch folder.

    Raises:
        InputError: The file cannot be read, or its columns fit none of the shapes.
    """
    opened = _open(db, source)
    given = source.queries is not None
    if source.queries is not None:
        load_records(db, query_records(source.queries, source.mapping, source.encoding))
        if odd := contradicting_id(db):
            message = f"{source.queries}: {odd[0]!r} is the id of two texts, {odd[1]!r} and {odd[2]!r}"
            raise InputError(message, "give each text its own query_id")
    ubi = opened.shape == "ubi"
    if not given and not (ubi and _has_records(db)):
        return opened
    key = "query_id" if "query_id" in opened.columns else "search_id"
    made = words_of_ids(db, key, opened.columns, in_file=ubi, given=given)
    columns = [name for name in opened.columns if name not in ("hits", "query")]
    return replace(opened, columns=(*columns, "query"), made=made)


def _has_records(db: Any) -> bool:
    found = db.execute("SELECT 1 FROM raw WHERE broken IS NULL AND action IS NULL AND query IS NOT NULL LIMIT 1")
    return bool(found.fetchall())


def _open(db: Any, source: EngagementFile) -> Opened:
    table = Table(source.path, source.name, source.encoding)
    if table.columns is None or not table.is_plain:
        return _open_lines(db, source, table)
    assert table.columns is not None
    columns = Columns(source.mapping, NAMES)
    found = columns.of(table)
    columns.check_used()
    columns.announce()
    shape = find_shape(found, table, columns, words=source.queries is not None)
    if table.format == ".parquet":
        import pyarrow.parquet as pq

        names = ", ".join(f"{identifier(column)} AS {name}" for name, column in found.items())
        paths = table.parts or [source.path]
        files = f"[{', '.join(map(_one_file, paths))}]"
        db.execute(
            f"CREATE VIEW raw AS SELECT {names}, NULL::VARCHAR AS broken FROM "
            f"read_parquet({files}, union_by_name = {'true' if len(paths) > 1 else 'false'})"
        )
        refuse_nested(db, table.name, found)
        return Opened(shape, tuple(found), table.name, sum(pq.read_metadata(path).num_rows for path in paths))
    log = LogLines(table, [(name, table.columns.index(column)) for name, column in found.items()])
    return Opened(shape, tuple(found), table.name, _stage(db, log, "SELECT * FROM log_lines"))


def _stage(db: Any, log: LogLines | RowLines, select: str) -> int:
    """Make the view `raw` of what `select` makes of a log's lines; returns how many lines were counted."""
    import duckdb

    ((scratch,),) = db.execute("SELECT current_setting('temp_directory')").fetchall()
    folder = Path(scratch)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "events.parquet"
    db.register("log_lines", log.reader())
    try:
        db.execute(f"COPY ({select}) TO {quoted(path)} (FORMAT parquet)")
    except duckdb.Error:
        if log.failure:
            raise log.failure from None
        raise
    finally:
        db.unregister("log_lines")
    db.execute(f"CREATE VIEW raw AS SELECT * FROM read_parquet({_one_file(path)})")
    return log.counted()


def _open_lines(db: Any, source: EngagementFile, table: Table) -> Opened:
    """JSON Lines, read as lines so that a broken one is counted and does not end the work; and rows of other kinds of
    files as such lines."""
    there = table.all_columns()
    if not there:
        raise InputError(f"{table.name}: holds no JSON object", "write one JSON object on each line")
    hits = ""
    if "action_name" in there:
        shape, paths = "ubi", {name: [path] for name, path in _UBI.items()}
        # Records of queries may stand among the events.
        if HITS in there:
            hits = (
                f", CASE WHEN json_valid(line) THEN TRY_CAST(json_extract(line, '$.{HITS}') AS VARCHAR[]) END AS hits"
            )
    else:
        columns = Columns(source.mapping, NAMES)
        found = columns.find(tuple(there))
        columns.check_used()
        columns.announce()
        shape = find_shape(found, table, columns, words=source.queries is not None)
        given = {name: source.mapping.get(name, (column,)) for name, column in found.items()}
        several = {name: [c for c in own if c in there] for name, own in given.items()}
        # As it stands in the file: DuckDB takes no escapes in a path.
        paths = {name: [f"$.{json.dumps(c, ensure_ascii=False)}" for c in own] for name, own in several.items()}
    flat = [path for own in paths.values() for path in own]
    wanted = ", ".join(map(quoted, flat))
    cells = {name: [(f"v[{flat.index(path) + 1}]", path) for path in own] for name, own in paths.items()}
    values = {name: [one_sql(*c) if name in ONE else c[0] for c in own] for name, own in cells.items()}
    parts = ", ".join(f"coalesce({', '.join(own)}) AS {name}" for name, own in values.items())
    nested = " OR ".join(is_nested_sql(*c) for name in ONE for c in cells.get(name, ()))
    select = f"""SELECT {parts}{hits and ", hits"}, CASE WHEN line IS NULL THEN 'unreadable'
                WHEN v IS NULL THEN 'invalid_json' WHEN {nested} THEN 'not_text' END AS broken
        FROM (SELECT line, CASE WHEN json_valid(line) AND json_type(line) = 'OBJECT'
                                THEN json_extract_string(line, [{wanted}]) END AS v{hits}
              FROM log_lines
              WHERE line IS NULL OR starts_with(line, '{{') OR trim(line, {quoted(BLANK)}) <> '')"""
    log = LogLines(table) if table.columns is None and table.is_plain else RowLines(table)
    columns_there = (*paths, *(["hits"] if hits else []))
    return Opened(shape, columns_there, table.name, _stage(db, log, select))


def _one_file(path: Path) -> str:
    """A path as SQL text that names this file alone: DuckDB would take `*`, `?` and `[1]` in a name for a pattern."""
    return quoted(re.sub(r"([*?\[])", r"[\1]", str(path)))


def connect(scratch: Path, memory: str, threads: int | None = None) -> Any:
    """A DuckDB connection that spills into `scratch` what is beyond `memory`.

    Raises:
        InputError: DuckDB takes no such memory limit.
    """
    import duckdb

    db = duckdb.connect()
    for name, value in {
        "enable_progress_bar": "false",
        "preserve_insertion_order": "false",
        "memory_limit": quoted(memory),
        "temp_directory": quoted(scratch),
        **({"threads": str(threads)} if threads else {}),
    }.items():
        try:
            db.execute(f"SET {name} = {value}")
        except duckdb.Error:
            raise InputError(f"{name} {value}: is refused", "write it like --memory 5GB") from None
    return db


@contextmanager
def within_memory() -> Iterator[None]:
    """Tell the user what to do where DuckDB's memory and disk do not suffice."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise InputError("memory and disk do not suffice", SHORT) from None
