"""Counts as arrays, and the clicks of single searches: what the click models are fitted to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.engagement.ranks import LOWEST

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIT_CELLS = 200_000
"""Cells that the click models are fitted to, whole queries at a time: more change no digit that is shown."""
FIT_SEARCHES = 30_000


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts of shape (N,): of a pair, at a position, below a last click (0 for none above)."""

    pair: Ints
    """Pairs numbered from 0."""
    query: Ints
    """Queries numbered from 0."""
    position: Ints
    last: Ints
    impressions: Floats
    clicks: Floats

    def __len__(self) -> int:
        return len(self.pair)

    def where(self, rows: npt.NDArray[Any]) -> "Cells":
        """Some of the cells: a mask, or positions that may repeat."""
        return Cells(*(getattr(self, name)[rows] for name in self.__slots__))

    def counted(self, impressions: Floats, clicks: Floats) -> "Cells":
        """The same cells with other counts."""
        return Cells(self.pair, self.query, self.position, self.last, impressions, clicks)


@dataclass(frozen=True, slots=True)
class Searches:
    """Single searches, shape (S, D): the pair at each position (-1 where nothing was shown), and whether clicked."""

    pair: Ints
    query: Ints
    """Of shape (S,)."""
    clicked: npt.NDArray[np.bool_]
    doubled: float = 0.0
    """The share of shown results whose position another result of the search has, too: only one of these is here."""

    def where(self, rows: npt.NDArray[Any]) -> "Searches":
        """Some of the searches."""
        return Searches(self.pair[rows], self.query[rows], self.clicked[rows])

    def cells(self) -> Cells:
        """Every shown result as a cell of one impression."""
        search, place = np.nonzero(self.pair >= 0)
        below = np.where(self.clicked, np.arange(1, self.clicked.shape[1] + 1), 0)
        last = np.maximum.accumulate(np.pad(below, ((0, 0), (1, 0))), axis=1)[:, :-1]
        ones = np.ones(len(search))
        clicks = self.clicked[search, place].astype(np.float64)
        return Cells(
            self.pair[search, place], self.query[search], place + 1, last[search, place].astype(np.int64), ones, clicks
        )


def read_cells(db: Any, limit: int = FIT_CELLS) -> Cells:
    """Cells to fit click models to: whole queries, drawn by their hash, about `limit` cells.

    `db` holds the table `cells` that `audit.engagement.aggregate` makes.
    """
    total = db.execute("SELECT count(*) FROM cells").fetchone()[0]
    share = min(1.0, limit / total) if total else 1.0
    found = db.execute(f"""SELECT dense_rank() OVER (ORDER BY q, c) - 1 AS pair, dense_rank() OVER (ORDER BY q) - 1
        AS query, position, coalesce(last, 0) AS last, impressions, clicks FROM cells
        WHERE impressions > 0 AND hash(q) % 1000003 < {round(share * 1000003)}
        ORDER BY pair, position, last""").fetchnumpy()
    pair, query, position, last = (found[name].astype(np.int64) for name in ("pair", "query", "position", "last"))
    impressions, clicks = (found[name].astype(np.float64) for name in ("impressions", "clicks"))
    return Cells(pair, query, position, last, impressions, clicks)


def read_searches(db: Any, limit: int = FIT_SEARCHES) -> Searches:
    """Whole searches, drawn by query and then by search, about `limit`; but for the last position, which is many."""
    total = db.execute("SELECT coalesce(sum(searches), 0) FROM queries").fetchone()[0]
    # Models of pairs need pairs that recur: rather all searches of some queries than a few of every query.
    queries = min(1.0, max(limit * 4 / total, 0.05)) if total else 1.0
    share = min(1.0, limit / (total * queries)) if total else 1.0
    found = db.execute(f"""SELECT dense_rank() OVER (ORDER BY s) - 1 AS search, dense_rank() OVER (ORDER BY q, c) - 1
        AS pair, dense_rank() OVER (ORDER BY q) - 1 AS query, position, bits & 2 > 0 AS clicked
        FROM shown WHERE bits & 1 = 1 AND position < {LOWEST} AND hash(q, 1) % 1000003 < {round(queries * 1000003)}
        AND hash(s, 2) % 1000003 < {round(share * 1000003)}""").fetchnumpy()
    search, place = found["search"].astype(np.int64), found["position"].astype(np.int64) - 1
    count = int(search.max()) + 1 if len(search) else 0
    depth = int(place.max(initial=0)) + 1
    pair = np.full((count, depth), -1, dtype=np.int64)
    query = np.zeros(count, dtype=np.int64)
    clicked = np.zeros((count, depth), dtype=np.bool_)
    pair[search, place], clicked[search, place] = found["pair"], found["clicked"]
    query[search] = found["query"]
    return Searches(pair, query, clicked, 1 - float((pair >= 0).sum()) / max(len(search), 1))
