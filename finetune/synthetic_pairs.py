"""Synthetic pairs, made from products alone without human labels, for where ratings are few.

A query put together from a product's own attributes and words is answered by that product, half answered by another
of its kind with one of those attributes wrong, and not answered by a product of another kind, every other time by the
one of them that has the most of the query's words. What has all of them may well answer it, and is neither. Only
candidates that no held-out query has are used, so that nothing of those is seen.
"""

import random
from collections.abc import Iterator, Mapping, Sequence

from judge.errors import InputError
from judge.ratings.rated import Rated
from judge.records import Pair
from judge.text import category_path
from judge.words.guideline import Guideline
from judge.words.split import BOTH, words

ATTRIBUTES = ("brand", "colour", "material", "size")
"""Fields whose value can stand in a query and be wrong in a product."""
MADE = "catalogue"
"""The rater of such pairs."""
SEEN = 40
"""Products of a kind that are looked at: for an attribute that is wrong; of other kinds for the most of the query's
words."""


def make_pairs(rated: Sequence[Rated], guideline: Guideline, count: int, seed: int) -> list[Rated]:
    """About `count` made-up pairs over the candidates of rated pairs: a third of each grade's kind.

    Raises:
        InputError: The candidates have no category, or none has a brand, colour, material or size.
    """
    products = {item.pair.candidate_id: item.pair for item in rated}
    usable = [pair for pair in products.values() if _kind(pair) and _attributes(pair)]
    if len({_kind(pair) for pair in usable}) < 2:
        raise InputError(
            "synthetic_pairs: needs candidates of several categories that have a brand, colour, material or size and "
            "stand under no held-out query",
            "map these fields with --map, or set synthetic_pairs: 0 in --config",
        )
    usable.sort(key=_kind)
    kinds: dict[str, range] = {}
    for at, pair in enumerate(usable):
        kinds[_kind(pair)] = range(kinds.get(_kind(pair), range(at, at)).start, at + 1)
    draw = random.Random(seed)  # noqa: S311 nothing is kept secret with it
    found: list[Rated] = []
    while len(found) < count:
        found += _three(usable, kinds, guideline.values, draw)
    return found[:count]


def _three(
    usable: Sequence[Pair], kinds: Mapping[str, range], values: Sequence[int], draw: random.Random
) -> Iterator[Rated]:
    """A product asked for by its own words: itself, one of its kind that differs, and one of another kind.

    `kinds` says where in `usable` the products of each kind stand.
    """
    own = draw.choice(usable)
    field = draw.choice(_attributes(own))
    query = _asked(own, field, draw)
    alike = kinds[_kind(own)]
    said, whole = {*words(own.candidate[field])}, len({*words(query)})
    yield _rated(query, own, values[-1])
    if len(values) > 2:
        near = [usable[at] for at in draw.sample(alike, min(SEEN, len(alike)))]
        # "Black" and "black" are one colour, and a product that says none is not known to be wrong.
        differ = (p for p in near if {*words(p.candidate.get(field, own.candidate[field]))} != said)
        if wrong := next((p for p in differ if _shared(query, p) < whole), None):
            yield _rated(query, wrong, values[len(values) // 2])
    rest = len(usable) - len(alike)
    places = draw.sample(range(rest), min(draw.choice((1, SEEN)), rest))
    far = [usable[at if at < alike.start else at + len(alike)] for at in places]
    if other := [(shared, p) for p in far if (shared := _shared(query, p)) < whole]:
        yield _rated(query, max(other, key=lambda each: each[0])[1], values[0])


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
    return len({*words(query)} & {word for text in product.candidate.values() for word in words(text, BOTH)})


def _rated(query: str, product: Pair, grade: int) -> Rated:
    pair = Pair(
        row=0, query_id=MADE, query=query, candidate_id=product.candidate_id, candidate=product.candidate, locale=None
    )
    return Rated(pair, {MADE: grade})


def _kind(pair: Pair) -> str:
    """The last part of the category's path."""
    return "".join(category_path(pair.candidate.get("category", ""))[-1:])


def _attributes(pair: Pair) -> list[str]:
    return [name for name in ATTRIBUTES if pair.candidate.get(name)]
