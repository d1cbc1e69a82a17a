"""How a product stands to what a query asks for, as a relation with a name. A candidate for the judge: no relation is a
grade. Of products of the right leaf category in another colour, people called 42% fully relevant.

- `all_match`: of the category, and it has every value asked for.
- `violates_one`: of the category, and one facet's value is another than asked for; `changed` names the facet.
- `attribute_only`: of the category, and values of several facets are others.
- `cross_category`: of another category; `changed` names the facets that differ besides.

None of them where the query or the product does not say enough: a product without a colour is not of another colour.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from judge.pairs.origin import RELATIONS
from mine.attributes import Attributes, Understood, Values
from mine.values import forms, unwanted

VIOLATES_ONE, ALL_MATCH, CROSS, ATTRIBUTE_ONLY = RELATIONS
LOOKED_AT = 5000
"""Products of a query's categories that are looked at."""


class Relation(NamedTuple):
    """A relation, and what differs."""

    name: str | None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Related:
    """The relations between queries and the products of a catalogue."""

    attributes: Attributes

    def relation(self, asked: Understood, at: int) -> Relation:
        """How the product at a place of the catalogue stands to a query."""
        product = self.attributes.catalogue.products[at]
        values = self.attributes.products[at]
        differs = [facet for facet, wanted in asked.wanted.items() if facet in values and not wanted & values[facet]]
        unknown = [facet for facet in asked.wanted if facet not in values]
        if asked.unwanted:
            meets = self._restriction(asked, at)
            differs += [] if meets is not False else ["restriction"]
            unknown += [] if meets is not None else ["restriction"]
        if not asked.leaves or not product.leaf:
            return Relation(None, tuple(differs))
        if product.leaf not in asked.leaves:
            return Relation(CROSS, ("category", *differs))
        if differs:
            return Relation(VIOLATES_ONE if len(differs) == 1 else ATTRIBUTE_ONLY, tuple(differs))
        return Relation(None if unknown else ALL_MATCH)

    def _restriction(self, asked: Understood, at: int) -> bool | None:
        """Whether a product meets what a query wants to be absent; null where it does not say."""
        text = self.attributes.catalogue.products[at].text
        absent = {*unwanted(text)[0]}
        if absent.issuperset(asked.unwanted):
            return True
        said = {*forms(text)}
        return False if any(word in said and word not in absent for word in asked.unwanted) else None

    def proposals(self, query_id: str, asked: Understood, top: int) -> list[int]:
        """Up to `top` products whose relation to a query is known: the relations in turn, each in a random order that
        stays the same. Empty where the query asks for nothing that is understood."""
        if not asked.leaves or not (asked.wanted or asked.unwanted):
            return []
        groups: dict[str, list[int]] = {name: [] for name in RELATIONS}
        inside = [at for leaf in asked.leaves for at in self.attributes.by_leaf.get(leaf, ())]
        for at in _drawn(inside, query_id, LOOKED_AT):
            if name := self.relation(asked, at).name:
                groups[name].append(at)
        groups[CROSS] = _drawn(self._elsewhere(asked), query_id, top)
        return [at for _, at in zip(range(top), _in_turn([groups[name] for name in RELATIONS]), strict=False)]

    def _elsewhere(self, asked: Understood) -> list[int]:
        """Products of other categories that have every value asked for."""
        found: set[int] | None = None
        for facet, wanted in sorted(asked.wanted.items(), key=lambda item: len(item[1])):
            has = {at for value in wanted for at in self.attributes.by_value.get((facet, value), ())}
            found = has if found is None else found & has
        products = self.attributes.catalogue.products
        return [at for at in sorted(found or ()) if products[at].leaf and products[at].leaf not in asked.leaves]


def signature(values: Values) -> str:
    """A product's values as a text: copies of a product have the same, its variants do not."""
    return "; ".join(f"{facet}={','.join(sorted(some))}" for facet, some in sorted(values.items()))


def _drawn(places: Sequence[int], key: str, count: int) -> list[int]:
    """Places in a random order that depends on the key and each place alone, at most so many."""
    salt = key.encode("utf-8", "replace")[:64]
    return sorted(places, key=lambda at: blake2b(at.to_bytes(8), key=salt, digest_size=8).digest())[:count]


def _in_turn(groups: Sequence[Sequence[int]]) -> Iterator[int]:
    for at in range(max(map(len, groups), default=0)):
        yield from (group[at] for group in groups if at < len(group))
