"""Which products are copies of each other: the same words, or nearly, with the same attribute values and numbers."""

import re

from judge.words.forms import canonical
from judge.words.similar import cluster
from mine.asked import Queries
from mine.attributes import Attributes
from mine.candidates import Copies, Proposals
from mine.relations import signature

_NUMBERS = re.compile(r"\d+(?:[.,]\d+)?")


def find_copies(attributes: Attributes, queries: Queries, proposals: Proposals) -> Copies:
    """What every product says that is proposed, or known of a query."""
    import duckdb
    import pyarrow as pa

    catalogue = attributes.catalogue
    places = {each.place for lists in proposals.values() for some in lists for each in some}
    places |= {catalogue.place[key] for asked in queries.asked for key in asked.known if key in catalogue.place}
    order = sorted(places)
    texts = [catalogue.products[at].text for at in order]
    with duckdb.connect() as db:
        db.execute("SET enable_progress_bar = false")
        table = pa.table({"id": pa.array([str(at) for at in order], pa.string()), "text": pa.array(texts, pa.string())})
        db.register("_products", table)
        db.execute("CREATE TABLE products AS FROM _products")
        cluster(db, "SELECT id, text FROM products", "clusters")
        keys = {int(key): name for key, name in db.execute("SELECT id, key FROM clusters").fetchall()}
    same, near = {}, {}
    for at, text in zip(order, texts, strict=True):
        values = signature(attributes.products[at])
        numbers = " ".join(sorted({*_NUMBERS.findall(catalogue.products[at].title)}))
        same[at] = canonical(text)
        near[at] = "\x1f".join((keys[at], values, numbers))
    return Copies(same, near)
