"""Where a mined pair comes from: columns that a mined file has beside its pairs, kept with them through a run.

`pairs.parquet` has them as the struct `mined`; without a mined file it has no such column.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judge.tables.values import as_text

ACCOUNT = b"mine"
"""Under which a mined file's metadata has the account of the mining."""
PARQUET = b"PAR1"
"""How a Parquet file begins."""
ORIGIN = ("source", "rank", "score", "relation", "changed", "found_by", "systems", "outranks")
"""Which source ranks a pair best, and where, with which score; how the product stands to the query, and what differs;
every source's rank, and every system's; how many products that are known to be of the best grade its source ranks
below it."""
MARKS = frozenset({"source", "rank", "relation", "found_by"})
"""What a file has that was mined."""
NUMBERS = {"rank": "INTEGER", "score": "DOUBLE", "outranks": "INTEGER"}


def origin(values: Mapping[str, Any]) -> dict[str, str | None] | None:
    """What a row says of where it comes from, as texts; null where its file was not mined."""
    if not values.keys() >= MARKS:
        return None
    return {name: _text(values.get(name)) for name in ORIGIN}


def origin_sql(column: str = "mined") -> str:
    """SQL of a struct of texts as one with numbers where they belong; what is none there is null."""
    parts = (f"TRY_CAST({column}.{name} AS {NUMBERS.get(name, 'VARCHAR')})" for name in ORIGIN)
    named = ", ".join(f"'{name}': {part}" for name, part in zip(ORIGIN, parts, strict=True))
    return f"CASE WHEN {column} IS NOT NULL THEN {{{named}}} END"


def has_origin(pairs: Path) -> bool:
    """Whether a run's pairs were mined, some of them."""
    import pyarrow.parquet as pq

    return "mined" in pq.read_schema(pairs).names


def mined_columns(path: Path) -> dict[str, list[str]]:
    """Our names to the columns of the catalogue that a file was mined from, as its account says; empty where it was
    not mined, or says nothing."""
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as stream:
            if stream.read(len(PARQUET)) != PARQUET:
                return {}
        found = json.loads((pq.read_schema(path).metadata or {}).get(ACCOUNT, b"{}"))
        told = found.get("map", {}).items()
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
    return {name: columns for name, columns in told if _are_texts(columns)}


def _are_texts(columns: Any) -> bool:
    return isinstance(columns, list) and bool(columns) and all(isinstance(column, str) for column in columns)


def _text(value: Any) -> str | None:
    try:
        return as_text(value)
    except ValueError:
        return None
