"""Words of others inside SQL: the only two ways in which a name, a path or a text may be written into a statement.

A value is better bound to the statement (`?`); what takes none, such as COPY or a column's name, is quoted here. The
databases in which questions are asked are opened here too.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

_NUMBERS = count()

FEW_ROWS, FEW_BYTES = 20_000, 2**24
"""Of Parquet files: up to here, what is made of them is held in memory."""


def quoted(text: object) -> str:
    """A text or a path as SQL text."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name, whatever letters it has."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def in_memory() -> Iterator[Any]:
    """A DuckDB connection to an empty database in memory, which is gone afterwards.

    All of a process are catalogs of one DuckDB: to start another takes longer than to answer most questions.
    """
    import duckdb

    own = f"own{next(_NUMBERS)}"
    with _kept(os.getpid()).cursor() as db:
        db.execute(f"ATTACH ':memory:' AS {own}")
        try:
            db.execute(f"USE {own}")
            db.execute("SET enable_progress_bar = false")
            yield db
        finally:
            with suppress(duckdb.Error):
                db.execute("USE memory")
                db.execute(f"DETACH {own}")


def another(db: Any) -> Any:
    """A second connection to the same database, to write with the first while reading from this one."""
    cursor = db.cursor()
    cursor.execute(f"USE {identifier(db.execute('SELECT current_database()').fetchall()[0][0])}")
    return cursor


@contextmanager
def on_disk(scratch: Path, memory: str, threads: int, files: Sequence[Path]) -> Iterator[Any]:
    """A DuckDB connection whose tables lie in the folder `scratch`, and whose memory is limited.

    For a few rows it is one to an empty database in memory: to start a DuckDB takes longer than all that is asked of
    them. `files` are the Parquet files that are going to be read.
    """
    import duckdb

    if _few(files):
        with in_memory() as db:
            yield db
        return
    limits = {"memory_limit": memory, "threads": str(threads), "temp_directory": str(scratch)}
    with duckdb.connect(str(scratch / "scratch.duckdb"), config=limits) as db:
        db.execute("SET enable_progress_bar = false")
        yield db


def _few(files: Sequence[Path]) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if sum(path.stat().st_size for path in files) > FEW_BYTES:
        return False
    try:
        return bool(sum(pq.read_metadata(path).num_rows for path in files) <= FEW_ROWS)
    except (pa.ArrowException, OSError):  # for the query to say
        return False


@cache
def _kept(process: int) -> Any:
    import atexit

    import duckdb

    # What is open when Python ends, DuckDB's binding lists on standard error.
    atexit.register(_kept.cache_clear)
    # Files may change between two questions: nothing of them is kept.
    return duckdb.connect(config={"enable_external_file_cache": "false"})
