"""Pairs in: the user's rows, joined with a catalogue, checked, and laid down in the order in which they are judged.

The work happens on disk (Parquet files, DuckDB over them), so that ten million rows need no more memory than ten
thousand. Order: queries as they first appear, and within a query by length of text, so that engines share a query's
prefix and pad little. Each input row keeps its number, and ends either with a pair to judge or with the reason why it
is skipped.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from judge.errors import InputError
from judge.notes import note
from judge.pairs.identity import QueryNames
from judge.pairs.intake import PAIR_NAMES, PRODUCT_NAMES, Grader, Intake
from judge.pairs.origin import Origins
from judge.pairs.queries import read_queries
from judge.records import Problem
from judge.tables.columns import ALIASES, PRODUCT_ALIASES, Columns
from judge.tables.likely import likely_name
from judge.tables.long_catalogue import pivot_fix
from judge.tables.problems import SHOWN, check_command, refuse
from judge.tables.rows import Table
from judge.tables.scale import Scale
from judge.words.guideline import Guideline


@dataclass(frozen=True)
class Source:
    """What the user gave.

    Args:
        pairs: File of rows with `query`, `candidate_id` and, without a catalogue, the candidate's fields.
        catalogue: File of candidates, or null.
        mapping: Our names to the user's columns; of several, each file uses the first it has.
        limit: Read only so many rows.
        grades: For rows that bring a grade: what the user writes to the guideline's value; null for rows without. Such
            files are staged by `judge.ratings.reader`.
        need_text: Whether a pair without any text is skipped.
        skip_bad_rows: Whether rows that are wrong are recorded as skipped, rather than refused.
        name: What to call the file of pairs in messages.
        catalogue_name: What to call the catalogue in messages.
        queries: File of `query_id, query`, for pairs that name their query by its id alone; or null.
        encoding: What the files' text is in, where it is not UTF-8.
        ids_alone: Whether a query may have an id and no words.
        sample: Keep only so many queries, with all their rows; null for all.
        seed: Which queries those are: of one seed, a larger sample holds the smaller.

    Raises:
        InputError: The limit or the sample is below 1.
    """

    pairs: Path
    catalogue: Path | None = None
    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limit: int | None = None
    grades: Mapping[str, int | None] | None = None
    need_text: bool = True
    skip_bad_rows: bool = False
    name: str | None = None
    catalogue_name: str | None = None
    queries: Path | None = None
    encoding: str | None = None
    ids_alone: bool = False
    sample: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, given, what in (("limit", self.limit, "rows"), ("sample", self.sample, "queries")):
            if given is not None and given < 1:
                raise InputError(f"{name}={given}: is not a number of {what}", "give 1 or more, or leave it out")

    @property
    def paths(self) -> dict[str, Path]:
        """The files that are read, by what they are."""
        given = {"pairs": self.pairs, "catalogue": self.catalogue, "queries": self.queries}
        return {what: path for what, path in given.items() if path is not None}

    def query_names(self) -> QueryNames:
        """How pairs name their queries; reads the file of queries.

        Raises:
            InputError: It cannot be used.
        """
        queries = read_queries(self.queries, self.mapping, self.encoding) if self.queries else None
        return QueryNames(queries, self.ids_alone)

    @property
    def names(self) -> dict[str, str]:
        """What the files are called, under `pairs` and, where there is one, `catalogue`."""
        pairs = {"pairs": self.name or str(self.pairs)}
        more = {"catalogue": self.catalogue_name or str(self.catalogue)} if self.catalogue else {}
        return pairs | more | ({"queries": str(self.queries)} if self.queries else {})


@dataclass(frozen=True)
class Staged:
    """The input as normalised.

    `path` is a Parquet file: `row, query_id, query, candidate_id, locale, candidate, grade, skip`, where `skip` is the
    reason why the row is not judged, or null, and `grade` is null unless rows bring one.
    """

    path: Path
    rows: int
    skipped: int
    queries: int
    kinds: Mapping[str, int]
    """Problems by kind, with their counts: rows that are wrong."""
    repeats: int
    """Rows that are skipped without being wrong: exact repeats, candidates without text, rows without a grade."""
    problems: Sequence[Problem]
    """The first few problems of each kind."""
    unused: Sequence[str]
    """Columns of the files that nothing reads."""
    missing: Sequence[str] = ()
    """Fields of the guideline that no file has a column for."""
    check: str = "judge validate"
    """The command that lists all problems, with the options that say what the file's grades are."""
    passed_over: Mapping[str, str] = field(default_factory=dict)
    """Names that a file has several mapped columns for: `{"title": "name, not label"}`."""
    scale: Scale | None = None
    """What rows that bring a grade wrote for it."""
    origins: Origins = field(default_factory=Origins)
    """Where rows say that they were mined."""

    def refuse(self, *, skip_bad_rows: bool = False) -> None:
        """Raise `InputError` for grades of another scale; and, unless bad rows are skipped, for the first problem."""
        refuse(self.problems, self.kinds, self.scale, self.check, skip_bad_rows=skip_bad_rows)


def stage(
    source: Source,
    guideline: Guideline,
    directory: Path,
    grades: Grader | None = None,
    names: QueryNames | None = None,
) -> Staged:
    """Read everything, check it, and write `pairs.parquet` into `directory`, which must exist. `grades` reads what rows
    bring of grades in the same pass; `names` is `source.query_names()`, where it has been read.

    Raises:
        InputError: A file as a whole cannot be used. What is wrong with single rows is in the result.
    """
    fields = [f.name for f in guideline.fields]
    columns = Columns(source.mapping, [*PAIR_NAMES, *fields], PRODUCT_ALIASES if source.catalogue else ALIASES)
    names = names or source.query_names()
    reader = Intake(guideline, columns, grades, source.limit, names)
    with tempfile.TemporaryDirectory(prefix="staging-", dir=directory) as scratch:
        rows, catalogue = Path(scratch) / "given.parquet", Path(scratch) / "catalogue.parquet"
        catalogue_table = Table(source.catalogue, source.catalogue_name, source.encoding) if source.catalogue else None
        if catalogue_table:
            columns.require(catalogue_table, ["candidate_id"], (*PRODUCT_NAMES, *fields))
        pairs_table = Table(source.pairs, source.name, source.encoding)
        names.require(columns, pairs_table, PAIR_NAMES if catalogue_table else None)
        if pairs_table.columns is not None and (catalogue_table is None or catalogue_table.columns is not None):
            columns.check_used()
        if source.need_text:
            _require_text(catalogue_table or pairs_table, columns, fields, bool(catalogue_table))
        reader.write(reader.catalogue(catalogue_table), catalogue)
        reader.write(reader.pairs(pairs_table, bool(catalogue_table)), rows)
        columns.check_used()
        columns.announce()
        reader.origins.announce(pairs_table.name)
        if catalogue_table:
            _note_unread(
                pairs_table, catalogue_table.name, columns, [n for n in fields if n not in reader.text_columns]
            )
        staged = _settle(source, directory, Path(scratch), reader, grades, pairs_table.name)
    if not staged.rows:
        where = "under its header" if pairs_table.columns else "a JSON object on each line"
        raise InputError(f"{pairs_table.name}: holds no rows", f"give a file with at least one row, {where}")
    if source.need_text and not reader.text_columns and not staged.kinds:
        raise _no_text((catalogue_table or pairs_table).name, columns.unused, fields, bool(catalogue_table))
    return staged


def _note_unread(pairs: Table, catalogue: str, columns: Columns, missing: Sequence[str]) -> None:
    """Say which texts stand with the pairs alone, where a catalogue is given and lacks them."""
    there = columns.unread(pairs, tuple(missing))
    if told := ", ".join(name if name == column else f"{name} ({column})" for name, column in there.items()):
        note(f"{pairs.name}: {told} is not read, since texts come from the catalogue: write it into {catalogue}")


def _require_text(table: Table, columns: Columns, fields: Sequence[str], catalogue: bool) -> None:
    found = columns.of(table, (*PRODUCT_NAMES, *fields))
    if table.columns is not None and not set(fields) & found.keys():
        if catalogue and "locale" not in found and (fix := pivot_fix(table, found.get("candidate_id"))):
            raise InputError(f"{table.name}: has a row for each attribute, where one for each product is wanted", fix)
        raise _no_text(table.name, table.columns, fields, catalogue)


def _no_text(name: str, columns: Sequence[str], fields: Sequence[str], catalogue: bool) -> InputError:
    given = quote(f"{fields[0]}={likely_name(fields[0], columns) or 'COLUMN'}")
    fix = f"name the columns with --map {given} (fields: {', '.join(fields)})"
    return InputError(
        f"{name}, row 1, field {fields[0]!r}: no column holds a candidate's text; it has {', '.join(columns[:20])}",
        fix if catalogue else f"give --catalogue FILE, or {fix}",
    )


def _settle(source: Source, directory: Path, scratch: Path, reader: Intake, grades: Grader | None, name: str) -> Staged:
    from judge.pairs.joins import Staging, kept_ids

    kept = kept_ids(scratch)
    by_row = grades.settle(scratch, reader.problems, kept) if grades else None
    with Staging(scratch, [*reader.joins], kept, by_row) as staging:
        if source.catalogue:
            staging.join_catalogue()
        locale = likely_name("locale", reader.columns.unused)
        reader.problems.add(staging.problems(name, source.names.get("catalogue", ""), SHOWN, locale))
        path = directory / "pairs.parquet"
        left = staging.sample(source.sample, source.seed) if source.sample is not None else 0
        counts = staging.write(path, source.need_text)
    if counts["rows"] + left != reader.read:
        raise InputError(
            f"{name}: {reader.read:,} rows were read, and {counts['rows'] + left:,} were kept",
            "see that the disk has room and can be read, and try again",
        )
    order = sorted(reader.problems.first, key=lambda p: (p.file != name, p.row or 0))
    return Staged(
        path=path,
        kinds=reader.problems.kinds,
        problems=order,
        unused=reader.unused,
        missing=[name for name in reader.joins if name not in reader.text_columns],
        passed_over=reader.columns.passed_over,
        origins=reader.origins,
        check=check_command(
            name,
            source.mapping,
            {"--catalogue": source.catalogue, "--queries": source.queries, "--encoding": source.encoding},
        ),
        **counts,
    )
