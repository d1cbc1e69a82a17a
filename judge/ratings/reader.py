"""People's grades in: the one reader of files of ratings, whatever verb asks.

`read_ratings` reads a file alone; `stage_ratings` reads the pairs' texts in the same pass, as pairs to label are read.
Both take the same grades, and set the same ones aside for the same reasons.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.notes import note
from judge.pairs.identity import QueryNames
from judge.pairs.queries import read_queries
from judge.pairs.stage import Source, Staged, stage
from judge.ratings.cells import Cells
from judge.ratings.layout import DESCRIBED, RatingsLayout
from judge.ratings.settle import HARMLESS, Settled
from judge.records import Rating
from judge.scratch import scratch_folder
from judge.tables.columns import announce
from judge.tables.grading_tools import NO_GRADE
from judge.tables.likely import spelt
from judge.tables.problems import Problems, check_command, refuse
from judge.tables.rows import Table
from judge.tables.scale import Scale
from judge.words.guideline import Guideline

WEIGHTS = ("weight", "weights", "sample_weight")
"""Columns of which the user may expect that they count."""


@dataclass(frozen=True)
class Ratings:
    """The grades of a file that count, and what became of the others."""

    file: str
    layout: RatingsLayout
    scale: Scale
    """What the file wrote for grades."""
    alone: bool
    """Whether one rater gave all grades, whom the file does not name."""
    settled: Settled

    @cached_property
    def table(self) -> Any:
        """An Arrow table of the grades that count, in the file's order: the columns of `Settled.path`."""
        import pyarrow.parquet as pq

        return pq.read_table(self.settled.path)

    @cached_property
    def raters(self) -> tuple[str, ...]:
        """Those whose grades count, as they first appear; gold is none."""
        return tuple(name for name in self.table["rater"].unique().to_pylist() if name != self.layout.gold)

    @property
    def rows(self) -> int:
        """The file's rows."""
        return self.settled.rows

    @property
    def used(self) -> int:
        """Grades that count."""
        return self.settled.used

    @property
    def set_aside(self) -> Mapping[str, int]:
        """What does not count, by reason; see `Settled.set_aside`."""
        return self.settled.set_aside

    @property
    def left_out(self) -> Mapping[str, int]:
        """What is wrong with grades and rows that were skipped, by reason."""
        return {reason: count for reason, count in self.set_aside.items() if reason not in HARMLESS}

    def __iter__(self) -> Iterator[Rating]:
        names = ("query_id", "query", "candidate_id", "rater", "grade", "clause", "time", "mean")
        for batch in self.table.select(names).to_batches():
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Rating(*values)

    def check(self) -> None:
        """Refuse a file that holds no grade, or none of a rater who was named.

        Raises:
            InputError: It does.
        """
        there = {*self.table["rater"].unique().to_pylist()}
        wanted = [name for name in (*self.layout.raters, self.layout.gold) if name is not None]
        if silent := [name for name in wanted if name not in there]:
            raise InputError(
                f"{self.file}: holds no grade of {min(silent)!r}",
                "name columns or raters that it has with --raters and --gold",
            )
        if not there:
            named = "name their column with --rating COLUMN, or the raters' columns with --raters A,B,C"
            hint = f"give its rows grades, or {named}"
            raise InputError(f"{self.file}: holds no grade", hint)


def read_ratings(
    path: Path, layout: RatingsLayout, values: Sequence[int], name: str | None = None, *, described: bool = False
) -> Ratings:
    """Read a file of ratings; `described` keeps what it says of pairs, `judge.ratings.layout.DESCRIBED`.

    Raises:
        InputError: The file cannot be used; or a row or a grade cannot, and they are not to be skipped.
    """
    with scratch_folder("ratings") as scratch:
        queries = read_queries(layout.queries, layout.mapping, layout.encoding) if layout.queries else None
        table, names = Table(path, name, layout.encoding), QueryNames(queries, ids_alone=True)
        cells = Cells(table, layout, values, Path(scratch), names, described=described)
        cells.read_all()
        cells.fitted.announce()
        problems = Problems()
        cells.settle(Path(scratch), problems)
        first = sorted(problems.first, key=lambda problem: problem.row or 0)
        refuse(first, problems.kinds, cells.scale, _check(cells, values), skip_bad_rows=layout.skip_bad_rows)
        found = _ratings(cells, cells.fitted.unused)
        found.check()
    return found


def stage_ratings(
    source: Source, layout: RatingsLayout, guideline: Guideline, directory: Path, scratch: Path
) -> tuple[Staged, Ratings]:
    """Read a file of ratings and the texts of its pairs: these into `directory`, grades into `scratch`; both exist.

    What is wrong with single rows is in what is staged. The mapping and what grades mean are those of `layout`.

    Raises:
        InputError: A file as a whole cannot be used.
    """
    layout.check(guideline)
    ours = {"query", "candidate_id", "query_id", "locale", *(field.name for field in guideline.fields)}
    texts = {name: columns for name, columns in layout.mapping.items() if name in ours}
    names = source.query_names()
    table = Table(source.pairs, source.name, source.encoding)
    cells = Cells(table, layout, guideline.values, scratch, names)
    staged = stage(replace(source, mapping=texts), guideline, directory, cells, names)
    read = cells.columns() | {*cells.fitted.sources(DESCRIBED)}  # these are read by reports
    read |= table.crowd.columns if table.crowd else set()
    announce({name: column for name, column in cells.fitted.passed_over.items() if name not in staged.passed_over})
    unused = [column for column in staged.unused if column not in read]
    return replace(
        staged,
        unused=unused,
        passed_over=cells.fitted.passed_over | dict(staged.passed_over),
        check=_check(cells, guideline.values, source.catalogue),
        scale=cells.scale,
    ), _ratings(cells, unused)


def _ratings(cells: Cells, unused: Sequence[str]) -> Ratings:
    """What was read, with notes on what the file says of it; `unused` are the columns that nothing reads."""
    assert cells.settled is not None
    aside = ((count, reason) for reason, count in cells.settled.set_aside.items() if reason in NO_GRADE)
    if told := ", ".join(f"{count:,} × {reason.replace('_', ' ')}" for count, reason in sorted(aside, reverse=True)):
        note(f"{cells.table.name}: rows that give no grade, as the file itself says: {told}")
    if weights := [column for column in unused if spelt(column) in WEIGHTS]:
        note(f"{cells.table.name}: column {weights[0]!r} is not read: every grade counts alike")
    if cells.table.crowd:
        cells.table.crowd.announce(cells.table.name)
    alone = cells.roles.single and not cells.long
    return Ratings(cells.table.name, cells.layout, cells.scale, alone, cells.settled)


def _check(cells: Cells, values: Sequence[int], catalogue: Path | None = None) -> str:
    """The command that lists what is wrong with a file."""
    layout = cells.layout
    plain = dict(layout.grades) == {str(value): value for value in values}
    grades = ",".join(f"{theirs}={'' if ours is None else ours}" for theirs, ours in layout.grades.items())
    wide = layout.raters or layout.gold
    options = {
        "--catalogue": catalogue,
        "--rating": None if wide else cells.roles.column,
        "--raters": ",".join(layout.raters),
        "--gold": layout.gold,
        "--grades": None if plain else grades,
        "--queries": layout.queries,
        "--encoding": layout.encoding,
    }
    mapping = {name: columns for name, columns in layout.mapping.items() if name != "grade"}
    return check_command(cells.table.name, mapping, options)
