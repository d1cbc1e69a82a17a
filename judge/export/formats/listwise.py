"""A query with all its candidates' texts and grades, as lists."""

import numpy as np

from judge.export.formats import Format
from judge.export.parquet import parquet_of
from judge.export.query_batches import Window
from judge.export.texts import candidate_text
from judge.export.views import Made, View, Work


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


FORMAT = Format(
    name="listwise",
    help="`query, docs, labels`: a query's texts and grades as lists",
    opened_by="`LambdaLoss`, `ListNetLoss` of a cross-encoder",
    suffix="-00000.parquet",
    write=parquet_of(VIEW),
    read=None,
    unread="texts without ids, as the losses take them",
    order=50,
    need_text=True,
    view=VIEW,
)
