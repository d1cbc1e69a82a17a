"""Pairs made from products alone, without human labels: a warm start where ratings are few.

A query put together from a product's own attributes and words is answered by that product, half answered by another
of its kind with one of those attributes wrong, and not answered by a product of another kind, every other time by the
one of them that has the most of the query's words. Only candidates that no held-out query has are used, so that nothing
of those is seen.
"""

import random
from collections.abc import Iterator, Sequence

from finetune.ratings import Rated
from judge.errors import InputError
from judge.guideline import Guideline
from judge.overlap import words
from judge.records import Pair

ATTRIBUTES = ("brand", "colour", "material", "size")
"""Fields whose value can stand in a query and be wrong in a product."""
MADE = "catalogue"
"""The rater of such pairs."""
SEEN = 40
"""Products of other kinds among which the one with the most words of the query is looked for."""


def warm_pairs(rated: Sequence[Rated], guideline: Guideline, count: int, seed: int) -> list[Rated]:
    """About `count` made-up pairs over the candidates of rated pairs: a third of each grade's kind.

    Raises:
        InputError: The candidates have no category, or none has a brand, colour, material or size.
    """
    products = {item.pair.candidate_id: item.pair for item in rated}
    usable = [pair for pair in products.values() if _kind(pair) and _attributes(pair)]
    if len({_kind(pair) for pair in usable}) < 2:
        raise InputError(
            "warm_pairs: needs candidates of several categories that have a brand, colour, material or size and stand "
            "under no held-out query",
            "map these fields with --map, or set warm_pairs: 0 in --config",
        )
    draw = random.Random(seed)  # noqa: S311 nothing is kept secret with it
    found: list[Rated] = []
    while len(found) < count:
        found += _three(usable, guideline.values, draw)
    return found[:count]


def _three(usable: Sequence[Pair], values: Sequence[int], draw: random.Random) -> Iterator[Rated]:
    """A product asked for by its own words: itself, one of its kind that differs, and one of another kind."""
    own = draw.choice(usable)
    field = draw.choice(_attributes(own))
    query = _asked(own, field, draw)
    alike = [p for p in usable if _kind(p) == _kind(own)]
    wrong = [p for p in alike if p.candidate.get(field, own.candidate[field]) != own.candidate[field]]
    other = [p for p in usable if _kind(p) != _kind(own)]
    yield _rated(query, own, values[-1])
    if wrong and len(values) > 2:
        yield _rated(query, draw.choice(wrong), values[len(values) // 2])
    some = draw.sample(other, min(draw.choice((1, SEEN)), len(other)))
    yield _rated(query, max(some, key=lambda p: _shared(query, p)), values[0])


def _asked(own: Pair, field: str, draw: random.Random) -> str:
    """An attribute and the kind, by half with words of the title; or the attribute and the title's start."""
    title = own.candidate.get("title", "").split()
    if title and draw.random() < 0.4:
        said = title[: draw.randint(2, 5)]
    else:
        said = [_kind(own), *(draw.sample(title, min(2, len(title))) if draw.random() < 0.5 else ())]
    found = " ".join([own.candidate[field], *said]).lower().split()
    # Titles often begin with the brand: nobody types it twice.
    return " ".join(dict.fromkeys(word.strip(",;:()") for word in found))


def _shared(query: str, product: Pair) -> int:
    """How many of the query's words a product has."""
    return len({*words(query)} & {word for text in product.candidate.values() for word in words(text)})


def _rated(query: str, product: Pair, grade: int) -> Rated:
    pair = Pair(
        row=0, query_id=MADE, query=query, candidate_id=product.candidate_id, candidate=product.candidate, locale=None
    )
    return Rated(pair, {MADE: grade})


def _kind(pair: Pair) -> str:
    """The last part of the category's path."""
    return pair.candidate.get("category", "").rpartition(">")[2].strip()


def _attributes(pair: Pair) -> list[str]:
    return [name for name in ATTRIBUTES if pair.candidate.get(name)]
