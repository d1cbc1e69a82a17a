"""Engagement that comes added up, a row a query, candidate and position: no single search is known."""

from typing import Any

from audit.engagement.ranks import LOWEST
from audit.engagement.source import Opened


def count_rows(db: Any, opened: Opened, key: str) -> dict[str, Any]:
    """Make the tables `cells` and `queries` of `rows`, and say what became of each row."""
    same = {name: name for name in ("impressions", "clicks", "purchases")}
    wanted = same | {"carts": "add_to_carts", "live": "clicked_search_impressions"}
    known = {name: column for name, column in wanted.items() if column in opened.columns}
    numbers = ", ".join(f"whole({column}) AS {name}_" for name, column in known.items())
    bad = " OR ".join(f"{name}_ IS NULL OR {name}_ < 0" for name in known)
    db.execute(f"""CREATE TABLE checked AS SELECT *, CASE
            WHEN broken IS NOT NULL THEN broken WHEN {key} IS NULL THEN 'no_query'
            WHEN candidate_id IS NULL THEN 'no_candidate'
            WHEN position IS NULL OR position < 1 THEN 'bad_position' WHEN {bad} THEN 'bad_count'
            WHEN clicks_ > impressions_ {"OR live_ > impressions_" if "live" in known else ""}
                THEN 'clicks_above_impressions' END AS problem
        FROM (SELECT *, {numbers} FROM rows)""")
    sums = ", ".join(
        f"sum({name}_)::BIGINT AS {name}" if name in known else f"NULL::BIGINT AS {name}" for name in wanted
    )
    db.execute(f"""CREATE TABLE cells AS
        SELECT q, c, least(position, {LOWEST}) AS position, NULL::INTEGER AS last, {sums}, count(*) AS used
        FROM checked WHERE problem IS NULL GROUP BY ALL""")
    # What was shown at the first position in use tells the searches, as near as counts can tell.
    place = "position" if opened.placed else "c"  # each candidate is shown once in a search
    db.execute(f"""CREATE TABLE queries AS SELECT q, max(shown)::BIGINT AS searches, NULL::BIGINT AS clicked,
        sum(clicks)::BIGINT AS clicks FROM (SELECT q, {place}, sum(impressions) AS shown, sum(clicks) AS clicks FROM
        cells GROUP BY q, {place}) GROUP BY q""")
    counted = dict(db.execute("SELECT problem, count(*) FROM checked GROUP BY 1").fetchall())
    return {"rows": sum(counted.values()), "set_aside": {k: n for k, n in counted.items() if k}, "bots": 0}
