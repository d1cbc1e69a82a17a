"""A catalogue with a row for each attribute of a product, as Home Depot's: it can be turned into rows of products."""

import re
from collections.abc import Sequence

NAMES = ("name", "attribute", "attribute_name", "property", "key")
"""What the column with the attribute's name is called, next to `value`."""


def pivot_fix(name: str, columns: Sequence[str], product: str | None) -> str | None:
    """The command that writes a row for each product; null where the columns are others, or no shell could run it.

    Args:
        name: The file.
        columns: Its columns.
        product: Which of them has the product's id.
    """
    attribute = next((column for column in columns if column.casefold() in NAMES), None)
    value = next((column for column in columns if column.casefold() == "value"), None)
    plain = all(re.fullmatch(r"\w+", column or "") for column in (product, attribute, value))
    if not plain or not name.endswith((".csv", ".tsv")) or re.search(r"[\"'$`\\\\!]", name):
        return None
    rows = f"FROM read_csv('{name}', all_varchar = true)"
    sql = f"COPY (PIVOT ({rows}) ON {attribute} USING first({value}) GROUP BY {product}) TO 'catalogue.parquet' "
    return f"write it so: `python -c \"import duckdb; duckdb.sql('''{sql}''')\"`"
