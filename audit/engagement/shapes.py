"""The shapes of engagement files, by their columns."""

import re
from collections.abc import Mapping
from typing import Any

from judge.errors import InputError
from judge.tables.columns import Columns
from judge.tables.rows import Table

EVENT_NAMES = (
    "search_id",
    "query_id",
    "query",
    "candidate_id",
    "position",
    "action",
    "client_id",
    "timestamp",
    "kind",
    "promoted",
)
SHOWN_NAMES = ("clicked", "add_to_cart", "purchase")
COUNT_NAMES = ("impressions", "clicks", "add_to_carts", "purchases", "clicked_search_impressions")
EXPORTS = {
    ("event_name", "event_params"): "GA4's export",
    ("eventType", "objectIDs"): "Algolia's events",
    ("queryID", "hits"): "Algolia's searches",
}
"""Columns by which an export is known that has to be turned into events first."""
ONE = ("search_id", "query_id", "candidate_id", "client_id", "query")
"""Our names of ids, and of a query's words: a list of one is that one (`judge.tables.ids.as_id` and `as_query`),
several or an object are none."""
SHOWN = 60
"""Characters of an action that nothing reads, at most."""
NAMES = tuple(dict.fromkeys((*EVENT_NAMES, *SHOWN_NAMES, *COUNT_NAMES)))


def find_shape(found: dict[str, str], table: Table, columns: Columns, *, words: bool) -> str:
    """The shape of a file, of which our names are `found` in these columns; `words` says that a file of queries has the
    words of ids.

    Raises:
        InputError: It has none, or lacks a column of it.
    """
    shape = "counts" if "impressions" in found else "impressions" if "clicked" in found else "events"
    needed = {"counts": ["clicks"], "impressions": ["search_id"], "events": ["action", "search_id"]}[shape]
    if shape == "events" and "action" not in found:
        fix = "name the column with --map action=COLUMN, --map clicked=COLUMN or --map impressions=COLUMN"
        if not {"query", "query_id"} & found.keys() and not words:
            fix += "; the words of searches are needed as well: `query`, or `query_id` with --queries FILE"
        tool = next((tool for signs, tool in EXPORTS.items() if {*signs} <= columns.seen), None)
        raise InputError(
            f"{table.name}: has neither `action` (events), `clicked` (shown results) nor `impressions` (counts); "
            f"it has {', '.join(sorted(columns.seen)[:20])}",
            f"docs/engagement-exports.md has the SQL that makes events of {tool}" if tool else fix,
        )
    if (words or "query" in found) and found.get("query_id") == found.get("search_id"):
        # The id of a search, whose words stand elsewhere: taken for a query's, no product would be shown twice.
        found.pop("query_id", None)
    if "query_id" not in found and "query" not in found and not (words and "search_id" in found):
        needed.append("query")
    for name in (*needed, "candidate_id", *([] if shape == "counts" else ["position"])):
        if name not in found:
            raise InputError(
                f"{table.name}, row 1, field {name!r}: missing column; it has {', '.join(sorted(columns.seen)[:20])}",
                f"add the column, or name the one to use with --map {name}=COLUMN",
            )
    return shape


def other_actions(db: Any, known: tuple[str, ...], most: int = 5) -> dict[str, int]:
    """The commonest actions of the view `raw` that are none of `known`, cut short, with their rows.

    Rows without an action, as records of queries are, do not count. Needs the macro `act`.
    """
    found = db.execute(f"""SELECT left(action::VARCHAR, {SHOWN}), count(*) FROM raw
        WHERE broken IS NULL AND action IS NOT NULL AND coalesce(act(action) NOT IN {known}, true)
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {most}""").fetchall()
    return dict(found)


def refuse_nested(db: Any, name: str, found: Mapping[str, str]) -> None:
    """Refuse columns of Parquet that hold lists or objects, in the view `raw`. Of lists of ids or of words the view
    gets these, and rows with several are `not_text`. `found` has our names with the file's."""
    lists = []
    for ours, kind in db.execute("SELECT column_name, column_type FROM (DESCRIBE raw)").fetchall():
        if ours in ONE and re.fullmatch(r"[A-Z]+\[\]", kind):
            lists.append(ours)
        elif kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
            message = f"{name}, field {found[ours]!r}: holds lists or objects where one value is wanted"
            raise InputError(message, "write a row for each of them")
    if lists:
        ids = ", ".join(f"{ours}[1] AS {ours}" for ours in lists)
        several = " OR ".join(f"len({ours}) > 1" for ours in lists)
        db.execute("ALTER VIEW raw RENAME TO raw_lists")
        db.execute(f"""CREATE VIEW raw AS
            SELECT * REPLACE ({ids}, CASE WHEN {several} THEN 'not_text' ELSE broken END AS broken) FROM raw_lists""")
