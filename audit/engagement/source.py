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
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from judge.columns import Columns
from judge.errors import InputError
from judge.rows import Row, Table
from judge.sql import identifier, quoted

EVENT_NAMES = (
    "search_id",
    "query_id",
    "query",
    "candidate_id",
    "position",
    "action",
    "client_id",
    "timestamp",
    "kind",
    "promoted",
)
SHOWN_NAMES = ("clicked", "add_to_cart", "purchase")
COUNT_NAMES = ("impressions", "clicks", "add_to_carts", "purchases", "clicked_search_impressions")
HEAD = 20_000
"""Objects of a JSONL file whose keys are its columns."""
NAMES = tuple(dict.fromkeys((*EVENT_NAMES, *SHOWN_NAMES, *COUNT_NAMES)))
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
    """

    path: Path
    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True)
class Opened:
    """An engagement file as the DuckDB view `raw`.

    `shape` is `ubi`, `events`, `impressions` or `counts`; `columns` are those of our names that the view has. A cell
    is text unless the file is Parquet. Rows that no reader can part into cells are not in the view: `unread` counts
    them once the view has been read to its end.
    """

    shape: str
    columns: tuple[str, ...]
    name: str

    def unread(self, db: Any) -> int:
        """Lines set aside because they could not be parted into cells."""
        if not db.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchone()[0]:
            return 0
        return int(db.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchone()[0])


def open_engagement(db: Any, source: EngagementFile) -> Opened:
    """Make the view `raw` over an engagement file, one column for each of our names that it has.

    Raises:
        InputError: The file cannot be read, or its columns fit none of the shapes.
    """
    table = Table(source.path, source.name)
    if table.format == ".jsonl":
        return _open_lines(db, source, table)
    assert table.columns is not None
    columns = Columns(source.mapping, NAMES)
    found = columns.find(table.columns)
    columns.check_used()
    shape = _shape(found, table, columns)
    path = _one_file(source.path)
    if table.format == ".parquet":
        scan = f"read_parquet({path})"
    else:
        kinds = ", ".join(f"{quoted(name or f'column {i}')}: 'VARCHAR'" for i, name in enumerate(table.columns))
        separator = r"'\t'" if table.format == ".tsv" else "','"
        scan = f"""read_csv({path}, header = true, auto_detect = false, columns = {{{kinds}}}, delim = {separator},
            quote = '"', escape = '"', store_rejects = true, rejects_limit = 0)"""
    names = ", ".join(f"{identifier(column)} AS {name}" for name, column in found.items())
    db.execute(f"CREATE VIEW raw AS SELECT {names}, NULL::VARCHAR AS broken FROM {scan}")
    return Opened(shape, tuple(found), table.name)


def keys(path: Path) -> set[str]:
    """The columns of a file of rows; of JSON Lines, the keys of its first objects."""
    table = Table(path)
    return set(_keys(table) if table.columns is None else table.columns)


def _keys(table: Table) -> list[str]:
    found = (item.values for item in islice(table.rows(), HEAD) if isinstance(item, Row))
    return list(dict.fromkeys(key for values in found for key in values))


def _open_lines(db: Any, source: EngagementFile, table: Table) -> Opened:
    """JSON Lines, read as lines so that a broken one is counted and does not end the work."""
    # Many write a key only where it says something: the first line alone does not tell what there is.
    there = _keys(table)
    if not there:
        raise InputError(f"{table.name}: holds no JSON object", "write one JSON object on each line")
    if "action_name" in there:
        shape, paths = "ubi", {name: [path] for name, path in _UBI.items()}
    else:
        columns = Columns(source.mapping, NAMES)
        found = columns.find(tuple(there))
        columns.check_used()
        several = {name: [c for c in source.mapping.get(name, (name,)) if c in there] for name in found}
        # As it stands in the file: DuckDB takes no escapes in a path.
        paths = {name: [f"$.{json.dumps(c, ensure_ascii=False)}" for c in own] for name, own in several.items()}
        shape = _shape(found, table, columns)
    flat = [path for own in paths.values() for path in own]
    wanted = ", ".join(map(quoted, flat))
    cells = {name: ", ".join(f"v[{flat.index(path) + 1}]" for path in own) for name, own in paths.items()}
    parts = ", ".join(f"coalesce({values}) AS {name}" for name, values in cells.items())
    # A control character that JSON forbids stands for the separator, so that a line is one cell.
    db.execute(f"""CREATE VIEW raw AS
        SELECT {parts}, CASE WHEN v IS NULL THEN 'invalid_json' END AS broken FROM (
            SELECT CASE WHEN json_valid(line) AND json_type(line) = 'OBJECT'
                        THEN json_extract_string(line, [{wanted}]) END AS v
            FROM read_csv({_one_file(source.path)}, header = false, auto_detect = false,
                columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '',
                store_rejects = true, rejects_limit = 0, max_line_size = 16777216)
            WHERE line IS NOT NULL AND trim(line) <> '')""")
    return Opened(shape, tuple(paths), table.name)


def _shape(found: Mapping[str, str], table: Table, columns: Columns) -> str:
    shape = "counts" if "impressions" in found else "impressions" if "clicked" in found else "events"
    needed = {"counts": ["clicks"], "impressions": ["search_id"], "events": ["action", "search_id"]}[shape]
    if shape == "events" and "action" not in found:
        raise InputError(
            f"{table.name}: has neither `action` (events), `clicked` (shown results) nor `impressions` (counts); "
            f"it has {', '.join(sorted(columns.seen)[:20])}",
            "name the column with --map action=COLUMN, --map clicked=COLUMN or --map impressions=COLUMN",
        )
    if "query_id" not in found and "query" not in found:
        needed.append("query")
    for name in (*needed, "candidate_id", "position"):
        if name not in found:
            raise InputError(
                f"{table.name}, row 1, field {name!r}: missing column; it has {', '.join(sorted(columns.seen)[:20])}",
                f"add the column, or name the one to use with --map {name}=COLUMN",
            )
    return shape


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
        except duckdb.Error as error:
            raise InputError(f"{name} {value}: is refused ({said(error)})", "write it like --memory 5GB") from None
    return db


@contextmanager
def within_memory() -> Iterator[None]:
    """Tell the user what to do where DuckDB's memory and disk do not suffice."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise InputError(
            f"memory and disk do not suffice ({said(error)})", "give more with --memory, or fewer events"
        ) from None


def said(error: Exception) -> str:
    """What DuckDB says, in one line."""
    return " ".join(str(error).split())[:300]
