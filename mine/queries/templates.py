"""Queries out of a product's own words, without a model: what shoppers type is short and in no sentence.

A product's category, its values and the start of its title are put side by side. Activities and situations are read
from phrases that products state of themselves ("for hiking", "für den Winter"): nothing is made up.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence

from judge.search.catalogue import Product
from judge.words.normalise import clean, same_words
from mine.attributes import Attributes
from mine.queries.made import KINDS, TIERS, MadeQuery, Tier

WRITER = "templates"
SIZES: Mapping[Tier, int] = {"simple": 0, "medium": 1, "complex": 2}
"""Values in addition to the category and what makes the kind: one more value, an activity, a situation."""
_ARTICLES = "the|an?|your|all|any|every|d(?:er|ie|as|en|em)|les?|la|une?|el|los|il|lo"
_FOR = re.compile(
    rf"\b(for|für|pour|para|per|для)\s+(?:(?:{_ARTICLES})\s+)?(?!(?:{_ARTICLES})\b)([^\W\d_]{{3,}}(?:\s[^\W\d_]{{3,}})?)"
    r"(?=\s*(?:$|[.,;:!?()|/\n]|\s(?:and|or|&|und|oder|et|ou|y|o|e|и|или)\s))",
    re.IGNORECASE,
)
"""One or two words after "for", with which the phrase ends: of more words these might be half of what is meant."""
_SITUATIONS = frozenset(
    """winter summer autumn spring rain snow night travel home office school garden party wedding birthday christmas
    sommer regen reise büro schule garten hochzeit hiver été voyage bureau jardin invierno verano viaje oficina
    зима лето зимы лета дождя дома офиса школы сада""".split()  # noqa: SIM905 a list of words, not of strings
)
"""Words of when or where something is used; another phrase of that form is an activity."""


def template_queries(
    attributes: Attributes, leaf: str, count: int, draw: random.Random, kinds: Sequence[str] = KINDS
) -> Iterator[MadeQuery]:
    """Up to `count` different queries for a leaf category, kinds and tiers in turn; fewer where it says no more."""
    places = list(attributes.by_leaf[leaf])
    seen: set[str] = set()
    for turn in range(count * 6):
        if len(seen) == count:
            return
        at = draw.choice(places)
        kind, tier = kinds[turn % len(kinds)], TIERS[turn // len(kinds) % len(TIERS)]
        text = _query(attributes, at, kind, SIZES[tier], draw)
        if text and text not in seen:
            seen.add(text)
            product = attributes.catalogue.products[at]
            named = {"product_id": product.id, "category": leaf, "writer": WRITER}
            yield MadeQuery.model_validate({"query": text, "tier": tier, "kind": kind, **named})


def _query(attributes: Attributes, at: int, kind: str, size: int, draw: random.Random) -> str | None:
    product = attributes.catalogue.products[at]
    said = _said(attributes, at)
    draw.shuffle(said)
    if kind == "name":
        words = product.title.split()
        found = words[: 2 + size] if len(words) > 2 + size else []
    elif kind == "attribute":
        found = [*said[: size + 1], product.leaf] if len(said) > size else []
    else:
        phrase = _phrase(product, kind)
        found = [*said[:size], product.leaf, phrase] if phrase and len(said) >= size else []
    return clean(" ".join(found)).strip(",;:.|").lower() or None


def _said(attributes: Attributes, at: int) -> list[str]:
    """A product's values in its own words: its cells are in its language, the lexicon's names of them are not."""
    product = attributes.catalogue.products[at]
    cells = [
        cell
        for columns in attributes.columns.values()
        for column in columns
        if (cell := product.texts.get(column) or product.more.get(column)) and len(cell) <= 24
    ]
    title = set(product.title.casefold().split())
    learned = {word for words in attributes.learned.values() for word in words}
    found: dict[str, str] = {}
    for each in (*cells, *sorted(title & learned)):
        found.setdefault(same_words(each), each)  # a title's words are in small letters here, and cells often are not
    return list(found.values())


def _phrase(product: Product, kind: str) -> str | None:
    """What a product says that it is for: a situation, or else an activity."""
    for found in _FOR.finditer(product.text):
        words = found[2].lower().split()
        if (kind == "situation") == any(word in _SITUATIONS for word in words):
            return " ".join([found[1].lower(), *words])
    return None
