"""What the hashes stand for by which an engagement file is added up."""

from typing import Any

from judge.words.normalise import keyed


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
