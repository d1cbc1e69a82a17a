"""Parquet: rows of anybody's file as Python values, whatever types it uses."""

from collections.abc import Iterator
from typing import Any

SLICE = 1024
"""Rows turned into Python values at once."""


def read_rows(file: Any, columns: list[str]) -> Iterator[dict[str, Any] | None]:
    """The rows of an open `pyarrow.parquet.ParquetFile`; null in place of one that has no Python value."""
    for batch in file.iter_batches(batch_size=8 * SLICE, columns=columns):
        for index in range(0, batch.num_rows, SLICE):
            piece = _readable(batch.slice(index, SLICE))
            try:
                yield from piece.to_pylist()
            except (ValueError, OverflowError):
                # Some value cannot be read: find its row, and keep the others.
                yield from (_row_of(piece.slice(at, 1)) for at in range(piece.num_rows))


def _readable(batch: Any) -> Any:
    """A batch with single-precision numbers as the text that names them: 19.99 and not 19.989999771118164."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for index, field in enumerate(batch.schema):
        if pa.types.is_float32(field.type) or pa.types.is_float16(field.type):
            column = batch.column(index)
            text = pc.if_else(pc.is_nan(column), None, pc.cast(column, pa.string()))
            batch = batch.set_column(index, field.name, text)
    return batch


def _row_of(row: Any) -> dict[str, Any] | None:
    """The values of a batch of one row; null where they cannot be read."""
    try:
        return dict(row.to_pylist()[0])
    except (ValueError, OverflowError):
        return None
