"""A sheet without column names: its first line is a row. A hint to map columns would lose that row."""

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.tables.rows import Row, Table

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_DIGIT = re.compile(r"\d+")
SAMPLE = 20
"""Rows that are looked at."""
_SHOWN = {"\t": r"\t"}
_UNPACK = {"": "cat", ".gz": "gzip -cd", ".zip": "unzip -p"}


def header_fix(table: Table, names: Sequence[str]) -> str | None:
    """How to give a sheet its column names, where those that it has look like cells; null for other files.

    `names` are those that it lacks: what its columns are is told where there are as many.
    """
    cells = table.columns
    sign = table.separator
    if cells is None or sign is None or not (any(map(_NUMBER.fullmatch, cells)) or _like_those_below(table, cells)):
        return None
    named = list(names)
    if len(cells) == 2 and named == ["query"]:
        named = ["query_id", "query"]
    if len(cells) == 2 and named == ["candidate_id"]:  # the lines of a collection: a passage's id and its text
        named = ["candidate_id", "title"] if " " in cells[1] else ["query_id", "candidate_id"]
    told = named if len(named) == len(cells) else ["NAME"] * len(cells)
    path = Path(table.name)
    write = f"printf '{_SHOWN.get(sign, sign).join(told)}\\n'; {_UNPACK[table.packing]}"
    plain = Path(path.name.removesuffix(table.packing))
    out = shlex.quote(f"{plain.stem}-named{plain.suffix}")
    return (
        "its first line looks like a row: put the column names above it, "
        f"`{{ {write} {shlex.quote(str(path))}; }} > {out}`"
    )


def _like_those_below(table: Table, cells: Sequence[str]) -> bool:
    """Whether a column is called like each of its cells, up to letters and digits: `q1` above `q2` and `q3`."""
    rows: list[Mapping[str, Any]] = []
    with suppress(InputError):  # what is wrong with the rest is said where it is read
        rows = [row.values for row in islice(table.rows(), SAMPLE) if isinstance(row, Row)]
    forms = {cell: {_form(str(values.get(cell))) for values in rows} for cell in cells if _DIGIT.search(cell)}
    return any(below == {_form(cell)} for cell, below in forms.items())


def _form(cell: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", _DIGIT.sub("9", cell.strip()))
