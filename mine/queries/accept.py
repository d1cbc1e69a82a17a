"""Which made queries are taken: each is accepted, or refused for one counted reason."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from judge.search.catalogue import Catalogue
from judge.words.bm25 import Bm25
from judge.words.forms import canonical
from judge.words.normalise import same_words
from judge.words.similar import alike, query_groups, trigrams
from mine.queries.made import MadeQuery

EMPTY = "without a word"
LONG = "longer than a query"
ORDERS = "speaks to a model, not to a shop"
REPEATED = "the same as another"
HELD_OUT = "a held-out query, or nearly one"
TITLE_COPY = "a copy of its product's title"
NOT_FOUND = "does not find its product"
NEAR = 0.7
"""Jaccard similarity of trigrams from which a query is nearly a held-out one."""
COPY = 0.8
"""The same of a query and a title."""
WORDS, LETTERS = 12, 120
FOUND = 50
"""Products among which a query's own must be."""
Nearest = Callable[[Sequence[str], int], Sequence[Sequence[int]]]
"""The places of each query's nearest products by vectors."""
_ORDERS = re.compile(
    r"ignore|instruction|system\s*:|assistant|prompt|as an ai|you must|grade\s*[:=]|</?\w+>|https?://|[{}<>\[\]`|]",
    re.IGNORECASE,
)
"""Marks of text that was written for a model, or that code came out: sellers put it into products to be obeyed."""


def accept(
    made: Iterable[MadeQuery], catalogue: Catalogue, held_out: Sequence[str] = (), near: Nearest | None = None
) -> tuple[list[MadeQuery], Counter[str]]:
    """The queries that are taken, and how many are not, by reason; the two add up.

    Args:
        made: Queries, in the order in which they are preferred.
        catalogue: Where each must find its product, among the first `FOUND` by words or, with `near`, by vectors.
        held_out: Queries that no training may see: none of them, nor one that is nearly one, is taken.
        near: The nearest products by vectors, for queries in other words than their product's.
    """
    queries, reasons = list(made), Counter[str]()
    passed: list[MadeQuery] = []
    seen: set[str] = set()
    barred = _barred([each.query for each in queries], held_out)
    for each, is_barred in zip(queries, barred, strict=True):
        form = canonical(each.query)
        title = canonical(catalogue.products[catalogue.place[each.product_id]].title)
        reason = _wrong(each.query)
        reason = reason or (REPEATED if form in seen else HELD_OUT if is_barred else None)
        reason = reason or (TITLE_COPY if alike(form, title) >= COPY else None)
        if reason:
            reasons[reason] += 1
        else:
            seen.add(form)
            passed.append(each)
    found = _found(passed, catalogue, near)
    reasons[NOT_FOUND] += found.count(False)
    return [each for each, is_found in zip(passed, found, strict=True) if is_found], +reasons


def _wrong(query: str) -> str | None:
    words = same_words(query)
    if not any(letter.isalnum() for letter in words):
        return EMPTY
    if len(words.split()) > WORDS or len(words) > LETTERS:
        return LONG
    return ORDERS if _ORDERS.search(query) else None


def _barred(queries: Sequence[str], held_out: Sequence[str]) -> list[bool]:
    """Whether each query is one that is held out, plural endings and blanks aside, or has nearly its letters."""
    if not held_out:
        return [False] * len(queries)
    groups = query_groups([*held_out, *queries])
    theirs = {*groups[: len(held_out)]}
    grams = [trigrams(canonical(query)) for query in held_out]
    found = []
    for query, group in zip(queries, groups[len(held_out) :], strict=True):
        own = trigrams(canonical(query))
        found.append(group in theirs or any(len(own & other) >= NEAR * len(own | other) for other in grams))
    return found


def _found(passed: Sequence[MadeQuery], catalogue: Catalogue, near: Nearest | None) -> list[bool]:
    queries = [each.query for each in passed]
    wanted = [catalogue.place[each.product_id] for each in passed]
    index = Bm25([product.text for product in catalogue.products])
    found = [at in places for at, (places, _) in zip(wanted, index.top(queries, FOUND), strict=True)]
    if near and not all(found):
        by_vectors = near(queries, FOUND)
        found = [one or at in places for one, at, places in zip(found, wanted, by_vectors, strict=True)]
    return found
