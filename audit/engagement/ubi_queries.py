"""The words of searches that events know by id: UBI's `ubi_queries`, in the same file or in one of its own.

A record of a query is no event. Where the log has no impressions of its own, what each search showed is taken from the
record's `query_response_hit_ids`: the first id stood at rank 1.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from judge.pairs.queries import QueryRecord
from judge.sql import quoted
from judge.tables.ids import whole_id_sql
from judge.words.normalise import keyed

BATCH = 20_000


def load_records(db: Any, records: Iterator[QueryRecord]) -> None:
    """Make the table `query_file` of a file of queries: `id, words, hits, client`.

    Raises:
        InputError: The file cannot be used.
    """
    import pyarrow as pa

    db.execute("CREATE TABLE query_file (id VARCHAR, words VARCHAR, hits VARCHAR[], client VARCHAR)")
    schema = pa.schema(
        [("id", pa.string()), ("words", pa.string()), ("hits", pa.list_(pa.string())), ("client", pa.string())]
    )
    while batch := list(islice(records, BATCH)):
        columns = zip(*((r.query_id, r.query, list(r.hits), r.client_id) for r in batch), strict=True)
        arrays = [pa.array(cells, kind.type) for cells, kind in zip(columns, schema, strict=True)]
        db.register("_records", pa.Table.from_arrays(arrays, schema=schema))
        db.execute("INSERT INTO query_file SELECT * FROM _records")
        db.unregister("_records")


def contradicting_id(db: Any) -> tuple[str, str, str] | None:
    """An id that the table `query_file` has with two texts, and both; null where there is none."""
    keyed(db, "SELECT words FROM query_file", "query_forms")
    found = db.execute(f"""SELECT min(id), arg_min(words, key), arg_max(words, key)
        FROM query_file JOIN query_forms ON text = words WHERE id IS NOT NULL
        GROUP BY {whole_id_sql("id")} HAVING count(DISTINCT key) > 1 ORDER BY ALL LIMIT 1""").fetchall()
    return found[0] if found else None


def words_of_ids(db: Any, key: str, columns: tuple[str, ...], *, in_file: bool, given: bool) -> bool:
    """Make the view `raw` anew, over what it was: with the words of ids, and impressions where the log has none.

    Args:
        db: The connection, with the view `raw`, and the table `query_file` where `given`.
        key: The column of `raw` that holds the ids: `search_id` or `query_id`.
        columns: Those of `raw`, among them `hits` where its records of queries have such a list.
        in_file: Whether rows without an action are records of queries.
        given: Whether there is a file of queries.

    Returns:
        Whether impressions were made of what records say was shown.
    """
    own = f"""SELECT {key}::VARCHAR AS id, query AS words, {"hits" if "hits" in columns else "NULL::VARCHAR[]"} AS hits,
        {"client_id" if "client_id" in columns else "NULL"} AS client
        FROM raw_rows WHERE broken IS NULL AND action IS NULL AND query IS NOT NULL"""
    sources = [*([own] if in_file else []), *(["SELECT * FROM query_file"] if given else [])]
    db.execute("ALTER VIEW raw RENAME TO raw_rows")
    db.execute(f"""CREATE TABLE query_records AS
        SELECT *, {whole_id_sql("id")} AS whole FROM ({" UNION ALL ".join(sources)})""")
    keyed(db, "SELECT words FROM query_records", "query_forms")
    db.execute("""CREATE TABLE words_of AS SELECT whole, min(words) AS words
        FROM query_records JOIN query_forms ON text = words
        WHERE whole IS NOT NULL GROUP BY whole HAVING count(DISTINCT key) = 1""")
    kept = [name for name in columns if name not in ("hits", "query")]
    query = "coalesce(nullif(trim(r.query::VARCHAR), ''), w.words)" if "query" in columns else "w.words"
    listed = ", ".join(f"r.{name}" for name in kept)
    rows = f"""SELECT {listed}, {query} AS query, r.broken, false AS made
        FROM raw_rows r LEFT JOIN words_of w ON w.whole = {whole_id_sql(f"r.{key}::VARCHAR")}"""
    if not _shows(db, columns):
        db.execute(f"CREATE VIEW raw AS {rows}")
        return False
    # A click has the rank of its impression: one that counts from elsewhere says nothing.
    rows = f"SELECT * REPLACE (NULL::VARCHAR AS position) FROM ({rows})"
    made = {
        "search_id": "id",
        "query_id": "id",
        "candidate_id": "unnest(hits)",
        "position": "generate_subscripts(hits, 1)::VARCHAR",
        "action": quoted("impression"),
        "client_id": "client",
    }
    shown = ", ".join(f"{made.get(name, 'NULL')} AS {name}" for name in kept)
    # One record of a search is enough, should its file hold several: the longest list, whatever the rows' order.
    db.execute(f"""CREATE TABLE shown_hits AS SELECT {shown}, words AS query, NULL::VARCHAR AS broken, true AS made
        FROM (FROM query_records WHERE id IS NOT NULL AND len(hits) > 0 QUALIFY
              row_number() OVER (PARTITION BY whole ORDER BY len(hits) DESC, hits, words, client, id) = 1)""")
    db.execute(f"CREATE VIEW raw AS {rows} UNION ALL BY NAME SELECT * FROM shown_hits")
    return True


def _shows(db: Any, columns: tuple[str, ...]) -> bool:
    """Whether impressions are to be made: events without any, and records that say what was shown."""
    if "action" not in columns:
        return False
    ((shown, hits),) = db.execute("""SELECT EXISTS (SELECT 1 FROM raw_rows WHERE act(action) = 'impression'),
        EXISTS (SELECT 1 FROM query_records WHERE len(hits) > 0)""").fetchall()
    return bool(hits and not shown)
