"""The scale of a file of ratings: which grade a cell names, and whether the file is on the guideline's scale at all.

A number that is no grade of the guideline is evidence of another scale, on which the other numbers mean something else
as well: of 1 to 3 on a guideline of 0 to 2, 1 is the worst grade and no middle one. So the whole file is refused,
whether bad rows are skipped or not, until `--grades` says what each value means. A word that is no grade ("unrateable")
says nothing about the others: it is one bad row.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from judge.errors import InputError
from judge.records import NamedGrades, Problem, counted
from judge.tables.rows import Row, Table
from judge.tables.values import as_text

NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?")
"""What people write for a number. One with a comma may be a decimal or thousands: it is a number, and never guessed."""
LONGEST = 40
"""Characters of a value that are kept. No longer text is a grade."""
NOT_TEXT = "(not text)"
KEPT = 1_000
"""Distinct unknown values of a column that are told apart: a file may hold a million."""
SHOWN = 40
"""Distinct values that a message lists."""
TYPO = 0.01
"""Numbers off the scale that are no more than this share of all numbers may be typing errors: nothing is suggested."""
ESCI = (("i", "irrelevant"), ("c", "complement"), ("s", "substitute"), ("e", "exact"))
"""The labels of Amazon's Shopping Queries, from the worst to the best."""


@dataclass
class _Tally:
    """How many cells hold each value. Distinct values past `KEPT` are counted together."""

    counts: dict[str, int] = field(default_factory=dict)
    more: int = 0

    def add(self, text: str) -> None:
        if text in self.counts or len(self.counts) < KEPT:
            self.counts[text] = self.counts.get(text, 0) + 1
        else:
            self.more += 1


@dataclass
class _Column:
    """What its cells hold: grades by their names, other numbers, and words."""

    known: _Tally = field(default_factory=_Tally)
    numbers: _Tally = field(default_factory=_Tally)
    words: _Tally = field(default_factory=_Tally)


class Scale:
    """Reads grades, and keeps count of the values it met: of all columns that hold grades.

    Args:
        grades: What the file writes to the guideline's value; see `judge.words.guideline.known_grades`.
        values: The guideline's grades, ascending.
    """

    def __init__(self, grades: Mapping[str, int], values: Sequence[int]) -> None:
        self.grades, self.values = grades, tuple(values)
        self._names: dict[Decimal, str] = {}
        for name in grades:
            if (number := _exact(name)) is not None:
                self._names.setdefault(number, name)
        self._columns: dict[str, _Column] = {}
        self._qrels = False
        self._first: dict[bool, Problem] = {}
        """The first unknown number (true) and the first unknown word (false)."""

    def grade(self, text: str) -> int | None:
        """The grade that a text names; null for none. Numbers are compared as numbers: `2.0` is 2 unless it is named
        itself, since a column of whole numbers with a gap is often written so. Nothing is rounded."""
        name = self._name(text.strip())
        return None if name is None else self.grades[name]

    def read(self, table: Table, row: Row, column: str | None) -> int | Problem | None:
        """The grade in a cell; null where it is empty, a problem where it names none."""
        name: str | None = None
        try:
            text = as_text(row.values.get(column)) if column else None
            if text is None:
                return None
            name = self._name(text := text.strip())
        except ValueError:  # an object, or stray bytes
            text = NOT_TEXT
        assert column is not None
        seen = self._columns.setdefault(column, _Column())
        if name is not None:
            seen.known.add(name)
            return self.grades[name]
        self._qrels = table.format == ".qrels"
        number = NUMBER.fullmatch(text) is not None
        text = _cut(text)
        (seen.numbers if number else seen.words).add(text)
        message = f"unknown grade {text!r}; known: {', '.join(self.grades)}"
        fix = "correct it, or say with --grades what each value of the file means"
        problem = table.problem("unknown_grade", message, fix, row.number, row.line, column)
        self._first.setdefault(number, problem)
        return problem

    def merge(self, other: "Scale") -> None:
        """Take over what was met in other columns of the same file."""
        self._columns |= other._columns
        for number, problem in other._first.items():
            self._first.setdefault(number, problem)

    @property
    def seen(self) -> dict[str, dict[str, int]]:
        """How many cells of each column hold each value (the first `KEPT` of a kind), in the order of the values."""
        return {
            name: dict(sorted((c.known.counts | c.numbers.counts | c.words.counts).items(), key=_by_value))
            for name, c in self._columns.items()
        }

    def note(self) -> str | None:
        """`ends_note` of the whole file."""
        return ends_note((self.grades[name] for name in self._counts("known")), self.values)

    def error(self, *, skip_bad_rows: bool = False) -> InputError | None:
        """All that the file holds and that is no grade, with counts and the fix: numbers, and, unless bad rows are
        skipped, words. Null where there is none."""
        number = True in self._first
        if not self._first or (skip_bad_rows and not number):
            return None
        words = {} if skip_bad_rows else self._counts("words")
        unknown = self._counts("numbers") | words
        more = sum(c.numbers.more + (0 if skip_bad_rows else c.words.more) for c in self._columns.values())
        message = f"unknown grade{'s' if len(unknown) > 1 else ''} {_listed(unknown, more)}; "
        message += f"known: {', '.join(self.grades)}"
        if number:
            columns = self.seen
            held = [f"{f'{name}: ' if len(columns) > 1 else ''}{_listed(counts)}" for name, counts in columns.items()]
            message += f". A number that is no grade means another scale. All values: {'; '.join(held)}"
        place = replace(self._first[number], message=message)
        return InputError(str(place), self._fix(words) if number else self._fix_words(words))

    def _name(self, text: str) -> str | None:
        if text in self.grades:
            return text
        if isinstance(self.grades, NamedGrades) and (value := self.grades.names.get(text.casefold())):
            return value
        number = _exact(text)
        return None if number is None else self._names.get(number)

    def _counts(self, kind: str) -> dict[str, int]:
        """Values of a kind over all columns, in order."""
        found: dict[str, int] = {}
        for column in self._columns.values():
            for text, count in getattr(column, kind).counts.items():
                found[text] = found.get(text, 0) + count
        return dict(sorted(found.items(), key=_by_value))

    def _fix(self, words: Mapping[str, int]) -> str:
        """The fix of numbers off the scale: a map of all values where their order suggests one."""
        off = self._counts("numbers")
        numbers = dict(sorted((self._counts("known") | off).items(), key=_by_value))
        rest = "; leave the words out with --skip-bad-rows" if words else ""
        if len(numbers) > SHOWN:
            return "turn the numbers into the guideline's grades in the file: they are too many for --grades" + rest
        count = sum(off.values())
        where = f"row {self._first[True].row}" + (" and the others" if count > 1 else "")
        if count <= TYPO * sum(numbers.values()):
            return f"correct or remove {where} if it is a typing error, or say what it means: {self._open(off)}{rest}"
        levels, given = len(numbers), len(self.values)
        negative = any(text.startswith("-") for text in off) and (self._qrels or levels > given)  # often "not rated"
        own = dict(self.grades) != {str(value): value for value in self.values}
        if negative and self._qrels:
            rest += " (in TREC's qrels -1 is often pooled and not judged, -2 junk)"
        if own or negative or levels < given or not all(map(_writable, numbers)):
            return f"say what each value means: {self._open(off)}{rest}"
        how = "in their order" if levels == given else "a suggestion, which only you can judge"
        suggested = f"say what each value means; {how}: {_option(_spread(list(numbers), self.values))}{rest}"
        return suggested if count > 1 else f"{suggested} (or correct {where}, if it is a typing error)"

    def _fix_words(self, words: Mapping[str, int]) -> str:
        rest = "; or leave such rows out with --skip-bad-rows"
        order = [text for names in ESCI for text in words if text.casefold() in names]
        if len(words) == len(order) == len(ESCI) and not self._counts("known"):
            suggested = _option(dict(reversed(_spread(order, self.values).items())))
            return f"say what each label of ESCI means, for example {suggested}{rest}"
        return f"correct them, or say what they mean: {self._open(words)}{rest}"

    def _open(self, unknown: Mapping[str, int]) -> str:
        """The map as it is, with a place for what each unknown value means."""
        there = {text: "GRADE" for text in list(unknown)[:SHOWN] if _writable(text)}
        odd = "" if all(map(_writable, unknown)) else " (others cannot stand in --grades: write them otherwise)"
        return _option({**self.grades, **there}) + odd


def ends_note(occurring: Iterable[int], values: Sequence[int]) -> str | None:
    """What to say where no rating is the lowest or the highest grade, as on another scale; else null."""
    found = sorted(set(occurring))
    absent = [str(end) for end in (values[0], values[-1]) if end not in found]
    if not found or not absent:
        return None
    grades = ", ".join(map(str, found))
    return f"no rating is {' or '.join(absent)}; those given are {grades}: --grades says what they mean, if not these"


def _exact(text: str) -> Decimal | None:
    """A number that is written without a doubt."""
    plain = len(text) <= LONGEST and "," not in text and NUMBER.fullmatch(text)
    return Decimal(text) if plain else None


def _by_value(item: tuple[str, int]) -> tuple[bool, Decimal, str]:
    """The order of values: numbers ascending, then words."""
    text = item[0].replace(",", ".")
    number = _exact(text)
    return number is None, number or Decimal(0), text


def _cut(text: str) -> str:
    """A value as it is counted: numbers without idle zeros, long texts by their beginning."""
    if len(text) > LONGEST:
        return text[:LONGEST] + "…"
    number = _exact(text)
    if number is None or abs(number.adjusted()) > LONGEST:
        return text
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _writable(text: str) -> bool:
    """Whether `--grades` can name a value."""
    return len(text) <= LONGEST and not set(text) & set(",=\n") and text != NOT_TEXT


def _listed(counts: Mapping[str, int], more: int = 0) -> str:
    shown = [f"{text!r} ({counted(count, 'time')})" for text, count in list(counts.items())[:SHOWN]]
    rest = sum(list(counts.values())[SHOWN:]) + more
    return ", ".join(shown) + (f" and {counted(rest, 'cell')} with other values" if rest else "")


def _option(grades: Mapping[str, int | str]) -> str:
    return "--grades " + shlex.quote(",".join(f"{theirs}={ours}" for theirs, ours in grades.items()))


def _spread(levels: Sequence[str], values: Sequence[int]) -> dict[str, int]:
    """Ascending levels laid evenly over as many grades or fewer: ends at the ends, what lies between two grades goes to
    the one nearer the middle, and of two as near to the lower."""
    top, last = len(values) - 1, len(levels) - 1
    found = {}
    for index, level in enumerate(levels):
        below, rest = divmod(index * top, last)
        up = 2 * rest > last or (2 * rest == last and 2 * below + 1 < top)
        found[level] = values[below + up]
    return found
