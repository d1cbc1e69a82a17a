"""A sheet without column names: its first line is a row. A hint to map columns would lose that row."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from judge.tables.rows import Table

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_SHOWN = {"\t": r"\t"}
_UNPACK = {"": "cat", ".gz": "gzip -cd", ".zip": "unzip -p"}


def header_fix(table: Table, names: Sequence[str]) -> str | None:
    """How to give a sheet its column names, where a number stands among those that it has; null for other files.

    `names` are those that it lacks: what its columns are is told where there are as many.
    """
    cells = table.columns
    sign = table.separator
    if cells is None or sign is None or not any(_NUMBER.fullmatch(cell) for cell in cells):
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
