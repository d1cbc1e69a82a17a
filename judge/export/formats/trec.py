"""TREC qrels; for the Hub, the same as a table."""

import re
from collections.abc import Iterator
from pathlib import Path

from judge.export.chosen import Chosen
from judge.export.formats import Format
from judge.export.lines import Key, Line, LineFormat, columns, lines_of, refuse_ids
from judge.export.query_batches import Window
from judge.export.reading import by_id, read_keys
from judge.export.views import Made, View, Work
from judge.tables.file import File
from judge.tables.qrels import QrelsRows

_SPACE = re.compile(r"\s|\A\ufeff")
"""White space, and what readers take for a file's byte order mark."""


def _trec(window: Window, chosen: Chosen) -> Iterator[Line]:
    """Lines `query-id 0 candidate-id grade`. TREC separates by white space, so ids must have none."""
    fix = "give ids without them, or export to jsonl or parquet"
    refuse_ids(window, chosen, _SPACE, ("white space, which separates TREC's columns, or a byte order mark", fix))
    for query, candidate, grade, split in columns(window, "query_id", "candidate_id"):
        yield Line(f"{query} 0 {candidate} {grade}", split, ((query, candidate, grade),))


def _read_trec(path: Path) -> Iterator[Key]:
    # A file without lines, of a split that is empty, is no file of qrels.
    return read_keys(QrelsRows(File(path)), "query_id") if path.stat().st_size else iter(())


def _make(window: Window, work: Work) -> Made:
    """`query-id, corpus-id, score`, as MTEB names them."""
    import pyarrow as pa

    columns = {
        "query-id": window.table.column("query_id"),
        "corpus-id": window.table.column("candidate_id"),
        "score": pa.array(window.grade),
    }
    return pa.table(columns), window.split


VIEW = View(
    name="qrels",
    help="`query-id, corpus-id, score`, as MTEB and BEIR name them",
    make=_make,
    need_text=True,  # next to it stand MTEB's corpus and queries, which have texts
    ids=('"query-id"', '"corpus-id"', "score"),
)
FORMAT = Format(
    name="trec",
    help="`query-id 0 candidate-id grade`",
    opened_by="`ir_measures.read_trec_qrels(…)`",
    suffix=".qrels",
    write=lines_of(LineFormat(_trec, _read_trec, qrels=True)),
    read=lambda path: by_id(_read_trec(path)),
    order=60,
    view=VIEW,
)
