"""People's grades in: long files (a row a grade) or wide ones (a row a pair, a column a rater), as one panel.

Long: `query, candidate_id, rater, grade[, clause, time]`. Wide: the raters' columns are named. A file with neither, but
with a grade, is the work of one rater. `gold` names the adjudicated grade: a column, or, in a long file, a rater.
Columns that describe the pair (`kind, category, locale, language, traffic`, and the candidate's texts) come along.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np

from judge.errors import InputError
from judge.ratings.candidates import TEXTS
from judge.ratings.panel import FACETS, Panel, Unit
from judge.records import Problem, query_key
from judge.tables.columns import Columns
from judge.tables.ids import IDS, IdColumns
from judge.tables.rows import Row, Table
from judge.tables.scale import Scale
from judge.tables.values import as_text, as_time
from judge.words.normalise import same_words

CORE = ("query", "candidate_id", "query_id", "rater", "grade", "clause", "time")
NAMES = tuple(dict.fromkeys((*CORE, *FACETS, *TEXTS)))
ALONE = "people"
"""What the only rater is called where the file does not say."""


@dataclass(frozen=True)
class Layout:
    """What the user said of a file of ratings."""

    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Our names to the file's columns."""
    grades: Mapping[str, int] = field(default_factory=dict)
    """What the file writes to the guideline's value."""
    raters: Sequence[str] = ()
    """The raters' columns, for a wide file; or the raters to take from a long one."""
    gold: str | None = None
    skip_bad_rows: bool = False
    """Whether rows that cannot be used are counted and left out."""


def read_ratings(path: Path, layout: Layout, values: Sequence[int], name: str | None = None) -> Panel:
    """Read a file of ratings.

    Raises:
        InputError: The file, a row or a grade cannot be used; or a rater gave one pair two grades.
    """
    return _Reader(Table(path, name), layout, values).panel()


def read_problems(
    path: Path, layout: Layout, values: Sequence[int], name: str | None = None
) -> tuple[list[Problem], Scale]:
    """What is wrong with the rows of a file of ratings, the first thing of each row; and the grades that it holds."""
    reader = _Reader(Table(path, name), replace(layout, skip_bad_rows=True), values)
    try:
        reader.panel()
    except InputError:
        if not reader.bad:
            raise
    return reader.bad, reader.scale


@dataclass(frozen=True, slots=True)
class _Given:
    unit: int
    rater: str
    grade: int
    clause: str | None
    time: float


class _BadRowError(InputError):
    """One row cannot be used; the problem's kind is what such rows have in common."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem), problem.fix)
        self.problem = problem


class _Reader:
    def __init__(self, table: Table, layout: Layout, values: Sequence[int]) -> None:
        self.table, self.layout = table, layout
        self.scale = Scale(layout.grades, values)
        self.columns = Columns({k: v for k, v in layout.mapping.items() if k in NAMES}, NAMES)
        self.units: dict[tuple[str, str], int] = {}
        self.found: list[Unit] = []
        self.texts: dict[str, str] = {}
        self.given: dict[tuple[int, str], tuple[_Given, int]] = {}
        self.bad: list[Problem] = []

    def panel(self) -> Panel:
        wanted = {*self.columns.sources(NAMES), *self.layout.raters, self.layout.gold or ""}
        rows = self.table.rows(wanted)
        first = next(rows, None)
        available = self.table.columns or (tuple(first.values) if isinstance(first, Row) else ())
        roles = self._roles(available)
        self.ids = IdColumns(self.table, self.columns)
        for row in () if first is None else chain([first], rows):
            try:
                self._row(row, roles)
            except _BadRowError as bad:
                self.bad.append(bad.problem)
        if error := self.scale.error(skip_bad_rows=self.layout.skip_bad_rows):
            raise error
        if self.bad and not self.layout.skip_bad_rows:
            raise _BadRowError(self.bad[0])
        silent = {*self.layout.raters, self.layout.gold} - {None} - {rater for _, rater in self.given}
        if silent:
            raise InputError(
                f"{self.table.name}: holds no grade of {min(filter(None, silent))!r}",
                "name columns or raters that it has with --raters and --gold",
            )
        if not self.given:
            hint = "name the column with the grades with --rating COLUMN"
            raise InputError(f"{self.table.name}: holds no grade", hint)
        return self._lay_out()

    def _roles(self, available: tuple[str, ...]) -> dict[str, str]:
        """Columns that hold grades, each with its rater; a column of a long file has the rater "" (the row says)."""
        wanted, mapped = self.layout, self.columns.find(available)
        long = "rater" in mapped and not (wanted.raters and set(wanted.raters) <= set(available))
        roles = {column: column for column in wanted.raters} if wanted.raters and not long else {}
        self.columns.require(self.table, ["query", "candidate_id", *([] if roles else ["grade"])])
        if not roles:
            alone = mapped.get("grade", "grade")
            roles = {alone: "" if long else ALONE if alone == "grade" else alone}
        gold = wanted.gold
        if gold and (gold in available or not long):
            roles[gold] = gold
        for column in roles:
            if available and column not in available:
                raise InputError(
                    f"{self.table.name}, row 1, field {column!r}: missing column; it has {', '.join(available)}",
                    "name the columns that hold grades with --raters A,B,C and --gold COLUMN",
                )
        self.columns.check_used(CORE)
        return roles

    def _row(self, row: Row | Problem, roles: Mapping[str, str]) -> None:
        """Take a row's grades: all of them, or none where anything is wrong with it."""
        if isinstance(row, Problem):
            raise _BadRowError(replace(row, kind=row.kind.replace("_", " ")))
        grades = {column: self.scale.read(self.table, row, column) for column in roles}
        texts = self._texts(row)
        key = self._key(row, texts)
        found: dict[str, int] = {}
        for column, role in roles.items():
            if (grade := grades[column]) is None:
                continue
            if isinstance(grade, Problem):
                raise _BadRowError(replace(grade, kind="unknown grade"))
            rater = role or texts.get("rater")
            if rater is None:
                raise self._wrong(row, self._column(row, "rater"), "is empty", "say who gave the grade", "no rater")
            if self.layout.raters and not role and rater not in {*self.layout.raters, self.layout.gold}:
                continue
            before = self.given.get((self.units.get(key, -1), rater))
            if before and before[0].grade != grade:
                what = f"{rater!r} gave this pair another grade in row {before[1]}"
                raise self._wrong(row, column, what, "keep one grade for each rater and pair", "another grade before")
            found[rater] = grade
        time = self._time(row, texts.get("time")) if found else 0.0
        self.texts.setdefault(key[0], texts["query"])
        unit = self._unit(key, texts) if found else -1
        for rater, grade in found.items():
            rating = _Given(unit, rater, grade, texts.get("clause"), time)
            self.given.setdefault((unit, rater), (rating, row.number))

    def _texts(self, row: Row) -> dict[str, str]:
        texts = {}
        for name, column in self.columns.find(tuple(row.values)).items():
            if name == "grade":
                continue
            try:
                text = as_text(row.values[column], " > " if name == "category" else ", ")
                text = self.ids.read(name, row.values[column]) if name in IDS else text
            except ValueError as error:
                fix = "give UTF-8 text, a number, or a list of them"
                raise self._wrong(row, column, str(error), fix, "not text") from None
            if text is not None:
                texts[name] = text.strip()
        return texts

    def _key(self, row: Row, texts: dict[str, str]) -> tuple[str, str]:
        """What identifies a row's pair."""
        for name in ("query", "candidate_id"):
            if name not in texts:
                fix = "fill it in, or leave the row out"
                raise self._wrong(row, self._column(row, name), "is empty", fix, f"no {name.replace('_', ' ')}")
        query_id = texts.get("query_id") or query_key(texts["query"])
        if same_words(self.texts.get(query_id, texts["query"])) != same_words(texts["query"]):
            what, fix = f"{query_id!r} had another query text before", "give each query text its own query_id"
            raise self._wrong(row, self._column(row, "query_id"), what, fix, "another query text before")
        return query_id, texts["candidate_id"]

    def _unit(self, key: tuple[str, str], texts: dict[str, str]) -> int:
        if key not in self.units:
            facets = {name: texts[name] for name in (*FACETS, "title", "description") if name in texts}
            self.found.append(Unit(key[0], texts["query"], key[1], facets))
        return self.units.setdefault(key, len(self.units))

    def _time(self, row: Row, text: str | None) -> float:
        if text is None:
            return float("nan")
        try:
            return as_time(text)
        except (ValueError, OverflowError):
            fix = "write it like 2026-01-31T14:05:00Z, or as seconds since 1970"
            raise self._wrong(row, self._column(row, "time"), f"{text!r} is no time", fix, "no time") from None

    def _column(self, row: Row, name: str) -> str:
        return self.columns.find(tuple(row.values)).get(name, name)

    def _wrong(self, row: Row, column: str, message: str, fix: str, kind: str) -> "_BadRowError":
        return _BadRowError(self.table.problem(kind, message, fix, row.number, row.line, column))

    def _lay_out(self) -> Panel:
        gold_name = self.layout.gold
        raters = tuple(dict.fromkeys(rater for _, rater in self.given if rater != gold_name))
        place = {name: index for index, name in enumerate(raters)}
        grades, times = np.full((2, len(raters), len(self.found)), np.nan)
        gold = np.full(len(self.found), np.nan)
        clauses: dict[tuple[int, int], str] = {}
        for given, _ in self.given.values():
            index = place.get(given.rater, -1)
            if index < 0:
                gold[given.unit] = given.grade
            else:
                grades[index, given.unit], times[index, given.unit] = given.grade, given.time
            if given.clause:
                clauses[index, given.unit] = given.clause
        return Panel(
            file=self.table.name,
            values=self.scale.values,
            units=self.found,
            raters=raters,
            grades=grades,
            gold=None if gold_name is None else gold,
            gold_name=gold_name,
            clauses=clauses,
            times=times,
            skipped=dict(Counter(problem.kind for problem in self.bad)),
        )
