"""Which pairs of a run another file means. Ratings, events, decisions, two runs and the trace all follow one rule.

A row names a pair by a candidate's id, and its query by an id, by words, or by both. It means the query of the run

1. that has its id and its words;
2. else, those that have its words, by whatever ids they go: two files can number their queries each for itself;
3. else, where one of the two sides has no words, the one that has its id;
4. else, where it has no words, those whose words stand in the place of its id, or whose words its id was made of.

So an id that stands for other words is no match. Words are the same as `judge.words.normalise.same_words` has them;
an id of a run from before `101.0` was read as 101 is found by both. Of several queries with those words, the pair spelt
exactly so is meant; where that leaves several, none is: nobody can tell which. A row that repeats a pair is never the
one.
"""

from collections.abc import Callable, Sequence
from typing import Any

from judge.sql import in_memory
from judge.tables.ids import whole_id_sql
from judge.words.normalise import keyed, same_words

REPEATS = "repeats row %"
"""What is said, as SQL's LIKE has it, of a row that was skipped because an earlier one is the same pair."""
Key = tuple[str | None, str | None, str]
"""(query_id, query, candidate_id)."""


def match_queries(db: Any, asked: str, known: str, words: Callable[[str], str] = same_words) -> None:
    """Make the table `meant` of which queries mean which: `asked_id, asked_text, query_id, text`.

    Args:
        db: A DuckDB connection.
        asked: SQL of `query_id, query`: how rows name their queries; either can be null or empty.
        known: SQL of `query_id, query`: the queries that there are.
        words: The form under which two texts are the same words.
    """
    whole = whole_id_sql("query_id")
    db.execute(f"""CREATE OR REPLACE TABLE _asked AS
        SELECT DISTINCT coalesce(query_id, '') AS asked_id, coalesce(query, '') AS asked_text FROM ({asked})""")
    db.execute(f"""CREATE OR REPLACE TABLE _known AS SELECT DISTINCT unnest([query_id, {whole}]) AS named, query_id,
        coalesce(query, '') AS text FROM ({known}) WHERE query_id IS NOT NULL""")
    keyed(db, "SELECT unnest([asked_id, asked_text]) FROM _asked UNION SELECT text FROM _known", "_words", words)
    db.execute("""CREATE OR REPLACE TABLE meant AS
        WITH a AS (SELECT a.*, t.key AS words, i.key AS id_words FROM _asked a
                   JOIN _words t ON t.text = asked_text JOIN _words i ON i.text = asked_id),
        k AS (SELECT k.*, w.key AS words FROM _known k JOIN _words w USING (text)),
        tiers AS (
            SELECT asked_id, asked_text, query_id, text, CASE WHEN asked_id = named THEN 1 ELSE 2 END AS tier
            FROM a JOIN k ON a.words = k.words WHERE a.words <> ''
            UNION ALL SELECT asked_id, asked_text, query_id, text, 3 FROM a JOIN k ON asked_id = named
            WHERE asked_id <> '' AND (a.words = '' OR k.words = '')
            UNION ALL SELECT asked_id, asked_text, query_id, text, 4 FROM a JOIN k ON id_words = k.words
            WHERE a.words = '' AND id_words <> ''
            UNION ALL SELECT asked_id, asked_text, query_id, text, 4
            FROM a JOIN k ON asked_id = left(sha256(trim(text)), 16) WHERE a.words = '' AND text <> '')
        SELECT DISTINCT asked_id, asked_text, query_id, text
        FROM (FROM tiers QUALIFY tier = min(tier) OVER (PARTITION BY asked_id, asked_text))""")


def find_pairs(db: Any) -> None:
    """Make the table `found` of the pairs that rows mean: `place, row, pairs`, a row for each of `keys`.

    `row` is the pair's in `pairs`, null where there is none or several; `pairs` says how many it could be.

    Args:
        db: A DuckDB connection with `keys` (`place, query_id, query, candidate_id`) and `pairs` (`row, query_id, query,
            candidate_id, skip`), as `Run.database(keys=…)` has it.
    """
    match_queries(db, "SELECT query_id, query FROM keys", "SELECT query_id, query FROM pairs")
    whole = whole_id_sql("candidate_id")
    db.execute(f"""CREATE OR REPLACE TABLE found AS
        WITH whole AS (SELECT row, query_id, coalesce(query, '') AS text, candidate_id, skip FROM pairs
                       WHERE skip IS NULL OR skip NOT LIKE '{REPEATS}'),
        p AS (SELECT *, false AS other FROM whole
              UNION ALL SELECT * REPLACE ({whole} AS candidate_id), true FROM whole WHERE candidate_id <> {whole}),
        could AS (
            SELECT k.place, p.row, p.text = asked_text AS exact
            FROM keys k JOIN meant m ON asked_id = coalesce(k.query_id, '') AND asked_text = coalesce(k.query, '')
            JOIN p ON p.query_id = m.query_id AND p.text = m.text AND p.candidate_id = k.candidate_id
            -- The candidate of just that id; of its rows the one that was judged, or the first where none was.
            QUALIFY row_number() OVER (PARTITION BY k.place, p.query_id ORDER BY other, p.skip IS NOT NULL, p.row) = 1),
        best AS (FROM could QUALIFY exact = max(exact) OVER (PARTITION BY place))
        SELECT k.place, CASE WHEN count(b.row) = 1 THEN min(b.row) END AS row, count(b.row) AS pairs
        FROM keys k LEFT JOIN best b USING (place) GROUP BY k.place""")


def key_table(keys: Sequence[Key]) -> Any:
    """Keys as the Arrow table `keys`; `place` counts from 0."""
    import pyarrow as pa

    names = ("query_id", "query", "candidate_id")
    columns = {name: pa.array([key[at] for key in keys], pa.string()) for at, name in enumerate(names)}
    return pa.table({"place": pa.array(range(len(keys)), pa.int64()), **columns})


def find_one(key: Key, pairs: Sequence[Key]) -> int | None:
    """The position in `pairs` of the one that a key means, by the same rule; null where there is none or several."""
    import pyarrow as pa

    table = key_table(pairs).rename_columns(["row", "query_id", "query", "candidate_id"])
    with in_memory() as db:
        db.register("keys", key_table([key]))
        db.register("pairs", table.append_column("skip", pa.nulls(len(pairs), pa.string())))
        find_pairs(db)
        row: int | None = db.execute("SELECT row FROM found").fetchall()[0][0]
    return row
