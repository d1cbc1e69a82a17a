"""Which words of a query a candidate's text has, as a line that a small judge reads next to the texts.

A small language model notices that a word is there more easily than that it is missing. Exact matching is arithmetic,
so it is done here: after case, accents and plural endings, and across a blank that one side writes and the other does
not ("bandsaw", "band saw").
"""

import re
import unicodedata
from collections.abc import Mapping
from itertools import pairwise

from judge.words.normalise import same_words

_WORD = re.compile(r"\w+")
HEAD = 2000
"""Characters of a text that are looked at."""
MISSING = "missing"


def words(text: str) -> list[str]:
    """The words of a text in their order, without case, accents and plural endings."""
    text = same_words(text[:HEAD])
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return [stem(word) for word in _WORD.findall(text)]


def overlap(query: str, texts: Mapping[str, str]) -> str:
    """A line such as `title running shoe; colour red; missing 42`.

    Args:
        query: The query's text.
        texts: The candidate's texts by field name, the most telling first; a `title` comes before all.

    Returns:
        The query's words, each once, without plural endings, by the first field that has them; last those that none
        has. A field without words is left out.
    """
    kinds = _placed(query, texts)
    return "; ".join(f"{kind} {' '.join(found)}" for kind, found in kinds.items() if found)


def covered(query: str, texts: Mapping[str, str]) -> float:
    """The share of a query's words, each once, that some field of a candidate has; in [0, 1], NaN without words."""
    kinds = _placed(query, texts)
    asked = sum(map(len, kinds.values()))
    return 1 - len(kinds[MISSING]) / asked if asked else float("nan")


def unstuffed(query: str, text: str, *, at_end: int | None = 0) -> str:
    """A text without the copies of a query that sellers add to be found: several at its beginning, some at its end.

    `at_end` is how many of those at its end stay; null: all, since a category or a description may end with the query's
    words in good faith. A title that merely begins with the query's words, or has them inside, stays, and so does one
    that has no others.
    """
    found, wanted = text[:HEAD].split(), _bare(query.split())
    bare, size = _bare(found), len(wanted)
    if not size or len(bare) <= size:
        return text
    start, end = 0, len(bare)
    while end - start > size and bare[end - size : end] == wanted:
        end -= size
    copies = (len(bare) - end) // size
    end += size * (copies if at_end is None else min(at_end, copies))
    while end - start > size and bare[start : start + size] == wanted:
        start += size
    if start == size:
        start = 0
    return text if (start, end) == (0, len(bare)) else " ".join(found[start:end])


def _bare(found: list[str]) -> list[str]:
    """Words without case and the marks around them."""
    return [word.casefold().strip(".,;:!?()[]\"'-/|") for word in found]


def _placed(query: str, texts: Mapping[str, str]) -> dict[str, list[str]]:
    """The query's words by the first field that has them, or by `MISSING`."""
    places = {name: _seen(texts[name]) for name in sorted(texts, key=lambda name: name != "title")}
    asked = list(dict.fromkeys(words(query)))
    joined = ["".join(pair) for pair in pairwise(asked)]
    kinds: dict[str, list[str]] = {name: [] for name in (*places, MISSING)}
    for at, word in enumerate(asked):
        forms = {word, *joined[max(0, at - 1) : at + 1]}
        kinds[next((name for name, seen in places.items() if forms & seen), MISSING)].append(word)
    return kinds


def _seen(text: str) -> set[str]:
    """The words of a text, and its neighbours written as one."""
    found = words(text)
    return {*found, *map("".join, pairwise(found))}


def stem(word: str) -> str:
    """A word without the ending of its plural."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
