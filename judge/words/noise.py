"""Typing errors as people make them: one edit in one word of a query, which still means the same.

A neighbouring key, a letter left out, doubled, or swapped with the next. Never in a word with a digit, a unit or a
restriction ("without", "free"), where one letter changes what is meant; nor into another word that the catalogue knows.
The first letter stays: people rarely miss it. The same seed gives the same errors.
"""

import random
import re
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

from judge.text import is_letters, is_mark
from judge.words.normalise import same_words

LONG = 4
"""Letters of a word that can be misspelt and still be read."""
_IDEOGRAPH = re.compile("[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_UNITS = "mm cm inch inches zoll feet litre litres liter gram grams watt watts volt volts gallon"
_RESTRICTIONS = (
    "without with not none free only ohne frei nicht kein keine sans avec sin libre senza без мужской женский"
)
UNITS, RESTRICTIONS = frozenset(_UNITS.split(" ")), frozenset(_RESTRICTIONS.split(" "))
"""Words in which one letter more or less could turn the meaning round."""

_ROWS = {
    "en": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "de": ("qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "fr": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
    "es": ("qwertyuiop", "asdfghjklñ", "zxcvbnm"),
    "ru": ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
    "uk": ("йцукенгшщзхї", "фівапролджє", "ячсмитьбю"),
    "el": ("ςερτυθιοπ", "ασδφγηξκλ", "ζχψωβνμ"),
}
"""Letters of a keyboard row by row, by the locale's language; a language that is none of these has the first."""


def neighbours(letter: str, locale: str | None = None) -> str:
    """The keys around a letter's, on the keyboard of a locale's language; empty where it has no such key."""
    rows = _ROWS.get((locale or "en").replace("_", "-").partition("-")[0].lower(), _ROWS["en"])
    for number, row in enumerate(rows):
        at = row.find(letter)
        if at >= 0:
            # A row is set half a key to the right of the one above.
            left_right = row[max(0, at - 1) : at] + row[at + 1 : at + 2]
            above = rows[number - 1][at : at + 2] if number else ""
            below = rows[number + 1][max(0, at - 1) : at + 1] if number + 1 < len(rows) else ""
            return left_right + above + below
    return ""


def may_be_misspelt(word: str, protected: Collection[str] = ()) -> bool:
    """Whether a typing error in a word leaves what it means: not in short words, codes, units and restrictions, nor in
    a word that is one of `protected`."""
    plain = same_words(word)
    return (
        len(plain) >= LONG
        and is_letters(plain)
        and word in (word.lower(), word.capitalize(), word.upper())  # an iPhone is a code of its own
        and plain not in UNITS | RESTRICTIONS
        and plain not in protected
    )


def edits(word: str, locale: str | None = None) -> list[str]:
    """Every word that one typing error makes of a word: by place, then by kind; the first letter stays, and so does
    each of Han, which is a word's part that means something."""
    found: dict[str, None] = {}
    lower = word.lower()
    for at in range(1, len(word)):
        left, here, right = word[:at], word[at], word[at + 1 :]
        if _IDEOGRAPH.match(here):
            continue
        found.update(dict.fromkeys(left + key + right for key in neighbours(lower[at], locale)))
        found[left + right] = None
        if not is_mark(here):
            found[left + here + here + right] = None
        if right and not _IDEOGRAPH.match(right):
            found[left + right[0] + here + right[1:]] = None
    found.pop(word, None)
    return list(found)


def misspell(
    query: str,
    draw: random.Random,
    *,
    locale: str | None = None,
    known: Collection[str] = frozenset(),
    protected: Collection[str] = frozenset(),
) -> str | None:
    """A query with one typing error; null where no word can have one.

    Args:
        query: Its words; what is between them stays.
        draw: Decides on word and error.
        locale: Whose keyboard it was typed on, such as `de` or `de-CH`.
        known: Words, as `same_words` has them, that an error must not make: the catalogue's.
        protected: Words in which no error is made, such as model names.
    """
    found = query.split(" ")
    able = [at for at, word in enumerate(found) if may_be_misspelt(word, protected)]
    draw.shuffle(able)
    for at in able:
        made = [other for other in edits(found[at], locale) if same_words(other) not in known]
        if made:
            found[at] = draw.choice(made)
            return " ".join(found)
    return None


# What saved results were made with: a fine-tuning's key and a probe's comparison hold on to these, letter by letter.


def one_inner_letter(query: str, draw: random.Random) -> str:
    """One letter of one longer word left out, doubled, or swapped with the next; as fine-tuning draws it."""
    found = query.split()
    long = [at for at, word in enumerate(found) if len(word) >= LONG and word.isalpha()]
    if long:
        at = draw.choice(long)
        word = found[at]
        cut = draw.randint(1, len(word) - 2)
        left, here, then, right = word[:cut], word[cut], word[cut + 1], word[cut + 2 :]
        found[at] = left + draw.choice((then, here + here + then, then + here)) + right
    return " ".join(found)


def swap_in_longest(query: str, draw: Callable[[], random.Random]) -> str | None:
    """Two inner letters of the longest word swapped, as a probe asks; null where it has none to swap."""
    words = query.split(" ")
    place = max(range(len(words)), key=lambda index: len(words[index]))
    word = words[place]
    if len(word) < LONG + 1 or not word.isalpha():
        return None
    swaps = [at for at, (one, other) in enumerate(pairwise(word)) if 0 < at < len(word) - 2 and one != other]
    if not swaps:
        return None
    at = draw().choice(swaps)
    words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def vocabulary(texts: Sequence[str]) -> frozenset[str]:
    """The words of texts, as `same_words` has them: what a typing error must not make."""
    return frozenset(word for text in texts for word in same_words(text).split())
