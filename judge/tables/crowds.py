"""Sheets of the platforms on which crowds grade: what a platform itself says of a row.

| platform | a sheet is known by | is no grade | is a test question |
|---|---|---|---|
| Mechanical Turk | `HITId`, `AssignmentStatus` | an assignment that was rejected | |
| Toloka | `ASSIGNMENT:status` | an assignment that was rejected | a filled `GOLDEN:…` |
| Appen | `_unit_id` and one of `_tainted`, `_golden` | a judgement that is tainted | `_golden` is true |

A test question's grades count like others: it is a pair as any. How many there are is said, since people who answer
them wrongly are often turned away, so that its grades agree more than those of other pairs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from judge.notes import note
from judge.records import Problem, counted
from judge.tables.file import Row
from judge.tables.values import as_text

REJECTED, TAINTED = "rejected", "tainted"
_REFUSED = (
    (("HITId", "AssignmentStatus"), "AssignmentStatus", (REJECTED,), REJECTED),
    (("ASSIGNMENT:status",), "ASSIGNMENT:status", (REJECTED,), REJECTED),
    (("_unit_id", "_tainted"), "_tainted", ("true", "yes"), TAINTED),
)
"""Columns that a sheet is known by; the one that tells, what it holds then, and what that is called."""


@dataclass
class Crowd:
    """A sheet of such a platform."""

    status: str | None
    """The column that tells which rows are no grade."""
    refused: tuple[str, ...]
    reason: str
    tests: tuple[str, ...]
    """Columns that tell which rows are test questions."""
    questions: int = 0
    """Rows of test questions so far."""

    @classmethod
    def of(cls, columns: tuple[str, ...] | None) -> "Crowd | None":
        """The sheet with these columns; null for all others."""
        there = columns or ()
        tests = tuple(c for c in there if c.startswith("GOLDEN:") or (c == "_golden" and "_unit_id" in there))
        found = next((each for each in _REFUSED if set(each[0]) <= set(there)), None)
        _, status, refused, reason = found or ((), None, (), "")
        return cls(status, refused, reason, tests) if found or tests else None

    @property
    def columns(self) -> set[str]:
        """The columns that tell."""
        return {*self.tests, *([self.status] if self.status else [])}

    def marked(self, rows: Iterator[Row | Problem]) -> Iterator[Row | Problem]:
        """Rows with what the platform says of them."""
        self.questions = 0
        for row in rows:
            if isinstance(row, Row):
                golden = _cell(row.values, "_golden") in ("true", "yes")
                given = any(_cell(row.values, column) for column in self.tests if column != "_golden")
                self.questions += golden or given
                if self.status and _cell(row.values, self.status) in self.refused:
                    row = replace(row, aside=self.reason)
            yield row

    def announce(self, name: str) -> None:
        """Say how many rows are test questions."""
        if self.questions:
            told = f"{counted(self.questions, 'row')} of test questions ({', '.join(self.tests)})"
            note(f"{name}: holds {told}, whose grades count like others")


def _cell(values: Mapping[str, Any], column: str) -> str:
    try:
        return (as_text(values.get(column)) or "").strip().casefold()
    except ValueError:
        return ""
