"""A query, a product and a worse one, with the difference of their scores: what a margin loss learns from a judge."""

from judge.export.formats import Format
from judge.export.opposing import set_against
from judge.export.parquet import soft_parquet_of
from judge.export.query_batches import Window
from judge.export.soft import SOFT
from judge.export.views import Made, View, Work


def _make(window: Window, work: Work) -> Made:
    return set_against(window, work, exact=False, soft=True)


VIEW = View(
    name="margin-mse",
    help="`anchor, positive, negative, label`: a query, two of its products, and how much better the first one is",
    make=_make,
    need_text=True,
    labels=SOFT,
    rows=False,
    opposes=True,
)


FORMAT = Format(
    name="margin-mse",
    help="`anchor, positive, negative, label`: how much more the positive scores, by the judge's probabilities",
    opened_by="`MarginMSELoss`",
    suffix="-00000.parquet",
    write=soft_parquet_of(VIEW),
    read=None,
    unread="texts without ids, as the losses take them",
    order=32,
    need_text=True,
    options=frozenset({"negatives", "hard"}),
    view=VIEW,
)
