"""What products are and what queries ask for, without a schema: values by facet, learned from the catalogue.

A facet's values come from a column where the catalogue has one for it. Where it has none, from titles: measures with
their units, words of the lexicon, and what titles of a leaf category put in their place. "Mug 300 ml red" and "Mug 300
ml teal" differ in one word: where that often happens, teal is of red's kind. A brand is how several titles begin.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from judge.search.catalogue import Catalogue, Product
from judge.text import is_letters
from judge.words import asked
from judge.words.split import words
from mine.values import (
    FACETS,
    LEARNED,
    column_facet,
    column_values,
    form,
    forms,
    lexicon,
    measures,
    phrases,
    unwanted,
    without_measures,
)

Values = Mapping[str, frozenset[str]]
"""Facet to values."""
SUPPORT = 2
"""Places in which titles must exchange two words before they are of one kind."""
BRANDED = 3
"""Titles of one beginning before it is a brand."""
SLOT = 40
"""Words in one place of otherwise equal titles, beyond which they are names and no values."""


@dataclass(frozen=True)
class Understood:
    """What a query asks for, as far as it is understood."""

    leaves: tuple[str, ...] = ()
    """Leaf categories that it may mean; empty where none is known."""
    leaf_from: str = ""
    """`words` of the query, or `relevant` products of it."""
    wanted: Values = field(default_factory=dict)
    unwanted: tuple[str, ...] = ()
    """Words of what must be absent."""
    rest: tuple[str, ...] = ()
    """Words that none of it explains."""


@dataclass(frozen=True)
class Attributes:
    """The vocabulary of a catalogue."""

    columns: Mapping[str, tuple[str, ...]]
    """Facet to the catalogue's columns that hold it."""
    learned: Mapping[str, Mapping[str, str]]
    """Facet to a word's form to its value: the lexicon's words and those that were learned."""
    catalogue: Catalogue

    @cached_property
    def products(self) -> Sequence[Values]:
        """The values of every product, in the catalogue's order."""
        return [self._values(product) for product in self.catalogue.products]

    @cached_property
    def by_leaf(self) -> Mapping[str, Sequence[int]]:
        """The places of the products of each leaf category."""
        found: dict[str, list[int]] = defaultdict(list)
        for at, product in enumerate(self.catalogue.products):
            if product.leaf:
                found[product.leaf].append(at)
        return found

    @cached_property
    def by_value(self) -> Mapping[tuple[str, str], Sequence[int]]:
        """The places of the products that have a facet's value."""
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for at, values in enumerate(self.products):
            for facet, some in values.items():
                for value in some:
                    found[facet, value].append(at)
        return found

    @cached_property
    def _spelt(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """A phrase's form to the facets and values that it can mean."""
        found: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for facet, known in self.learned.items():
            for word, value in known.items():
                found[word].add((facet, value))
        for facet, value in self.by_value:
            if not value.replace(".", "").isdigit():
                found[value].add((facet, value))
        return {phrase: sorted(some, key=lambda each: FACETS.index(each[0])) for phrase, some in found.items()}

    @cached_property
    def _leaf_words(self) -> Mapping[str, Sequence[tuple[str, frozenset[str]]]]:
        """A leaf's last word to the leaves that end in it, with all their words."""
        found: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
        for leaf in self.by_leaf:
            said = _bases(leaf)
            for word in {*said[-1:]}:
                found[word].append((leaf, frozenset(said)))
        return found

    def understand(self, query: str, relevant: Sequence[str] = ()) -> Understood:
        """What a query asks for.

        Args:
            query: Its words.
            relevant: Leaf categories of products that are known to be relevant; used where its words name none.
        """
        absent, _ = unwanted(without_measures(query))
        # What follows the first word that is ruled out is no category or value that is asked for: "without palm oil".
        query = asked.wanted(query)
        plain = without_measures(query)
        said = forms(plain)
        _, used = unwanted(plain)
        leaves = self._leaves(query)
        wanted: dict[str, set[str]] = {facet: set(values) for facet, values in measures(query).items()}
        # The category's own words are no attributes: a leather belt may stand in "leather belts".
        named = {word for leaf in leaves for word in (*forms(leaf), *map(form, _bases(leaf)))}
        here = {place for place, word in enumerate(said) if word in named}
        for phrase, places in phrases(said, used):
            if used.intersection(places):
                continue
            meant = self._meant(phrase, leaves)
            if meant and not here.issuperset(places):
                wanted.setdefault(meant[0], set()).add(meant[1])
                used.update(places)
        rest = tuple(word for place, word in enumerate(said) if place not in used | here)
        known = tuple(sorted({leaf for leaf in relevant if leaf}))
        source = "words" if leaves else "relevant" if known else ""
        return Understood(
            leaves or known, source, {name: frozenset(some) for name, some in wanted.items()}, tuple(absent), rest
        )

    def _meant(self, phrase: str, leaves: Sequence[str]) -> tuple[str, str] | None:
        """The facet and value that a phrase means: of several, the one that most products of the category have."""
        could = self._spelt.get(phrase)
        if not could:
            return None
        if len(could) == 1:
            return could[0]
        inside = {at for leaf in leaves for at in self.by_leaf[leaf]}
        counts = [sum(at in inside for at in self.by_value.get(each, ())) if inside else 0 for each in could]
        return could[counts.index(max(counts))]

    def _leaves(self, query: str) -> tuple[str, ...]:
        said = {*_bases(query)}
        ending = [pair for word in said for pair in self._leaf_words.get(word, ())]
        whole = [(leaf, of) for leaf, of in ending if of <= said]
        if whole:
            most = max(len(of) for _, of in whole)
            return tuple(sorted(leaf for leaf, of in whole if len(of) == most))
        return tuple(sorted(leaf for leaf, _ in ending))

    def _values(self, product: Product) -> Values:
        found: dict[str, set[str]] = defaultdict(set)
        stated: set[str] = set()
        for facet, columns in self.columns.items():
            for column in columns:
                cell = product.texts.get(column) or product.more.get(column)
                if cell:
                    found[facet] |= column_values(facet, cell)
                    stated.add(facet)
        title = product.title
        for facet, values in measures(title).items():
            if facet not in stated:
                found[facet] |= values
        said = forms(title)
        for facet, known in self.learned.items():
            if facet not in stated:
                found[facet] |= {known[word] for word in said if word in known}
        return {facet: frozenset(values) for facet, values in found.items() if values}


def _bases(text: str) -> list[str]:
    """The words of a text, in the singular, also where it is spelt another way: scarves, batteries, boxes."""
    return [_PLURAL.sub(lambda found: _SINGULAR[found[0][-2:]] or found[0][:-1], word) for word in words(text)]


_SINGULAR = {"ve": "f", "fe": "f", "ie": "y", "se": "", "he": "", "xe": "", "ze": ""}
_PLURAL = re.compile("(?:(?<=..)(?:ve|fe|ie)|(?:sse|she|che|xe|ze))$")
"""What is left at the end of a word when its last s is gone. Other words lose it too: on both sides alike."""


def learn(catalogue: Catalogue) -> Attributes:
    """Learn the vocabulary of a catalogue."""
    columns: dict[str, dict[str, None]] = defaultdict(dict)
    for product in catalogue.products:
        for name in (*product.texts, *product.more):
            if name not in ("title", "category", "description", "price") and (facet := column_facet(name)):
                columns[facet][name] = None
    learned: dict[str, dict[str, str]] = {facet: dict(lexicon().values[facet]) for facet in LEARNED}
    for word, facet in _exchanged(catalogue, learned):
        learned[facet].setdefault(word, word)
    if "brand" not in columns:
        learned["brand"] = _brands(catalogue, learned)
    return Attributes({facet: tuple(names) for facet, names in columns.items()}, learned, catalogue)


def _exchanged(catalogue: Catalogue, known: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Words that titles of a leaf put in the place of a known value, with its facet."""
    by_leaf: dict[str, list[Product]] = defaultdict(list)
    for product in catalogue.products:
        by_leaf[product.leaf].append(product)
    support: Counter[tuple[str, str]] = Counter()
    for products in by_leaf.values():
        slots: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for said in {tuple(forms(product.title)) for product in products}:
            for at, word in enumerate(said):
                slots[(*said[:at], "", *said[at + 1 :])].add(word)
        for here in slots.values():
            if 1 < len(here) <= SLOT:
                facets = Counter(facet for word in here for facet in known if word in known[facet])
                if len(facets) == 1:
                    facet = next(iter(facets))
                    support.update((word, facet) for word in here if is_letters(word) and word not in known[facet])
    taken = {word for words in known.values() for word in words}
    facets_of: dict[str, list[str]] = defaultdict(list)
    for (word, facet), count in support.items():
        if count >= SUPPORT and word not in taken:
            facets_of[word].append(facet)
    yield from ((word, some[0]) for word, some in sorted(facets_of.items()) if len(some) == 1)


def _brands(catalogue: Catalogue, known: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """First words of titles, capitalised, that several begin with in at least two places or ways to go on."""
    seen: dict[str, set[str]] = defaultdict(set)
    for product in catalogue.products:
        first, _, rest = product.title.strip().partition(" ")
        if first[:1].isupper() and first.isalpha() and len(first) > 2:
            seen[form(first)].add(rest.partition(" ")[0])
    taken = {word for words in known.values() for word in words}
    kinds = {word for product in catalogue.products for word in forms(product.leaf)}
    return {word: word for word, ways in seen.items() if len(ways) >= BRANDED and word not in taken | kinds}
