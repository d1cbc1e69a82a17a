"""Confidence intervals that resample queries.

Pairs of one query share its difficulty and its rater, so they are not independent: resampling pairs makes
an interval too narrow. Both functions draw whole queries with replacement and read the interval off the
percentiles of the replicates (Efron 1979, "Bootstrap Methods"; for clusters, Field and Welsh 2007,
"Bootstrapping clustered data"). Percentiles of few queries are too near each other; they are taken further out
by what Student's t has over the normal (the expanded percentiles of Hesterberg 2015, "What Teachers Should Know
About the Bootstrap"). The same seed gives the same interval.

Near perfect agreement the few queries with an error decide, and percentiles of resamples sit too high. There the
interval is the jackknife's over queries (Tukey 1958) on the logit scale: logit(value) +- t times the error.
`benchmarks/coverage.py` tells how often either holds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CELLS = 2_000_000  # replicates x queries held at a time: 16 MB an array, at 100,000 queries 20 replicates

ROUNDING = 1e-12
NO_PAIRS = "there are no pairs to compare"
FEWEST = 5
"""Queries below which there is no interval: resamples of four cover 0.89 where they should cover 0.95, of two 0.50."""
NEAR = 0.9
"""From here on a measure whose best is 1 is near perfect."""
ALIKE = "all queries are alike in it, so resampling them says nothing of chance"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval. None stands for undefined; `reason` then says why, of value or interval."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """(low, high), or None where there is no interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def because(self, reason: str | None) -> "Estimate":
        """The same estimate with a sharper reason for an undefined value; unchanged if it is defined."""
        return self if self.value is not None or reason is None else replace(self, reason=reason)

    def as_json(self) -> dict[str, float | str | None]:
        """A dict of JSON values under the fields' names; undefined is null, never NaN."""
        return asdict(self)


def confusion_by_query(
    query_index: npt.ArrayLike, reference: npt.ArrayLike, judged: npt.ArrayLike, grades: npt.ArrayLike
) -> Ints:
    """One confusion matrix per distinct query: counts of shape (Q, K, K), queries in sorted order.

    `query_index`, `reference` and `judged` have shape (N,), a row per pair; `grades` holds the K grade
    values, ascending. Raises ValueError for a grade off the scale, missing ones included: an unscored pair
    is the caller's to leave out, and to report as coverage.
    """
    scale = np.asarray(grades, dtype=np.float64)
    queries, query = np.unique(np.asarray(query_index), return_inverse=True)
    rows, columns = _positions(reference, scale), _positions(judged, scale)
    if not query.shape == rows.shape == columns.shape:
        raise ValueError(f"lengths differ: {query.shape}, {rows.shape}, {columns.shape}")
    shape = (len(queries), len(scale), len(scale))
    cells = np.ravel_multi_index((query, rows, columns), shape) if query.size else query
    return np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)


def by_query(
    confusions: npt.ArrayLike,
    measure: Callable[[Floats], npt.ArrayLike],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    best: bool = True,
) -> Estimate:
    """`measure` of all pairs, with a percentile interval over resampled queries.

    `confusions` has shape (Q, K, K); queries without pairs carry no evidence and are left out. `measure`
    takes (..., K, K) and returns (...), as `judge.statistics.measures` does; pick one grade of a measure per grade
    with `lambda c: recall(c)[..., k]`. Replicates where it is NaN are dropped; where more than half are, or
    with fewer than `FEWEST` queries, the interval is None and `reason` says so. `best` says that 1 is the best there
    can be: then it has the jackknife's interval from `NEAR` on.
    """
    return each_by_query(confusions, {"": measure}, resamples=resamples, level=level, seed=seed, best=best)[""]


def each_by_query(
    confusions: npt.ArrayLike,
    measures: Mapping[str, Callable[[Floats], npt.ArrayLike]],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    best: bool = True,
) -> dict[str, Estimate]:
    """Several measures over the same draws of queries, by name: each as `by_query` alone would give it."""
    matrices = np.asarray(confusions, dtype=np.float64)
    matrices = matrices[matrices.sum(axis=(1, 2)) > 0]
    count, *shape = matrices.shape
    if not count:
        return dict.fromkeys(measures, Estimate(None, None, None, NO_PAIRS))
    flat = matrices.reshape(count, -1)

    total = matrices.sum(axis=0)
    times = _times_drawn(count, resamples if count > 1 else 0, seed, max(1, _CELLS // count))
    drawn = np.concatenate([np.empty((0, *shape)), *((some @ flat).reshape(-1, *shape) for some in times)])

    def estimate(measure: Callable[[Floats], npt.ArrayLike]) -> Estimate:
        value = float(np.asarray(measure(total)))
        if best and NEAR <= value < 1 and count >= FEWEST:
            without, shift = np.asarray(measure(total - matrices)), float(np.asarray(measure(_unseen(total)))) - value
            if not np.isnan(without).any():
                return _near_perfect(value, without, shift, level)
        return _estimate(value, count, iter([np.asarray(measure(drawn))]), level)

    return {name: estimate(measure) for name, measure in measures.items()}


def by_query_index(
    query_index: npt.ArrayLike,
    statistic: Callable[[Floats], npt.ArrayLike],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """`statistic` of all rows, with a percentile interval over resampled queries.

    For what is no function of a confusion matrix: rank correlations, AC of several raters. `query_index` has shape
    (N,); `statistic` takes how often each row counts, shape (..., N), which is how often its query was drawn, and
    returns (...). NaN, few queries and the seed are treated as by `by_query`.
    """
    queries, query = np.unique(np.asarray(query_index), return_inverse=True)
    count = len(queries)
    if not count:
        return Estimate(None, None, None, NO_PAIRS)
    value = float(np.asarray(statistic(np.ones(len(query)))))
    times = _times_drawn(count, resamples, seed, max(1, _CELLS // len(query)))
    return _estimate(value, count, (np.asarray(statistic(some[:, query])) for some in times), level)


def _times_drawn(count: int, resamples: int, seed: int, step: int) -> Iterator[Floats]:
    """How often each of `count` queries is drawn in each resample, shape (up to `step`, count) at a time.

    The step makes no difference to what is drawn.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count).astype(np.float64)


def _estimate(value: float, queries: int, replicates: Iterator[Floats], level: float) -> Estimate:
    """The reasons in order of severity; `replicates` is not touched where it could not help."""
    if not 0 < level < 1:
        raise ValueError(f"level is a share between 0 and 1, got {level}")
    if np.isnan(value):
        return Estimate(None, None, None, "the measure is undefined for these pairs")
    if queries < FEWEST:
        some = "a single query cannot" if queries == 1 else f"{queries} queries are too few to"
        return Estimate(value, None, None, f"{some} be resampled, so there is no interval")
    drawn = np.concatenate([np.empty(0), *replicates])
    kept = drawn[~np.isnan(drawn)]
    if not len(kept) or 2 * len(kept) < len(drawn):
        missing = f"{len(drawn) - len(kept)} of {len(drawn)}"
        return Estimate(value, None, None, f"the measure is undefined in {missing} resamples, so no interval")
    tail = _expanded((1 - level) / 2, queries)
    low, high = np.quantile(kept, [tail, 1 - tail])
    if high - low < ROUNDING:
        return Estimate(value, None, None, ALIKE)
    return Estimate(value, float(low), float(high))


def _unseen(total: Floats) -> Floats:
    """A confusion matrix with half a pair more on which the sides are farthest apart; other tables as they are.

    A handful of errors may all be small ones: their own spread says nothing of the large ones that did not come up.
    """
    found = total.copy()
    if len(found) == found.shape[1] > 1:
        found[[0, -1], [-1, 0]] += 0.25
    return found


def _near_perfect(value: float, without: Floats, shift: float, level: float) -> Estimate:
    """The jackknife's interval on the logit scale; `without` is the measure without each query in turn, shape (Q,), and
    `shift` what `_unseen` adds to it."""
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    count = len(without)
    error = float(np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum()))
    if error < ROUNDING:
        return Estimate(value, None, None, ALIKE)
    error = float(np.hypot(error, shift))
    reach = float(stats.t.ppf((1 + level) / 2, count - 1)) * error / (value * (1 - value))
    odds = np.log(value / (1 - value))
    low, high = (float(1 / (1 + np.exp(-(odds + way * reach)))) for way in (-1, 1))
    return Estimate(value, low, high)


def _expanded(tail: float, queries: int) -> float:
    """The percentile to read for `tail`: the normal's share beyond Student's t, and for the variance of a sample."""
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    return float(stats.norm.cdf(stats.t.ppf(tail, queries - 1) * np.sqrt(queries / (queries - 1))))


def _positions(labels: npt.ArrayLike, scale: Floats) -> Ints:
    """Each label's position on the scale, shape (N,)."""
    given = np.asarray(labels, dtype=np.float64)
    found = np.minimum(np.searchsorted(scale, given), len(scale) - 1)
    stray = scale[found] != given
    if stray.any():
        raise ValueError(f"grades off the scale {scale.tolist()}: {np.unique(given[stray]).tolist()[:5]}")
    return found
