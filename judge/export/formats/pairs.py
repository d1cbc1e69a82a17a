"""A query and a candidate's text with a score or a class: the training of a pair's loss."""

import numpy as np

from judge.export.formats import Format
from judge.export.parquet import parquet_of
from judge.export.query_batches import Window
from judge.export.soft import SOFT, scaled, soft_grades
from judge.export.texts import candidate_text
from judge.export.views import Made, View, Work


def _make(window: Window, work: Work) -> Made:
    """`sentence1, sentence2, score` in [0, 1], or `label`: the grade's place among the grades."""
    import pyarrow as pa

    values = np.array(work.chosen.values)
    columns = {
        "sentence1": window.table.column("query"),
        "sentence2": candidate_text(window.table.column("candidate").combine_chunks(), work.chosen.fields),
    }
    if work.chosen.selection.pairs == "labelled":
        columns["label"] = pa.array(np.searchsorted(values, window.grade))
    else:
        soft = work.chosen.selection.score == "expected"
        columns["score"] = pa.array(scaled(soft_grades(window) if soft else window.grade, work.chosen.values))
    return pa.table(columns), window.split


VIEW = View(
    name="pairs",
    help="`sentence1, sentence2`, and a score in [0, 1] or a class",
    make=_make,
    need_text=True,
    labels=SOFT,
)


FORMAT = Format(
    name="pairs",
    help="`sentence1, sentence2, score` in [0, 1]; with `--labelled`, `label`: the grade's place, from 0",
    opened_by="`CoSENTLoss`, `CosineSimilarityLoss`; `SoftmaxLoss`",
    suffix="-00000.parquet",
    write=parquet_of(VIEW),
    read=None,
    unread="texts without ids, as the losses take them",
    order=20,
    need_text=True,
    options=frozenset({"score"}),
    view=VIEW,
)
