"""A query with all its candidates' texts and grades, as lists; next to splits, the ids of their rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from judge.export.account import check_ids
from judge.export.chosen import Chosen
from judge.export.formats import Format, Output
from judge.export.hard import why_hard
from judge.export.parquet import GrowingFile, parquet_of
from judge.export.query_batches import Window, query_batches
from judge.export.soft import SOFT, expected_grades
from judge.export.splits import ELSEWHERE
from judge.export.texts import candidate_text
from judge.export.views import Made, View, Work
from judge.export.written import WrittenView
from judge.sql import quoted

ROWS = "rows.parquet"
"""Whose texts a set's lists hold: a row for each candidate, in the order of the lists. It stands apart, since trainers
take every column for a text."""
LEFT_OUT = "left_out.parquet"
"""Which products of the lists' queries were graded and are in no list: to a trainer they are no unknown ones. Not there
where there is none."""


def _make(window: Window, work: Work) -> Made:
    """`query, docs, labels`: each query with its candidates' texts and their grades."""
    import pyarrow as pa

    texts = candidate_text(window.table.column("candidate").combine_chunks(), work.chosen.fields)
    bounds = pa.array(np.append(window.starts, len(window.grade)), pa.int32())
    columns = {
        "query": window.table.column("query").take(pa.array(window.starts)),
        "docs": pa.ListArray.from_arrays(bounds, texts),
        "labels": pa.ListArray.from_arrays(bounds, pa.array(window.grade)),
    }
    return pa.table(columns), window.split[window.starts]


VIEW = View(
    name="listwise",
    help="a query with all its products and their grades",
    make=_make,
    need_text=True,
    rows=False,
)


def _write(output: Output) -> WrittenView:
    written = parquet_of(VIEW)(output)
    if output.chosen.selection.splits:
        path = output.path / ROWS
        with GrowingFile(path) as file:
            for table in _rows(output.chosen):
                file.add(table)
        check_ids(output.chosen, [path], ("query_id", "candidate_id", "grade"))
        _write_left_out(output.chosen, output.path / LEFT_OUT)
    return written


def _write_left_out(chosen: Chosen, path: Path) -> None:
    """`split, query_id, candidate_id`; products of smaller splits are in no list of theirs, and are not named."""
    db = chosen.db
    names = ", ".join(map(quoted, chosen.selection.names))
    db.execute(f"""CREATE OR REPLACE TABLE unlisted AS SELECT ([{names}])[s.split + 1] AS split, query_id, candidate_id
        FROM rows r JOIN (SELECT DISTINCT query_id, split FROM rows WHERE left_out IS NULL) s USING (query_id)
        WHERE r.grade IS NOT NULL AND r.left_out <> '{ELSEWHERE}'""")
    if db.execute("SELECT 1 FROM unlisted LIMIT 1").fetchone():
        db.execute(f"COPY (FROM unlisted ORDER BY ALL) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)")


def _rows(chosen: Chosen) -> Iterator[Any]:
    """`split, place, query_id, candidate_id, locale, grade, expected_grade`: `place` is the list's in its split's file,
    from 0; `expected_grade` is null where the judge gave no probabilities, or people or another judge decided. Where
    pairs were mined, `hard` and what makes it so."""
    import pyarrow as pa

    names = chosen.selection.names
    lists = np.zeros(len(names), dtype=np.int64)
    for window in query_batches(chosen, SOFT):
        split = window.split[window.starts]
        place = np.zeros(len(split), dtype=np.int64)
        for number in range(len(names)):
            mine = split == number
            place[mine] = lists[number] + np.arange(mine.sum())
            lists[number] += mine.sum()
        sizes = window.ends - window.starts
        expected = expected_grades(window)
        yield pa.table(
            {
                "split": pa.array(names).take(pa.array(np.repeat(split, sizes))),
                "place": pa.array(np.repeat(place, sizes)),
                "query_id": window.table.column("query_id"),
                "candidate_id": window.table.column("candidate_id"),
                "locale": window.table.column("locale"),
                "grade": pa.array(window.grade),
                "expected_grade": pa.array(expected, mask=np.isnan(expected)),
                **why_hard(window.table, window.hard),
            }
        )


FORMAT = Format(
    name="listwise",
    help="`query, docs, labels`: a query's texts and grades as lists; with `--splits`, `rows.parquet` has their ids",
    opened_by="`judge train`; `LambdaLoss`, `ListNetLoss` of a cross-encoder",
    suffix="-00000.parquet",
    write=_write,
    read=None,
    unread="texts without ids, as the losses take them",
    order=50,
    need_text=True,
    options=frozenset({"hard"}),
    view=VIEW,
)
