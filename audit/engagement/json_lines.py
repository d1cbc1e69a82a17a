"""Lines of JSON as Arrow text, none of them parsed."""

from typing import Any

from judge.sql import quoted


def json_lines(data: bytes, schema: Any) -> Any:
    """A block of lines as one Arrow column; one that is not UTF-8 is null."""
    import numpy as np
    import pyarrow as pa

    if not is_text(data):
        lines = [line if is_text(line) else None for line in data.split(b"\n")[:-1]]
        return pa.record_batch([pa.array(lines, pa.binary()).cast(pa.string())], schema=schema)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")).astype(np.int32) + 1
    offsets = pa.py_buffer(np.concatenate([np.zeros(1, np.int32), ends]))
    return pa.record_batch([pa.StringArray.from_buffers(len(ends), offsets, pa.py_buffer(data))], schema=schema)


def is_text(data: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        return data.isascii() or bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def one_sql(cell: str, path: str) -> str:
    """SQL of a cell of a line that holds an id or words: of a list of one it is that one (`judge.tables.ids`)."""
    inside = f"CASE WHEN {_is_one(path)} THEN json_extract_string(line, {quoted(path + '[0]')}) ELSE {cell} END"
    return f"CASE WHEN left({cell}, 1) = '[' THEN {inside} ELSE {cell} END"


def is_nested_sql(cell: str, path: str) -> str:
    """SQL that says whether a cell is an object of a line or a list of several; only one that looks so is looked up."""
    there = f"json_type(line, {quoted(path)}) IN ('ARRAY', 'OBJECT') AND NOT ({_is_one(path)})"
    return f"CASE WHEN left({cell}, 1) IN ('[', '{{') THEN {there} ELSE false END"


def _is_one(path: str) -> str:
    """SQL that says whether a list of one value, or of none, is there in a line of JSON."""
    is_list = f"json_type(line, {quoted(path)}) = 'ARRAY' AND json_array_length(line, {quoted(path)}) < 2"
    return f"{is_list} AND coalesce(json_type(line, {quoted(path + '[0]')}), '') NOT IN ('ARRAY', 'OBJECT')"
