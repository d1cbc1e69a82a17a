"""Rank correlations of rows that count several times each, as resampling makes them. Undefined is NaN, never 0.

Resampled rows are not laid out and sorted again: with `times` of shape (R, N), all R resamples are computed at once.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def spearman(first: npt.ArrayLike, second: npt.ArrayLike, times: npt.ArrayLike | None = None) -> Floats:
    """Spearman's rank correlation of two (N,) arrays, ties at their mean rank; in [-1, 1].

    `times` says how often each row counts, shape (..., N), once unless given; the result has shape (...). NaN where a
    side is constant among the rows that count, or holds a NaN, or fewer than two count. The same as
    scipy.stats.spearmanr of rows laid out that often.
    """
    one, other, count = _arranged(first, second, times)
    middle = (count.sum(axis=-1, keepdims=True) + 1) / 2
    gaps = [_mean_ranks(level, count) - middle for level in (one, other)]
    spread, other_spread = ((count * gap**2).sum(axis=-1) for gap in gaps)
    return _bounded((count * gaps[0] * gaps[1]).sum(axis=-1), spread, other_spread)


def kendall_tau_b(first: npt.ArrayLike, second: npt.ArrayLike, times: npt.ArrayLike | None = None) -> Floats:
    """Kendall's tau-b of two (N,) arrays, corrected for ties; in [-1, 1].

    Arguments, shapes and NaN as for `spearman`. The same as scipy.stats.kendalltau of rows laid out that often.
    """
    one, other, count = _arranged(first, second, times)
    total = count.sum(axis=-1)
    couples = total * (total - 1) / 2
    untied = [couples - _tied_couples(level, count) for level in (one, other)]
    few, many = sorted((one, other), key=lambda level: level.max(initial=0))
    return _bounded(_concordance(few, many, count), *untied)


def _arranged(first: npt.ArrayLike, second: npt.ArrayLike, times: npt.ArrayLike | None) -> tuple[Ints, Ints, Floats]:
    """Both sides as levels 0, 1, ... in the order of their values, and how often each row counts."""
    sides = [np.asarray(side, dtype=np.float64) for side in (first, second)]
    count = np.ones(len(sides[0])) if times is None else np.asarray(times, dtype=np.float64)
    unknown = np.isnan(sides[0]) | np.isnan(sides[1])
    count = np.where((count * unknown).sum(axis=-1, keepdims=True) > 0, np.nan, count)
    one, other = (np.unique(side, return_inverse=True)[1] for side in sides)
    return one, other, count


def _by_level(level: Ints, count: Floats) -> Floats:
    """How many rows count at each level or below it, shape (..., levels)."""
    order = np.argsort(level, kind="stable")
    last = np.flatnonzero(np.diff(level[order], append=-1))
    return np.asarray(np.cumsum(count[..., order], axis=-1)[..., last])


def _mean_ranks(level: Ints, count: Floats) -> Floats:
    """The mean rank, from 1 on, of the rows at each row's level: shape (..., N)."""
    to = _by_level(level, count)
    since = np.concatenate([np.zeros_like(to[..., :1]), to[..., :-1]], axis=-1)
    return np.asarray(((since + to + 1) / 2)[..., level])


def _tied_couples(level: Ints, count: Floats) -> Floats:
    size = np.diff(_by_level(level, count), axis=-1, prepend=0)
    return np.asarray((size * (size - 1) / 2).sum(axis=-1))


def _concordance(few: Ints, many: Ints, count: Floats) -> Floats:
    """Couples that both sides order alike less those that they order the opposite way, shape (...).

    Two levels differ in a highest bit: for each bit in turn, rows that have it are compared with those of the same
    higher bits that lack it. The passes are as many as `few` has bits.
    """
    found = np.zeros(count.shape[:-1])
    for bit in range(int(few.max(initial=0)).bit_length()):
        block = few >> (bit + 1)
        order = np.lexsort((many, block))
        upper = (few[order] >> bit & 1).astype(bool)
        amount = count[..., order]
        lower = np.cumsum(np.where(upper, 0.0, amount), axis=-1)
        lower = np.concatenate([np.zeros_like(lower[..., :1]), lower], axis=-1)  # at p: of the rows before p
        tied = block[order] * (int(many.max()) + 1) + many[order]
        starts, ends, since, to = (
            np.searchsorted(key, key[upper], side=side) for key in (block[order], tied) for side in ("left", "right")
        )
        above = (lower[..., since] - lower[..., starts]) - (lower[..., ends] - lower[..., to])
        found += (amount[..., upper] * above).sum(axis=-1)
    return found


def _bounded(shared: Floats, one: Floats, other: Floats) -> Floats:
    """`shared / sqrt(one * other)`, kept in [-1, 1] against rounding; NaN where a side has no spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.clip(shared / np.sqrt(one) / np.sqrt(other), -1, 1)
    return np.asarray(np.where((one > 0) & (other > 0), found, np.nan))
