"""The products that can be mined: their texts, leaf categories and further columns, every row used or counted."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from judge.errors import InputError
from judge.tables.ids import IdIndex
from judge.text import category_path
from judge.words.normalise import clean

CATEGORY, TITLE = "category", "title"
LONG = 400
"""Characters of a text that stands in for a title."""


@dataclass(frozen=True)
class Product:
    """One product."""

    id: str
    texts: Mapping[str, str]
    """The guideline's fields that it has, in their order."""
    more: Mapping[str, str]
    """Further columns of the catalogue, by their names there."""

    @property
    def title(self) -> str:
        """Its title; where it has none, the start of its texts."""
        return self.texts.get(TITLE) or self.text[:LONG]

    @property
    def text(self) -> str:
        """All of its texts."""
        return " | ".join(self.texts.values())

    @property
    def leaf(self) -> str:
        """The last part of its category's path; empty where it has none."""
        return _leaf_of(self.texts.get(CATEGORY, ""))


@lru_cache(10_000)
def _leaf_of(category: str) -> str:
    path = category_path(category)
    return clean(path[-1]).lower() if path else ""


@dataclass(frozen=True)
class Catalogue:
    """All products that can be searched."""

    name: str
    products: Sequence[Product]
    """In a random order that stays the same, whatever the file's."""
    rows: int
    """Rows of the file."""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Rows that are no product here, by reason; with the products they add up to the rows."""
    without_text: frozenset[str] = frozenset()
    """Ids of rows that are no product for want of a text."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over ids and texts of the products, in their order."""
        found = hashlib.sha256()
        for product in self.products:
            parts = (product.id, *product.texts.values(), *product.more.values())
            found.update("\x1f".join(parts).encode("utf-8", "surrogatepass") + b"\x1e")
        return found.hexdigest()

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Where each id stands, as the catalogue has it."""
        return {product.id: at for at, product in enumerate(self.products)}

    @cached_property
    def _ids(self) -> IdIndex:
        return IdIndex(product.id for product in self.products)

    def find(self, key: str) -> int | None:
        """Where the product stands that another file names so; null where there is none."""
        return self._ids.find(key)

    def find_all(self, keys: Iterable[str], where: str) -> list[int | None]:
        """Where each of the products stands that a query of another file has.

        Raises:
            InputError: Two of its ids, such as 5 and 5.0, are one product.
        """
        named: dict[int, str] = {}
        places: list[int | None] = []
        for key in keys:
            places.append(place := self.find(key))
            if place is not None and named.setdefault(place, key) != key:
                both, ours = f"{named[place]!r} and {key!r}", f"{self.products[place].id!r} of {self.name}"
                fix = "write each product's id as the catalogue has it, and keep one of the two"
                raise InputError(f"{where}: {both} of one query are the product {ours}", fix)
        return places
