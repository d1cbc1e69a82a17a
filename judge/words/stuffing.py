"""Copies of a query that sellers add to their texts to be found."""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from judge.text import is_mark, letter_marks
from judge.words.normalise import same_words
from judge.words.split import HEAD, JOINING

SIGNS = ".,;:!?()[]\"'“”„«»-/|、。，．：；！？・「」『』【】（）［］〈〉《》｜／～〜－"
"""Punctuation around a word."""


class _Piece(NamedTuple):
    """A word with its punctuation, or one letter where there are no blanks."""

    start: int
    end: int
    bare: str
    """Without case and signs."""
    joins: bool
    """Whether a letter without blanks follows another: where a word ends before it, nobody knows."""


def unstuffed(query: str, text: str, *, at_end: int | None = 0) -> str:
    """A text without the copies of a query that sellers add to be found: several at its beginning, some at its end.

    `at_end` is how many of those at its end stay; null: all, since a category or a description may end with the query's
    words in good faith. A title that merely begins with the query's words, or has them inside, stays, and so does one
    that has no others. Where a copy stands right at other letters of a script without blanks, it may be the head of a
    compound, and one stays.
    """
    text_read, wanted = text[:HEAD], _bare(query)
    if not wanted or _neither(text_read, wanted):
        return text
    found = _pieces(text_read)
    bare, size = tuple(piece.bare for piece in found), len(wanted)
    if len(bare) <= size:
        return text
    start, end = 0, len(bare)
    while end - start > size and bare[end - size : end] == wanted:
        end -= size
    copies = (len(bare) - end) // size
    least = 1 if copies and found[end].joins and bare[:end] != wanted else 0
    end += size * (copies if at_end is None else min(max(least, at_end), copies))
    while end - start > size and bare[start : start + size] == wanted:
        start += size
    if start == size:
        start = 0
    elif start and found[start].joins:
        start -= size
    if (start, end) == (0, len(bare)):
        return text
    return " ".join(text_read[found[start].start : found[end - 1].end].split())


@lru_cache(maxsize=1024)
def _bare(query: str) -> tuple[str, ...]:
    return tuple(piece.bare for piece in _pieces(query))


def _neither(text: str, wanted: Sequence[str]) -> bool:
    """Whether a text plainly neither begins nor ends with a query's words, as most: to part it takes far longer."""
    if _joining().search(text):
        return False
    plain = same_words(text).strip(SIGNS)
    return not plain.startswith(wanted[0]) and not plain.endswith(wanted[-1])


@cache
def _joining() -> re.Pattern[str]:
    return re.compile(f"[{JOINING}]")


def _pieces(text: str) -> list[_Piece]:
    found: list[_Piece] = []
    for piece in _pattern().finditer(text):
        around = text[max(0, piece.start() - 1) : piece.start() + 1]
        joins = bool(piece["letter"]) and len(around) == 2 and all(c.isalnum() or is_mark(c) for c in around)
        found.append(_Piece(*piece.span(), same_words(piece[0]).strip(SIGNS), joins))
    return found


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(rf"[^\w\s]*(?P<letter>[{JOINING}])[{letter_marks()}]*[^\w\s]*|[^\s{JOINING}]+")
