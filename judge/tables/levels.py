"""The values that a file writes for grades: how they are compared, ordered and listed, and what they may stand for."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from judge.records import NamedGrades, counted

NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?")
"""What people write for a number. One with a comma may be a decimal or thousands: it is a number, and never guessed."""
LONGEST = 40
"""Characters of a value that are kept. No longer text is a grade."""
NOT_TEXT = "(not text)"
SHOWN = 40
"""Distinct values that a message lists."""
HIGHEST = 100
"""Numbers past it are no means of grades."""
LADDERS = (
    (("i", "irrelevant"), ("c", "complement"), ("s", "substitute"), ("e", "exact")),
    (
        ("irrelevant", "not relevant", "non relevant", "nonrelevant"),
        (
            "partial",
            "partially relevant",
            "partly relevant",
            "somewhat relevant",
            "moderately relevant",
            "partial match",
        ),
        ("exact", "relevant", "highly relevant", "fully relevant", "exact match"),
    ),
)
"""Labels that files have for grades, from the worst to the best: of Amazon's Shopping Queries; of Wayfair's WANDS, and
what annotators' tools are often set up with."""


def are_means(numbers: Sequence[Decimal]) -> bool:
    """Whether numbers look like means of several people's grades: some are not whole, and none is below 0."""
    return all(0 <= number <= HIGHEST for number in numbers) and any(number % 1 for number in numbers)


def exact(text: str) -> Decimal | None:
    """A number that is written without a doubt."""
    plain = len(text) <= LONGEST and "," not in text and NUMBER.fullmatch(text)
    return Decimal(text) if plain else None


def by_value(item: tuple[str, int]) -> tuple[bool, Decimal, str]:
    """The order of values: numbers ascending, then words."""
    text = item[0].replace(",", ".")
    number = exact(text)
    return number is None, number or Decimal(0), text


def cut(text: str) -> str:
    """A value as it is counted: numbers without idle zeros, long texts by their beginning."""
    if len(text) > LONGEST:
        return text[:LONGEST] + "…"
    number = exact(text)
    if number is None or abs(number.adjusted()) > LONGEST:
        return text
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def writable(text: str) -> bool:
    """Whether `--grades` can name a value."""
    return len(text) <= LONGEST and not set(text) & set(",=\n") and text != NOT_TEXT


def listed(counts: Mapping[str, int], more: int = 0) -> str:
    """Values and how often each is there, and how many cells have others; `more` of them are known to no count."""
    shown = [f"{text!r} ({counted(count, 'time')})" for text, count in list(counts.items())[:SHOWN]]
    rest = sum(list(counts.values())[SHOWN:]) + more
    return ", ".join(shown) + (f" and {counted(rest, 'cell')} with other values" if rest else "")


def option(grades: Mapping[str, int | str]) -> str:
    """`--grades` as a shell takes it."""
    return "--grades " + shlex.quote(",".join(f"{theirs}={ours}" for theirs, ours in grades.items()))


def spread(levels: Sequence[str], values: Sequence[int]) -> dict[str, int]:
    """Ascending levels laid evenly over as many grades or fewer: ends at the ends, what lies between two grades goes to
    the one nearer the middle, and of two as near to the lower."""
    top, last = len(values) - 1, len(levels) - 1
    found = {}
    for index, level in enumerate(levels):
        below, rest = divmod(index * top, last)
        up = 2 * rest > last or (2 * rest == last and 2 * below + 1 < top)
        found[level] = values[below + up]
    return found


def labels(given: Mapping[str, int | None], values: Sequence[int]) -> dict[str, int]:
    """What labels of a known set mean on a scale, the best first; grades that are given are kept. Empty if a text is of
    none, or two texts are one label."""
    words = {text: re.sub(r"[\s_-]+", " ", text.strip().casefold()) for text in given}
    for ladder in LADDERS:
        ranks = {name: rank for rank, names in enumerate(ladder) for name in names}
        found = {text: ranks[word] for text, word in words.items() if word in ranks}
        if len(found) < len(words) or len(set(found.values())) < len(set(words.values())):
            continue
        grades = list(spread([names[0] for names in ladder], values).values())
        best = sorted(found, key=lambda text: -found[text])
        return {text: grades[found[text]] if (grade := given[text]) is None else grade for text in best}
    return {}


def ends_note(
    occurring: Iterable[int], values: Sequence[int], grades: Mapping[str, int | None] | None = None
) -> str | None:
    """What to say where no rating is the lowest or the highest grade, as on another scale; else null. So it is where
    the user said what the file's values mean: in `known_grades`, the guideline's names are then none."""
    if isinstance(grades, NamedGrades) and not grades.names:
        return None
    found = sorted(set(occurring))
    absent = [str(end) for end in (values[0], values[-1]) if end not in found]
    if not found or not absent:
        return None
    those = ", ".join(map(str, found))
    return f"no rating is {' or '.join(absent)}; those given are {those}: --grades says what they mean, if not these"
