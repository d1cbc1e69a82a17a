"""Grades of means: ranges of numbers, each of a grade, such as `1..1.67=0,1.67..2.33=1,2.33..3=2`.

A range holds its upper end and not its lower one; the first holds both. So 1.67 is 0 there, and so is 1. The ranges
follow on each other without a gap.

A mean is also put on the guideline's scale, so that the nearest grade there is the grade of its range: the ends of all
ranges are the lowest and the highest grade, each cut point is half-way between two grades, and lines go between them.
"""

import shlex
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from judge.errors import InputError

SIGN = ".."
LONGEST = 40
"""Characters of an end. No longer number is one of a scale."""


@dataclass(frozen=True)
class Ranges:
    """Ranges that follow on each other, ascending."""

    ends: tuple[Decimal, ...]
    """One more than there are ranges."""
    names: tuple[str, ...]
    """As the user wrote each."""
    grades: tuple[int, ...]

    @classmethod
    def of(cls, grades: Mapping[str, int | None]) -> "Ranges | None":
        """The ranges among what a file writes for grades; null where there is none.

        Raises:
            InputError: One is none, has no grade, leaves a gap or overlaps with another.
        """
        given = sorted((*_ends(name), name) for name in grades if SIGN in name)
        if not given:
            return None
        ranges = [(low, high, name, grade) for low, high, name in given if (grade := grades[name]) is not None]
        if len(ranges) < len(given):
            name = next(name for *_, name in given if grades[name] is None)
            raise InputError(f"--grades {name}=: a range without a grade", "leave it out, or say which grade it is")
        for (_, high, one, _), (low, _, other, _) in pairwise(ranges):
            if low != high:
                what = "overlap" if low < high else f"leave out what is between {high} and {low}"
                closed = _closed([(low, high, grade) for low, high, _, grade in ranges])
                raise InputError(
                    f"--grades: {one} and {other} {what}; a range holds its upper end, and begins where another ends",
                    f"let them meet, for example {closed}",
                )
        ends = (ranges[0][0], *(high for _, high, *_ in ranges))
        return cls(ends, tuple(name for *_, name, _ in ranges), tuple(grade for *_, grade in ranges))

    def name(self, number: Decimal) -> str | None:
        """The range that holds a number; null where none does."""
        return self.names[self._place(number)] if self.ends[0] <= number <= self.ends[-1] else None

    def on_scale(self, number: Decimal) -> float:
        """A number between the ends on the guideline's scale."""
        place = self._place(number)
        low, high = self.ends[place : place + 2]
        middles = [Decimal(a + b) / 2 for a, b in pairwise(self.grades)]
        first, last = [Decimal(self.grades[0]), *middles, Decimal(self.grades[-1])][place : place + 2]
        return float(first + (number - low) / (high - low) * (last - first))

    def _place(self, number: Decimal) -> int:
        return max(bisect_left(self.ends, number) - 1, 0)


def equal_ranges(low: Decimal, high: Decimal, values: tuple[int, ...]) -> str:
    """The option that cuts a scale between whole numbers into as many equal ranges as there are grades."""
    low, high = low.to_integral_value("ROUND_FLOOR"), high.to_integral_value("ROUND_CEILING")
    cuts = [(low + (high - low) * n / len(values)).quantize(Decimal("0.01")) for n in range(len(values) + 1)]
    return _closed([(cuts[n], cuts[n + 1], value) for n, value in enumerate(values)])


def _ends(name: str) -> tuple[Decimal, Decimal]:
    first, _, last = name.partition(SIGN)
    fix = "write a range like 1..1.67=0: the lower end, two dots, the upper end"
    try:
        if len(name) > 2 * LONGEST:
            raise InvalidOperation
        low, high = Decimal(first.strip()), Decimal(last.strip())
    except InvalidOperation:
        raise InputError(f"--grades {name[:LONGEST]}: is not a range of numbers", fix) from None
    odd = any(not end.is_finite() or abs(end.adjusted()) > LONGEST for end in (low, high))
    if odd or low >= high:
        raise InputError(f"--grades {name}: does not go from a lower to a higher number", fix)
    return low, high


def _closed(ranges: list[tuple[Decimal, Decimal, int]]) -> str:
    """The option with every range ending where the next one begins."""
    after = [low for low, *_ in ranges[1:]] + [max(high for _, high, _ in ranges)]
    parts = [f"{_plain(low)}..{_plain(high)}={grade}" for (low, _, grade), high in zip(ranges, after, strict=True)]
    return "--grades " + shlex.quote(",".join(parts))


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
