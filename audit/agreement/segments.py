"""Where agreement is lost: the same figure within each segment of the pairs, and whether it differs from the rest."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from judge.ratings.panel import Panel, Unit
from judge.statistics.discoveries import corrected
from judge.statistics.intervals import Estimate
from judge.statistics.shares import hits_by_query, share_by_query
from judge.text import category_path

Floats = npt.NDArray[np.float64]

LEAST = 10
"""Pairs a segment needs to be shown: fewer say nothing."""
MOST = 12
"""Values of one facet that are shown: the commonest."""


@dataclass(frozen=True)
class Segment:
    """Agreement within a segment, compared with that of all other pairs."""

    facet: str
    value: str
    n: int
    queries: int
    agreement: Estimate
    """Share of pairs with the same grade."""
    difference: float | None
    """From the agreement of all other pairs; below 0 is worse."""
    p: float | None
    """That there is no difference (two-sided, errors clustered by query). Null where one query holds all."""
    q: float | None
    """The same, corrected for the number of segments by Benjamini and Hochberg 1995."""
    lost: float | None
    """Disagreements more than there would be at the other pairs' rate."""


def report_segments(panel: Panel, hits: Floats) -> list[Segment]:
    """Every segment of `LEAST` pairs or more; those that differ for certain first, then by what they lose.

    `hits` has shape (units,): 1 where the two sides agree, 0 where not, NaN where they cannot be compared; shares in
    between stand for several raters.
    """
    usable = np.flatnonzero(~np.isnan(hits))
    found = []
    for facet, labels in facets(panel.units).items():
        here = [labels[unit] for unit in usable]
        for value, n in Counter(label for label in here if label is not None).most_common(MOST):
            if LEAST <= n < len(usable):
                inside = np.array([label == value for label in here])
                found.append(_segment(facet, value, panel.queries[usable], hits[usable], inside))
    final = [replace(s, q=q) for s, q in zip(found, corrected([s.p for s in found]), strict=True)]
    return sorted(final, key=lambda s: (s.q is None or s.q > 0.05, -(s.lost or 0.0)))


def _segment(
    facet: str, value: str, queries: npt.NDArray[np.str_], hits: Floats, inside: npt.NDArray[np.bool_]
) -> Segment:
    every, query = np.unique(queries, return_inverse=True)
    groups = [hits_by_query(query[group], hits[group], len(every)) for group in (inside, ~inside)]
    table = np.stack(groups, axis=1)
    agreement = share_by_query(queries[inside], hits[inside])
    difference, p = clustered_difference(table)
    n = int(inside.sum())
    return Segment(
        facet, value, n, int((table[:, 0].sum(axis=1) > 0).sum()), agreement, difference, p, None, -n * difference
    )


def clustered_difference(table: Floats) -> tuple[float, float | None]:
    """The difference of two shares, and its two-sided p-value with errors clustered by query.

    `table` has shape (Q, 2, 2): rows the two groups, columns hits and misses. A linearised ratio estimator (Binder
    1983, "On the variances of asymptotically normal estimators from complex surveys"); one degree of freedom less than
    the smaller group has queries, since a few queries tell little of their own spread. A group that happens to be all
    hits, or nearly, shows no spread of its own: none is taken to have less than the pooled share gives it by chance.
    The p-value is null with one query in a group, where nothing can be said of chance.
    """
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    counts = table.sum(axis=2)
    size = counts.sum(axis=0)
    share = table[:, :, 0].sum(axis=0) / size
    influence = (table[:, :, 0] - share * counts) / size
    difference = float(share[0] - share[1])
    fewest = int((counts > 0).sum(axis=0).min())
    if fewest < 2:
        return difference, None
    scale = len(table) / (len(table) - 1)
    lead = influence[:, 0] - influence[:, 1]
    lacking = np.maximum(_variance_by_chance(table) - scale * (influence**2).sum(axis=0), 0).sum()
    error = float(np.sqrt(scale * (lead @ lead) + lacking))
    return difference, float(2 * stats.t.sf(abs(difference) / error, fewest - 1)) if error else 1.0


def _variance_by_chance(table: Floats) -> Floats:
    """Of each group's share, shape (2,), if both had the pooled share: binomial times Kish's design effect.

    The effect's intraclass correlation is what the pooled share's own variance by query says.
    """
    counts, total = table.sum(axis=2), table.sum()
    pooled = table[:, :, 0].sum() / total
    chance = pooled * (1 - pooled)
    size = counts.sum(axis=1)
    spread = float(((table[:, :, 0].sum(axis=1) - pooled * size) ** 2).sum()) * len(table) / (len(table) - 1)
    typical = float((size**2).sum()) / total
    alike = (spread / (chance * total) - 1) / (typical - 1) if chance and typical > 1 else 0.0
    within = (counts**2).sum(axis=0) / counts.sum(axis=0)
    return np.asarray(chance * (1 + (within - 1) * min(max(alike, 0.0), 1.0)) / counts.sum(axis=0))


def facets(units: Sequence[Unit]) -> dict[str, list[str | None]]:
    """What the units can be divided by, each facet's value for each unit; facets that nobody knows are left out."""
    found: dict[str, list[str | None]] = {"query length": [_words(unit.query) for unit in units]}
    found["query kind"] = [unit.facets.get("kind") for unit in units]
    found["category"] = ["".join(category_path(unit.facets.get("category", ""))[:1]) or None for unit in units]
    found["locale"] = [unit.facets.get("locale") for unit in units]
    found["language"] = [unit.facets.get("language") for unit in units]
    found["text length"] = _thirds([unit.facets.get("text_length") for unit in units], ("short", "medium", "long"))
    found["traffic"] = _head_and_tail(units)
    return {name: labels for name, labels in found.items() if any(label is not None for label in labels)}


def _words(query: str) -> str:
    count = len(query.split())
    return "4 words or more" if count > 3 else f"{count} word{'s' if count > 1 else ''}"


def _thirds(numbers: Sequence[str | None], names: tuple[str, str, str]) -> list[str | None]:
    known = [float(number) for number in numbers if number is not None]
    if len(set(known)) < 3:
        return [None] * len(numbers)
    low, high = np.quantile(known, [1 / 3, 2 / 3])
    return [
        None if number is None else names[int(float(number) > low) + int(float(number) > high)] for number in numbers
    ]


def _head_and_tail(units: Sequence[Unit]) -> list[str | None]:
    """Head: the most frequent queries, as many as bring half of the traffic; tail: all others."""
    traffic: dict[str, float] = {}
    for unit in units:
        try:
            amount = float(unit.facets["traffic"])
        except (KeyError, ValueError):
            continue
        if 0 <= amount < float("inf"):  # a "nan" among them would make every sum one
            traffic[unit.query_id] = amount
    total, before, head = sum(traffic.values()), 0.0, set()
    for query, amount in sorted(traffic.items(), key=lambda item: -item[1]):
        if before < total / 2:
            head.add(query)
        before += amount
    return [None if u.query_id not in traffic else "head" if u.query_id in head else "tail" for u in units]
