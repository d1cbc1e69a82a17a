"""Coarser forms of a text than `judge.words.normalise` has: what texts that are nearly the same have in common."""

import re
import unicodedata

from judge.words.normalise import same_words
from judge.words.split import stem

NORMALISATION = 3
"""The version of the rule for which texts belong together; a run's manifest names it. By 2 `canonical` is today's, by 3
queries are joined by `query_names` and `one_letter_off` as well."""
LONG = 5
"""Letters of a word from which one letter more, less or another makes no other word."""

_MARKS = re.compile("[\u0300-\u036f]")
_WORDS = re.compile(r"[a-z0-9]+")
_AROUND = '.,;:!?"()[]{}…–—'
"""Signs around a word that are none of it."""


def canonical(text: str, version: int = NORMALISATION) -> str:
    """A text's words, each once, in alphabetical order, without case and accents; itself where it has no words.

    By the first version of the rule a soft hyphen parts two words, and the fillers of Hangul are letters.
    """
    text = same_words(text) if version > 1 else text
    return " ".join(sorted(set(_words(text)))) or text.strip()


def spelling(text: str) -> str:
    """A text's words in alphabetical order, without case, accents and the punctuation around words; itself without any.

    What stands within a word or says how much, is another word: 5.5 is not 5, c++ is not c, 5% is not 5.
    """
    text = same_words(text)
    return " ".join(sorted(filter(None, (word.strip(_AROUND) for word in _plain(text).split())))) or text


def _plain(text: str) -> str:
    # An apostrophe does not part a word: women's and womens are the same.
    plain = text.casefold().replace("'", "").replace("’", "")
    if plain.isascii():
        return plain
    # Accents of European scripts only: in others marks are letters, which `\\w` does not know.
    # Signs that stand for letters can bring capitals: ℃ is °C.
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", plain).casefold()))


def _words(text: str) -> list[str]:
    plain = _plain(text)
    if plain.isascii():
        return _WORDS.findall(plain)
    return "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in plain).split()


def one_letter_off(text: str) -> set[str]:
    """What a query's text has in common with texts in which one long word has a letter more, less or another.

    These are its words, and its words with one left out of the letters of one; never the first letter, and none of a
    word that has a digit: 36 and 37 are two sizes. Source: the deletion neighbourhood of Bocek, Hunt and Stiller 2007,
    "Fast Similarity Search in Large Dictionaries".
    """
    found = sorted({stem(word) for word in _words(same_words(text))})
    near = {" ".join(found)}
    for at, word in enumerate(found):
        if len(word) >= LONG and word.isalpha():
            rest = found[:at] + found[at + 1 :]
            near |= {" ".join(sorted([*rest, word[:gone] + word[gone + 1 :]])) for gone in range(1, len(word))}
    return near - {""}


def query_names(text: str) -> set[str]:
    """What a query's text shares with other texts of the same query."""
    found = [stem(word) for word in _words(same_words(text))]
    return {canonical(text), " ".join(sorted(set(found))), "".join(found)} - {""}
