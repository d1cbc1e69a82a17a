"""People's ratings with the texts that they rated, in any of three layouts.

A row a pair with one grade (`--rating COLUMN`); a row a pair with a column for each rater (`--raters A,B,C`); a row a
grade with a `rater` column. All are read and checked as pairs to label are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.pairs.stage import Source, Staged, stage
from judge.records import Pair
from judge.tables.columns import Columns
from judge.tables.rows import Row, Table
from judge.tables.values import as_text
from judge.words.guideline import Guideline

ONE = "grade"
"""The rater of a file that names none."""
CONFLICT = "conflicting_grade"
"""How the reading of pairs calls two grades of one pair."""


@dataclass(frozen=True)
class Ratings:
    """What the user gave.

    Args:
        source: The file of ratings, the catalogue and how to read them; its `grades` say what the file's grades mean.
        raters: The raters' columns, or the raters to take of a file with a `rater` column; all unless given.
    """

    source: Source
    raters: Sequence[str] = ()


@dataclass(frozen=True)
class Rated:
    """A pair, and what each rater gave it."""

    pair: Pair
    votes: Mapping[str, int]


@dataclass(frozen=True)
class Read:
    """What a file of ratings came to."""

    rated: list[Rated]
    left_out: Mapping[str, int]
    """Rows that are wrong and were skipped, by what is wrong with them."""


def read_rated(ratings: Ratings, guideline: Guideline, directory: Path) -> Read:
    """All rated pairs that have a text, in judging order; writes scratch files into `directory`.

    Raises:
        InputError: The files cannot be used, rows are wrong and not to be skipped, or no pair has a grade.
    """
    narrow = {name: columns for name, columns in ratings.source.mapping.items() if name != "rater"}
    # Texts are asked for below: one rater's empty column is not a file without texts.
    source = replace(ratings.source, mapping=narrow, need_text=False)
    by_row = _raters(ratings)
    if by_row is not None:
        passes = {"": source}
    else:
        columns = ratings.raters or [ONE]
        passes = {c: replace(source, mapping={**narrow, **({"grade": [c]} if ratings.raters else {})}) for c in columns}
    found: dict[tuple[str, str], Rated] = {}
    wrong: dict[str, set[int]] = {}
    read = _stage(passes, guideline, directory)
    for (column, given), staged in zip(passes.items(), read, strict=True):
        staged = _forgiving(staged, several=by_row is not None)
        staged.refuse(skip_bad_rows=source.skip_bad_rows)
        rows = [row for row in _rows(staged, wrong) if _counts(row["skip"], several=by_row is not None)]
        if ratings.source.need_text:
            rows = _with_text(rows, given, wrong)
        for row in rows:
            rater = column if by_row is None else by_row.get(row["row"])
            if not rater:
                _wrong(row, "no_rater", "has a grade and no rater", source, wrong)
                continue
            if by_row is not None and ratings.raters and rater not in ratings.raters:
                continue
            rated = found.setdefault((row["query_id"], row["candidate_id"]), Rated(_pair(row), {}))
            assert isinstance(rated.votes, dict)
            if rated.votes.setdefault(rater, row["grade"]) != row["grade"]:
                what = f"{rater!r} gave this pair another grade before"
                _wrong(row, "another_grade_before", what, source, wrong)
    name = source.name or source.pairs
    if not found:
        raise InputError(f"{name}: no pair has a grade", "name the column with --rating COLUMN, or --raters A,B,C")
    if silent := set(ratings.raters) - {rater for rated in found.values() for rater in rated.votes}:
        raise InputError(f"{name}: holds no grade of {min(silent)!r}", "name raters that it has with --raters")
    return Read(list(found.values()), {kind.replace("_", " "): len(numbers) for kind, numbers in wrong.items()})


def _stage(passes: Mapping[str, Source], guideline: Guideline, directory: Path) -> list[Staged]:
    """Every pass over the file, in a folder of its own. All of them share one scale: that of the file."""
    found = []
    for index, source in enumerate(passes.values()):
        folder = directory / f"pass-{index}"
        folder.mkdir(exist_ok=True)
        found.append(stage(source, guideline, folder))
    scale = found[0].scale
    for staged in found[1:]:
        if scale and staged.scale:
            scale.merge(staged.scale)
    return [replace(staged, scale=scale) for staged in found]


def _raters(ratings: Ratings) -> dict[int, str | None] | None:
    """Who rated each row, by its number: null or empty where it does not say. Null for a file of no raters."""
    table = Table(ratings.source.pairs, ratings.source.name)
    columns = Columns({"rater": ratings.source.mapping.get("rater", ["rater"])}, ["rater"])
    found: dict[int, str | None] = {}
    for row in table.rows():
        if not isinstance(row, Row):
            continue
        column = columns.find(tuple(row.values)).get("rater")
        try:
            rater = as_text(row.values[column]) if column else None
        except ValueError:  # an object, or stray bytes: nobody's name
            rater = ""
        found[row.number] = rater and rater.strip()
    named = {rater for rater in found.values() if rater is not None}
    if not named and "rater" in ratings.source.mapping:
        columns.check_used()
    return found if named & set(ratings.raters or named) else None


def _wrong(row: Mapping[str, Any], kind: str, what: str, source: Source, wrong: dict[str, set[int]]) -> None:
    """Refuse a row's grade, or put the row into `wrong` where bad rows are skipped."""
    if not source.skip_bad_rows:
        raise InputError(
            f"{source.name or source.pairs}, row {row['row']}: {what}",
            "mend the row, or leave such rows out with --skip-bad-rows",
        )
    wrong.setdefault(kind, set()).add(row["row"])


def _forgiving(staged: Staged, *, several: bool) -> Staged:
    """That several raters differ on a pair is nothing wrong."""
    apart = CONFLICT if several else None
    kinds = {kind: count for kind, count in staged.kinds.items() if kind != apart}
    return replace(staged, kinds=kinds, problems=[p for p in staged.problems if p.kind != apart])


def _with_text(rows: list[dict[str, Any]], source: Source, wrong: dict[str, set[int]]) -> list[dict[str, Any]]:
    """The rows whose candidate has a text. Others are refused, or are put into `wrong` where bad rows are skipped."""
    empty = {row["row"] for row in rows if not any((row["candidate"] or {}).values())}
    if empty and not source.skip_bad_rows:
        raise InputError(
            f"{source.name or source.pairs}, row {min(empty)}: the candidate has no text to learn from "
            f"({len(empty):,} such rows)",
            "give --catalogue FILE, map more fields with --map, or leave the rows out with --skip-bad-rows",
        )
    if empty:
        wrong.setdefault("no_text", set()).update(empty)
    return [row for row in rows if row["row"] not in empty]


def _counts(skip: str | None, *, several: bool) -> bool:
    return skip is None or (several and skip.startswith(("repeats row", CONFLICT)))


def _rows(staged: Staged, wrong: dict[str, set[int]]) -> list[dict[str, Any]]:
    """Rows that bring a grade, in judging order; the numbers of those that are wrong go into `wrong`."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(staged.path).to_pylist()
    for row in rows:
        kind = (row["skip"] or "").partition(":")[0]
        if kind in staged.kinds:
            wrong.setdefault(kind, set()).add(row["row"])
    return [row for row in rows if row["grade"] is not None]


def _pair(row: Mapping[str, Any]) -> Pair:
    texts = {name: text for name, text in (row["candidate"] or {}).items() if text is not None}
    named = {name: row[name] for name in ("row", "query_id", "query", "candidate_id", "locale")}
    return Pair(**named, candidate=texts)
