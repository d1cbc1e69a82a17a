"""Parquet: rows of anybody's file as Python values, whatever types it uses; and tables of ours, written whole."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.files import keep
from judge.records import Problem
from judge.tables.file import File, Row

SLICE = 256
"""Rows read at once: a page of a few kilobytes can unfold to a long text in every row."""


class ParquetRows:
    """The rows of a Parquet file, or of several one after the other, which must have the same columns.

    Raises:
        InputError: They do not, or a file is none of Parquet.
    """

    def __init__(self, file: File) -> None:
        import pyarrow.parquet as pq

        self.file = file
        if file.packing:
            raise InputError(f"{file.name}: Parquet compresses itself", "unpack it first")
        self.paths = file.parts or [file.path]
        names = [tuple(pq.read_schema(path).names) for path in self.paths]
        self.columns: tuple[str, ...] = names[0]
        if twice := next((name for name in names[0] if names[0].count(name) > 1), None):
            raise InputError(f"{file.name}: column {twice!r} occurs twice", "rename or drop one of them")
        for path, found in zip(self.paths, names, strict=True):
            if set(found) != set(names[0]):
                odd = sorted(set(found) ^ set(names[0]))
                message = f"{file.name}: {path.name} and {self.paths[0].name} differ in the column {odd[0]!r}"
                raise InputError(message, "give files with the same columns")

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order, counted through all files; of the `wanted` columns alone where given."""
        import pyarrow.parquet as pq

        names = [name for name in self.columns if wanted is None or name in wanted]
        number = there = 0
        for path in self.paths:
            with pq.ParquetFile(path) as opened:
                there += opened.metadata.num_rows
                for values in read_rows(opened, names):
                    number += 1
                    if values is None:
                        fix = "write a value that can be read, or null"
                        message = "a value is beyond what its type can hold"
                        yield self.file.problem("not_text", message, fix, number, None)
                    else:
                        yield Row(number, None, values)
        self.file.prove(number, there, "row")


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
