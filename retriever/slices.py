"""Queries that matter apart: rare ones, misspelt ones, and the kinds that a file of ratings names."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from judge.statistics.intervals import FEWEST
from judge.words.noise import misspell, vocabulary
from retriever.gold import Gold
from retriever.queries import SearchQuery

TAIL = 1 / 3
"""The share of queries that are rare."""
MAJORITY = 1 / 2
"""More than this share of the queries is no tail: where so many have the same count, none of them is rare."""
MOST = 8
"""Values of a facet beyond which it is no segment."""
FACETS = ("traffic", "kind", "locale", "language")
UNLEARNED = "not learned from"
"""The queries on which nothing flatters a trained system."""
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Slice:
    """Some of the queries."""

    name: str
    because: str
    """What makes them these."""
    queries: Mask
    """Shape (Q,)."""


def slices(gold: Gold) -> list[Slice]:
    """The tail, by how often queries are asked where the file says it, else by how many products are rated; then every
    facet with a few values."""
    found = []
    traffic = [facets.get("traffic") for facets in gold.facets]
    counts = _numbers(traffic)
    if counts is None:
        counts = np.array([len(places) for places in gold.places], np.float64)
        because = "fewest rated products"
    else:
        because = "least traffic"
    tail = counts <= np.quantile(counts, TAIL)
    if tail.mean() <= MAJORITY:
        found.append(Slice("tail", because, tail))
    for facet in FACETS:
        values = [facets.get(facet) for facets in gold.facets]
        several = sorted({value for value in values if value})
        if not 1 < len(several) <= MOST or (facet == "traffic" and because == "least traffic"):
            continue
        for value in several:
            mask = np.array([each == value for each in values])
            if mask.sum() >= FEWEST:
                found.append(Slice(f"{facet} {value}", f"the file's {facet}", mask))
    return found


def unlearned(learned: Sequence[Mask]) -> list[Slice]:
    """The queries that none of some systems learned from, if there are some and one learned from others."""
    some = np.any(learned, axis=0) if learned else np.zeros(0, bool)
    return [Slice(UNLEARNED, "no system was trained on them", ~some)] if some.any() and not some.all() else []


def misspelt(queries: Sequence[SearchQuery], texts: Sequence[str], seed: int) -> Mapping[int, SearchQuery]:
    """Queries with one typing error each, by their place; those in which no word can have one are missing.

    Args:
        queries: As they were asked.
        texts: The catalogue's: an error makes no word of theirs.
        seed: The same seed makes the same errors.
    """
    known = vocabulary(texts)
    found = {}
    for at, query in enumerate(queries):
        words = misspell(query.words, random.Random(f"{seed} {query.id}"), locale=query.locale, known=known)  # noqa: S311
        if words is not None:
            found[at] = replace(query, words=words)
    return found


def _numbers(values: Sequence[str | None]) -> npt.NDArray[np.float64] | None:
    """Texts as numbers; null where one is none."""
    try:
        found = np.array([float(value or "") for value in values])
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None
