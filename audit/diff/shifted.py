"""Where labels moved: the pairs of two versions by segment, and whether one moved more than the others."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audit.agreement.segments import LEAST, MOST, clustered_difference
from judge.statistics.discoveries import corrected


@dataclass(frozen=True)
class Moved:
    """A segment of the pairs that both versions have, and how many of them moved."""

    facet: str
    value: str
    n: int
    moved: int
    difference: float
    """The share that moved, less that of all other pairs."""
    shift: float | None
    """Mean rise of the expected grade; null where labels have none."""
    p: float | None
    """That there is no difference (two-sided, errors clustered by query). Null where one query holds all."""
    q: float | None
    """The same, corrected for the number of segments (Benjamini and Hochberg 1995)."""


def by_segment(db: Any) -> list[Moved]:
    """Every segment of `LEAST` pairs or more, as segments of an agreement; those sure to differ first."""
    db.execute(
        "CREATE TABLE by_query AS SELECT key, count(*) AS n, count(*) FILTER (same) AS hits FROM paired GROUP BY 1"
    )
    found = [segment for facet, label in facets(db).items() for segment in _facet(db, facet, label)]
    final = [replace(s, q=q) for s, q in zip(found, corrected([s.p for s in found]), strict=True)]
    return sorted(final, key=lambda s: (s.q is None or s.q > 0.05, -abs(s.difference) * s.n))


def facets(db: Any) -> dict[str, str]:
    """SQL of each facet's label of a pair of `paired`; the same labels as `audit.agreement.segments.facets` gives."""
    low, high, kinds = db.execute("""SELECT quantile_cont(length, 1/3), quantile_cont(length, 2/3),
        count(DISTINCT length) FROM paired""").fetchone()
    thirds = f"CASE WHEN length > {high} THEN 'long' WHEN length > {low} THEN 'medium' ELSE 'short' END"
    return {
        "query length": "CASE WHEN words > 3 THEN '4 words or more' WHEN words = 1 THEN '1 word' "
        "ELSE words || ' words' END",
        "category": "category",
        "locale": "locale",
        "text length": f"CASE WHEN length IS NOT NULL THEN {thirds} END" if kinds > 2 else "NULL",
    }


def _facet(db: Any, facet: str, label: str) -> list[Moved]:
    every = db.execute("SELECT count(*) FROM paired").fetchone()[0]
    found = []
    for value, n, moved, shift in db.execute(f"""
            SELECT {label} AS value, count(*) AS n, count(*) FILTER (NOT same), avg(shift) FROM paired
            WHERE value IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT {MOST}""").fetchall():
        if not LEAST <= n < every:
            continue
        counts = db.execute(
            f"""SELECT q.hits, q.n, coalesce(s.hits, 0) AS own_hits, coalesce(s.n, 0) AS own FROM by_query q
            LEFT JOIN (SELECT key, count(*) AS n, count(*) FILTER (same) AS hits FROM paired WHERE {label} = ?
                       GROUP BY 1) s USING (key)""",
            [value],
        ).fetchnumpy()
        hits, size, own_hits, own = (np.asarray(counts[name], dtype=float) for name in ("hits", "n", "own_hits", "own"))
        inside, outside = (own_hits, own - own_hits), (hits - own_hits, size - own - hits + own_hits)
        difference, p = clustered_difference(np.stack([np.stack(inside, 1), np.stack(outside, 1)], axis=1))
        found.append(Moved(facet, str(value), n, moved, -difference, shift, p, None))
    return found
