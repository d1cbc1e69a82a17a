"""Labelled pairs as an audit has them once engagement was added up, all of it where it is known who looked."""

import numpy as np

from audit.engagement.labelled import Labelled
from audit.engagement.trials import Trials


def seen_pairs(label, query, looked, clicks, carts=None, purchases=None) -> Labelled:
    """Pairs of queries numbered from 0, arrays of shape (N,): three grades, no probabilities, nobody else's grades."""
    n = len(label)
    none = np.zeros(n)
    looked, clicks = looked.astype(float), clicks.astype(float)
    return Labelled(
        row=np.arange(1, n + 1),
        query_id=[f"q{q}" for q in query],
        query=[f"q{q}" for q in query],
        candidate_id=[f"c{i}" for i in range(n)],
        candidate=[{}] * n,
        grade=label,
        probabilities=np.full((n, 3), np.nan),
        people=np.full(n, -1),
        index=query,
        impressions=looked,
        examined=looked,
        live=looked,
        clicks=clicks,
        debiased_clicks=clicks,
        carts=none if carts is None else carts.astype(float),
        purchases=none if purchases is None else purchases.astype(float),
        unused=none,
        unused_clicks=none,
        trials=Trials(np.ones(n, dtype=np.int64), np.full(n, 2)),
    )
