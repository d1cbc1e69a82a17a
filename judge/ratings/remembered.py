"""A file of people's ratings of a run's pairs, read as the run's own input was, unless the user says otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from judge.errors import InputError
from judge.notes import note
from judge.pairs.origin import mined_columns
from judge.pairs.stage import Source
from judge.ratings.layout import NAMES, RatingsLayout
from judge.records import Problem
from judge.run.remembered import Remembered
from judge.run.store import Run
from judge.tables.rows import Row, Table
from judge.tables.scale import Scale
from judge.words.guideline import Guideline, known_grades


def settle_layout(layout: RatingsLayout, path: Path, runs: Sequence[Run], guideline: Guideline) -> RatingsLayout:
    """The layout as the reader takes it: checked, and with what every grade of the file means.

    Of what the user does not say, the columns and grades that the input of `runs` was read with hold where the file
    has these columns, and where every grade in it is one of these; it is said aloud.

    Raises:
        InputError: A name or a grade is none of ours; the file's grades may be these or the guideline's own, which
            mean something else; or the file cannot be opened.
    """
    layout.check(guideline)
    remembered = Remembered.of(runs)
    columns: Mapping[str, Sequence[str]] = {}
    grades: Mapping[str, int | None] = {}
    if remembered.columns or (remembered.grades and not layout.grades):
        table = Table(path, encoding=layout.encoding)
        there = table.all_columns()
        wide = bool(layout.raters) and set(layout.raters) <= set(there)
        names = [name for name in NAMES if not (wide and name == "grade")]
        columns = remembered.fitting(there, names, layout.mapping)
        layout = replace(layout, mapping={**layout.mapping, **columns})
        if remembered.grades and not layout.grades and _all_known(table, layout, wide, remembered, guideline):
            grades = remembered.grades
            layout = replace(layout, grades=grades)
    if columns or grades:
        note(remembered.told(columns, grades))
    return replace(layout, grades=known_grades(layout.grades or None, guideline))


def fitting_columns(
    runs: Sequence[Run],
    paths: Sequence[Path],
    names: Sequence[str],
    given: Mapping[str, Sequence[str]],
    encoding: str | None = None,
) -> dict[str, list[str]]:
    """The columns that the input of `runs` was read with, of these names, where one of the files has them and the user
    maps neither; said aloud.

    Raises:
        InputError: A file cannot be opened.
    """
    remembered = Remembered.of(runs)
    if not remembered.columns:
        return {}
    there = {key for path in paths for key in Table(path, encoding=encoding).all_columns()}
    columns = remembered.fitting(there, names, given)
    if columns:
        note(remembered.told(columns))
    return columns


def read_as_mined(source: Source) -> Source:
    """A file that was mined, whose catalogue is read by the columns of the mining, where the catalogue has them and
    the user maps neither; said aloud. Any other file as it is.

    Raises:
        InputError: The catalogue cannot be opened.
    """
    columns = mined_columns(source.pairs) if source.catalogue else {}
    if not columns or source.catalogue is None:
        return source
    there = Table(source.catalogue, source.catalogue_name, source.encoding).all_columns()
    found = Remembered(columns=columns).fitting(there, columns, source.mapping)
    if not found:
        return source
    told = ", ".join(f"{name}={column}" for name, columns in found.items() for column in columns)
    note(f"{source.names['catalogue']}: read as when {source.names['pairs']} was mined: {told}")
    for name in {"candidate_id", "locale"} & found.keys():
        found[name].append(name)  # as the mined file itself calls it
    return replace(source, mapping={**source.mapping, **found})


def _all_known(table: Table, layout: RatingsLayout, wide: bool, remembered: Remembered, guideline: Guideline) -> bool:
    """Whether a file's grades are among those remembered, one at least; what is no grade by any reading says nothing.

    Raises:
        InputError: They all are grades of the guideline as well, and mean something else there.
    """
    scale, own = (Scale(known_grades(each, guideline), guideline.values) for each in (remembered.grades, None))
    fitted, known = layout.columns(), False
    other, differs = True, False
    fitted.of(table)  # of Parquet only these columns are read, however they are spelt
    wanted = {*layout.raters, layout.gold, *fitted.sources(["grade"])} - {None}
    for row in table.rows({str(name) for name in wanted}):
        if not isinstance(row, Row):
            continue
        columns = {*(layout.raters if wide else ()), layout.gold}
        columns |= set() if wide else {fitted.find(tuple(row.values)).get("grade")}
        for column in columns:
            if column not in row.values:
                continue
            grade, plain = (each.read(table, row, column) for each in (scale, own))
            if isinstance(grade, Problem):
                # A number that is none of them, or a name of the guideline: the file says its grades otherwise.
                if scale.error(skip_bad_rows=True) or not isinstance(plain, Problem):
                    return False
            else:
                known = known or grade is not None
                other, differs = other and not isinstance(plain, Problem), differs or grade != plain
    if known and other and differs:
        raise InputError(
            f"{table.name}: two scales fit its grades: the guideline's, or {remembered.told({}, remembered.grades)}",
            "say what each value of the file means: --grades",
        )
    return known
