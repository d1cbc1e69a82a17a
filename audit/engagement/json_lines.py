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


def is_nested_sql(cell: str, path: str) -> str:
    """SQL that says whether a cell is a list or an object of a line; only one that looks so is looked up."""
    there = f"json_type(line, {quoted(path)}) IN ('ARRAY', 'OBJECT')"
    return f"CASE WHEN left({cell}, 1) IN ('[', '{{') THEN {there} ELSE false END"
