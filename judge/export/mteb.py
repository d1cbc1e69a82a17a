"""What MTEB reads next to `qrels`: every product once, every query once, and each query's judged products.

The names are those of its loader for retrieval and reranking tasks (MTEB 2): `corpus` with `_id, title, text`,
`queries` with `_id, text`, `top_ranked` with `query-id, corpus-ids`, and `qrels` with `query-id, corpus-id, score`. The
corpus has one split, as every query of every split is searched in all of it.
"""

import numpy as np

from judge.export.query_batches import Window
from judge.export.texts import TITLE, candidate_text
from judge.export.views import Made, View, Work


def _corpus(window: Window, work: Work) -> Made:
    import pyarrow as pa

    table = window.table.filter(pa.array(window.first))
    texts = table.column("candidate").combine_chunks()
    titled = [TITLE] if TITLE in work.chosen.fields else []
    columns = {
        "_id": table.column("candidate_id"),
        "title": candidate_text(texts, titled),
        "text": candidate_text(texts, [name for name in work.chosen.fields if name != TITLE]),
    }
    return pa.table(columns), np.zeros(table.num_rows, np.int64)


def _queries(window: Window, work: Work) -> Made:
    import pyarrow as pa

    starts = window.table.take(pa.array(window.starts))
    columns = {"_id": starts.column("query_id"), "text": starts.column("query")}
    return pa.table(columns), window.split[window.starts]


def _top_ranked(window: Window, work: Work) -> Made:
    import pyarrow as pa

    bounds = pa.array(np.append(window.starts, len(window.grade)), pa.int32())
    ids = window.table.column("candidate_id").combine_chunks()
    columns = {
        "query-id": window.table.column("query_id").take(pa.array(window.starts)),
        "corpus-ids": pa.ListArray.from_arrays(bounds, ids),
    }
    return pa.table(columns), window.split[window.starts]


VIEWS = (
    View(
        name="corpus",
        help="`_id, title, text`: a product, as MTEB names it; all splits together",
        make=_corpus,
        need_text=True,
        rows=False,
        firsts=True,
    ),
    View(name="queries", help="`_id, text`: a query, as MTEB names it", make=_queries, need_text=True, rows=False),
    View(
        name="top_ranked",
        help="`query-id, corpus-ids`: a query's judged products, for reranking with MTEB",
        make=_top_ranked,
        need_text=True,
        rows=False,
    ),
)
