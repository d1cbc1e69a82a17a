"""Searches that one shopper makes again and again: they are no independent evidence.

Somebody who looks for one product every day, a shop's own staff or a rival who clicks on it, would count as many
shoppers. So of a client's searches for one query `SEARCHES` count, which of them by chance. An id that many share, as
all have who gave no consent, has as large a share of every query as of the whole log: `SHARE` times that many count.
"""

from typing import Any

SEARCHES = 10
SHARE = 2.0


def set_repeats_aside(db: Any, robots: str) -> None:
    """Mark the rows of searches beyond those that count as `repeated`, in the table `checked`.

    `robots` selects the clients that are set aside anyway; empty where there are none.
    """
    people = f"problem IS NULL {robots and f'AND coalesce(client, 0) NOT IN ({robots})'}"
    db.execute(f"""CREATE TABLE searchers AS
        SELECT s, any_value(q) AS q, min(client) AS client FROM checked WHERE {people} GROUP BY s""")
    db.execute("CREATE TABLE total AS SELECT count(*) FROM searchers")
    db.execute(f"""CREATE TABLE regulars AS
        SELECT client, q, greatest({SEARCHES}, {SHARE} * mine.searches * theirs.searches / (FROM total)) AS most
        FROM (SELECT client, q, count(*) AS searches FROM searchers WHERE client IS NOT NULL GROUP BY ALL) own
        JOIN (SELECT client, count(*) AS searches FROM searchers GROUP BY ALL) mine USING (client)
        JOIN (SELECT q, count(*) AS searches FROM searchers GROUP BY ALL) theirs USING (q)
        WHERE own.searches > {SEARCHES}""")
    db.execute("""CREATE TABLE repeated AS SELECT s FROM (
        SELECT s, most, row_number() OVER (PARTITION BY client, q ORDER BY s) AS place
        FROM searchers JOIN regulars USING (client, q)) WHERE place > most""")
    db.execute(f"UPDATE checked SET problem = 'repeated' WHERE {people} AND s IN (SELECT s FROM repeated)")
    for table in ("searchers", "total", "regulars", "repeated"):
        db.execute(f"DROP TABLE {table}")
