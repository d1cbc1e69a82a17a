"""Shares and means with intervals over resampled queries; see `judge.statistics.intervals`."""

import numpy as np
import numpy.typing as npt

from judge.statistics.intervals import NEAR, NO_PAIRS, Estimate, by_query

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def share_by_query(query_index: npt.ArrayLike, hits: npt.ArrayLike) -> Estimate:
    """The mean of `hits`, with an interval over resampled queries. Both have shape (N,); hits lie in [0, 1].

    Where all are 0, or all 1, resampling says nothing: then the interval is Clopper and Pearson's (1934), each query
    counted as one trial, since its pairs are not independent.
    """
    queries, query = np.unique(np.asarray(query_index), return_inverse=True)
    table = hits_by_query(query, np.asarray(hits, dtype=np.float64), len(queries))
    found = by_query(table[:, None], lambda c: c[..., 0, 0] / c.sum(axis=(-2, -1)))
    if found.value is not None and 0 < found.value <= 1 - NEAR:  # as near to none as to all
        rest = by_query(table[:, None], lambda c: c[..., 0, 1] / c.sum(axis=(-2, -1)))
        if rest.interval is not None:
            return Estimate(found.value, 1 - rest.interval[1], 1 - rest.interval[0])
    if found.value in (0.0, 1.0) and found.interval is None and len(queries) > 1:
        reach = 1 - 0.025 ** (1 / len(queries))
        return Estimate(found.value, 0.0, reach) if found.value == 0 else Estimate(found.value, 1 - reach, 1.0)
    return found


def mean_by_query(query_index: npt.ArrayLike, amounts: npt.ArrayLike) -> Estimate:
    """The mean of amounts of any size, both of shape (N,), with an interval over resampled queries."""
    queries, query = np.unique(np.asarray(query_index), return_inverse=True)
    given = np.asarray(amounts, dtype=np.float64)
    if not len(queries):
        return Estimate(None, None, None, NO_PAIRS)
    table = np.stack([np.bincount(query, given), np.bincount(query)], axis=1)
    return by_query(table[:, None], lambda c: c[..., 0, 0] / c[..., 0, 1], best=False)


def hits_by_query(query: Ints, hits: Floats, count: int) -> Floats:
    """Hits and misses of each query, shape (count, 2); `query` holds positions in 0..count-1."""
    columns = [np.bincount(query, amount, minlength=count) for amount in (hits, 1 - hits)]
    return np.stack(columns, axis=1).astype(np.float64)
