"""Parquet: rows of anybody's file as Python values, whatever types it uses; and tables of ours, written whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from judge.files import keep

SLICE = 256
"""Rows read at once: a page of a few kilobytes can unfold to a long text in every row."""


def read_rows(file: Any, columns: list[str]) -> Iterator[dict[str, Any] | None]:
    """The rows of an open `pyarrow.parquet.ParquetFile`; null in place of one that has no Python value."""
    for batch in file.iter_batches(batch_size=SLICE, columns=columns):
        piece = _readable(batch)
        try:
            yield from piece.to_pylist()
        except (ValueError, OverflowError):
            # Some value cannot be read: find its row, and keep the others.
            yield from (_row_of(piece.slice(at, 1)) for at in range(piece.num_rows))


def write_table(table: Any, path: Path) -> None:
    """Write an Arrow table in place of what is there: whole or not at all."""
    import pyarrow.parquet as pq

    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(table, partial, compression="zstd")
    keep(partial, path)


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
