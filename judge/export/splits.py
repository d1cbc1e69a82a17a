"""Splits over queries that stay put: by a hash of the query's words, near-duplicates on one side.

A query's side depends on the words of its cluster's representative alone, not on the order, number or grades of rows.
What can move when data grows: a query to which a near-duplicate (a plural, a letter more or less, the same letters
nearly) comes with a smaller hash, or through which two clusters become one. Nothing else, and nothing for what is
selected of a run.

Products stand in many queries, so that no hash can keep both apart. Queries decide, and the smaller split comes first:
where a product, or one nearly the same, belongs to a query of a smaller split, its rows in larger ones are left out.
A row never changes sides for that; held-out queries keep all their candidates.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from judge.errors import InputError
from judge.export.selection import Selection
from judge.export.texts import QUERIES
from judge.sql import another, identifier
from judge.words.normalise import BATCH
from judge.words.similar import cluster

ELSEWHERE = "its product is in a smaller split"


def unit(key: str) -> float:
    """A text's place in [0, 1): the same for ever."""
    return int.from_bytes(hashlib.sha256(f"split:{key}".encode("utf-8", "surrogatepass")).digest()[:7]) / 2**56


def side(key: str, splits: Mapping[str, float]) -> int:
    """The place, among the splits in their order, of the one whose share of [0, 1) holds the text."""
    place = unit(key)
    for number, end in enumerate(accumulate(splits.values())):
        if place < end:
            return number
    return len(splits) - 1


def assign(db: Any, selection: Selection, fields: Sequence[str], normalisation: int) -> None:
    """Fill `split` of the table `rows`, and leave out rows whose product is held out elsewhere.

    `normalisation` is the run's: a split stays what it was when the rule for texts changes.

    Raises:
        InputError: A split is left without any row.
    """
    import pyarrow as pa

    if not selection.splits:
        return
    # Of queries without a row to export, too: one may stand for its cluster, whatever is selected.
    cluster(db, QUERIES, "query_clusters", normalisation, queries=True)
    db.execute("CREATE OR REPLACE TABLE sides (query_id VARCHAR, split TINYINT)")
    for batch in another(db).sql("SELECT id, key FROM query_clusters").to_arrow_reader(BATCH):
        sides = [side(key, selection.splits) for key in batch.column(1).to_pylist()]
        db.register("_incoming", pa.table({"query_id": batch.column(0), "split": pa.array(sides, pa.int8())}))
        db.execute("INSERT INTO sides SELECT * FROM _incoming")
        db.unregister("_incoming")
    db.execute("UPDATE rows SET split = s.split FROM sides s WHERE rows.query_id = s.query_id AND left_out IS NULL")
    if selection.products == "apart":
        _part_products(db, selection, fields, normalisation)
    found = {number for (number,) in db.execute("SELECT DISTINCT split FROM rows WHERE left_out IS NULL").fetchall()}
    for number, name in enumerate(selection.names):
        if number not in found:
            kept = "" if selection.products == "shared" else ", or let splits share products with --products shared"
            raise InputError(f"--splits: {name!r} is left without any row", f"give it a larger share{kept}")


def _part_products(db: Any, selection: Selection, fields: Sequence[str], normalisation: int) -> None:
    text = ", ".join(f"p.candidate.{identifier(name)}" for name in fields)
    text = f"coalesce(nullif(concat_ws(' ', {text}), ''), sha256(r.candidate_id))"  # as `QUERIES` does
    products = f"""SELECT r.candidate_id AS id, {text} AS text FROM pairs p
        JOIN (SELECT candidate_id, min(position) AS position FROM rows WHERE left_out IS NULL
        GROUP BY candidate_id) r USING (position)"""
    cluster(db, products, "product_clusters", normalisation)
    # Smaller shares come first; of equal ones the one named later.
    order = sorted(range(len(selection.splits)), key=lambda n: (list(selection.splits.values())[n], -n))
    ranks = ", ".join(str(order.index(number)) for number in range(len(order)))
    db.execute(f"""UPDATE rows SET left_out = '{ELSEWHERE}' FROM (
            SELECT r.row FROM rows r JOIN product_clusters c ON r.candidate_id = c.id
            JOIN (SELECT c.key, min(([{ranks}])[r.split + 1]) AS rank FROM rows r
                  JOIN product_clusters c ON r.candidate_id = c.id WHERE r.left_out IS NULL GROUP BY c.key) o
            ON o.key = c.key
            WHERE r.left_out IS NULL AND ([{ranks}])[r.split + 1] > o.rank) gone
        WHERE rows.row = gone.row""")
