"""The review queue: flagged pairs of a run, most valuable first, out to files and tools.

`judge audit` copies its flags to `RUN/flags.parquet`, where the queue finds them. A pair's value is the chance that its
label is wrong times how often it is seen (the root of its impressions, so that traffic does not decide alone). Pairs
whose label a judge contradicts as the evidence does come first. A judge's opinion settles none of them.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from audit.review.workbook import write_workbook
from judge.errors import RunError
from judge.export.annotation import array_of, shown
from judge.export.formats import suggestion_formats
from judge.export.suggestion import Contradiction, Suggestion
from judge.records import Flag, counted
from judge.run.decisions import Decision, Decisions
from judge.run.flags import FIX, Flags
from judge.run.store import Run
from judge.tables.values import inert

COLUMNS = (
    "query_id",
    "query",
    "candidate_id",
    "candidate",
    "grade",
    "suggested_grade",
    "types",
    "evidence",
    "decision",
    "author",
    "reason",
)
NUMBERS = (
    *("impressions", "examined_impressions", "clicks", "examined_clicks", "expected_clicks"),
    *("carts", "purchases", "people_grade"),
)


class Stance(StrEnum):
    """How a judge's opinion stands to the label and to the evidence against it."""

    SUGGESTED_CHANGE = "suggested_change"
    """The judge and the evidence both put the pair above its label, or both below."""
    LABEL_REPEATED = "label_repeated"
    """The judge gives the label's grade."""
    OTHER_WAY = "other_way"
    """The judge puts the pair on one side of its label, the evidence on the other."""
    NO_GRADE = "no_grade"
    """The judge gave none."""


@dataclass(frozen=True, slots=True)
class Item:
    """One pair to decide on."""

    query_id: str
    query: str
    candidate_id: str
    candidate: Mapping[str, str]
    grade: int
    suggested_grade: int
    types: tuple[str, ...]
    p_wrong: float
    probabilities: tuple[float, ...] | None
    """What the judge said, in grade order; null where the label brought none."""
    numbers: Mapping[str, Any]
    """The evidence, by the names of `NUMBERS`."""
    opinion: Decision | None = None
    """What a judge that looked again said last; null where none did."""
    split: str | None = None
    """How the judges of an ensemble are split, where that is the evidence."""

    @property
    def key(self) -> tuple[str, str]:
        """The pair's identity."""
        return self.query_id, self.candidate_id

    @property
    def stance(self) -> Stance | None:
        """How the judge's opinion stands to the rest; null where there is none."""
        if self.opinion is None:
            return None
        given = self.opinion.given
        if given is None or given == self.grade:
            return Stance.NO_GRADE if given is None else Stance.LABEL_REPEATED
        same_way = (given > self.grade) == (self.suggested_grade > self.grade)
        return Stance.SUGGESTED_CHANGE if same_way else Stance.OTHER_WAY

    @property
    def suggestion(self) -> int:
        """The grade to look at first: the likeliest by evidence and judge where these were weighed; else the judge's
        where it contradicts the label as the evidence does, which alone suggests `suggested_grade`."""
        if self.opinion and self.opinion.likeliest is not None:
            return self.opinion.likeliest
        given = self.opinion.given if self.opinion else None
        return given if given is not None and self.stance is Stance.SUGGESTED_CHANGE else self.suggested_grade

    @property
    def evidence(self) -> str:
        """The evidence in a line, a judge's opinion last."""
        if self.split is not None:
            return self.split
        n = self.numbers
        expected = "" if n["expected_clicks"] is None else f" ({n['expected_clicks']:.1f} expected)"
        # The expectation is of the clicks that were weighed: next to all clicks it would mislead.
        weighed = n["clicks"] if n["examined_clicks"] is None else n["examined_clicks"]
        if expected and abs(weighed - n["clicks"]) >= 0.5:
            expected = f", {weighed:,.0f} of them weighed{expected}"
        people = "" if n["people_grade"] is None else f", people {n['people_grade']}"
        return (
            f"{counted(n['impressions'], 'impression')}, {n['examined_impressions']:,.0f} examined, "
            f"{counted(n['clicks'], 'click')}{expected}, {counted(n['carts'], 'cart')}, "
            f"{counted(n['purchases'], 'purchase')}{people}"
            + (f"; {self.opinion.author}: {self.opinion.reason}" if self.opinion else "")
        )


def read_queue(run: Run, *, everything: bool = False) -> list[Item]:
    """Flagged pairs that are not settled yet, suggested changes and then the most valuable first; all of them with
    `everything`.

    Raises:
        RunError: The run has not been audited.
    """
    flags, decisions = Flags(run.path), Decisions(run.path)
    flags.require()
    settled, opinions = {} if everything else decisions.settled(), decisions.opinions()
    found: dict[tuple[str, str], list[Flag]] = {}
    for flag in flags.read():
        found.setdefault(flag.pair, []).append(flag)
    items, probabilities = [], _probabilities(run, found)
    for pair, several in found.items():
        several.sort(key=lambda flag: -flag.strength)
        first = several[0]
        items.append(
            Item(
                query_id=first.query_id,
                query=first.query,
                candidate_id=first.candidate_id,
                candidate=first.candidate,
                grade=first.grade,
                suggested_grade=first.suggested_grade,
                types=tuple(flag.type for flag in several),
                p_wrong=first.p_wrong,
                probabilities=probabilities[pair],
                numbers={name: getattr(first, name) for name in NUMBERS},
                opinion=opinions.get(pair),
            )
        )
    items.sort(key=lambda item: (-item.p_wrong * math.sqrt(1 + item.numbers["impressions"]), item.key))
    items.sort(key=lambda item: item.stance is not Stance.SUGGESTED_CHANGE)
    return [item for item in items if item.key not in settled]


def _probabilities(run: Run, flags: Mapping[tuple[str, str], Sequence[Flag]]) -> dict[tuple[str, str], Any]:
    """What the judge said of each flagged pair; null where the label brought none.

    Raises:
        RunError: The flags are another run's.
    """
    import pyarrow as pa

    rows = {pair: several[0].row for pair, several in flags.items()}
    wanted = pa.table({"row": pa.array(rows.values(), pa.int64())})
    labels = run.query(
        "SELECT row, query_id, candidate_id, probabilities FROM labels SEMI JOIN wanted USING (row)", wanted=wanted
    )
    found = {(query_id, candidate_id): said and tuple(said) for _, query_id, candidate_id, said in labels}
    if other := next((pair for pair in rows if pair not in found), None):
        raise RunError(f"{Flags(run.path).path}: flags the pair {other}, which is not in the run at that row", FIX)
    return found


def as_csv(items: Iterable[Item]) -> str:
    """A sheet to fill in: `decision` takes a grade, `keep` or `unsure`. No cell begins a formula."""
    stream = io.StringIO()
    # Cells are quoted for the letters of the terminator: both, so that no line break stands bare.
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in items:
        writer.writerow([inert(str(cell)) for cell in _row(item)])
    return stream.getvalue()


def _row(item: Item) -> tuple[str | int, ...]:
    """A line of the sheet, in the order of `COLUMNS`; what is decided, by whom and why, is left empty."""
    cells = (item.query_id, item.query, item.candidate_id, _words(item), item.grade, item.suggestion)
    return (*cells, " ".join(item.types), item.evidence, "", "", "")


def forms() -> tuple[str, ...]:
    """What the queue can be written as: sheets, and the formats of annotation tools."""
    return "csv", "xlsx", *suggestion_formats()


def write_queue(items: Iterable[Item], form: str, path: Path, values: Sequence[int]) -> None:
    """Write pairs to decide on in one of `forms`; `values` are the guideline's grades.

    Raises:
        InputError: The library that writes the form is not installed, or the form cannot hold an id.
    """
    if form == "xlsx":
        write_workbook(path, COLUMNS, map(_row, items), values, "decision")
        return
    if form == "csv":
        # Excel takes a sheet for UTF-8 only where it begins with this mark.
        text = "\ufeff" + as_csv(items)
    else:
        record = suggestion_formats()[form]
        text = array_of(record(_suggestion(item)) for item in items)
    path.write_text(text, encoding="utf-8", newline="")


def _words(item: Item) -> str:
    return shown(item.candidate, item.candidate, item.candidate_id)


def _suggestion(item: Item) -> Suggestion:
    """The grade to look at first, of an audit; its score is the chance that the label is wrong."""
    pair = (item.query_id, item.query, item.candidate_id, _words(item))
    against = Contradiction(item.grade, item.types, item.evidence)
    author = "judge audit" if item.split is None else "judge ensemble"
    return Suggestion(*pair, item.suggestion, author, item.p_wrong, against)
