"""`anchor, positive, negative_1 … negative_n`: the query, a candidate, and n of lower grades."""

from judge.export.formats import Format
from judge.export.opposing import set_against
from judge.export.parquet import parquet_of
from judge.export.query_batches import Window
from judge.export.views import Made, View, Work


def _make(window: Window, work: Work) -> Made:
    return set_against(window, work, exact=True)


VIEW = View(
    name="n-tuples",
    help="`anchor, positive, negative_1 …`: a query, a product, and several worse ones",
    make=_make,
    need_text=True,
    rows=False,
    opposes=True,
)


FORMAT = Format(
    name="n-tuples",
    help="`anchor, positive, negative_1 … negative_N`",
    opened_by="`MultipleNegativesRankingLoss` with `NO_DUPLICATES`",
    suffix="-00000.parquet",
    write=parquet_of(VIEW),
    read=None,
    unread="texts without ids, as the losses take them",
    order=40,
    need_text=True,
    options=frozenset({"negatives", "hard"}),
    view=VIEW,
)
