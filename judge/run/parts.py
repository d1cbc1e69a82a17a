"""The files of labels, `labels/part-*.parquet`: their names, what each says of itself, and whether it is whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from judge.errors import RunError
from judge.run.labels import label_schema
from judge.run.manifest import Tally
from judge.run.shape import check_shape

FIX = "delete it and the parts after it, and run the `judge label` or `judge import` that made the run again"


def part_name(start: int) -> str:
    """The name of the part whose first label has this position in judging order."""
    return f"part-{start:012d}.parquet"


def rows_of(part: Path) -> int:
    """How many labels a part holds.

    Raises:
        RunError: It is damaged, or holds something else.
    """
    import pyarrow.parquet as pq

    with _whole(part):
        found = pq.read_metadata(part)
    check_shape(part, label_schema(), FIX, found.schema.to_arrow_schema())
    return int(found.num_rows)


def tally_of(part: Path) -> Tally:
    """What labelling them took."""
    import pyarrow.parquet as pq

    with _whole(part):
        return Tally.model_validate_json((pq.read_schema(part).metadata or {}).get(b"tally", b"{}"))


@contextmanager
def in_queries(parts: Sequence[Path]) -> Iterator[None]:
    """See that the parts have the columns of labels; where a query fails, look which of them is damaged.

    Raises:
        RunError: One is, or has other columns.
    """
    import duckdb
    import pyarrow.parquet as pq

    for part in parts:
        check_shape(part, label_schema(), FIX)
    try:
        yield
    except duckdb.Error:
        for part in parts:
            with _whole(part), pq.ParquetFile(part) as file:
                for _ in file.iter_batches():
                    pass
        raise


@contextmanager
def _whole(part: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own words: the file may be whole
        raise RunError(f"{part}: is damaged", FIX) from None
