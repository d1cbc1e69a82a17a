"""A query, a product and several worse ones, with the scores of all of them: what a student learns from a judge."""

from judge.export.formats import Format
from judge.export.opposing import set_against
from judge.export.parquet import soft_parquet_of
from judge.export.query_batches import Window
from judge.export.soft import SOFT
from judge.export.views import Made, View, Work


def _make(window: Window, work: Work) -> Made:
    return set_against(window, work, exact=True, soft=True)


VIEW = View(
    name="distill",
    help="`anchor, positive, negative_1 …, label`: a query, several products, and the scores of all",
    make=_make,
    need_text=True,
    labels=SOFT,
    rows=False,
    opposes=True,
)


FORMAT = Format(
    name="distill",
    help="`anchor, positive, negative_1 … negative_N, label`: the list of their scores, by the judge's probabilities",
    opened_by="`DistillKLDivLoss`, `MarginMSELoss`",
    suffix="-00000.parquet",
    write=soft_parquet_of(VIEW),
    read=None,
    unread="texts without ids, as the losses take them",
    order=42,
    need_text=True,
    options=frozenset({"negatives", "hard"}),
    view=VIEW,
)
