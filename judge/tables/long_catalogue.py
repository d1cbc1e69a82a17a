"""A catalogue with a row for each attribute of a product, as Home Depot's: it can be turned into rows of products."""

import re
from contextlib import suppress
from itertools import islice

from judge.errors import InputError
from judge.tables.rows import Row, Table

NAMES = ("name", "attribute", "attribute_name", "property", "key")
"""What the column with the attribute's name is called, next to `value`."""
SAMPLE = 200
"""Rows that are looked at."""


def pivot_fix(table: Table, product: str | None) -> str | None:
    """The command that writes a row for each product; null where a catalogue is another one, or no shell could run it.

    Args:
        table: The catalogue.
        product: Which of its columns has the product's id, which repeats.
    """
    columns = table.columns or ()
    attribute = next((column for column in columns if column.casefold() in NAMES), None)
    value = next((column for column in columns if column.casefold() == "value"), None)
    plain = all(re.fullmatch(r"\w+", column or "") for column in (product, attribute, value))
    if not plain or not table.name.endswith((".csv", ".tsv")) or re.search(r"[\"'$`\\\\!]", table.name):
        return None
    if not _repeats(table, str(product)):
        return None
    rows = f"FROM read_csv('{table.name}', all_varchar = true)"
    sql = f"COPY (PIVOT ({rows}) ON {attribute} USING first({value}) GROUP BY {product}) TO 'catalogue.parquet' "
    return f"write it so: `python -c \"import duckdb; duckdb.sql('''{sql}''')\"`"


def _repeats(table: Table, column: str) -> bool:
    """Whether a cell of the first rows occurs twice."""
    found: list[object] = []
    with suppress(InputError):  # what is wrong with the file is said where it is read
        found = [row.values.get(column) for row in islice(table.rows([column]), SAMPLE) if isinstance(row, Row)]
    return len(set(found)) < len(found)
