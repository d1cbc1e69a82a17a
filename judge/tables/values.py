"""Cells of any file as text."""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from judge.text import UNSEEN, encodable


def as_text(value: Any, join: str = ", ") -> str | None:
    """A cell as text: lists joined, whole numbers without `.0`; null, NaN, and what shows nothing, as null.

    Raises:
        ValueError: The value is an object, a list nested too deep, or text that is not valid Unicode.
    """
    if isinstance(value, str):
        text = value
    elif value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return None
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float | Decimal) and _whole(value):
        text = str(int(value))
    elif isinstance(value, list | tuple):
        try:
            text = join.join(part for part in (as_text(item, join) for item in value) if part)
        except RecursionError:
            raise ValueError("is nested too deep") from None
    elif isinstance(value, Mapping):
        raise ValueError("is an object where text is wanted")
    elif isinstance(value, bytes):
        raise ValueError("holds bytes where text is wanted")
    else:
        text = str(value)
    if not encodable(text):
        raise ValueError("is not UTF-8 text")
    return None if not text or UNSEEN.fullmatch(text) else text


def _whole(value: float | Decimal) -> bool:
    """Whether a number is whole, and its digits are exact: a float from 2^53 on may stand for a neighbour."""
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return abs(value) < 2**53 and value.is_integer()


TIMES = "ISO 8601, seconds or milliseconds since 1970, or month/day/year"
"""What is read as a time."""
_SECONDS = 1e11
"""From here on (the year 5138) a number counts milliseconds; from a thousand times it on microseconds, and so on."""
_COMPACT = r"(19|20)[0-9]{6}"
_AMERICAN = r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}( .*)?"
_CLOCKS = ("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p")


def as_time(text: str) -> float:
    """Seconds since 1970, from a time as `TIMES` has it, in UTC unless it says otherwise.

    Eight digits that are a date (20260131) are one.

    Raises:
        ValueError: The text is no time.
        OverflowError: No calendar goes there.
    """
    text = text.strip()
    if text.replace(".", "", 1).isdigit() and not re.fullmatch(_COMPACT, text):
        number = float(text)
        while _SECONDS <= number < math.inf:
            number /= 1000
        return number
    when = _american(text) if re.fullmatch(_AMERICAN, text) else datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _american(text: str) -> datetime:
    for clock in _CLOCKS:
        with suppress(ValueError):
            return datetime.strptime(text, clock)
    raise ValueError("is no date")


def day_sql(name: str, kind: str | None = None) -> str:
    """SQL of the day of a column's times, as `as_time` reads them and with the date that stands there; null where they
    are none. `kind` is the column's type in DuckDB: Parquet brings times that need not be read from their text."""
    if kind in ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"):
        return f"{name}::DATE"
    text = f"trim({name}::VARCHAR)"
    number = f"TRY_CAST({text} AS DOUBLE)"
    seconds = " ".join(f"WHEN {number} < {_SECONDS * 1000**n} THEN {number} / {1000**n}" for n in range(4))
    return f"""CASE
        WHEN regexp_full_match({text}, '{_COMPACT}') THEN try_strptime({text}, '%Y%m%d')::DATE
        WHEN regexp_full_match({text}, '{_AMERICAN}') THEN try_strptime({text}, {list(_CLOCKS)})::DATE
        WHEN {number} >= 0 THEN DATE '1970-01-01' + floor((CASE {seconds} END) / 86400)::INTEGER
        ELSE TRY_CAST({text} AS TIMESTAMP)::DATE END"""


FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n", "'")
"""What a spreadsheet takes for the beginning of a formula, in East Asia in full width too; and the quote that disarms
it, so that no two cells become one."""


EVERY_ROW = (
    "query_id",
    "query",
    "candidate_id",
    "status",
    "grade",
    "probabilities",
    "expected_grade",
    "reason",
    "label_grade",
    "decided_by",
    "decision_reason",
)
"""The columns of an export of every row."""
QUEPID = ("query", "docid", "rating")
AGGREGATED = (
    "query_id",
    "query",
    "candidate_id",
    "grade",
    "tied",
    "posterior",
    "expected_grade",
    "ratings",
    "method",
)
"""The columns of aggregated ratings."""
MADE = ("query_id", "query", "category", "tier", "kind", "product_id", "writer")
"""The columns of made queries."""
SAMPLED = ("query_id", "query", "candidate_id")
"""The first columns of a sample for people to grade; the guideline's fields come next, then `grade`."""
GUARDED: Mapping[tuple[str, ...], tuple[str, ...]] = {
    EVERY_ROW: EVERY_ROW,
    QUEPID: QUEPID,
    AGGREGATED: ("query",),
    MADE: MADE,
}
"""Columns of the CSV files that are written with inert cells, with those that have them."""


def guarded(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns with inert cells of a CSV file of ours with this header: a reader gives such cells back as they
    were."""
    if columns in GUARDED:
        return GUARDED[columns]
    if columns[: len(SAMPLED)] == SAMPLED and "grade" in columns:  # people may add columns behind it, such as a rater's
        return columns[: columns.index("grade")]
    return ()


def inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + cell if cell.startswith(FORMULA) else cell


def inert_sql(name: str) -> str:
    """`inert` for a column of this name, as SQL."""
    signs = ", ".join(f"chr({ord(sign)})" for sign in FORMULA)
    return f"if(left({name}, 1) IN ({signs}), chr(39) || {name}, {name}) AS {name}"


def restored(cell: str) -> str:
    """What `inert` was given. What people wrote keeps a quote that disarms nothing."""
    return cell[1:] if cell.startswith("'") and inert(cell[1:]) == cell else cell
