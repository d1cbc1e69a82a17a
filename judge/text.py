"""What a text is made of: characters that show nothing, and whether it can be written at all."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from html import unescape
from itertools import groupby

UNSEEN = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\u2800\u3164\ufeff"
    r"\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]+"
)
"""White space, control characters and invisible marks that reorder or hide text, in runs. Joiners and variation
selectors are none: words and emoji are spelt with them."""


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8: one with stray bytes or half a surrogate pair cannot."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_mark(letter: str) -> bool:
    """Whether a character stands on the one before it, as accents do, and the vowels of Devanagari and Thai."""
    return unicodedata.category(letter)[0] == "M"


def is_letters(text: str) -> bool:
    """Whether a text is letters and the marks on them alone; `str.isalpha` takes marks for none."""
    return text.isalpha() or (text[:1].isalpha() and all(c.isalpha() or is_mark(c) for c in text))


_OF_SYMBOLS = {*range(0x20D0, 0x2100), *range(0xFE00, 0xFE10)}
"""Marks that surround symbols, and variation selectors."""


@cache
def letter_marks() -> str:
    """Every mark on a letter, as a regular expression's set has it; marks on symbols, such as an emoji's, are none."""
    marks = (place for place in range(0x300, 0x20000) if is_mark(chr(place)) and place not in _OF_SYMBOLS)
    runs = (list(run) for _, run in groupby(enumerate(marks), lambda pair: pair[1] - pair[0]))
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)


@cache
def word_pattern(more: str = "") -> re.Pattern[str]:
    """What matches a word of any script, and further characters in it. `\\w` alone knows no marks: to it, a word of
    Devanagari ends at each vowel."""
    return re.compile(f"[\\w{more}][\\w{more}{letter_marks()}]*")


_PATHS = (re.compile("[>›»→]"), re.compile(r"\|"), re.compile(r"/(?!\d)"))
"""What parts a category's path: the first of these that a path has. 1/2 is a number, and N/A no path."""


def naming_field(texts: Mapping[str, str | None]) -> str | None:
    """The field that says what a candidate is: `title`, or else the first that has a text; null without any."""
    return next((name for name in ("title", *texts) if texts.get(name)), None)


def candidate_name(texts: Mapping[str, str | None]) -> str:
    """What a candidate is called; empty without any text."""
    name = naming_field(texts)
    return (texts[name] or "") if name else ""


def category_path(text: str) -> tuple[str, ...]:
    """The names of a category's path, root first: of `A > B > C`, `A|B`, `A/B`, and `A &gt; B` as feeds escape it."""
    # What an escape stands for may be a line break or turn the writing round, which the text itself no longer does.
    text = "".join(c if c.isprintable() or c in text else " " for c in unescape(text)) if "&" in text else text
    for signs in _PATHS:
        parts = [part for each in signs.split(text) if (part := each.strip())]
        if len(parts) > 1 and not (signs is _PATHS[-1] and any(len(p) == 1 and p.isascii() for p in parts)):
            return tuple(parts)
    return tuple(part for part in (text.strip(" \t\r\n>›»→|/"),) if part)


def one_line(text: str) -> str:
    """Text without control characters, which could move a terminal's cursor, change its title or begin a line. Joiners
    stay: Persian, Hindi and emoji are spelt with them."""
    return "".join(
        c if c.isprintable() or c in "\u200c\u200d" else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )
