"""Engagement added up in DuckDB, out of core: counts by query, candidate, position and the last click above.

Rules, in this order; each row that breaks one is set aside and counted under its name:

- `unreadable`, `invalid_json`: the line cannot be parted into cells; `not_text`: an id or a query is a list or object.
- `query_record`: of UBI's queries, whose words the events of its `query_id` take.
- `no_query`, `no_candidate`, `no_search`: an identity is missing (an event without a query has that of its search);
  `bad_position`: no whole number from the first rank on, which `audit.engagement.ranks` finds (events other than
  impressions take their impression's); `other_action`: an event of no interest here.
- `bad_count`: a count is negative or no whole number; `clicks_above_impressions`: counts that cannot be.
- `bad_flag`: whether a shown result was clicked, put into a cart or bought is neither 0 nor 1; empty is 0.
- `bot`: a client with more than `Rules.events_a_day` events on one day, or that clicked more than
  `Rules.click_share` of at least `Rules.impressions` results it saw. Needs `client_id`; days, a `timestamp` as
  `judge.tables.values.as_time` reads them. One that cannot be read is counted, and its row belongs to no day.
- `repeated`: a search of a client that makes it again and again (`audit.engagement.repeats`).
- `duplicate`: the same action on the same candidate of the same search, again.
- `not_shown`: an action on a candidate that its search never showed.

Texts are grouped by DuckDB's 64-bit hash: among 100 million different ones the chance of any clash is 1 in 3,700.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.engagement.count_rows import count_rows
from audit.engagement.damage import not_readable
from audit.engagement.keys import make_keys, take_queries
from audit.engagement.ranks import LOWEST, first_position
from audit.engagement.repeats import set_repeats_aside
from audit.engagement.shapes import other_actions
from audit.engagement.source import SHORT, EngagementFile, Opened, open_engagement
from judge.errors import InputError
from judge.tables.ids import column_ids_sql, id_sql
from judge.tables.values import day_sql

ACTIONS = ("impression", "click", "add_to_cart", "purchase")
# A cast alone would round 1.5, and a flag that came as 1.0 or Y would count as no click.
_MACROS = """
    CREATE MACRO whole(v) AS CASE WHEN TRY_CAST(v AS DOUBLE) = floor(TRY_CAST(v AS DOUBLE)) THEN TRY_CAST(v AS BIGINT)
        END;
    CREATE MACRO flag(v) AS CASE
        WHEN v IS NULL OR lower(trim(v::VARCHAR)) IN ('', 'false', 'f', 'no', 'n') OR TRY_CAST(v AS DOUBLE) = 0 THEN 0
        WHEN lower(trim(v::VARCHAR)) IN ('true', 't', 'yes', 'y') OR TRY_CAST(v AS DOUBLE) = 1 THEN 1 END;
    CREATE MACRO act(v) AS CASE WHEN v::VARCHAR IN {actions} THEN v::VARCHAR
        ELSE translate(lower(trim(v::VARCHAR)), ' -', '__') END"""


@dataclass(frozen=True)
class Rules:
    """When a client is taken for a bot, and what the work may use."""

    events_a_day: int = 5_000
    impressions: int = 200
    click_share: float = 0.8
    first_position: int | None = None
    """The rank of the first result, 0 or 1; found in the file unless given."""
    memory: str = "5GB"
    threads: int | None = None


@dataclass(frozen=True)
class Aggregated:
    """What an engagement file holds; the tables `cells`, `queries` and `searches` are in the connection.

    `cells(q, c, position, last, impressions, clicks, carts, purchases, live, used)`: `q` and `c` are keys of the tables
    `query_keys(q, text, given, words)` and `candidate_keys(c, candidate_id)`, `last` the position of the last click
    above (0 for none, null where unknown), `live` the impressions in searches where something was clicked (null where
    unknown), `used` the file's rows that are in the cell.
    """

    shape: str
    rows: int
    used: int
    set_aside: Mapping[str, int]
    bots: int
    """Clients taken for bots."""
    first_position: int
    """The file's rank of the first result, 0 or 1; in the tables the first is 1."""
    odd_times: int = 0
    """Rows that are no bad ones and whose `timestamp` is no time: the rule of events a day passes over them."""
    placed: bool = True
    """Whether the file says where results stood; else all count as if they stood in one place."""
    made_impressions: int = 0
    """Impressions that no row of the file is: records of queries say what searches showed."""
    other_actions: Mapping[str, int] = field(default_factory=dict)
    """The commonest actions that are not read, as the file writes them, with their rows."""

    @property
    def sessions(self) -> bool:
        """Whether single searches are known."""
        return self.shape != "counts"


def aggregate(db: Any, source: EngagementFile, rules: Rules | None = None) -> Aggregated:
    """Read an engagement file into the tables that `Aggregated` describes.

    Raises:
        InputError: The file cannot be read, or fits no known shape, or memory and disk do not suffice.
    """
    import duckdb

    name = source.name or str(source.path)
    try:
        found, rows = _aggregate(db, source, rules or Rules())
    except duckdb.OutOfMemoryException:
        raise InputError(f"{name}: memory and disk do not suffice", SHORT) from None
    except duckdb.Error as error:
        raise not_readable(source.path, name) from error
    if found.rows != rows:
        raise InputError(
            f"{name}: {found.rows:,} rows were read of {rows:,} counted in the file",
            "leave the file alone while it is read; if nothing else writes to it, give it as Parquet",
        )
    return found


def _aggregate(db: Any, source: EngagementFile, rules: Rules) -> tuple[Aggregated, int]:
    """What a file holds, and how many rows an independent count finds in it."""
    db.execute(_MACROS.format(actions=ACTIONS))
    opened = open_engagement(db, source)
    has = set(opened.columns)
    key = "query_id" if "query_id" in has and opened.shape != "ubi" else "query"
    # In JSON and Parquet an empty text is not null: without this, all who have no id would be one search or client.
    ids = [name for name in (key, "candidate_id", "search_id", "client_id") if name in has]
    # A query's text has no decimals to lose.
    texts = {name: id_sql(f"{name}::VARCHAR") for name in ids if name == "query"}
    cells = texts | column_ids_sql(db, "raw", [name for name in ids if name not in texts])
    first = first_position(db, opened, ACTIONS, rules.first_position)
    # A sum of integers would overflow at the last of them.
    rank = f"TRY_CAST(TRY_CAST(whole(position) AS INTEGER)::BIGINT + {1 - first} AS INTEGER)"
    db.execute(f"""
        CREATE VIEW named AS
            SELECT * REPLACE ({", ".join(f"{cell} AS {name}" for name, cell in cells.items())}, {rank} AS position),
                   {rank} IS NULL AND nullif(trim(position::VARCHAR), '') IS NOT NULL AS odd_position
            FROM {"raw" if opened.placed else "(SELECT *, 1 AS position FROM raw)"}""")
    view = take_queries(db, key, has) if "action" in has else "named"
    db.execute(f"CREATE VIEW rows AS SELECT *, hash({key}) AS q, hash(candidate_id) AS c FROM {view}")
    found = count_rows(db, opened, key) if opened.shape == "counts" else _event_rows(db, opened, key, rules)
    set_aside = {name: n for name, n in sorted(found["set_aside"].items()) if n}
    make_keys(db, key, has)
    rows = found["rows"]
    used = rows - sum(set_aside.values())
    more: dict[str, Any] = {name: found.get(name, 0) for name in ("odd_times", "made_impressions")}
    if "other_action" in set_aside:
        more["other_actions"] = other_actions(db, ACTIONS)
    counted = Aggregated(opened.shape, rows, used, set_aside, found["bots"], first, placed=opened.placed, **more)
    return counted, opened.rows


def _event_rows(db: Any, opened: Opened, key: str, rules: Rules) -> dict[str, Any]:
    _check_events(db, opened, key)
    bots, robots = 0, ""
    if "client_id" in opened.columns:
        bots, robots = _bots(db, rules)
        set_repeats_aside(db, robots)
    # What was made of records is shown, and is no row.
    real = "FILTER (NOT made)" if opened.made else ""
    own = f", coalesce(bit_or(bits) {real}, 0)::UTINYINT AS own" if opened.made else ""
    db.execute(f"""CREATE TABLE shown AS
        SELECT s, c, any_value(q) AS q, min(CASE WHEN bits & 1 = 1 THEN position END)
               AS position, bit_or(bits) AS bits, (count(*) {real})::INTEGER AS n{own}
        FROM checked WHERE problem IS NULL {robots and f"AND coalesce(client, 0) NOT IN ({robots})"} GROUP BY s, c""")
    distinct = "1" if opened.shape == "impressions" else "bit_count(own)" if opened.made else "bit_count(bits)"
    unseen, extra, kept = db.execute(f"""SELECT coalesce(sum(n) FILTER (bits & 1 = 0), 0),
        coalesce(sum(n - {distinct}) FILTER (bits & 1 = 1), 0), coalesce(sum(n), 0) FROM shown""").fetchone()
    odd = "count(*) FILTER (odd AND coalesce(problem, 'repeated') = 'repeated')"
    each = db.execute(f"SELECT problem, count(*) {real}, {odd} FROM checked GROUP BY 1").fetchall()
    counted = {name: n for name, n, _ in each if n}
    db.execute("DROP TABLE checked")
    unmade = "bits & 1 = 1 AND own & 1 = 0" if opened.made else "false"
    made = db.execute(f"SELECT count(*) FROM shown WHERE {unmade}").fetchone()[0]
    _cells(db, distinct)
    aside = {name: n for name, n in counted.items() if name}
    aside |= {"bot": counted.get(None, 0) - int(kept), "duplicate": int(extra), "not_shown": int(unseen)}
    more = {"odd_times": sum(n for *_, n in each), "made_impressions": made}
    return {"rows": sum(counted.values()), "set_aside": aside, "bots": bots, **more}


def _check_events(db: Any, opened: Opened, key: str) -> None:
    """The table `checked`: every row, its actions as bits, and the rule that it breaks."""
    has = set(opened.columns)
    if opened.shape == "impressions":
        flags = [("clicked", 2), ("add_to_cart", 4), ("purchase", 8)]
        bits = "1 + " + " + ".join(f"flag({name}) * {bit}" for name, bit in flags if name in has)
    else:
        cases = " ".join(f"WHEN '{name}' THEN {1 << bit}" for bit, name in enumerate(ACTIONS))
        bits = f"CASE act(action) {cases} ELSE 0 END"
    # The hash of null is a number: it would make one client of all that have no id.
    client = "CASE WHEN client_id IS NOT NULL THEN hash(client_id) END" if "client_id" in has else "NULL::UBIGINT"
    day = "NULL::DATE"
    if timed := "timestamp" in has:
        kind = db.execute("SELECT any_value(typeof(timestamp)) FROM (SELECT timestamp FROM raw LIMIT 1)").fetchone()[0]
        day = day_sql("timestamp", kind)
    # Among UBI's events there may be its records of queries, which are none.
    record = "WHEN action IS NULL AND candidate_id IS NULL AND query IS NOT NULL THEN 'query_record'"
    record = record if opened.shape == "ubi" else ""
    odd = "day IS NULL AND nullif(trim(timestamp::VARCHAR), '') IS NOT NULL" if timed else "false"
    made_column = ", made" if opened.made else ""
    # Three passes go over it: texts are read in the first alone.
    db.execute(f"""CREATE TABLE checked AS SELECT s, c, q, bits, client, day, {odd} AS odd{made_column},
            CASE WHEN position > 0 THEN least(position, {LOWEST})::UTINYINT END AS position, CASE
            WHEN broken IS NOT NULL THEN broken {record} WHEN bits = 0 THEN 'other_action'
            WHEN {key} IS NULL THEN 'no_query' WHEN candidate_id IS NULL THEN 'no_candidate'
            WHEN s IS NULL THEN 'no_search'
            WHEN odd_position OR position < 1 OR (bits & 1 = 1 AND position IS NULL) THEN 'bad_position'
            WHEN bits IS NULL THEN 'bad_flag' END AS problem
        FROM (SELECT *, ({bits})::UTINYINT AS bits, {client} AS client, {day} AS day,
                     CASE WHEN search_id IS NOT NULL THEN hash(search_id, q) END AS s FROM rows)""")


def _cells(db: Any, distinct: str) -> None:
    """Searches with the places of their clicks; impressions with what was clicked above them; queries."""
    db.execute("""CREATE TABLE searches AS SELECT s, any_value(q) AS q, count(*) FILTER (bits & 2 > 0) AS clicks,
               bit_or(1::BIGINT << position) FILTER (bits & 2 > 0) AS mask
        FROM shown WHERE bits & 1 = 1 GROUP BY s""")
    db.execute(f"""CREATE TABLE cells AS
        SELECT q, c, position::INTEGER AS position, last, count(*) AS impressions, count(*) FILTER (bits & 2 > 0)
               AS clicks, count(*) FILTER (bits & 4 > 0) AS carts, count(*) FILTER (bits & 8 > 0) AS purchases,
               count(*) FILTER (live) AS live, sum({distinct})::BIGINT AS used
        FROM (SELECT q, c, position, bits{", own" if "own" in distinct else ""}, mask IS NOT NULL AS live,
                     CASE WHEN mask & ((1::BIGINT << position) - 1) > 0
                          THEN floor(log2(mask & ((1::BIGINT << position) - 1)))::INTEGER ELSE 0 END AS last
              FROM shown LEFT JOIN (SELECT s, mask FROM searches WHERE mask IS NOT NULL) USING (s)
              WHERE bits & 1 = 1)
        GROUP BY ALL""")
    db.execute("""CREATE TABLE queries AS
        SELECT q, count(*) AS searches, count(*) FILTER (clicks > 0) AS clicked, sum(clicks)::BIGINT AS clicks
        FROM searches GROUP BY q""")


def _bots(db: Any, rules: Rules) -> tuple[int, str]:
    db.execute(f"""CREATE TABLE bots AS SELECT DISTINCT client FROM (
        SELECT client, count(day) AS events, count(*) FILTER (bits & 1 = 1) AS seen,
               count(*) FILTER (bits & 2 > 0) AS hit
        FROM checked WHERE problem IS NULL AND client IS NOT NULL GROUP BY client, day)
        GROUP BY client HAVING max(events) > {rules.events_a_day}
            OR (sum(seen) >= {rules.impressions} AND sum(hit) > {rules.click_share} * sum(seen))""")
    return int(db.execute("SELECT count(*) FROM bots").fetchone()[0]), "SELECT client FROM bots"
