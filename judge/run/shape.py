"""Whether a Parquet file of a run has the columns that its readers rely on, before a query meets it.

A run may come from somebody else, or from another version. Numbers may be wider or narrower than we write them, and
further columns are no harm; a column that is missing, or of another kind, is one clear error.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from judge.documents import Kind, reading
from judge.errors import RunError


def check_shape(path: Path, wanted: Any, fix: str, given: Any = None) -> Any:
    """Refuse a Parquet file that is damaged, or in which a column of `wanted` is missing or of another kind.

    Args:
        path: The file.
        wanted: The Arrow schema that is relied on. A column of nulls alone fits where its field is nullable.
        fix: What to do where it is another.
        given: The file's schema, if it was read already.

    Returns:
        The file's Arrow schema.

    Raises:
        RunError: It is so; the message names the file and the column.
    """
    import pyarrow.parquet as pq

    if given is None:
        with reading(path, Kind(fix, RunError), "no whole Parquet file"):
            given = pq.read_schema(path)
    for field in wanted:
        if field.name not in given.names:
            raise RunError(f"{path}: has no column {field.name!r}", fix)
        found = given.field(field.name).type
        if _kind(found) != _kind(field.type) and not (field.nullable and _kind(found) == "null"):
            raise RunError(f"{path}, column {field.name!r}: has type {found} where {field.type} is meant", fix)
    return given


def read_columns(path: Path, schema: Any, fix: str, needed: Sequence[str]) -> Any:
    """The columns of a Parquet file that a schema names, as an Arrow table of that schema.

    Args:
        path: The file.
        schema: The Arrow schema.
        fix: What to do where the file has another.
        needed: Columns that must be there; of the others, those that are not are null.

    Raises:
        RunError: The file is damaged or of another shape.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    there = check_shape(path, pa.schema([schema.field(name) for name in needed]), fix).names
    present = pa.schema([field for field in schema if field.name in there])
    check_shape(path, present, fix)
    with reading(path, Kind(fix, RunError), "no whole Parquet file"):
        table = pq.read_table(path, columns=present.names).select(present.names).cast(present)
        table.validate(full=True)  # a text that is no UTF-8 would be found by whoever reads it
    absent = {field.name: pa.nulls(len(table), field.type) for field in schema if field.name not in there}
    return pa.table({name: table[name] if name in there else absent[name] for name in schema.names}, schema=schema)


def check_pairs(path: Path) -> None:
    """Refuse a run's `pairs.parquet` that is damaged or of another shape.

    Raises:
        RunError: It is so.
    """
    import pyarrow as pa

    text = pa.string()
    names = [("query_id", text), ("query", text), ("candidate_id", text), ("locale", text), ("skip", text)]
    wanted = pa.schema([pa.field("row", pa.int64(), nullable=False), *names, ("grade", pa.int32())])
    fix = "restore it from where the run came from, or label into a new directory"
    given = check_shape(path, wanted, fix)
    fields = given.field("candidate").type if "candidate" in given.names else pa.null()
    if not pa.types.is_struct(fields) or any(_kind(field.type) not in ("text", "null") for field in fields):
        raise RunError(f"{path}, column 'candidate': is not a struct of the candidate's texts", fix)


def _kind(data_type: Any) -> str:
    """What a type holds, whatever its width."""
    import pyarrow as pa

    kinds = {
        "null": pa.types.is_null,
        "whole number": pa.types.is_integer,
        "number": pa.types.is_floating,
        "text": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t),
        "list": lambda t: pa.types.is_list(t) or pa.types.is_large_list(t),
        "struct": pa.types.is_struct,
    }
    kind = next((name for name, is_kind in kinds.items() if is_kind(data_type)), str(data_type))
    if kind == "list":
        return f"list of {_kind(data_type.value_type)}"
    return kind
