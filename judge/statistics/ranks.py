"""Rank correlations of rows that count several times each, as resampling makes them. Undefined is NaN, never 0.

Resampled rows are not laid out and sorted again: rows are sorted once, and with `times` of shape (R, N), all R
resamples are computed at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Correlation = Callable[..., Floats]
"""Of `times`: how often each row counts, shape (..., N), once unless given. The result has shape (...)."""


def spearman(first: npt.ArrayLike, second: npt.ArrayLike, times: npt.ArrayLike | None = None) -> Floats:
    """Spearman's rank correlation of two (N,) arrays, ties at their mean rank; in [-1, 1].

    `times` says how often each row counts, shape (..., N), once unless given; the result has shape (...). NaN where a
    side is constant among the rows that count, or holds a NaN, or fewer than two count. The same as
    scipy.stats.spearmanr of rows laid out that often.
    """
    return spearman_of(first, second)(times)


def kendall_tau_b(first: npt.ArrayLike, second: npt.ArrayLike, times: npt.ArrayLike | None = None) -> Floats:
    """Kendall's tau-b of two (N,) arrays, corrected for ties; in [-1, 1].

    Arguments, shapes and NaN as for `spearman`. The same as scipy.stats.kendalltau of rows laid out that often.
    """
    return kendall_tau_b_of(first, second)(times)


def spearman_of(first: npt.ArrayLike, second: npt.ArrayLike) -> Correlation:
    """`spearman` of rows that are sorted once, for many `times`."""
    rows = _Rows.of(first, second)

    def correlation(times: npt.ArrayLike | None = None) -> Floats:
        count = rows.count(times)
        middle = (count.sum(axis=-1, keepdims=True) + 1) / 2
        sizes = [side.sizes(count) for side in rows.sides]
        gaps = [_mean_ranks(size) - middle for size in sizes]
        spreads = [(size * gap**2).sum(axis=-1) for size, gap in zip(sizes, gaps, strict=True)]
        shared = count * gaps[0][..., rows.sides[0].level]
        shared *= gaps[1][..., rows.sides[1].level]
        return _bounded(shared.sum(axis=-1), *spreads)

    return correlation


def kendall_tau_b_of(first: npt.ArrayLike, second: npt.ArrayLike) -> Correlation:
    """`kendall_tau_b` of rows that are sorted once, for many `times`."""
    rows = _Rows.of(first, second)
    passes = _passes(*sorted((side.level for side in rows.sides), key=lambda level: level.max(initial=0)))

    def correlation(times: npt.ArrayLike | None = None) -> Floats:
        count = rows.count(times)
        total = count.sum(axis=-1)
        untied = [total * (total - 1) / 2 - _couples(side.sizes(count)).sum(axis=-1) for side in rows.sides]
        concordance = sum((each.concordance(count) for each in passes), np.zeros(count.shape[:-1]))
        return _bounded(concordance, *untied)

    return correlation


@dataclass(frozen=True)
class _Side:
    """One side's values as levels 0, 1, … in their order."""

    level: Ints
    """Of each row."""
    order: Ints
    """The rows by level."""
    first: Ints
    """Where in that order each level begins."""

    def sizes(self, count: Floats) -> Floats:
        """How many rows count at each level, shape (..., levels)."""
        return np.asarray(np.add.reduceat(count[..., self.order], self.first, axis=-1))


@dataclass(frozen=True)
class _Rows:
    sides: tuple[_Side, _Side]
    unknown: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, first: npt.ArrayLike, second: npt.ArrayLike) -> "_Rows":
        one, other = (np.asarray(side, dtype=np.float64) for side in (first, second))
        return cls((_side(one), _side(other)), np.isnan(one) | np.isnan(other))

    def count(self, times: npt.ArrayLike | None) -> Floats:
        """How often each row counts; NaN throughout where one counts of which a side is not known."""
        count = np.ones(len(self.unknown)) if times is None else np.asarray(times, dtype=np.float64)
        if not self.unknown.any():
            return count
        return np.where((count * self.unknown).sum(axis=-1, keepdims=True) > 0, np.nan, count)


def _side(values: Floats) -> _Side:
    level = np.unique(values, return_inverse=True)[1]
    order = np.argsort(level, kind="stable")
    return _Side(level, order, np.flatnonzero(np.diff(level[order], prepend=-1)))


def _mean_ranks(size: Floats) -> Floats:
    """The mean rank of each level's rows, from 1 on."""
    return np.asarray(np.cumsum(size, axis=-1) - (size - 1) / 2)


def _couples(size: Floats) -> Floats:
    return np.asarray(size * (size - 1) / 2)


@dataclass(frozen=True)
class _Pass:
    """Rows that differ in one bit of their level on the side with fewer levels, and in no higher one, compared.

    Rows are in the order of the higher bits, then of the other side. `upper` are the places of those that have the
    bit; for each, rows of the same higher bits begin at `starts` and end before `ends`, and of these the ones that are
    tied on the other side begin at `since` and end before `to`.
    """

    order: Ints
    upper: Ints
    starts: Ints
    ends: Ints
    since: Ints
    to: Ints

    def concordance(self, count: Floats) -> Floats:
        """Couples that both sides order alike less those that they order the opposite way, shape (...)."""
        amount: Any = count[..., self.order]
        own = amount[..., self.upper]
        amount[..., self.upper] = 0
        lower = np.zeros((*amount.shape[:-1], amount.shape[-1] + 1))  # at p: of the rows before p
        np.cumsum(amount, axis=-1, out=lower[..., 1:])
        above = lower[..., self.since] - lower[..., self.starts] - lower[..., self.ends] + lower[..., self.to]
        return np.asarray((own * above).sum(axis=-1))


def _passes(few: Ints, many: Ints) -> list[_Pass]:
    """What compares all rows: two levels differ in a highest bit, so the passes are as many as `few` has bits."""
    found = []
    for bit in range(int(few.max(initial=0)).bit_length()):
        block = few >> (bit + 1)
        order = np.lexsort((many, block))
        upper = np.flatnonzero(few[order] >> bit & 1)
        tied = block[order] * (int(many.max()) + 1) + many[order]
        starts, ends, since, to = (
            np.searchsorted(key, key[upper], side=side) for key in (block[order], tied) for side in ("left", "right")
        )
        found.append(_Pass(order, upper, starts, ends, since, to))
    return found


def _bounded(shared: Floats, one: Floats, other: Floats) -> Floats:
    """`shared / sqrt(one * other)`, kept in [-1, 1] against rounding; NaN where a side has no spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.clip(shared / np.sqrt(one) / np.sqrt(other), -1, 1)
    return np.asarray(np.where((one > 0) & (other > 0), found, np.nan))
