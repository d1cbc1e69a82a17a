"""Labels that a run takes over from an earlier one: of pairs with the same words, texts and ids, by the same judge.

`inherited.parquet` in a run's directory holds them by position, from before the first pair is judged: where the earlier
run goes away, or the work is killed, nothing is judged that need not be. Failed pairs are judged again.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from judge.files import keep
from judge.records import Status
from judge.run.labels import BLENDED, label_schema, label_table
from judge.run.shape import check_shape
from judge.run.store import MEMORY, THREADS
from judge.sql import identifier, on_disk, quoted

FILE = "inherited.parquet"
JUDGED_IN = "judged_in"
"""Its column for the directory of the run that judged a label; null where that is the run itself, or not known."""
MOST = 50_000
"""Rows of a block, at most, however few of them are judged."""


def same_pair(new: str, old: str, fields: Sequence[str]) -> str:
    """SQL that says whether two rows of staged pairs are the same to a judge: ids, query, locale and texts."""
    names = ["query", "locale", *(f"candidate.{identifier(name)}" for name in fields)]
    return " AND ".join(f"{new}.{name} IS NOT DISTINCT FROM {old}.{name}" for name in names)


@dataclass(frozen=True)
class Earlier:
    """A run that labels are taken from: another one, or the same before it grew.

    Args:
        pairs: Its `pairs.parquet`.
        parts: Of its labels.
        taken: What it took over itself: its `inherited.parquet`, whether there is one or not.
        name: Its directory; null where it is the same run.
    """

    pairs: Path
    parts: Sequence[Path]
    taken: Path
    name: str | None = None

    @property
    def labels(self) -> list[Path]:
        """The files of all its labels."""
        return [*self.parts, *([self.taken] if self.taken.is_file() else [])]


def write_inherited(directory: Path, pairs: Path, earlier: Earlier, fields: Sequence[str]) -> int:
    """Write the labels that staged pairs have from earlier ones, with what was written there before for the same pairs;
    returns how many there are.

    Args:
        directory: Where the file goes.
        pairs: `pairs.parquet` of the run that takes over.
        earlier: Where the labels come from.
        fields: The candidate's fields.
    """
    import pyarrow.parquet as pq

    partial, own = directory / f"{FILE}.partial", directory / FILE
    for taken in (earlier.taken, own):
        if taken.is_file():
            _check(taken)
    names = label_schema().names
    if earlier.labels:  # all of one judge: they have the same columns
        names += [name for name in BLENDED if name in pq.read_schema(earlier.labels[0]).names]
    columns = ", ".join(name if name in ("row", "query_id", "candidate_id") else f"l.{name}" for name in names)
    columns = columns.replace("row, query_id, candidate_id", "n.row, n.query_id, n.candidate_id", 1)
    files = [str(path) for path in earlier.labels]
    read = [pairs, earlier.pairs, *earlier.labels, *([own] if own.is_file() else [])]
    with (
        TemporaryDirectory(prefix="staging-", dir=directory) as scratch,
        on_disk(Path(scratch), MEMORY, THREADS, read) as db,
    ):
        found = db.read_parquet(files, union_by_name=True) if files else db.from_arrow(label_table([]))
        found.create_view("labels")
        # Where a label was judged: of this run's own before it grew, nowhere else.
        judged_in = "NULL::VARCHAR" if earlier.name is None else quoted(earlier.name)
        before = "SELECT NULL::BIGINT AS row, NULL::VARCHAR AS judged_in WHERE false"
        if earlier.taken.is_file():
            known = JUDGED_IN if _tells_where(earlier.taken) else f"NULL::VARCHAR AS {JUDGED_IN}"
            before = f"SELECT row, {known} FROM read_parquet({quoted(earlier.taken)})"
        db.execute(f"""CREATE VIEW found AS
            SELECT n.file_row_number AS position, {columns}, coalesce(t.judged_in, {judged_in}) AS judged_in
            FROM read_parquet({quoted(pairs)}, file_row_number = true) n
            JOIN read_parquet({quoted(earlier.pairs)}) o USING (query_id, candidate_id)
            JOIN (SELECT DISTINCT ON (row) * FROM labels) l ON l.row = o.row
            LEFT JOIN ({before}) t ON t.row = o.row
            WHERE n.skip IS NULL AND o.skip IS NULL AND l.status NOT IN ('{Status.FAILED}', '{Status.SKIPPED}')
              AND {same_pair("n", "o", fields)}""")
        every = "SELECT * FROM found"
        if own.is_file():
            there = f"read_parquet({quoted(own)})"
            every = f"SELECT * FROM {there} UNION ALL BY NAME {every} ANTI JOIN {there} USING (position)"
        db.execute(
            f"COPY ({every} ORDER BY position) TO {quoted(partial)} "
            "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000)"
        )
    count = int(pq.read_metadata(partial).num_rows)
    keep(partial, directory / FILE)
    return count


def judged_in(run: Path, row: int) -> str | None:
    """The directory of the earlier run that judged an input row, whose label a run took over; null for its own."""
    import pyarrow.parquet as pq

    if not (run / FILE).is_file() or not _tells_where(run / FILE):
        return None
    found = pq.read_table(run / FILE, filters=[("row", "==", row)], columns=[JUDGED_IN])[JUDGED_IN].to_pylist()
    return found[0] if found else None


def taken_over(run: Path) -> int:
    """How many labels a run has from another: those that it judged itself before it grew are not counted, where its
    `inherited.parquet` tells them apart."""
    import pyarrow.parquet as pq

    if not _tells_where(run / FILE):
        return int(pq.read_metadata(run / FILE).num_rows)
    places = pq.read_table(run / FILE, columns=[JUDGED_IN])[JUDGED_IN]
    return len(places) - int(places.null_count)


def _tells_where(taken: Path) -> bool:
    """Whether an `inherited.parquet` says which run judged its labels: it did not always have the column."""
    return JUDGED_IN in _check(taken).names


def _check(taken: Path) -> Any:
    """The Arrow schema of an `inherited.parquet`.

    Raises:
        RunError: It is damaged, or of another shape.
    """
    import pyarrow as pa

    wanted = pa.schema([pa.field("position", pa.int64()), *label_schema()])
    return check_shape(taken, wanted, "refresh the earlier run once more, into a new directory")


@dataclass(frozen=True)
class Inherited:
    """What a run has taken over; nothing where there is no such file.

    Args:
        path: The file.
    """

    path: Path

    @cached_property
    def positions(self) -> list[int]:
        """The positions, ascending."""
        import pyarrow.parquet as pq

        if not self.path.is_file():
            return []
        _check(self.path)
        found: list[int] = pq.read_table(self.path, columns=["position"])["position"].to_pylist()
        return found

    def has(self, position: int) -> bool:
        """Whether the row there has its label from before."""
        at = bisect_left(self.positions, position)
        return at < len(self.positions) and self.positions[at] == position

    def labels(self, start: int, end: int) -> Any:
        """The labels of the positions from `start` to `end`, as an Arrow table with `position`; null where none are."""
        import pyarrow.parquet as pq

        if bisect_left(self.positions, start) == bisect_left(self.positions, end):
            return None
        wanted = [("position", ">=", start), ("position", "<", end)]
        return pq.read_table(self.path, filters=wanted)


def overlaid(table: Any, inherited: Any, start: int) -> Any:
    """The labels of a block that begins at `start`, with those that were taken over in their places."""
    import numpy as np
    import pyarrow as pa

    at = np.arange(len(table))
    at[inherited["position"].to_numpy() - start] = len(table) + np.arange(len(inherited))
    taken = inherited.select(table.schema.names).cast(table.schema)
    return pa.concat_tables([table, taken]).take(pa.array(at))
