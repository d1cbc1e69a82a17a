"""Ids that went through a column of decimals: `101.0` is 101.

A table with a gap in a column of whole numbers makes decimals of them all (pandas, spreadsheets), and so one product
goes by 101 in one file and by 101.0 in the next. Whether that happened is said by the whole column: with an id of 7.5
or 1.0.2 in it, points mean something, and `101.0` is an id as somebody wrote it, such as a version.

Python and DuckDB have the rule once each; a test holds them to the same answers.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, cast

from judge.sql import quoted
from judge.tables.values import as_text
from judge.text import UNSEEN

IDS = ("candidate_id", "query_id")
"""Our names of columns that hold ids."""
_WHOLE = r"-?(0|[1-9][0-9]{0,15})\.0+"
_NUMBER = r"-?(0|[1-9][0-9]*)(\.0+|(\.[0-9]+)?[eE][+-]?[0-9]+)?"
"""A whole number as columns of numbers write it."""
Id = TypeVar("Id", bound="str | None")
SPOILT = "write the file again from where the value is whole, in a spreadsheet with the column's cells set to text"
"""What to do where a `SpoiltError` is met."""
_CUT = re.compile(r"-?[0-9]([.,][0-9]+)?E\+[0-9]{2,3}")
"""A long number as a sheet shows it: its last digits are gone."""
_FAILED = frozenset({"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"})
"""What a sheet has where a formula found nothing."""
EXACT = 2**53
"""From here on a decimal may stand for the whole number next to it: its digits are left alone."""


class SpoiltError(ValueError):
    """A spreadsheet put something else in the place of an id or of words: several may have become one."""


def as_id(value: Any) -> str | None:
    """A cell that holds an id, as text without outer white space: a decimal keeps its `.0`, for its column to decide.

    Raises:
        ValueError: As `as_text` does, or the value is a list of several, or was spoilt.
    """
    value = _as_one(value, "id")
    text = as_text(value)
    if isinstance(value, str) and "E+" in value and _CUT.fullmatch(value.strip()):
        raise SpoiltError(f"{text!r} is what a spreadsheet left of a longer number")
    if text and isinstance(value, Decimal) and value.is_finite():
        text = format(value, "f")
    elif text and isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        text += ".0"
    return (text or "").strip() or None


def as_query(value: Any) -> str | None:
    """A cell that holds a query's words, as text: nobody typed what the parts of a list make together.

    Raises:
        ValueError: As `as_text` does, or the value is a list of several, or was spoilt.
    """
    return as_text(_as_one(value, "text"))


def _as_one(value: Any, what: str) -> Any:
    """What stands alone, or alone in a list, as an index writes it; null for an empty list."""
    if isinstance(value, list | tuple):
        if len(value) > 1 or (value and isinstance(value[0], list | tuple)):
            raise ValueError(f"is a list where one {what} is wanted")
        value = value[0] if value else None
    if isinstance(value, date | time | timedelta):
        raise SpoiltError(f"{value} is a date or a time where one {what} is wanted, as spreadsheets make them of 3-4")
    if isinstance(value, str) and value[:1] == "#" and value.strip() in _FAILED:
        raise SpoiltError(f"{value.strip()!r} is a spreadsheet's word for a formula without a result")
    return value


def whole_id(text: str) -> str:
    """The whole number that an id is written for: `101.0` and `101.00` are `101`; any other id is itself."""
    if "." in text and re.fullmatch(_WHOLE, text) and abs(number := int(text.partition(".")[0])) < EXACT:
        return str(number)
    return text


def as_written(ids: Iterable[str | None]) -> bool:
    """Whether a column's ids stay as they are: one of them has a point, and is no whole number."""
    return any(text and "." in text and not re.fullmatch(_NUMBER, text) for text in ids)


def whole_ids(ids: Iterable[Id]) -> list[Id]:
    """A column's ids, `101.0` as `101` if all are whole numbers."""
    given = list(ids)
    return given if as_written(given) else [cast(Id, text and whole_id(str(text))) for text in given]


class IdIndex:
    """The ids of one file, as others name them: by the same id, else by the whole number that either is written for.

    So `101` finds `101.0`, and `101.0` finds `101`, unless there is one that is written just so.

    Args:
        ids: In their order, each once.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = tuple(ids)
        self._own = {key: at for at, key in enumerate(self.ids)}
        self._whole: dict[str, int] = {}
        for at, key in enumerate(self.ids):
            self._whole.setdefault(whole_id(key), at)

    def find(self, key: str) -> int | None:
        """The place of an id; null where it is not there."""
        whole = whole_id(key)
        return self._own.get(key, self._own.get(whole, self._whole.get(whole)))


@lru_cache
def _signs() -> tuple[str, str]:
    """The characters that show nothing, and those of them that are white space."""
    unseen = [c for c in map(chr, (*range(1, 0x10000), *range(0xE0000, 0xE0080))) if UNSEEN.match(c)]
    return "".join(unseen), "".join(c for c in unseen if c.isspace())


def id_sql(column: str) -> str:
    """`as_id` of a column of texts, as SQL: without outer white space, null where it shows nothing."""
    unseen, white = _signs()
    some = {"unseen": unseen, "white": white}
    of = {name: "[" + "".join(f"\\x{{{ord(c):X}}}" for c in signs) + "]+" for name, signs in some.items()}
    # Nearly every cell begins and ends with something: only the others are worth a regular expression.
    plain = f"NOT contains({quoted(unseen)}, left({column}, 1)) AND NOT contains({quoted(white)}, right({column}, 1))"
    bare = f"regexp_replace({column}, '^{of['white']}|{of['white']}$', '', 'g')"
    return f"CASE WHEN {plain} THEN {column} WHEN NOT regexp_full_match({column}, '|{of['unseen']}') THEN {bare} END"


def whole_id_sql(column: str) -> str:
    """`whole_id` of a column of texts, as SQL."""
    number = f"TRY_CAST(split_part({column}, '.', 1) AS BIGINT)"
    is_whole = f"contains({column}, '.') AND regexp_full_match({column}, '{_WHOLE}') AND abs({number}) < {EXACT}"
    return f"CASE WHEN {is_whole} THEN {number}::VARCHAR ELSE {column} END"


def as_written_sql(column: str) -> str:
    """`as_written` of a column of texts, as SQL of one row; false where the column is empty."""
    return f"coalesce(bool_or(contains({column}, '.') AND NOT regexp_full_match({column}, '{_NUMBER}')), false)"


def column_ids_sql(db: Any, source: str, names: Sequence[str]) -> dict[str, str]:
    """SQL of columns of `source`, a table of a DuckDB connection, as ids: by name, and as each column as a whole has
    them."""
    cells = {name: id_sql(f"{name}::VARCHAR") for name in names}
    if not cells:
        return cells
    # Most files have no decimals, and need no look at the form of every id.
    pointed = "bool_or(CASE WHEN contains({0}::VARCHAR, '.') THEN contains({1}, '.0') ELSE false END)"
    points = ", ".join(pointed.format(name, cell) for name, cell in cells.items())
    (some,) = db.execute(f"SELECT {points} FROM {source}").fetchall()
    asked = [name for name, found in zip(names, some, strict=True) if found]
    if asked:
        kept = ", ".join(as_written_sql(cells[name]) for name in asked)
        (stays,) = db.execute(f"SELECT {kept} FROM {source}").fetchall()
        cells |= {name: whole_id_sql(cells[name]) for name, written in zip(asked, stays, strict=True) if not written}
    return cells
