"""Parquet: rows of anybody's file as Python values, whatever types it uses; and tables of ours, written whole."""

import re
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.files import keep, unless_it_fails
from judge.records import Problem
from judge.tables.candidate_texts import CANDIDATE, flat, flat_columns
from judge.tables.file import File, Row
from judge.tables.sniff import PARQUET

_LIST = re.compile(r"^[^.]+\.list\.(element|item)$")
SLICE = 4096
"""Rows read at once, at most: their texts still folded, that is each once for all rows that have it."""
PIECE = 64 * 1024 * 1024
"""Bytes of texts made at once; and of one row, at most: a page of a few kilobytes can unfold to gigabytes."""
UNFOLDED, RATIO = 512 * 1024 * 1024, 200
"""A column of a row group that unfolds to more bytes, so many times what it takes on disk, is not read at all: its
pages may be as large as it."""


class ParquetRows:
    """The rows of a Parquet file, or of several one after the other, which must have the same columns.
    The fields of a struct `CANDIDATE` are columns like any other.

    Raises:
        InputError: They do not, or a file is none of Parquet.
    """

    def __init__(self, file: File) -> None:
        import pyarrow.parquet as pq

        self.file = file
        if file.packing:
            raise InputError(f"{file.name}: Parquet compresses itself", "unpack it first")
        self.paths = file.parts or [file.path]
        for path in self.paths:
            _refuse_others(path, file.name)
        read = [flat_columns(pq.read_schema(path)) for path in self.paths]
        self.columns: tuple[str, ...] = tuple(read[0][0])
        self.within = read[0][1]
        names = [(*columns, *paths.values()) for columns, paths in read]
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
        paths = [self.within.get(name, name) for name in names]
        number = 0
        rows = chain.from_iterable(read_rows(path, paths, self.file.name) for path in self.paths)
        for number, values in enumerate(rows, 1):
            if values is None:
                fix = "write a value that can be read, or null"
                what = "a value is beyond what its type can hold, or the row longer than 64 MiB"
                yield self.file.problem("not_text", what, fix, number, None)
            else:
                yield Row(number, None, values)
        self.file.prove(number, sum(pq.read_metadata(path).num_rows for path in self.paths), "row")


def _refuse_others(path: Path, name: str) -> None:
    """Refuse a file that begins otherwise than Parquet does."""
    with path.open("rb") as stream:
        head = stream.read(len(PARQUET))
    if head != PARQUET:
        what = "is empty" if not head else "is no Parquet, whatever its name says"
        raise InputError(f"{name}: {what}", "write it again, or let its name end in what it is, such as .csv")


def read_rows(path: Path, columns: list[str], name: str) -> Iterator[dict[str, Any] | None]:
    """The rows of a Parquet file; null in place of one that has no Python value, or more bytes than `PIECE`.

    Texts that stand in the file once and in many rows are unfolded a piece at a time.

    Raises:
        InputError: A column unfolds to more than memory should hold.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        texts = [leaf.path for leaf in map(file.schema.column, range(len(file.schema))) if _is_text(leaf)]
        sizes = [_checked(file.metadata.row_group(group), name) for group in range(file.num_row_groups)]
    with pq.ParquetFile(path, pre_buffer=False) as plain, _folded(path, texts) as folded:
        for group, (rows, size) in enumerate(sizes):
            wanted = {"row_groups": [group], "columns": columns}
            slice_size = max(1, min(SLICE, PIECE * rows // max(size, 1)))
            # A row group has each text once, in a dictionary that comes with its first row.
            first = next((flat(batch, columns) for batch in folded.iter_batches(batch_size=1, **wanted)), None)
            widest = sum(map(_widest, first.columns)) if first else 0
            if widest * slice_size <= PIECE:
                for batch in plain.iter_batches(batch_size=slice_size, **wanted):
                    yield from _values(_readable(flat(batch, columns)))
                continue
            for batch in folded.iter_batches(batch_size=slice_size, **wanted):
                yield from _rows_of(flat(batch, columns))


def _folded(path: Path, texts: list[str]) -> Any:
    """A Parquet file whose texts are read as they stand in it: each once for all rows of a row group that have it."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False)


def _is_text(leaf: Any) -> Any:
    """Whether a leaf of the schema is a column of texts, or of lists of them."""
    kinds = ("STRING", "NONE", "JSON", "ENUM")
    lone = leaf.max_repetition_level == 0 and leaf.path in (leaf.name, f"{CANDIDATE}.{leaf.name}")
    return leaf.physical_type == "BYTE_ARRAY" and leaf.logical_type.type in kinds and (lone or _LIST.search(leaf.path))


def _checked(group: Any, name: str) -> tuple[int, int]:
    """Rows and unfolded bytes of a row group."""
    for at in range(group.num_columns):
        column = group.column(at)
        if column.total_uncompressed_size > max(UNFOLDED, RATIO * column.total_compressed_size):
            raise InputError(
                f"{name}, field {column.path_in_schema!r}: unfolds to {column.total_uncompressed_size:,} bytes",
                "give it in parts, or without its longest texts",
            )
    return group.num_rows, group.total_byte_size


def _rows_of(batch: Any) -> Iterator[dict[str, Any] | None]:
    """The rows of a batch whose texts are still folded, unfolded in pieces of at most `PIECE` bytes."""
    widest = sum(map(_widest, batch.columns))
    step = max(1, min(batch.num_rows, PIECE // max(widest, 1)))
    for start in range(0, batch.num_rows, step):
        folded = batch.slice(start, step)
        if widest > PIECE and sum(map(_bytes, folded.columns)) > PIECE:
            yield None
            continue
        yield from _values(_readable(_unfolded(folded)))


def _values(piece: Any) -> Iterator[dict[str, Any] | None]:
    """The rows of a batch as Python values."""
    try:
        yield from piece.to_pylist()
    except (ValueError, OverflowError):
        # Some value cannot be read: find its row, and keep the others.
        yield from (_row_of(piece.slice(at, 1)) for at in range(piece.num_rows))


def _widest(column: Any) -> int:
    """Bytes that no row of a column has more of."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        return int(pc.max(pc.binary_length(column.dictionary)).as_py() or 0)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return int(pc.max(pc.list_value_length(column)).as_py() or 0) * max(_widest(column.values), 8)
    return int(column.nbytes) // max(len(column), 1)


def _bytes(column: Any) -> int:
    """Bytes of a column's texts, unfolded."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        return int(pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return _bytes(column.flatten())
    return int(column.nbytes)


def _unfolded(batch: Any) -> Any:
    """A batch with plain texts in place of folded ones."""
    import pyarrow as pa

    # A cast of a slice of lists casts what lies before and behind it, too.
    own = pa.array(range(len(batch)))
    columns = [column.take(own) if pa.types.is_nested(column.type) else column for column in batch.columns]
    kinds = [_plain(column.type) for column in columns]
    return pa.record_batch([c.cast(kind) for c, kind in zip(columns, kinds, strict=True)], names=batch.schema.names)


def _plain(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_large_list(kind):
        return pa.large_list(_plain(kind.value_type))
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    return kind


def write_table(table: Any, path: Path) -> None:
    """Write an Arrow table in place of what is there: whole or not at all."""
    import pyarrow.parquet as pq

    partial = path.with_name(f".{path.name}.partial")
    with unless_it_fails(partial, path):
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
