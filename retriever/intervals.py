"""Means over queries with intervals, and differences of two systems with what they could have shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from judge.statistics.intervals import Estimate, each_by_query

Floats = npt.NDArray[np.float64]
POWER = 1.959964 + 0.841621
"""Standard errors between nothing and an effect that a two-sided 5% test finds four times in five."""
Verdict = Literal["better", "worse", "cannot tell", "equal"]


@dataclass(frozen=True)
class Mean:
    """A mean over queries, with the 95% interval of resampled queries."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None
    """Why value or interval is undefined."""
    n: int
    """Queries for which it is defined."""


@dataclass(frozen=True)
class Difference(Mean):
    """One system less another, query by query."""

    detectable: float | None
    """The least true difference that so many queries show four times in five at 5%: what smaller ones are, these
    queries cannot tell."""
    verdict: Verdict


def means(columns: Mapping[str, Floats]) -> dict[str, Mean]:
    """The mean of each column over the queries where it is not NaN. Columns have shape (Q,).

    Columns with the same queries share their draws, so that two of them differ by what differs and not by chance.
    """
    groups: dict[bytes, list[str]] = {}
    for name, column in columns.items():
        groups.setdefault((~np.isnan(column)).tobytes(), []).append(name)
    found: dict[str, Mean] = {}
    for names in groups.values():
        rows = np.stack([columns[name] for name in names], axis=1)
        rows = rows[~np.isnan(rows[:, 0])]
        # A count in front of the amounts; it keeps rows of negative amounts, which are no rows without pairs.
        table = np.concatenate([np.full((len(rows), 1), 2.0 * rows.shape[1]), rows], axis=1)[:, None]
        share = {
            name: lambda c, at=at, width=rows.shape[1]: 2 * width * c[..., 0, at] / c[..., 0, 0]
            for at, name in enumerate(names, 1)
        }
        for name, estimate in each_by_query(table, share, best=False).items():
            found[name] = _mean(estimate, len(rows))
    return {name: found[name] for name in columns}


def differences(
    one: Mapping[str, Floats], other: Mapping[str, Floats], low: Sequence[str] = ()
) -> dict[str, Difference]:
    """Each column of one system less the other's, where both are defined. Of the names in `low`, less is better."""
    gaps = {name: column - other[name] for name, column in one.items() if name in other}
    found = {}
    for name, mean in means(gaps).items():
        known = gaps[name][~np.isnan(gaps[name])]
        spread = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else 0.0
        verdict = _verdict(mean, -1 if name in low else 1, bool(len(known)) and not known.any())
        found[name] = Difference(mean.value, mean.low, mean.high, mean.reason, mean.n, POWER * spread or None, verdict)
    return found


def _mean(estimate: Estimate, n: int) -> Mean:
    reason = "no query has it" if not n else estimate.reason
    return Mean(estimate.value, estimate.low, estimate.high, reason, n)


def _verdict(mean: Mean, way: int, same: bool) -> Verdict:
    if same:
        return "equal"
    if mean.low is None or mean.high is None or mean.low <= 0 <= mean.high:
        return "cannot tell"
    return "better" if mean.low * way > 0 else "worse"
