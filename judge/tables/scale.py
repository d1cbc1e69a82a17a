"""The scale of a file of ratings: which grade a cell names, and whether the file is on the guideline's scale at all.

A number that is no grade of the guideline is evidence of another scale, on which the other numbers mean something else
as well: of 1 to 3 on a guideline of 0 to 2, 1 is the worst grade and no middle one. So the whole file is refused,
whether bad rows are skipped or not, until `--grades` says what each value means. A word that is no grade ("unrateable")
says nothing about the others: it is one bad row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from judge.errors import InputError
from judge.records import NamedGrades, Problem
from judge.tables.levels import (
    NOT_TEXT,
    NUMBER,
    SHOWN,
    are_means,
    by_value,
    cut,
    ends_note,
    exact,
    labels,
    listed,
    option,
    spread,
    writable,
)
from judge.tables.ranges import Ranges, equal_ranges
from judge.tables.rows import Row, Table
from judge.tables.values import as_text

KEPT = 1_000
"""Distinct unknown values of a column that are told apart: a file may hold a million."""
TYPO = 0.01
"""Numbers off the scale that are no more than this share of all numbers may be typing errors: nothing is suggested."""
NO_ANSWER = frozenset({"na", "n/a", "nan", "none", "null"})
"""Words, in any case, that say that nobody answered: as an empty cell, unless `--grades` gives them a meaning."""


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
    """What its cells hold: grades by their names, other numbers, words, and words for no answer."""

    known: _Tally = field(default_factory=_Tally)
    numbers: _Tally = field(default_factory=_Tally)
    words: _Tally = field(default_factory=_Tally)
    silent: _Tally = field(default_factory=_Tally)


class Scale:
    """Reads grades, and keeps count of the values it met: of all columns that hold grades.

    Args:
        grades: What the file writes to the guideline's value, null for no answer; see
            `judge.words.guideline.known_grades`. Names may be ranges of numbers, `judge.tables.ranges`.
        values: The guideline's grades, ascending.

    Raises:
        InputError: Ranges leave a gap, or overlap.
    """

    def __init__(self, grades: Mapping[str, int | None], values: Sequence[int]) -> None:
        self.grades, self.values = grades, tuple(values)
        self.ranges = Ranges.of(grades)
        self._names: dict[Decimal, str] = {}
        for name in grades:
            if (number := exact(name)) is not None:
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

    def mean(self, row: Row, column: str | None) -> float | None:
        """The mean in a cell, on the guideline's scale; null where what it holds is in none of the ranges."""
        try:
            text = (as_text(row.values.get(column)) or "").strip() if self.ranges and column else ""
        except ValueError:
            return None
        number = None if text in self.grades else exact(text)
        if self.ranges is None or number is None or self._name(text) not in self.ranges.names:
            return None
        return self.ranges.on_scale(number)

    def read(self, table: Table, row: Row, column: str | None) -> int | Problem | None:
        """The grade in a cell; null where it is empty or says that there is none, a problem where it names none."""
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
            word = exact(text) is None and text not in self.grades  # a guideline's name: as the file writes it
            seen.known.add(text if word else name)
            return self.grades[name]
        if text.casefold() in NO_ANSWER:
            seen.silent.add(text)
            return None
        self._qrels = table.format == ".qrels"
        number = NUMBER.fullmatch(text) is not None
        text = cut(text)
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
        kinds = {name: (c.known, c.numbers, c.words, c.silent) for name, c in self._columns.items()}
        return {
            name: dict(sorted((item for tally in tallies for item in tally.counts.items()), key=by_value))
            for name, tallies in kinds.items()
        }

    def note(self) -> str | None:
        """`ends_note` of the whole file."""
        given = (self.grade(text) for text in self._counts("known"))
        return ends_note((grade for grade in given if grade is not None), self.values, self.grades)

    def error(self, *, skip_bad_rows: bool = False) -> InputError | None:
        """All that the file holds and that is no grade, with counts and the fix: numbers, and, unless bad rows are
        skipped, words. Null where there is none."""
        number = True in self._first
        if not self._first or (skip_bad_rows and not number):
            return None
        words = {} if skip_bad_rows else self._counts("words")
        unknown = self._counts("numbers") | words
        more = sum(c.numbers.more + (0 if skip_bad_rows else c.words.more) for c in self._columns.values())
        message = f"unknown grade{'s' if len(unknown) > 1 else ''} {listed(unknown, more)}; "
        message += f"known: {', '.join(self.grades)}"
        if number:
            columns = self.seen
            held = [f"{f'{name}: ' if len(columns) > 1 else ''}{listed(counts)}" for name, counts in columns.items()]
            message += f". A number that is no grade means another scale. All values: {'; '.join(held)}"
        place = replace(self._first[number], message=message)
        return InputError(str(place), self._fix(words) if number else self._fix_words(words))

    def _name(self, text: str) -> str | None:
        if text in self.grades:
            return text
        if isinstance(self.grades, NamedGrades) and (value := self.grades.names.get(text.casefold())):
            return value
        number = exact(text)
        if number is None or number in self._names:
            return None if number is None else self._names[number]
        return self.ranges.name(number) if self.ranges else None

    def _counts(self, kind: str) -> dict[str, int]:
        """Values of a kind over all columns, in order."""
        found: dict[str, int] = {}
        for column in self._columns.values():
            for text, count in getattr(column, kind).counts.items():
                found[text] = found.get(text, 0) + count
        return dict(sorted(found.items(), key=by_value))

    def _fix(self, words: Mapping[str, int]) -> str:
        """The fix of numbers off the scale: a map of all values where their order suggests one."""
        off = self._counts("numbers")
        numbers = dict(sorted((self._counts("known") | off).items(), key=by_value))
        rest = "; leave the words out with --skip-bad-rows" if words else ""
        if not any(map(writable, numbers)):  # whether a comma is a decimal one or parts thousands, only the user knows
            return f"write numbers in the file with a decimal point: 1.5, not 1,5{rest}"
        told = [number for text in numbers if (number := exact(text)) is not None]
        named = any(exact(text) is None for text in numbers)
        own = named or dict(self.grades) != {str(value): value for value in self.values}
        rare = sum(off.values()) <= TYPO * sum(numbers.values())
        if own:  # the levels between which the means are
            told += self._names
        plain = self.ranges is None and len(self._names) == len(self.grades)
        if plain and not rare and len(numbers) > len(self.values) and are_means(told):
            ranges = equal_ranges(min(told), max(told), self.values)
            return f"say which means are which grade; a suggestion, which only you can judge: {ranges}{rest}"
        if len(numbers) > SHOWN:
            return "turn the numbers into the guideline's grades in the file: they are too many for --grades" + rest
        count = sum(off.values())
        where = f"row {self._first[True].row}" + (" and the others" if count > 1 else "")
        if count <= TYPO * sum(numbers.values()):
            return f"correct or remove {where} if it is a typing error, or say what it means: {self._open(off)}{rest}"
        levels, given = len(numbers), len(self.values)
        negative = any(text.startswith("-") for text in off) and (self._qrels or levels > given)  # often "not rated"
        if negative and self._qrels:
            rest += " (in TREC's qrels -1 is often pooled and not judged, -2 junk)"
        if own or negative or levels < given or not all(map(writable, numbers)):
            return f"say what each value means: {self._open(off)}{rest}"
        how = "in their order" if levels == given else "a suggestion, which only you can judge"
        suggested = f"say what each value means; {how}: {option(spread(list(numbers), self.values))}{rest}"
        return suggested if count > 1 else f"{suggested} (or correct {where}, if it is a typing error)"

    def _fix_words(self, words: Mapping[str, int]) -> str:
        known = self._counts("known")
        rest = "; or leave such rows out with --skip-bad-rows" if known else ""  # else no row would be left
        if not any(map(writable, words)):
            return f"write each as text or a number{rest}"
        own = any(text in self.grades for text in known)
        if not own and (suggested := labels({text: self.grade(text) for text in (*words, *known)}, self.values)):
            return f"say what each label means, for example {option(suggested)}{rest}"
        return f"correct them, or say what they mean: {self._open(words)}{rest}"

    def _open(self, unknown: Mapping[str, int]) -> str:
        """The map as it is, with a place for what each unknown value means: of the guideline's own grades and names
        those that occur, since a map of one's own replaces them."""
        there = {text: "GRADE" for text in list(unknown)[:SHOWN] if writable(text)}
        odd = "" if all(map(writable, unknown)) else " (others cannot stand in --grades: write them otherwise)"
        known = self._counts("known")
        given = {text: grade for text, grade in self.grades.items() if text != str(grade) or text in known}
        given |= {text: self.grade(text) for text in known if text not in self.grades and writable(text)}
        grades = {text: "" if grade is None else grade for text, grade in given.items()}
        return option({**grades, **there}) + odd
