"""Rows that a caller holds in memory, laid down as a file: from there on they go the road of any file.

A path is read where it lies. What streams Arrow (`__arrow_c_stream__`: pandas, polars, pyarrow, DuckDB) becomes a
Parquet file, a list with a dict for each row JSON Lines. The same rows give the same bytes, however they are cut into
batches, so that a run which was begun with them resumes with them.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from judge.errors import InputError
from judge.run.store import Run
from judge.scratch import scratch_folder

GROUP = 50_000
"""Rows of a Parquet row group, and of memory beyond what the caller holds."""
WANTED = "give a path, a DataFrame (pandas, polars, Arrow), or a list with a dict for each row"
_INDEX = re.compile(r"__index_level_\d+__")
"""How pandas calls an index without a name: it numbers the rows, and says nothing of them."""


class ArrowStream(Protocol):
    """What speaks Arrow's PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A stream of record batches."""
        ...


Rows = str | os.PathLike[str] | ArrowStream | Iterable[Mapping[str, Any]]
"""A path of CSV, TSV, JSONL or Parquet; a DataFrame of pandas, polars or Arrow; or a list with a dict for each row."""


class InDirectory(Protocol):
    """A run that is open."""

    @property
    def path(self) -> Path:
        """Its directory."""
        ...


AnyRun = InDirectory | str | os.PathLike[str]
"""A run, or its directory."""


def as_run(run: AnyRun) -> Run:
    """The directory behind a run or its path.

    Raises:
        RunError: There is none.
    """
    return Run.open(Path(run) if isinstance(run, str | os.PathLike) else run.path)


@contextmanager
def as_file(rows: Rows, what: str, folder: Path | None = None) -> Iterator[tuple[Path, str]]:
    """A file that holds the rows, and what messages call it, such as `pairs (DataFrame)`.

    Args:
        rows: The caller's.
        what: What they are: `pairs`, `catalogue`, `ratings`, `events`.
        folder: A run that the caller holds, where a temporary file is made; in the system's folder unless given.

    Raises:
        InputError: They are not rows, or a value in them cannot be written.
    """
    if isinstance(rows, str | os.PathLike):
        yield Path(rows), str(rows)
        return
    name = f"{what} ({type(rows).__name__})"
    # In a run that is held, whoever holds it next removes what a kill left; elsewhere the next process does.
    temporary = tempfile.TemporaryDirectory(prefix="staging-", dir=folder) if folder else scratch_folder("rows")
    with temporary as scratch:
        yield _write(rows, Path(scratch) / what, name), name


@contextmanager
def as_optional_file(
    rows: Rows | None, what: str, folder: Path | None = None
) -> Iterator[tuple[Path | None, str | None]]:
    """The same for rows that may be left out."""
    if rows is None:
        yield None, None
        return
    with as_file(rows, what, folder) as found:
        yield found


def _write(rows: Any, path: Path, name: str) -> Path:
    as_records = getattr(rows, "to_dict", None)
    if hasattr(rows, "__arrow_c_stream__"):
        import pyarrow as pa

        try:
            return _write_arrow(rows, path.with_suffix(".parquet"))
        except (pa.ArrowException, ValueError, TypeError) as error:
            # A column of values of several kinds has no Arrow type; as records its values are read one by one.
            if as_records is None or not getattr(rows.columns, "is_unique", True):
                said = " ".join(str(error).split())[:200]
                raise InputError(f"{name}: cannot be read as columns ({said})", WANTED) from None
    if as_records is not None and not isinstance(rows, Mapping):
        rows = as_records("records")
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise InputError(f"{name}: holds no rows", WANTED)
    return _write_records(rows, path.with_suffix(".jsonl"), name)


def _write_arrow(rows: ArrowStream, path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    reader = pa.RecordBatchReader.from_stream(rows)
    names = [name for name in reader.schema.names if not _INDEX.fullmatch(name)]
    # Without what libraries note of themselves in a schema: it is no row of the caller's.
    schema = pa.schema([reader.schema.field(name).remove_metadata() for name in names])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        held, count = [], 0
        for batch in reader:
            held.append(batch.select(names).cast(schema))
            count += batch.num_rows
            while count >= GROUP:
                table = pa.Table.from_batches(held, schema)
                writer.write_table(table.slice(0, GROUP).combine_chunks(), GROUP)
                held, count = table.slice(GROUP).to_batches(), count - GROUP
        writer.write_table(pa.Table.from_batches(held, schema).combine_chunks(), GROUP)
    return path


def _write_records(rows: Iterable[Any], path: Path, name: str) -> Path:
    with path.open("w", encoding="ascii") as stream:
        for number, row in enumerate(rows, 1):
            if not isinstance(row, Mapping):
                what = f"{name}, row {number}: is a {type(row).__name__}, not a dict"
                raise InputError(what, "give each row as a dict of columns to values")
            try:
                stream.write(json.dumps({str(key): value for key, value in row.items()}, default=_plain) + "\n")
            except (TypeError, ValueError, RecursionError) as error:
                said = " ".join(str(error).split())[:200]
                raise InputError(f"{name}, row {number}: {said}", "give text, numbers, or lists of them") from None
    return path


def _plain(value: Any) -> Any:
    """What JSON has no word for: numbers and arrays of NumPy, dates, decimals, pandas' missing values."""
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat") or isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"a value is of the type {type(value).__name__}")
