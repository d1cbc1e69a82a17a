"""Cells of any file as text."""

import math
from collections.abc import Mapping
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


def as_time(text: str) -> float:
    """Seconds since 1970, from ISO 8601 (UTC unless it says otherwise) or from such a number.

    Raises:
        ValueError: The text is neither.
        OverflowError: No calendar goes there.
    """
    if text.replace(".", "", 1).isdigit():
        return float(text)
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a spreadsheet takes for the beginning of a formula; and the quote that disarms it, so that no two cells become
one."""


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
GUARDED = frozenset({EVERY_ROW, QUEPID})
"""Columns of the CSV files that exports write with inert cells; a reader gives their cells back as they were."""


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
