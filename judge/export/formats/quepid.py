"""Quepid's CSV of ratings, which knows queries by their words."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from judge.export.chosen import Chosen, check_queries
from judge.export.formats import Format, Output
from judge.export.lines import Key, Line, LineFormat, columns, write_lines
from judge.export.query_batches import Window
from judge.export.reading import plain_cells, read_pairs
from judge.export.written import WrittenView
from judge.tables.values import QUEPID, inert


def _quepid(window: Window, chosen: Chosen) -> Iterator[Line]:
    """`query,docid,rating`. A spreadsheet may open it: no cell begins a formula."""
    for query, candidate, grade, split in columns(window, "query", "candidate_id"):
        cells = inert(query), inert(candidate)
        yield Line(_csv([*cells, str(grade)]), split, ((*cells, grade),))


def _csv(cells: list[str]) -> str:
    stream = io.StringIO()
    # Cells are quoted for the letters of the terminator: both, so that no line break stands bare.
    csv.writer(stream, lineterminator="\r\n").writerow(cells)
    return stream.getvalue().removesuffix("\r\n")


def _read_quepid(path: Path) -> Iterator[Key]:
    """What Quepid finds in a file: cells as they stand there."""
    for query, candidate, grade in plain_cells(path, ",", QUEPID):
        yield query, candidate, int(grade)


_LINES = LineFormat(_quepid, _read_quepid, head=",".join(QUEPID) + "\n")


def _write(output: Output) -> WrittenView:
    check_queries(output.chosen)
    return write_lines(output.chosen, _LINES, output.of_split)


FORMAT = Format(
    name="quepid",
    help="CSV `query,docid,rating`",
    opened_by="Quepid: import ratings",
    suffix=".csv",
    write=_write,
    read=read_pairs,
    order=80,
)
