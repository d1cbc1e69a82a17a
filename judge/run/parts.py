"""The files of labels, `labels/part-*.parquet`: their names, what each says of itself, and whether it is whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from judge.documents import Kind, parse, reading
from judge.errors import RunError
from judge.run.labels import label_schema
from judge.run.manifest import Tally
from judge.run.shape import check_shape

FIX = "delete it and the parts after it, and run the `judge label` or `judge import` that made the run again"

PART = Kind(FIX, RunError)


def part_name(start: int) -> str:
    """The name of the part whose first label has this position in judging order."""
    return f"part-{start:012d}.parquet"


def start_of(part: Path) -> int:
    """The position of a part's first label, which its name says.

    Raises:
        RunError: It is called otherwise.
    """
    digits = part.stem.removeprefix("part-")
    if not (digits.isascii() and digits.isdecimal() and part.name == part_name(int(digits))):
        raise RunError(f"{part}: is not called as a part of labels is", "move it elsewhere")
    return int(digits)


def rows_of(part: Path) -> int:
    """How many labels a part holds.

    Raises:
        RunError: It is damaged, or holds something else.
    """
    import pyarrow.parquet as pq

    with reading(part, PART):
        found = pq.read_metadata(part)
    check_shape(part, label_schema(), FIX, found.schema.to_arrow_schema())
    return int(found.num_rows)


def tally_of(part: Path) -> Tally:
    """What labelling them took."""
    import pyarrow.parquet as pq

    with reading(part, PART):
        said = (pq.read_schema(part).metadata or {}).get(b"tally", b"{}")
    return parse(said, Tally, PART, f"{part}, tally")


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
            with reading(part, PART), pq.ParquetFile(part) as file:
                for _ in file.iter_batches():
                    pass
        raise
