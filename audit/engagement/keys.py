"""Which query a row is of, and what the hashes stand for by which an engagement file is added up."""

from typing import Any

from judge.tables.ids import id_sql
from judge.words.normalise import keyed


def take_queries(db: Any, key: str, has: set[str]) -> str:
    """The view to read instead of `named`: an event that brings no query has that of its search, where this has one.

    What was clicked or bought is often logged apart from what was shown, by the id of the search alone. `key` is the
    column that names queries, `has` are the view's columns. What has words and no id is no event without a query.
    """
    words = f" AND {id_sql('query::VARCHAR')} IS NULL" if key == "query_id" and "query" in has else ""
    bare = f"SELECT search_id FROM named WHERE {key} IS NULL AND search_id IS NOT NULL{words}"
    if not db.execute(f"{bare} LIMIT 1").fetchall():
        return "named"
    db.execute(f"""CREATE TABLE queries_of_searches AS SELECT search_id, min({key}) AS own FROM named
        WHERE {key} IS NOT NULL AND search_id IN ({bare}) GROUP BY 1 HAVING count(DISTINCT {key}) = 1""")
    db.execute(f"""CREATE VIEW named_by_search AS SELECT n.* REPLACE (coalesce(n.{key}, o.own) AS {key})
        FROM named n LEFT JOIN queries_of_searches o ON n.{key} IS NULL AND o.search_id = n.search_id{words}""")
    return "named_by_search"


def make_keys(db: Any, key: str, has: set[str]) -> None:
    """The tables `query_keys` and `candidate_keys`: texts, and what the file says of each query.

    `key` is the column that names queries, `has` are the columns of the view `rows`.
    """
    promoted = "bool_or(flag(promoted) = 1) FILTER (promoted IS NOT NULL)" if "promoted" in has else "NULL"
    kind = "min(kind::VARCHAR)" if "kind" in has else "NULL"
    words = "SELECT DISTINCT q, query::VARCHAR AS words FROM rows"
    if key != "query_id" or "query" not in has:
        words = "SELECT NULL::UBIGINT AS q, NULL::VARCHAR AS words WHERE false"
    db.execute(f"CREATE TABLE query_words AS {words}")
    keyed(db, "SELECT words FROM query_words", "word_keys")
    # An id that stands for one text can be found by it; one that stands for several says too little.
    db.execute(f"""CREATE TABLE query_keys AS
        SELECT * FROM (
            SELECT q, any_value({key}) AS text, {key == "query_id"} AS given, {kind} AS kind, {promoted} AS promoted
            FROM rows WHERE {key} IS NOT NULL GROUP BY q)
        LEFT JOIN (
            SELECT q, CASE WHEN min(k.key) = max(k.key) THEN min(w.words) END AS words
            FROM query_words w JOIN word_keys k ON k.text = w.words GROUP BY q) USING (q)""")
    db.execute("""CREATE TABLE candidate_keys AS
        SELECT c, any_value(candidate_id) AS candidate_id FROM rows WHERE candidate_id IS NOT NULL GROUP BY c""")
