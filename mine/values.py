"""Attribute values out of texts: words under one spelling, measures under one unit, what is unwanted kept apart."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from judge.settings import read_yaml
from judge.text import word_pattern
from judge.words.normalise import same_words
from judge.words.split import whole_words

FACETS = ("colour", "material", "audience", "size", "capacity", "brand")
LEARNED = ("colour", "material", "audience")
"""Facets whose values are words that titles put in the place of others of their kind."""
LONGEST = 3
"""Words of a value that is looked for in a text."""

_UNITS: Mapping[str, tuple[str, float, str]] = {
    **dict.fromkeys(("mm", "millimetre", "millimeter", "мм"), ("mm", 1.0, "size")),
    **dict.fromkeys(("cm", "centimetre", "centimeter", "см"), ("mm", 10.0, "size")),
    **dict.fromkeys(("m", "metre", "meter", "м"), ("mm", 1000.0, "size")),
    **dict.fromkeys(("in", "inch", "inche", "zoll", '"', "″", "”", "дюйм", "インチ"), ("mm", 25.4, "size")),
    **dict.fromkeys(("ft", "foot", "feet"), ("mm", 304.8, "size")),
    **dict.fromkeys(("ml", "millilitre", "milliliter", "мл"), ("ml", 1.0, "capacity")),
    **dict.fromkeys(("cl",), ("ml", 10.0, "capacity")),
    **dict.fromkeys(("l", "litre", "liter", "л", "リットル"), ("ml", 1000.0, "capacity")),
    **dict.fromkeys(("g", "gram", "гр"), ("g", 1.0, "capacity")),
    **dict.fromkeys(("kg", "kilo", "kilogram", "кг"), ("g", 1000.0, "capacity")),
    **dict.fromkeys(("oz", "ounce"), ("g", 28.35, "capacity")),
    **dict.fromkeys(("lb", "pound"), ("g", 453.6, "capacity")),
    **dict.fromkeys(("mb", "мб"), ("gb", 0.001, "capacity")),
    **dict.fromkeys(("gb", "гб"), ("gb", 1.0, "capacity")),
    **dict.fromkeys(("tb", "тб"), ("gb", 1000.0, "capacity")),
    **dict.fromkeys(("mah",), ("mah", 1.0, "capacity")),
    **dict.fromkeys(("w", "watt", "вт"), ("w", 1.0, "capacity")),
}
NAMED_FREE = frozenset({"hand", "duty", "tax", "cruelty", "for"})
"""Words that with "free" behind them name what a thing is."""
ENDING_FREE = ("freie", "freier", "freien", "free", "frei")
UNITS = frozenset(_UNITS)
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_MEASURE = re.compile(rf"(?<![\w.,])(\d+(?:[.,]\d+)?)\s*-?\s*({_UNIT})(?:s|es)?(?!\w)")
_SYSTEM = "eu|uk|us|size|größe|taille|размер|サイズ"
_SIZE = re.compile(rf"(?<!\w)(?:({_SYSTEM})\s*(\d+(?:[.,]5)?|x{{0,3}}[sml])|(x{{1,4}}[sl]))(?!\w)")
_AROUND_WORDS = "attr t n b s product item main name value target recommended suggested en de fr es"
_AROUND = frozenset(_AROUND_WORDS.split(" "))
"""Words in a column's name that say nothing of what it holds."""
_ENDING = re.compile("(ая|яя|ыи|ии|ои|ое|ее|ые|ие|ого|ую|юю|ых|их)$")
"""Of Russian adjectives; й has lost its breve with the accents."""
_PARTS = re.compile(r"\s*(?:[,;/|&+]| and | und | et | y | и )\s*")


class Lexicon(NamedTuple):
    """What `lexicon.yaml` says, by the words' forms."""

    values: Mapping[str, Mapping[str, str]]
    """Facet to a word's form to its value."""
    columns: Mapping[str, str]
    """A word in a column's name to the facet it holds."""
    without: frozenset[str]
    free: frozenset[str]


@lru_cache(1)
def lexicon() -> Lexicon:
    """The shipped lexicon."""
    read: Any = read_yaml(files("mine").joinpath("lexicon.yaml").read_text(encoding="utf-8"))
    values = {
        facet: {form(str(word)): value for value, words in read[facet].items() for word in words} for facet in LEARNED
    }
    columns = {form(word): facet for facet, words in read["columns"].items() for word in words}
    return Lexicon(values, columns, frozenset(map(form, read["without"])), frozenset(map(form, read["free"])))


@lru_cache(100_000)
def form(word: str) -> str:
    """What spellings of a word have in common: case, accents, a plural's or a Russian adjective's ending."""
    found = whole_words(word.replace("'", "").replace("’", ""))
    plain = found[0] if len(found) == 1 else " ".join(found)
    return _ENDING.sub("", plain) if len(plain) > 4 else plain


def forms(text: str) -> list[str]:
    """The forms of a text's words, in their order; letters of scripts without blanks by the lexicon's words in them."""
    found: list[str] = []
    for word in word_pattern("'’").findall(same_words(text)):
        plain = form(word)
        found += [plain] if plain.isascii() or not _CJK.search(word) else _cut(word)
    return found


_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


def _cut(word: str) -> list[str]:
    """A run of letters without blanks, cut at the longest words that the lexicon knows."""
    known = _known_runs()
    found, rest, at = [], "", 0
    while at < len(word):
        hit = next((word[at : at + size] for size in range(6, 0, -1) if word[at : at + size] in known), None)
        if hit is None:
            rest, at = rest + word[at], at + 1
            continue
        found += [form(rest), form(hit)] if rest else [form(hit)]
        rest, at = "", at + len(hit)
    return [*found, form(rest)] if rest else found


@lru_cache(1)
def _known_runs() -> frozenset[str]:
    read: Any = read_yaml(files("mine").joinpath("lexicon.yaml").read_text(encoding="utf-8"))
    words = [word for facet in LEARNED for some in read[facet].values() for word in some] + read["free"]
    return frozenset(word for word in words if _CJK.search(str(word)))


def measures(text: str) -> dict[str, set[str]]:
    """Sizes and capacities that a text states with a unit, in base units: `0.5 l` and `500ml` are `500ml`."""
    found: dict[str, set[str]] = {}
    plain = same_words(text)
    for number, unit in _MEASURE.findall(plain):
        base, factor, facet = _UNITS[unit]
        found.setdefault(facet, set()).add(f"{round(float(number.replace(',', '.')) * factor, 1):g}{base}")
    for system, number, letters in _SIZE.findall(plain):
        sizes = found.setdefault("size", set())
        sizes.add(letters or number.replace(",", "."))
        if system in ("eu", "uk", "us"):
            sizes.add(system + number)
    return found


def without_measures(text: str) -> str:
    """A text without what `measures` reads of it."""
    return _SIZE.sub(" ", _MEASURE.sub(" ", same_words(text)))


def column_facet(name: str) -> str | None:
    """The facet that a catalogue's column holds, by its name; null where it says none."""
    known = lexicon().columns
    parts = [form(part) for part in re.split(r"[\W_]+", name) if part]
    telling = [part for part in parts if part not in _AROUND]
    # The colour of a part of it, or what a cable's connector weighs, is another matter.
    return known.get(telling[0]) if len(telling) == 1 else None


def column_values(facet: str, text: str) -> set[str]:
    """The values in a cell of a facet's column: several where it lists some."""
    found: set[str] = set()
    if facet in ("size", "capacity"):
        stated = measures(text)
        found = {value for values in stated.values() for value in values}
    for part in _PARTS.split(text):
        said = forms(part)
        if not said or (found and facet in ("size", "capacity")):
            continue
        known = lexicon().values.get(facet, {})
        # The last word names what the others shade: navy blue is a blue.
        named = next((known[word] for word in reversed(said) if word in known), None)
        found.add(named or " ".join(said))
    return found


def unwanted(text: str) -> tuple[list[str], set[int]]:
    """What a query wants to be absent, and the places of those words and of the restriction among `forms(text)`."""
    said, known = forms(text), lexicon()
    found: list[str] = []
    places: set[int] = set()
    for at, word in enumerate(said):
        if word in known.without and at + 1 < len(said) and not said[at + 1].isdigit():
            found.append(said[at + 1])
            places |= {at, at + 1}
        elif word in known.free and at > 0 and at - 1 not in places and said[at - 1] not in NAMED_FREE:
            found.append(said[at - 1])
            places |= {at - 1, at}
        elif joined := next((word[: -len(end)] for end in ENDING_FREE if word.endswith(end) and len(word) > 6), ""):
            found.append(joined)
            places.add(at)
    return found, places


def phrases(said: Sequence[str], places: set[int]) -> Iterator[tuple[str, range]]:
    """Runs of up to `LONGEST` words that use none of some places, the longest first."""
    for size in range(LONGEST, 0, -1):
        for at in range(len(said) - size + 1):
            if not places.intersection(range(at, at + size)):
                yield " ".join(said[at : at + size]), range(at, at + size)
