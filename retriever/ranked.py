"""What systems show: for each query the places of products and their scores, best first."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from judge.errors import InputError
from judge.files import new_file

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
RRF = 60
"""The constant of reciprocal ranks: Cormack, Clarke and Buettcher 2009, "Reciprocal Rank Fusion"."""
_SPACE = re.compile(r"\s")


@dataclass(frozen=True)
class RankedList:
    """One query's results, best first; of equal scores the order stands."""

    places: Ints
    """Shape (n,): among the products."""
    scores: Floats

    def top(self, k: int) -> "RankedList":
        """The first k."""
        return RankedList(self.places[:k], self.scores[:k])


EMPTY = RankedList(np.zeros(0, np.int64), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Ranked:
    """One system's results for all queries, in their order."""

    name: str
    lists: Sequence[RankedList]
    parts: Mapping[str, str] = field(default_factory=dict)
    """What they depend on, such as the digest of an encoder."""
    strange: int = 0
    """Results that are no product of the catalogue, and left out."""
    other_queries: frozenset[str] = frozenset()
    """Queries that a run ranks for, and that were not asked."""
    judged: Sequence[Floats] = ()
    """For each query the scores of the products that people judged, in their order; NaN where it gives none."""


def fuse(systems: Sequence[Ranked], top: int) -> Ranked:
    """Several systems as one, by the sum of 1 / (60 + rank); a product that a system does not show gets nothing of it.

    Source: Cormack, Clarke and Buettcher 2009, "Reciprocal Rank Fusion outperforms Condorcet".
    """
    shares = [[1 / (RRF + 1 + np.arange(len(one.places))) for one in system.lists] for system in systems]
    return _summed("+".join(system.name for system in systems), systems, shares, top)


def mix(one: Ranked, other: Ranked, weight: float, top: int) -> Ranked:
    """Two systems as one by their scores, those of a query between 0 and 1: `weight` of the first, the rest of the
    other; a product that one of them does not show has 0 there.

    Source: Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval" (the convex combination).
    """
    shares = [
        [weight * _scaled(each.scores) for each in one.lists],
        [(1 - weight) * _scaled(e.scores) for e in other.lists],
    ]
    return _summed(f"{weight:g}*{one.name}+{1 - weight:g}*{other.name}", [one, other], shares, top)


def _scaled(scores: Floats) -> npt.NDArray[np.float64]:
    given = scores.astype(np.float64)
    if not len(given):
        return given
    low, high = given.min(), given.max()
    return (given - low) / (high - low) if high > low else np.ones(len(given))


def _summed(
    name: str, systems: Sequence[Ranked], shares: Sequence[Sequence[npt.NDArray[np.float64]]], top: int
) -> Ranked:
    lists = []
    for at in range(len(systems[0].lists)):
        places = np.concatenate([system.lists[at].places for system in systems])
        points = np.concatenate([share[at] for share in shares])
        found, where = np.unique(places, return_inverse=True)
        total = np.bincount(where, points, minlength=len(found))
        order = np.lexsort((found, -total))[:top]
        lists.append(RankedList(found[order], total[order].astype(np.float32)))
    parts = {f"{n} {key}": value for n, system in enumerate(systems, 1) for key, value in system.parts.items()}
    others = frozenset().union(*(system.other_queries for system in systems))
    return Ranked(name, lists, parts, sum(system.strange for system in systems), others)


def is_one_word(key: str) -> bool:
    """Whether an id can stand in a run: white space separates its columns."""
    return not _SPACE.search(key)


def check_ids(kind: str, keys: Sequence[str]) -> None:
    """Refuse ids that would tear the lines of a run apart.

    Raises:
        InputError: One holds white space.
    """
    if torn := next((key for key in keys if not is_one_word(key)), None):
        what = "holds white space, which separates the columns of a TREC run"
        raise InputError(f"{kind} {torn!r} {what}", "give ids without white space")


def write_run(
    ranked: Ranked, query_ids: Sequence[str], products: Sequence[str], out: Path, *, overwrite: bool = False
) -> int:
    """Write a TREC run, `query_id Q0 candidate_id rank score name`, whole or not at all. Returns its lines.

    Of equal scores the next one is a hair lower in the file, since programs that read runs go by scores alone.

    Raises:
        InputError: An id holds white space, which separates a run's columns; or the file cannot be written.
    """
    check_ids("query_id", query_ids)
    check_ids("candidate_id", [products[at] for at in np.unique(np.concatenate([one.places for one in ranked.lists]))])
    tag = _SPACE.sub("_", ranked.name)
    lines = 0
    with new_file(out, overwrite=overwrite) as partial, partial.open("w", encoding="utf-8", newline="\n") as stream:
        for query_id, one in zip(query_ids, ranked.lists, strict=True):
            last = np.inf
            for rank, (place, score) in enumerate(zip(one.places, one.scores, strict=True), 1):
                last = min(float(score), float(np.nextafter(np.float32(last), np.float32(-np.inf))))
                stream.write(f"{query_id} Q0 {products[place]} {rank} {last:.9g} {tag}\n")
                lines += 1
    return lines
