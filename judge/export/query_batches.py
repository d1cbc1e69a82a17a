"""The texts of an export's rows in one ordered pass: whole queries at a time, so that memory stays that of a few.

`pairs.parquet` holds a query's rows together and the label parts follow it row by row, so nothing is joined or sorted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.errors import RunError
from judge.export.chosen import Chosen
from judge.pairs.origin import has_origin
from judge.run.store import Run
from judge.sql import another

BATCH = 16_384

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Excluded:
    """Rows that are graded and left out."""

    candidate: Any
    """An Arrow array of the candidates."""
    query: Ints
    """The number of their query in the window, from 0."""
    grade: Ints


@dataclass(frozen=True)
class Window:
    """The exported rows of some whole queries: queries as they first appear, a query's rows in input order.

    `table` is an Arrow table of a row for each; the arrays are aligned with it.
    """

    table: Any
    """Columns `query_id, query, candidate_id, locale, candidate`, and those of labels that were asked for."""
    grade: Ints
    confidence: npt.NDArray[np.float64]
    """Probability of the grade; NaN where people gave or decided it."""
    sure: npt.NDArray[np.bool_]
    """Whether the grade is certain enough to be set against others."""
    flagged: npt.NDArray[np.bool_]
    """Whether the label is flagged and undecided."""
    hard: Ints
    """What `judge.export.hard` calls it."""
    split: Ints
    """The split's place among the splits."""
    row: Ints
    """The input row."""
    first: npt.NDArray[np.bool_]
    """Whether the row stands for its candidate, where someone has marked one."""
    has_better_copy: npt.NDArray[np.bool_]
    """Whether the product has a higher grade under another spelling of the query, where someone has marked it."""
    starts: Ints
    """Where each query's rows begin."""
    aside: "Excluded | None" = None
    """Graded rows of these queries that are not exported; where they were asked for, and there are some."""

    @property
    def ends(self) -> Ints:
        """Where each query's rows end."""
        return np.append(self.starts[1:], len(self.grade))


def query_batches(chosen: Chosen, labels: Sequence[str] = (), *, aside: bool = False) -> Iterator[Window]:
    """The exported rows with their texts, and with these columns of their labels.

    Args:
        chosen: Which rows.
        labels: The columns.
        aside: Whether graded rows that are left out are told too.

    Raises:
        RunError: The labels do not follow the pairs.
    """
    rows = _Rows(chosen.db)
    others = _Rows(chosen.db, "left_out IS NOT NULL AND grade IS NOT NULL") if aside else None
    for table, start in _whole_queries(_texts(chosen.run, labels)):
        mine = rows.until(start + table.num_rows)
        rest = others.until(start + table.num_rows) if others else None
        if mine.num_rows:
            window = _window(table, start, mine)
            yield replace(window, aside=_aside(table, start, window, rest)) if rest else window


def _aside(table: Any, start: int, window: Window, rest: Any) -> Excluded | None:
    """Of the rows that are left out, those whose query is in the window."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = table.take(rest.column("position").to_numpy() - start)
    queries = window.table.column("query_id").take(pa.array(window.starts))
    place = pc.index_in(found.column("query_id"), value_set=queries).to_numpy()
    there = ~np.isnan(place.astype(np.float64))
    if not there.any():
        return None
    candidate = found.column("candidate").combine_chunks().filter(pa.array(there))
    return Excluded(candidate, place[there].astype(np.int64), rest.column("grade").to_numpy()[there].astype(np.int64))


def _window(table: Any, start: int, mine: Any) -> Window:
    column = {name: mine.column(name).to_numpy() for name in mine.schema.names}
    place = column["position"] - start
    # Of the exported rows alone: one that could not be read may have no query.
    mine_ids = table.column("query_id").take(place).combine_chunks()
    keys = mine_ids.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    first = np.full(int(keys.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, keys, column["position"])
    order = np.lexsort((column["row"], first[keys]))
    keys = keys[order]
    column = {name: values[order] for name, values in column.items()}
    return Window(
        table=table.take(place[order]),
        grade=column["grade"].astype(np.int64),
        confidence=column["confidence"],
        sure=column["sure"].astype(bool),
        flagged=column["flagged"].astype(bool),
        hard=column["hard"].astype(np.int64),
        split=column["split"].astype(np.int64),
        row=column["row"],
        first=column["first"].astype(bool),
        has_better_copy=column["has_better_copy"].astype(bool),
        starts=np.flatnonzero(np.append(True, keys[1:] != keys[:-1])),
    )


class _Rows:
    """The table `rows` by position."""

    def __init__(self, db: Any, which: str = "left_out IS NULL") -> None:
        self._reader = iter(
            another(db)
            .sql(f"""SELECT position, row, grade, coalesce(confidence, 'nan'::DOUBLE) AS confidence, sure, flagged,
                hard, split, first, has_better_copy FROM rows WHERE {which} ORDER BY position""")
            .to_arrow_reader(BATCH)
        )
        self._schema: Any = None
        self._rest: Any = None

    def until(self, position: int) -> Any:
        """The rows before a position that have not been given yet."""
        import pyarrow as pa

        found = []
        while True:
            batch = self._rest if self._rest is not None else next(self._reader, None)
            self._rest = None
            if batch is None:
                break
            self._schema = batch.schema
            cut = int(np.searchsorted(batch.column(0).to_numpy(), position))
            found.append(batch.slice(0, cut))
            if cut < batch.num_rows:
                self._rest = batch.slice(cut)
                break
        return pa.Table.from_batches(found, self._schema).combine_chunks() if found else pa.table({})


def _texts(run: Run, labels: Sequence[str]) -> Iterator[Any]:
    """`pairs.parquet` in its order as Arrow tables, with columns of the labels added."""
    import pyarrow.parquet as pq

    columns = ["row", "query_id", "query", "candidate_id", "locale", "candidate"]
    columns += ["mined"] if has_origin(run.pairs_path) else []
    with pq.ParquetFile(run.pairs_path) as file:
        labelled = _LabelColumns(run, labels) if labels else None
        for batch in file.iter_batches(batch_size=BATCH, columns=columns):
            yield labelled.add(batch) if labelled else batch


class _LabelColumns:
    """The labels in judging order, as columns next to the pairs."""

    def __init__(self, run: Run, columns: Sequence[str]) -> None:
        self._path = run.path
        self._columns = list(columns)
        self._batches = self._read(run)
        self._rest: Any = None

    def _read(self, run: Run) -> Iterator[Any]:
        import pyarrow.parquet as pq

        for part in run.parts():
            with pq.ParquetFile(part) as file:
                yield from file.iter_batches(batch_size=BATCH, columns=["row", *self._columns])

    def add(self, batch: Any) -> Any:
        """The batch with the labels of its rows."""
        import pyarrow as pa

        found, wanted = [], batch.num_rows
        while wanted:
            part = self._rest if self._rest is not None else next(self._batches, None)
            if part is None:
                raise RunError(f"{self._path}: has fewer labels than pairs", "label into a new directory")
            found.append(part.slice(0, wanted))
            self._rest = part.slice(wanted) if part.num_rows > wanted else None
            wanted -= found[-1].num_rows
        labels = pa.Table.from_batches(found).combine_chunks()
        if not labels.column("row").combine_chunks().equals(batch.column("row")):
            raise RunError(f"{self._path}: labels are not in the order of the pairs", "label into a new directory")
        table = pa.Table.from_batches([batch])
        for name in self._columns:
            table = table.append_column(name, labels.column(name))
        return table


def _whole_queries(batches: Iterator[Any]) -> Iterator[tuple[Any, int]]:
    """Batches as tables that end where a query ends, each with the position at which it starts."""
    import pyarrow as pa

    held: list[Any] = []
    start = 0
    for batch in batches:
        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        cut = _last_change(table.column("query_id").combine_chunks(), held[-1].column("query_id") if held else None)
        if cut is None:
            held.append(table)
            continue
        whole = pa.concat_tables([*held, table.slice(0, cut)]).combine_chunks()
        if whole.num_rows:
            yield whole, start
        start += whole.num_rows
        held = [table.slice(cut)]
    if held:
        yield pa.concat_tables(held).combine_chunks(), start


def _last_change(ids: Any, before: Any) -> int | None:
    """Where the last query of a batch begins; null where it is one with the rows before."""
    import pyarrow.compute as pc

    changes = pc.fill_null(pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1)), True).to_numpy(zero_copy_only=False)
    found = np.flatnonzero(changes)
    if len(found):
        return int(found[-1]) + 1
    return None if before is None or before[-1].as_py() == ids[0].as_py() else 0
