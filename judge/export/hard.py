"""Hard products of mined pairs: what the miner's source got wrong.

A hard positive has the best grade and stands below rank `HARD` of the source that ranks it best. A hard negative has
the lowest grade and stands there above a product that is known to be of the best. A grade that is unsure, or flagged
and undecided, makes neither.
"""

from collections.abc import Sequence
from typing import Any

from judge.errors import InputError
from judge.export.joined_run import called
from judge.pairs.origin import has_origin
from judge.run.store import Run

WHY = ("source", "rank", "outranks", "found_by", "relation", "changed")
"""Columns of `judge.pairs.origin.ORIGIN` that stand next to the mark."""
HARD = 10
"""The rank below which a source hardly shows a product."""
POSITIVE, NEGATIVE = 1, 2
"""What the column `hard` of an export's rows holds; 0 is neither."""


def hard_sql(run: Run, values: Sequence[int]) -> str:
    """SQL of the column, over a row's `grade`, `sure`, `flagged` and, where the run was mined, `mined`."""
    if not has_origin(run.pairs_path):
        return "0"
    return f"""CASE WHEN NOT sure OR flagged THEN 0
        WHEN grade = {values[-1]} AND mined.rank > {HARD} THEN {POSITIVE}
        WHEN grade = {values[0]} AND mined.outranks > 0 THEN {NEGATIVE} ELSE 0 END"""


def hard_column(marks: Any) -> Any:
    """The column as an Arrow array of `hard_positive`, `hard_negative` or null."""
    import pyarrow as pa

    names = {POSITIVE: "hard_positive", NEGATIVE: "hard_negative"}
    return pa.array([names.get(value) for value in marks.tolist()], pa.string())


def why_hard(table: Any, marks: Any) -> dict[str, Any]:
    """The same, next to where each pair of an Arrow table was mined and how its source ranks it; empty where none
    was."""
    import pyarrow.compute as pc

    if "mined" not in table.column_names:
        return {}
    mined = table.column("mined").combine_chunks()
    return {"hard": hard_column(marks), **{name: pc.struct_field(mined, name) for name in WHY}}


def check_hard(run: Run) -> None:
    """Refuse to choose hard products where nothing says which are.

    Raises:
        InputError: No pair was mined.
    """
    if not has_origin(run.pairs_path):
        raise InputError(
            f"--hard: {called(run)} does not say where its pairs were mined, so that none is hard",
            "name the run of `judge label MINED.parquet`, take it in with `judge export --with`, or leave --hard out",
        )
