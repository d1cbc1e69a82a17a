"""Which rows an export holds: a narrow table on disk, one row for every input row, kept or left out for one reason.

Texts stay where they are, in `pairs.parquet`: at ten million rows this table is a few hundred megabytes of file and
the memory is bounded by DuckDB's limit.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.errors import RunError
from judge.export.hard import check_hard, hard_sql
from judge.export.joined import TWICE
from judge.export.joined_run import by_people_sql, called
from judge.export.selection import Selection
from judge.export.splits import assign
from judge.export.texts import field_names, has_text
from judge.pairs.origin import has_origin
from judge.run.decided import Decided
from judge.run.flags import Flags
from judge.run.store import Run
from judge.scratch import scratch_folder
from judge.sql import quoted

UNSURE = "below the least confidence"
UNKNOWN = "graded without a confidence"
FLAGGED = "flagged and undecided"
TEXTLESS = "no text in the chosen fields"
WORDLESS = "no words of its query"
BEYOND = "beyond the number for a query"
UNBALANCED = "more than the rarest grade has"


@dataclass(frozen=True)
class Chosen:
    """The rows of one export. `db` has the table `rows` and the views `pairs` (with `position`) and `labels`."""

    run: Run
    decisions: Decided
    selection: Selection
    db: Any
    values: tuple[int, ...]
    """The guideline's grades, ascending."""
    fields: tuple[str, ...]
    """The candidate's fields that make its text."""
    input_rows: int
    kept: int
    left_out: Mapping[str, int]
    """Input rows that are not exported, by reason; with `kept` they add up to `input_rows`."""


@contextmanager
def choose(decisions: Decided, selection: Selection, *, need_text: bool) -> Iterator[Chosen]:
    """Decide for every input row of a finished run whether it is exported.

    Args:
        decisions: What was decided of a run in which every row has its label.
        selection: What is wanted.
        need_text: Whether rows without any text of a candidate are left out.

    Raises:
        RunError: The run is unfinished or does not add up.
        InputError: The selection names what the guideline does not have, or leaves a split empty.
    """
    run = decisions.run
    run.check_whole()
    manifest = run.manifest
    fields = selection.fields or field_names(manifest)
    selection.check(field_names(manifest), manifest.values)
    if selection.hard != "any":
        check_hard(run)
    with (
        scratch_folder("export") as scratch,
        run.database(Path(scratch), decided=decisions.table(), flagged=Flags(run.path).pairs()) as db,
    ):
        _make_rows(db, run, selection, fields if need_text else ())
        assign(db, selection, fields, manifest.normalisation)
        _cap(db, selection)
        counts = dict(db.execute("SELECT left_out, count(*) FROM rows GROUP BY 1 ORDER BY 1").fetchall())
        kept = counts.pop(None, 0)
        if kept + sum(counts.values()) != manifest.rows:
            raise RunError(
                f"{called(run)}: {manifest.rows:,} input rows, but {kept:,} exported and {sum(counts.values()):,} "
                "left out",
                "label into a new directory",
            )
        yield Chosen(run, decisions, selection, db, manifest.values, tuple(fields), manifest.rows, kept, counts)


def _make_rows(db: Any, run: Run, selection: Selection, need: Sequence[str]) -> None:
    """The table `rows`: `position` in `pairs.parquet`, ids, grade, confidence, whether it may be set against others."""
    db.execute(f"""CREATE OR REPLACE VIEW pairs AS
        SELECT * RENAME (file_row_number AS position)
        FROM read_parquet({quoted(run.pairs_path)}, file_row_number = true)""")
    manifest = run.manifest
    grades = ", ".join(map(str, manifest.values))
    least, negative = float(selection.min_confidence), float(selection.negatives.min_confidence)
    # What people graded or decided is certain. A judge's grade that came alone has no confidence, and fails what asks
    # for one; but by default it may be set against others, as if it were as likely right as wrong. What a judge changed
    # has the label's own probability of the new grade, and is set against others all the same: the label was
    # contradicted by that judge and by evidence.
    db.execute(f"""CREATE TABLE rows AS
        WITH known AS (
            SELECT p.position, l.row, l.query_id, l.candidate_id, l.status, coalesce(d.grade, l.grade) AS grade,
                   coalesce(d.by_people, false)
                       OR ({by_people_sql(run, "l.fingerprint")} AND d.grade IS NULL) AS certain,
                   CASE WHEN NOT coalesce(d.by_people, false) THEN
                       l.probabilities[list_position([{grades}], coalesce(d.grade, l.grade))] END AS confidence,
                   f.query_id IS NOT NULL AND d.query_id IS NULL AS flagged, d.grade IS NOT NULL AS changed,
                   {has_text(need) if need else "true"} AS has_text,
                   {"coalesce(p.query, '') <> ''" if need else "true"} AS has_words, l.reason,
                   {"p.mined" if has_origin(run.pairs_path) else "NULL AS mined"}
            FROM labels l JOIN pairs p USING (row)
            LEFT JOIN decided d ON l.query_id = d.query_id AND l.candidate_id = d.candidate_id AND l.status <> 'skipped'
            LEFT JOIN flagged f ON l.query_id = f.query_id AND l.candidate_id = f.candidate_id)
        SELECT position, row, query_id, candidate_id, grade::INTEGER AS grade, confidence, flagged,
               certain OR changed OR coalesce(confidence, 0.5) >= {negative} AS sure,
               ({hard_sql(run, manifest.values)})::TINYINT AS hard, 0::TINYINT AS split,
               false AS first, false AS has_better_copy,
               CASE WHEN reason = {quoted(TWICE)} THEN reason WHEN grade IS NULL THEN status
                    {"WHEN flagged THEN '" + FLAGGED + "'" if selection.flagged == "leave_out" else ""}
                    WHEN NOT certain AND confidence IS NULL AND {least} > 0 THEN '{UNKNOWN}'
                    WHEN NOT certain AND confidence < {least} THEN '{UNSURE}'
                    WHEN NOT has_text THEN '{TEXTLESS}' WHEN NOT has_words THEN '{WORDLESS}' END AS left_out
        FROM known""")


def _cap(db: Any, selection: Selection) -> None:
    """Leave out what is beyond a query's number, then what unbalances the grades: always the largest hashes."""
    order = "md5(query_id || chr(31) || candidate_id), row"
    if selection.per_query:
        # The grades of a query in turn, the highest first, so that the rare ones stay.
        first = "hard = 0, " if selection.hard == "first" else ""
        db.execute(f"""UPDATE rows SET left_out = '{BEYOND}' FROM (
                SELECT row FROM (SELECT row, query_id, grade, row_number() OVER (
                        PARTITION BY query_id, grade ORDER BY {first}{order}) AS turn FROM rows WHERE left_out IS NULL)
                QUALIFY row_number() OVER (PARTITION BY query_id ORDER BY turn, grade DESC) > {selection.per_query}
            ) gone WHERE rows.row = gone.row""")
    if selection.balance:
        db.execute(f"""UPDATE rows SET left_out = '{UNBALANCED}' FROM (
                SELECT row, split, row_number() OVER (PARTITION BY split, grade ORDER BY {order}) AS turn
                FROM rows WHERE left_out IS NULL) r
            JOIN (SELECT split, min(n) AS rarest FROM (
                    SELECT split, grade, count(*) AS n FROM rows WHERE left_out IS NULL GROUP BY ALL) GROUP BY split) s
            ON r.split = s.split WHERE rows.row = r.row AND r.turn > s.rarest""")


def check_queries(chosen: Chosen) -> None:
    """Refuse a run in which one text is two queries, or a query has no words: by text they could not be told apart.

    Raises:
        RunError: One text has two ids, or an id has no words.
    """
    found = chosen.db.execute("""
        SELECT p.query, list(r.query_id ORDER BY r.query_id) AS ids FROM pairs p JOIN (
            SELECT query_id, min(position) AS position FROM rows WHERE left_out IS NULL GROUP BY query_id) r
        USING (position) GROUP BY p.query HAVING count(*) > 1 OR p.query = '' ORDER BY 1 LIMIT 1""").fetchone()
    where = called(chosen.run)
    if found and not found[0]:
        raise RunError(
            f"{where}: the query {found[1][0]!r} has no words, and this format knows queries by their text",
            "make the run again with --queries FILE, or export to trec or beir, which know queries by id",
        )
    if found:
        raise RunError(
            f"{where}: the query {found[0]!r} goes by {len(found[1])} ids ({', '.join(found[1][:3])}), and "
            "this format knows queries by their text",
            "export to trec or beir, which know them by id",
        )
