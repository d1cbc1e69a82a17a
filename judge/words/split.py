"""Which words a text has: for word overlap, which judges and blends read, and for BM25.

Letters have their marks, without which a word of Devanagari or Thai is another one, and Japanese ga is ka. Accents and
the points of Hebrew and Arabic do not count, since people leave them out.

Han, kana, Thai, Lao, Burmese and Khmer put no blanks between words, and Korean joins nouns, and particles to nouns:
these are read two neighbouring letters at a time, overlapping. Source: Lucene's `CJKBigramFilter`; for Korean, Lee and
Ahn 1996, "Using n-grams for Korean text retrieval". What is searched has each letter alone as well, as with that
filter's `outputUnigrams`: a query may be one letter.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache

from judge.text import letter_marks, word_pattern
from judge.words.normalise import same_words

VERSION = 2
"""Of the rule for which words a text has. The fingerprint of a run names it where prompts or a blend count words."""
HEAD = 2000
"""Characters of a text that are looked at."""
TWOS, ALONE, BOTH = (2,), (1,), (1, 2)
"""How many letters at a time are read of scripts without blanks."""
_HISS = ("ss", "x", "ch", "sh", "zz")
"""Ends of words whose plural is in -es."""

_WORD = re.compile(r"\w+")
JOINING = (
    "\u0e00-\u0eff\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u1100-\u11ff\uac00-\ud7ff\uff66-\uff9f"
)
"""Letters that stand without blanks between words, as a regular expression's set has them."""
_ARABIC = {0x640: None, 0x649: "\u064a", 0x6CC: "\u064a", 0x6A9: "\u0643", 0x629: "\u0647"}
"""Spellings of one word: tatweel; alef maksura and Persian yeh for yeh, keheh for kaf, teh marbuta for heh. Alefs lose
their hamza with the marks. Source: Lucene's `ArabicNormalizer` and `PersianNormalizer`."""


def words(text: str, sizes: Sequence[int] = TWOS) -> list[str]:
    """The words of a text in their order, without case, accents, points and plural endings.

    Args:
        text: Its first `HEAD` characters are read.
        sizes: How many letters at a time count as a word where there are no blanks; fewer in a shorter text.
    """
    if text.isascii():
        return [stem(word) for word in _words(text)]
    return [found for part in parts(text) for found in _joined(part, sizes)]


def parts(text: str) -> list[tuple[str, ...]]:
    """The same, each alone; but letters that no blank parts are together."""
    part, letter = _patterns()
    found = (each for word in _words(text) for each in ([word] if word.isascii() else part.findall(word)))
    return [tuple(letter.findall(each)) or (stem(each),) for each in found]


def whole_words(text: str) -> list[str]:
    """The same, but what stands between two blanks or signs is one word in every script."""
    return [stem(word) for word in _words(text)]


def stem(word: str) -> str:
    """A word without the ending of its plural."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def singular(word: str) -> str:
    """A stem as it is of one: a plural in -ies may be of -y or -ie, one in -es after a hiss of a word without the e."""
    if word.endswith("ie"):
        return f"{word[:-2]}y"
    return word[:-1] if word.endswith("e") and word[:-1].endswith(_HISS) else word


def spellings(word: str) -> tuple[str, ...]:
    """A stem, and as it would be of the other number: a plural in -ies is of -y as well as of -ie, one in -es after a
    hiss ("dresses", "boxes") of a word without the e as well."""
    if word.endswith("ie"):
        return word, f"{word[:-2]}y"
    if word.endswith("y"):
        return word, f"{word[:-1]}ie"
    if word.endswith(_HISS):
        return word, f"{word}e"
    return (word, word[:-1]) if word.endswith("e") and word[:-1].endswith(_HISS) else (word,)


def _words(text: str) -> list[str]:
    text = same_words(text[:HEAD])
    if text.isascii():
        return _WORD.findall(text)
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFKD", text).translate(_alike()))
    return word_pattern().findall(_joiners().sub("", plain))


@cache
def _alike() -> dict[int, str | None]:
    """What makes no other word: accents and points, digits of other scripts, `_ARABIC`.

    Marks of some canonical combining classes are letters: 7 to 9 (nukta, voicing of kana, virama), 84 to 132 (vowels
    and tones of Telugu, Thai, Lao, Tibetan), and 0, the other vowels.
    """
    found: dict[int, str | None] = {**_ARABIC}
    for place in range(0x300, 0x20000):
        kind = unicodedata.combining(chr(place))
        if kind == 1 or 10 <= kind < 84 or kind > 132:
            found[place] = None
        elif chr(place).isdecimal():
            found[place] = str(unicodedata.decimal(chr(place)))
    return found


@cache
def _joiners() -> re.Pattern[str]:
    """Joiners behind a virama, which are written or left out. Between letters of Persian they part as a blank does."""
    viramas = "".join(chr(place) for place in range(0x900, 0x12000) if unicodedata.combining(chr(place)) == 9)
    return re.compile(f"(?<=[{viramas}])[\u200c\u200d]+")


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What matches a run of letters of `JOINING` or of others, and one of the former with its marks."""
    letter = f"[{JOINING}][{letter_marks()}]*"
    return re.compile(f"(?:{letter})+|[^{JOINING}]+"), re.compile(letter)


def _joined(part: tuple[str, ...], sizes: Sequence[int]) -> Iterator[str]:
    for size in [size for size in sizes if size <= len(part)] or sizes[:1]:
        yield from ("".join(part[at : at + size]) for at in range(max(1, len(part) - size + 1)))
