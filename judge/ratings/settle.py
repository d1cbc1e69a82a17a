"""The set-wise half of reading ratings: repeats and contradictions, in DuckDB over grades on disk.

The first in the file counts: of two grades that one rater gives a pair, of two texts of one `query_id`. A row that
gives no grade contradicts nothing. Each grade, and each row without any, ends in one place: it counts, or has one
reason.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.notes import note
from judge.ratings.layout import RatingsLayout, Roles
from judge.records import Problem, counted
from judge.sql import on_disk, quoted
from judge.tables.columns import Columns
from judge.tables.grading_tools import NO_GRADE
from judge.tables.ids import IDS, as_written_sql, whole_id_sql
from judge.tables.problems import SHOWN
from judge.tables.rows import Table

MEMORY = "2GB"
"""DuckDB's share; past it, it spills into the scratch directory."""
PARQUET = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
HARMLESS = ("no_grade", "repeat", "other_rater", *NO_GRADE)
"""Reasons why something does not count that are nothing wrong: no grade was given, it was given before in the same
words, it is of a rater who is not asked for, or the tool says that the annotator gave none."""


@dataclass(frozen=True)
class Laid:
    """Grades as a file's rows were read; see `judge.ratings.cells`."""

    path: Path
    """Parquet, in the order of the file."""
    table: Table
    layout: RatingsLayout
    roles: Roles
    fitted: Columns
    long: bool
    """Whether rows name raters."""
    read: int
    """How many rows there were."""
    likely_rater: str | None = None
    """The column that may be meant for the raters, where none names them."""
    words_apart: bool = False
    """Whether the words of queries stand in a file of their own: there one text may have two ids without intent."""


@dataclass(frozen=True)
class Settled:
    """What a file of ratings came to."""

    path: Path
    """Parquet, the grades that count, in the order of the file: `row, query_id, query, candidate_id, rater, grade,
    clause, time, mean, unit`, then what the file says of the pair. `unit` is the row in which the pair is first
    graded."""
    by_row: Path
    """Parquet, a line a row: `row, grade, skip`; `grade` where the row brings one alone, `skip` where it brings none
    that counts."""
    rows: int
    used: int
    """Grades that count."""
    set_aside: Mapping[str, int]
    """The others by reason, what is wrong and what is harmless; a row that brings none counts once."""
    differ: int
    """Rows whose grade is not the one that another rater gave the pair first. Those of one row are not counted."""
    problems: tuple[tuple[Problem, int], ...]
    """The first problems that no row shows alone, each with the count of its kind."""


def settle(cells: Laid, scratch: Path, kept: frozenset[str] | None = None) -> Settled:
    """Settle what a file's rows say together; works in `scratch`, and leaves `ratings.parquet` next to the cells.

    `kept` has our names of the columns whose ids stay as written; unless given, the cells' own ids say it.

    Raises:
        InputError: Rows were lost on the way.
    """
    path, by_row = cells.path.with_name("ratings.parquet"), scratch / "by-row.parquet"
    with on_disk(scratch, MEMORY, os.cpu_count() or 1, [cells.path]) as db:
        _mark(db, cells, kept)
        used = "* EXCLUDE (n, line, field, words, reason, skip, pair_grade, before)"
        query = f"SELECT {used} FROM marked WHERE reason IS NULL ORDER BY n"
        db.execute(f"COPY ({query}) TO {quoted(path)} {PARQUET}")
        # A repeat keeps its grade: whether its texts are the pair's as well is for the reader of texts to say.
        db.execute(f"""COPY (SELECT row,
            CASE WHEN count(*) FILTER (reason IS NULL OR reason = 'repeat') = 1
                THEN min(grade) FILTER (reason IS NULL OR reason = 'repeat') END AS grade,
            CASE WHEN count(*) FILTER (reason IS NULL OR reason = 'repeat') = 0 THEN arg_min(skip, n) END AS skip
            FROM marked GROUP BY row ORDER BY row) TO {quoted(by_row)} {PARQUET}""")
        # What is wrong with a row costs all of its grades, and counts once.
        counts = dict(db.execute("SELECT reason, count(DISTINCT (row, field)) FROM marked GROUP BY 1").fetchall())
        rows, differ = db.execute("""SELECT count(DISTINCT row), count(DISTINCT row) FILTER (reason IS NULL
            AND grade <> pair_grade) FROM marked""").fetchall()[0]
        problems = tuple(_problems(db, cells, counts))
    if rows != cells.read:
        raise InputError(
            f"{cells.table.name}: {cells.read:,} rows were read, and {rows:,} were kept",
            "see that the disk has room and can be read, and try again",
        )
    used = counts.pop(None, 0)
    if cells.likely_rater and (again := counts.get("repeat", 0) + counts.get("conflicting_grade", 0)):
        told = f"{cells.table.name}: {counted(again, 'grade')} of pairs graded before did not count"
        given = shlex.quote(f"rater={cells.likely_rater}")
        note(f"{told}; if column {cells.likely_rater!r} says who gave them, read it with --map {given}")
    wide = bool(cells.roles.wide)
    return Settled(path, by_row, rows, used, counts, 0 if wide else differ, problems)


REASONS = {
    "missing_rater": "nobody is named who gave the grade",
    "conflicting_query": "query_id had another query text before",
    "conflicting_ids": "the same words under another query_id have another grade",
    "conflicting_grade": "same pair as an earlier row, with another grade",
    "raters_differ": "same pair as an earlier row, with another rater's other grade",
    "repeat": "repeats an earlier row",
}
"""Why a cell does not count that only other rows show, in words."""


def _mark(db: Any, cells: Laid, kept: frozenset[str] | None) -> None:
    """The table `marked`: every cell, and why it does not count."""
    alone = quoted(cells.roles.alone)
    source = f"read_parquet({quoted(cells.path)}, file_row_number = true)"
    if kept is None:
        stays = db.execute(f"SELECT {', '.join(map(as_written_sql, IDS))} FROM {source}").fetchone()
        kept = frozenset(name for name, written in zip(IDS, stays, strict=True) if written)
    ids = [f"{whole_id_sql(name)} AS {name}" for name in IDS if name not in kept]
    unnamed = "reason IS NULL AND rater IS NULL" if cells.long else "false"
    # In two locales the same words are two queries; and an id that was made of words is no id that somebody gave.
    has_locale = "locale" in cells.fitted.find(tuple(sorted(cells.fitted.seen)))
    one_text = """words <> '' AND query_id <> words_id AND coalesce(mean, grade) <> words_grade
        AND query_id <> left(sha256(query), 16)"""
    one_text = one_text if cells.words_apart and not has_locale else "false"
    said = " ".join(f"WHEN {quoted(reason)} THEN {quoted(f'{reason}: {words}')}" for reason, words in REASONS.items())
    db.execute(f"""
        CREATE TABLE marked AS
        WITH cells AS (
            SELECT * EXCLUDE (file_row_number) REPLACE (
                CASE WHEN {unnamed} THEN 'missing_rater' ELSE reason END AS reason,
                {"".join(f"{column}, " for column in ids)}coalesce(rater, {alone}) AS rater), file_row_number AS n
            FROM {source}),
        queries AS (
            SELECT *, first_value(words) OVER query AS query_words, min(row) OVER query AS query_row
            FROM cells WINDOW query AS (PARTITION BY reason IS NULL, query_id ORDER BY n)),
        named AS (
            SELECT * EXCLUDE (query_words) REPLACE (
                CASE WHEN reason IS NULL AND words <> query_words THEN 'conflicting_query' ELSE reason END AS reason,
                CASE WHEN reason IS NULL AND words <> query_words THEN 'query_id' ELSE field END AS field)
            FROM queries),
        worded AS (
            SELECT * EXCLUDE (words_id, words_grade) REPLACE (
                CASE WHEN reason IS NULL AND {one_text} THEN 'conflicting_ids' ELSE reason END AS reason,
                CASE WHEN reason IS NULL AND {one_text} THEN 'query_id' ELSE field END AS field)
            FROM (SELECT *, first_value(query_id) OVER text AS words_id, min(row) OVER text AS words_row,
                    first_value(coalesce(mean, grade)) OVER text AS words_grade
                  FROM named WINDOW text AS (PARTITION BY reason IS NULL, words, candidate_id, rater ORDER BY n))),
        own AS (
            SELECT *, first_value(coalesce(mean, grade)) OVER own AS own_grade, min(n) OVER own AS own_n,
                min(row) OVER own AS own_row
            FROM worded WINDOW own AS (PARTITION BY reason IS NULL, query_id, candidate_id, rater ORDER BY n)),
        of_rater AS (
            SELECT * EXCLUDE (own_grade, own_n) REPLACE (
                CASE WHEN reason IS NOT NULL THEN reason
                    WHEN coalesce(mean, grade) <> own_grade THEN 'conflicting_grade'
                    WHEN n <> own_n THEN 'repeat' END AS reason)
            FROM own),
        pairs AS (
            SELECT *, first_value(grade) OVER pair AS pair_grade, min(n) OVER pair AS pair_n,
                min(row) OVER pair AS unit
            FROM of_rater WINDOW pair AS (PARTITION BY reason IS NULL, query_id, candidate_id ORDER BY n)),
        final AS (
            SELECT * EXCLUDE (pair_n) REPLACE (
                CASE WHEN reason IS NOT NULL OR NOT {cells.layout.one_grade} THEN reason
                    WHEN grade <> pair_grade THEN 'raters_differ' WHEN n <> pair_n THEN 'repeat' END AS reason)
            FROM pairs)
        SELECT * EXCLUDE (query_row, own_row, words_row) REPLACE (CASE reason {said} ELSE skip END AS skip),
            CASE reason WHEN 'conflicting_query' THEN query_row WHEN 'conflicting_ids' THEN words_row
                WHEN 'conflicting_grade' THEN own_row ELSE unit END
            AS before
        FROM final ORDER BY n""")


def _problems(db: Any, cells: Laid, counts: Mapping[str, int]) -> Iterator[tuple[Problem, int]]:
    """The first problems of each kind that only several rows together show."""
    found = db.execute(f"""
        SELECT reason, row, any_value(line), field, any_value(query_id), any_value(rater), any_value(before)
        FROM marked WHERE reason IN ('missing_rater', 'conflicting_query', 'conflicting_ids',
            'conflicting_grade', 'raters_differ')
        GROUP BY reason, row, field
        QUALIFY row_number() OVER (PARTITION BY reason ORDER BY row, field) <= {SHOWN} ORDER BY row""").fetchall()
    named = cells.fitted.find(cells.table.columns or ())
    for reason, row, line, field, query_id, rater, before in found:
        named_rater = cells.long or field in cells.roles.wide
        gave = f"{rater!r} gave this pair" if named_rater else "this pair had"
        whose = shlex.quote(f"rater={cells.likely_rater or 'COLUMN'}")
        column, message, fix = {
            "missing_rater": (named.get("rater", "rater"), "is empty", "say who gave the grade"),
            "conflicting_query": (
                named.get("query_id", "query_id"),
                f"{query_id!r} had another query text in row {before}",
                "give each query text its own query_id, or leave query_id out",
            ),
            "conflicting_ids": (
                named.get("query_id", "query_id"),
                f"{query_id!r} has the words of the query in row {before}, where this candidate has another grade",
                "keep one of the two ids, or say with --map locale=COLUMN what tells the two queries apart",
            ),
            "conflicting_grade": (
                field,
                f"{gave} another grade in row {before}",
                "keep one grade for each rater and pair"
                if named_rater
                else f"say with --map {whose} which column names who gave each grade, or keep one grade for each pair",
            ),
            "raters_differ": (
                field,
                f"another rater gave this pair another grade in row {before}",
                "make one grade of several raters' with `judge aggregate`, or keep one grade for each pair",
            ),
        }[reason]
        yield cells.table.problem(reason, message, fix, row, line, column), counts[reason]
