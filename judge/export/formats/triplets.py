"""`anchor, positive, negative`: the query, and one pair of its candidates, the higher grade first."""

from judge.export.formats import Format
from judge.export.opposing import set_against
from judge.export.parquet import parquet_of
from judge.export.query_batches import Window
from judge.export.views import Made, View, Work


def _make(window: Window, work: Work) -> Made:
    return set_against(window, work, exact=False)


VIEW = View(
    name="triplets",
    help="`anchor, positive, negative`: a query and two of its products, the better one first",
    make=_make,
    need_text=True,
    rows=False,
    opposes=True,
)


FORMAT = Format(
    name="triplets",
    help="`anchor, positive, negative`",
    opened_by="`MultipleNegativesRankingLoss` with `NO_DUPLICATES` (see below), `TripletLoss`",
    suffix="-00000.parquet",
    write=parquet_of(VIEW),
    read=None,
    unread="texts without ids, as the losses take them",
    order=30,
    need_text=True,
    options=frozenset({"negatives", "hard"}),
    view=VIEW,
)
