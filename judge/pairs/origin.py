"""Where a mined pair comes from: columns that a mined file has next to its pairs, kept with them through a run.

`pairs.parquet` has them as the struct `mined`; without a mined file it has no such column.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judge.notes import note
from judge.records import counted
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
_KINDS = ", ".join(f"{name} {NUMBERS.get(name, 'VARCHAR')}" for name in ORIGIN)
NO_ORIGIN = f"NULL::STRUCT({_KINDS})"
"""SQL of the column `mined` of a pair that was not."""
SOURCES = ("dense", "lexical", "attributes", "rankings")
"""What proposes pairs."""
SCORED = ("dense", "lexical")
"""Those that give a score."""
RELATIONS = ("violates_one", "all_match", "cross_category", "attribute_only")
"""How a product stands to what a query asks for, in the order in which they take turns."""
LARGEST = 2**31 - 1
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE, _RANKS = re.compile(r"([0-9]{1,10})(?:\.0+)?"), re.compile(r".+=([0-9]{1,10}|-)", re.DOTALL)


@dataclass
class Origins:
    """What the rows of a file say of where they were mined, counted; what cannot be is left out, under its column."""

    pairs: int = 0
    """Rows that say it."""
    by_source: Counter[str] = field(default_factory=Counter)
    """By the source that ranks them best; `unknown` where none is named."""
    left_out: dict[str, tuple[int, int]] = field(default_factory=dict)
    """A column to its values that cannot be: how many, and the row of the first."""

    def read(self, values: Mapping[str, Any], row: int) -> dict[str, str | None] | None:
        """What a row says, as texts; null where it says nothing, or its file was not mined."""
        if not values.keys() >= MARKS:
            return None
        found = {name: _text(values.get(name)) for name in ORIGIN}
        if not any(found[name] for name in MARKS):
            return None
        scored = found["source"] in SCORED
        for name, can_be in _CHECKS.items():
            text = found[name]
            if can_be(text) if text is not None else not (name == "score" and scored and "score" in values):
                continue
            count, first = self.left_out.get(name, (0, row))
            self.left_out[name] = (count + 1, first)
            found[name] = None
        self.pairs += 1
        self.by_source[found["source"] or "unknown"] += 1
        return found

    def announce(self, name: str) -> None:
        """Say what is left out of a file."""
        for column, (count, first) in self.left_out.items():
            what = f"{counted(count, 'value')} that `judge mine` does not write, left out; the first in row {first:,}"
            note(f"{name}, field {column!r}: {what}")

    def as_json(self) -> dict[str, Any] | None:
        """As JSON values; null where nothing was mined."""
        left_out = {name: {"count": count, "first_row": first} for name, (count, first) in self.left_out.items()}
        counts = {"pairs": self.pairs, "by_source": dict(sorted(self.by_source.items())), "left_out": left_out}
        return counts if self.pairs else None


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


def _whole(least: int) -> Callable[[str], bool]:
    """As spreadsheets write them, too: `1.0`."""
    return lambda text: (found := _WHOLE.fullmatch(text)) is not None and least <= int(found[1]) <= LARGEST


def _finite(text: str) -> bool:
    """Whether a text is a number to DuckDB as well: Python takes other digits than 0 to 9, too."""
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def _found_by(text: str) -> bool:
    """Every source that proposes a pair, with its rank."""
    parts = [part.partition("=") for part in text.split("; ")]
    return all(name in SOURCES and _whole(1)(rank) for name, _, rank in parts)


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "source": SOURCES.__contains__,
    "rank": _whole(1),
    "score": _finite,
    "relation": RELATIONS.__contains__,
    "found_by": _found_by,
    "systems": lambda text: _RANKS.fullmatch(text) is not None,
    "outranks": _whole(0),
}


def _text(value: Any) -> str | None:
    try:
        return as_text(value)
    except ValueError:
        return None
