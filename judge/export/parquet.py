"""Views into Parquet files, one file a split, each read back."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from judge.errors import RunError
from judge.export.account import account, check_ids
from judge.export.chosen import Chosen
from judge.export.formats import Output
from judge.export.query_batches import query_batches
from judge.export.soft import check_soft
from judge.export.spellings import mark_better_copies, mark_firsts
from judge.export.views import View, Work
from judge.export.written import WrittenView

GROUP = 32_768
"""Rows of a row group, about."""
GROUP_BYTES = 64 * 2**20
"""Bytes of a row group in memory, about: a row of a list holds the texts of all candidates of a query."""


def parquet_of(view: View) -> Callable[[Output], WrittenView]:
    """What writes a view as a format."""
    return lambda output: write_parquet(output.chosen, view, output.of_split)


def soft_parquet_of(view: View) -> Callable[[Output], WrittenView]:
    """The same, of a run that has probabilities."""

    def write(output: Output) -> WrittenView:
        check_soft(output.chosen, view.name)
        return parquet_of(view)(output)

    return write


def write_parquet(chosen: Chosen, view: View, path_of: Callable[[str], Path]) -> WrittenView:
    """Write a view, one file for each split, and read it back.

    Args:
        chosen: The rows.
        view: What to make of them.
        path_of: Where the file of a split goes; its folder must exist.

    Raises:
        InputError: There is nothing to write.
        RunError: What was read back is not what was to be written.
    """
    names = chosen.selection.names
    work = Work(chosen)
    if view.opposes:
        mark_better_copies(chosen.db)
    reworded = mark_firsts(chosen) if view.firsts else 0
    with ExitStack() as stack:
        files = [stack.enter_context(GrowingFile(path_of(name))) for name in names]
        for window in query_batches(chosen, view.labels, aside=view.opposes):
            table, splits = view.make(window, work)
            for number, file in enumerate(files):
                # A split without records gets a file with columns and no rows.
                file.add(table.filter(splits == number) if len(names) > 1 else table)
    records = {name: file.rows for name, file in zip(names, files, strict=True)}
    if view.ids and any(records.values()):
        check_ids(chosen, [file.path for file in files], view.ids)
    found = account(chosen, records, work.unused, by_row=view.rows, opposes=view.opposes)
    return found.model_copy(update={"reworded": reworded})


class GrowingFile:
    """A Parquet file that grows by tables, and is read back when it is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._held: list[Any] = []
        self._count = self._bytes = 0
        self._writer: Any = None
        self._sums: list[int] = []

    def __enter__(self) -> "GrowingFile":
        return self

    def add(self, table: Any) -> None:
        """Append the rows of a table."""
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, table.schema, compression="zstd")
            self._sums = [0] * table.num_columns
        self._held.append(table)
        self._count += table.num_rows
        self._bytes += table.nbytes
        if self._count >= GROUP or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        table = pa.concat_tables(self._held)
        if table.num_rows or not self.rows:
            self._writer.write_table(table)
        self._sums = _added(self._sums, table)
        self.rows += table.num_rows
        self._held, self._count, self._bytes = [], 0, 0

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._writer is None:
            return
        if self._held and kind is None:
            self._flush()
        self._writer.close()
        if kind is None:
            self._read_back()

    def _read_back(self) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            rows, sums = 0, [0] * len(file.schema_arrow)
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                rows, sums = rows + table.num_rows, _added(sums, table)
        if (rows, sums) != (self.rows, self._sums):
            raise RunError(f"{self.path.name}: reads back otherwise than it was written", "look at the disk; try again")


def _added(sums: list[int], table: Any) -> list[int]:
    return [(total + _sum(column)) % 2**64 for total, column in zip(sums, table.columns, strict=True)]


def _sum(column: Any) -> int:
    """A number that tells whether a column came back: nulls, bytes of text, bits of numbers; free of order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for chunk in column.chunks:
        total += int(chunk.null_count)
        if pa.types.is_struct(chunk.type):
            total += sum(_sum(pa.chunked_array([part])) for part in chunk.flatten())
        elif pa.types.is_list(chunk.type):
            total += len(chunk.flatten()) + _sum(pa.chunked_array([chunk.flatten()]))
        elif pa.types.is_string(chunk.type):
            total += int(pc.sum(pc.binary_length(chunk)).as_py() or 0)
        elif len(chunk) > chunk.null_count:
            numbers = chunk.drop_null().to_numpy(zero_copy_only=False)
            bits = numbers.view(np.uint64) if numbers.dtype == np.float64 else numbers.astype(np.uint64)
            total += int(bits.sum(dtype=np.uint64))
    return total % 2**64
