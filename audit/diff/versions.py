"""Two versions of labels side by side in DuckDB: one narrow row a pair and side, and the pairs that both sides have.

Tables lie in a scratch folder, so that millions of pairs need no more memory than DuckDB's limit. Decisions are applied
as an export applies them. Grades of the first version are written in the second's scale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.pairs.joins import MEMORY
from judge.run.decided import Decided
from judge.run.lookup import match_queries
from judge.run.parts import in_queries
from judge.run.shape import check_pairs
from judge.run.store import Run
from judge.sql import identifier, quoted

UNLABELLED = "not labelled yet"
"""The status of a row that an unfinished run has not come to."""


@dataclass(frozen=True)
class RunVersion:
    """One version, and how its grades are written."""

    run: Run
    name: str
    """Of its table: `a` or `b`."""
    scale: Mapping[int, int]
    """Each of its grades to the grade it stands for in the other's scale."""


def open_sides(scratch: Path, sides: Sequence[RunVersion]) -> Any:
    """A DuckDB connection with the tables `a`, `b` (a row a pair) and `paired`; the caller closes it.

    Columns of `a` and `b`: `key` (what names the query in both), `query_id, candidate_id, row, status, grade, expected,
    confidence, reason, label_grade, decided_by, decision_reason, text, words, locale, category, length`. `paired` has
    the key, the facets once, and the rest as `a_…` and `b_…`; `shift` is by how much the expected grade rose.
    """
    import duckdb

    limits = {"memory_limit": MEMORY, "temp_directory": str(scratch)}
    db = duckdb.connect(str(scratch / "versions.duckdb"), config=limits)
    db.execute("SET enable_progress_bar = false")
    for side in sides:
        check_pairs(side.run.pairs_path)
        db.read_parquet(str(side.run.pairs_path)).create_view(f"pairs_{side.name}")
        db.register(f"decided_{side.name}", Decided.of(side.run).table())
    fields = [_fields(db, side) for side in sides]
    shared = [name for name in fields[0] if name in fields[1]]
    _match(db)
    for side, own in zip(sides, fields, strict=True):
        with in_queries(side.run.parts()):
            _load(db, side, own, shared)
    columns = ("row", "query_id", "status", "grade", "expected", "confidence", "reason", "label_grade")
    compared = ", ".join(
        f"{side}.{name} AS {side}_{name}" for name in (*columns, "decided_by", "decision_reason") for side in "ab"
    )
    db.execute(f"""CREATE TABLE paired AS
        SELECT key, candidate_id, {compared}, b.expected - a.expected AS shift,
               a.grade IS NOT DISTINCT FROM b.grade AND a.status = b.status AS same,
               CASE WHEN a.length > 0 AND b.length > 0 THEN a.text <> b.text END AS reworded,
               b.words, coalesce(b.locale, a.locale) AS locale, coalesce(b.category, a.category) AS category,
               coalesce(nullif(b.length, 0), nullif(a.length, 0)) AS length
        FROM a JOIN b USING (key, candidate_id)""")
    return db


def column_title(table: str, fields: Sequence[str]) -> str:
    """SQL for what a table's candidate is called: its title, or else the first text that it has."""
    names = sorted(fields, key=lambda name: name != "title")
    texts = ", ".join(f"nullif({table}.candidate.{identifier(name)}, '')" for name in names)
    return f"coalesce({texts})" if names else "NULL"


def _fields(db: Any, side: RunVersion) -> list[str]:
    """The candidate's fields in a run's pairs, in the guideline's order."""
    kind = db.execute(f"SELECT candidate FROM pairs_{side.name} LIMIT 0").description[0][1]
    return [name for name, _ in kind.children]


def matched_by(db: Any) -> str:
    """What names the queries that both have: `query_id`, `query` (its words), or `query_id and query`."""
    by_id, both = db.execute(
        "SELECT count(*) FILTER (a.query_id = b.query_id), count(*) FROM keys_a a JOIN keys_b b USING (key)"
    ).fetchall()[0]
    return "query" if not by_id else "query_id" if by_id == both else "query_id and query"


def _match(db: Any) -> None:
    """Make the tables `keys_a` and `keys_b` (`query_id, key`): a query that both have goes by the same key.

    `judge.run.lookup` says which query of A each of B's is. Where B has two that A has as one, that of the same id is
    it, or of the same spelling; if that leaves several, none of them is.
    """
    for side in "ab":
        # Of an id that stands for several texts, the first row's is the one that was judged.
        db.execute(f"""CREATE TABLE queries_{side} AS SELECT query_id, arg_min(query, row) AS query FROM pairs_{side}
            WHERE query_id IS NOT NULL AND query IS NOT NULL AND candidate_id IS NOT NULL GROUP BY query_id""")
    match_queries(db, "FROM queries_b", "FROM queries_a")
    db.execute("""CREATE TABLE ties AS SELECT query_id AS a, asked_id AS b,
        2 * (query_id = asked_id)::INT + (text = asked_text)::INT AS close FROM meant""")
    for side in "ba":
        db.execute(f"""CREATE OR REPLACE TABLE ties AS
            FROM (FROM ties QUALIFY close = max(close) OVER (PARTITION BY {side}))
            QUALIFY count(*) OVER (PARTITION BY {side}) = 1""")
    db.execute("CREATE TABLE keys_a AS SELECT query_id, query_id AS key FROM queries_a")
    # What A has not gets a key that is no id of A.
    db.execute("""CREATE TABLE keys_b AS SELECT query_id, coalesce(t.a, chr(31) || query_id) AS key
        FROM queries_b LEFT JOIN ties t ON t.b = query_id""")


def _load(db: Any, side: RunVersion, fields: Sequence[str], shared: Sequence[str]) -> None:
    values = sorted(side.scale)
    own = " ".join(f"WHEN {value} THEN {side.scale[value]}" for value in values)
    # Not `list_dot_product`: over a stored column it fails at rows without probabilities, such as skipped ones.
    mean = " + ".join(f"l.probabilities[{place}] * {side.scale[value]}" for place, value in enumerate(values, 1))
    length = " + ".join(f"coalesce(length(p.candidate.{identifier(name)}), 0)" for name in fields) or "0"
    text = ", ".join(f"coalesce(p.candidate.{identifier(name)}, '')" for name in shared)
    category = "p.candidate.category" if "category" in fields else "NULL::VARCHAR"
    name = side.name
    db.execute(f"""CREATE TABLE {name} AS
        WITH chosen AS (
            -- A pair's row is the one that was judged, or the first where none was: repeats follow it.
            SELECT key, candidate_id, coalesce(min(row) FILTER (skip IS NULL), min(row)) AS row
            FROM pairs_{name} JOIN keys_{name} USING (query_id)
            WHERE query IS NOT NULL AND candidate_id IS NOT NULL GROUP BY ALL),
        labels AS ({_labels(side.run)})
        SELECT c.key, p.query_id, c.candidate_id, c.row,
               CASE WHEN d.grade IS NULL THEN coalesce(l.status, '{UNLABELLED}') ELSE 'graded' END AS status,
               coalesce(CASE d.grade {own} END, CASE l.grade {own} END)::INTEGER AS grade,
               coalesce(CASE d.grade {own} END, {mean},
                        CASE l.grade {own} END)::DOUBLE AS expected,
               list_max(l.probabilities) AS confidence, CASE WHEN d.grade IS NULL THEN l.reason END AS reason,
               CASE l.grade {own} END AS label_grade, d.decided_by, d.decision_reason,
               {f"hash(p.query, {text})" if text else "NULL::UBIGINT"} AS text,
               len(regexp_extract_all(p.query, '[^\\s\\pZ]+')) AS words, p.locale,
               nullif(trim(split_part({category}, '>', 1)), '') AS category, {length} AS length
        FROM chosen c JOIN pairs_{name} p USING (row) LEFT JOIN labels l USING (row)
        LEFT JOIN decided_{name} d ON d.query_id = p.query_id AND d.candidate_id = c.candidate_id
                                  AND coalesce(l.status, '') <> 'skipped' AND d.grade IS NOT NULL""")


def _labels(run: Run) -> str:
    """A run's labels as SQL; none where nothing is labelled yet."""
    parts = ", ".join(map(quoted, run.parts()))
    if parts:
        return f"SELECT row, status, grade, probabilities, reason FROM read_parquet([{parts}])"
    return """SELECT NULL::BIGINT AS row, NULL::VARCHAR AS status, NULL::INTEGER AS grade,
                     NULL::DOUBLE[] AS probabilities, NULL::VARCHAR AS reason WHERE false"""
