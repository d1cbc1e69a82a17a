"""Candidates of several sources as one list a query, and why each of them is in it or not.

The sources take turns by rank. A pair that was judged before is out, and so is a product that says the same as one that
was, or as a candidate before it: nothing is learned from a copy. A variant is no copy: its colour or size is another.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

from mine.asked import Asked

KNOWN = "known pair"
KNOWN_COPY = "copy of a known pair's product"
COPY = "copy of another candidate"
NEAR_COPY = "near copy of another candidate"
BEYOND_QUERY = "beyond --per-query"
BEYOND = "beyond --budget"
AGAIN = "found by another source before"


class Found(NamedTuple):
    """A product that a source proposes for a query."""

    place: int
    """In the catalogue."""
    rank: int
    """Among the source's, from 1."""
    score: float | None
    """The source's own; null where it has none."""


@dataclass(frozen=True)
class Candidate:
    """A pair to judge."""

    query: int
    """The query's number."""
    place: int
    source: str
    """Where it ranks best; of equals the source that was named first."""
    rank: int
    score: float | None
    found_by: Mapping[str, int]
    """Every source that proposes it, with its rank there."""


@dataclass(frozen=True)
class Copies:
    """What products say, for telling copies."""

    same: Mapping[int, str]
    """A product's place to a text that copies of it share."""
    near: Mapping[int, str]
    """A product's place to a text that near copies of it share."""


Proposals = Mapping[str, Sequence[Sequence[Found]]]
"""A source to its products for each query, best first."""


def union(
    queries: Sequence[Asked],
    proposals: Proposals,
    place_of: Mapping[str, int],
    copies: Copies,
    per_query: int,
    budget: int | None,
) -> tuple[list[Candidate], Counter[str]]:
    """The candidates to judge, by query, and how many proposals are none, by reason.

    Kept and reasons add up to all proposals: one that several sources make counts once, the others as `AGAIN`.
    """
    reasons: Counter[str] = Counter()
    kept: list[list[Candidate]] = []
    for number, asked in enumerate(queries):
        merged = _merge(number, {source: lists[number] for source, lists in proposals.items()})
        reasons[AGAIN] += sum(len(candidate.found_by) - 1 for candidate in merged)
        kept.append(list(_sieve(merged, asked, place_of, copies, per_query, reasons)))
    total = sum(map(len, kept))
    if budget is not None and total > budget:
        _cut(kept, queries, budget)
        reasons[BEYOND] += total - budget
    return [candidate for some in kept for candidate in some], +reasons


def outranks(
    queries: Sequence[Asked],
    proposals: Proposals,
    place_of: Mapping[str, int],
    kept: Sequence[Candidate],
    best: int,
) -> list[int]:
    """How many products of a query, known to be of the best grade, each candidate's source ranks below it, or not."""
    ranks: dict[tuple[int, str], list[int]] = {}
    found: list[int] = []
    for candidate in kept:
        key = candidate.query, candidate.source
        if key not in ranks:
            shown = {each.place: each.rank for each in proposals[candidate.source][candidate.query]}
            good = [
                place_of[name]
                for name, grade in queries[candidate.query].known.items()
                if grade == best and name in place_of
            ]
            ranks[key] = [shown.get(place, len(shown) + 1) for place in good]
        found.append(sum(rank > candidate.rank for rank in ranks[key]))
    return found


def _merge(number: int, found: Mapping[str, Sequence[Found]]) -> list[Candidate]:
    """A query's products of all sources, each once, by rank, of equals in the sources' order."""
    first: dict[int, Candidate] = {}
    found_by: dict[int, dict[str, int]] = {}
    for _, _, source, each in sorted(
        (each.rank, order, source, each) for order, (source, some) in enumerate(found.items()) for each in some
    ):
        found_by.setdefault(each.place, {}).setdefault(source, each.rank)
        if each.place not in first:
            first[each.place] = Candidate(number, each.place, source, each.rank, each.score, {})
    return [replace(candidate, found_by=found_by[place]) for place, candidate in first.items()]


def _sieve(
    merged: Sequence[Candidate],
    asked: Asked,
    place_of: Mapping[str, int],
    copies: Copies,
    per_query: int,
    reasons: Counter[str],
) -> Iterator[Candidate]:
    known = {place_of[key] for key in asked.known if key in place_of}
    same_known = {copies.same[place] for place in known if place in copies.same}
    near_known = {copies.near[place] for place in known if place in copies.near}
    same: set[str] = set()
    near: set[str] = set()
    count = 0
    for candidate in merged:
        text, alike = copies.same[candidate.place], copies.near[candidate.place]
        if candidate.place in known:
            reasons[KNOWN] += 1
        elif text in same_known or alike in near_known:
            reasons[KNOWN_COPY] += 1
        elif text in same:
            reasons[COPY] += 1
        elif alike in near:
            reasons[NEAR_COPY] += 1
        elif count == per_query:
            reasons[BEYOND_QUERY] += 1
        else:
            same.add(text)
            near.add(alike)
            count += 1
            yield candidate


def _cut(kept: Sequence[list[Candidate]], queries: Sequence[Asked], budget: int) -> None:
    """Leave so many in all: the first of every query, then the second, the queries in an order that stays."""
    keys = [blake2b(asked.query_id.encode("utf-8", "replace"), digest_size=8).digest() for asked in queries]
    order = sorted((turn, keys[number], number) for number, some in enumerate(kept) for turn in range(len(some)))
    left = Counter(number for _, _, number in order[:budget])
    for number, some in enumerate(kept):
        del some[left[number] :]
