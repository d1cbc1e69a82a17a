"""How a candidate's fields become one text: one way, for every view."""

from collections.abc import Sequence
from typing import Any

from judge.run.manifest import Manifest
from judge.sql import identifier

SEPARATOR = " | "
"""Between fields. A line break would split the records of line-based formats."""
TITLE = "title"
"""The field that formats with a title of their own take it from."""
# Skipped rows can bring another text for an id. A query without words is known by its id, as a hash: ids of one pattern
# are not near-duplicates.
QUERIES = """SELECT r.query_id AS id, coalesce(nullif(p.query, ''), sha256(r.query_id)) AS text FROM pairs p
    JOIN (SELECT query_id, min(position) AS position FROM rows WHERE left_out IS DISTINCT FROM 'skipped'
    GROUP BY query_id) r USING (position)"""
"""SQL of the queries of an export's rows: `id, text`."""


def field_names(manifest: Manifest) -> tuple[str, ...]:
    """The names of the guideline's fields, in reading order."""
    return tuple(field["name"] for field in manifest.guideline["fields"])


def candidate_text(candidates: Any, fields: Sequence[str]) -> Any:
    """An Arrow struct array of candidates as one text each: the fields that are there, in this order.

    Returns an Arrow string array; empty where a candidate has none of the fields.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    known = {field.name for field in candidates.type}
    parts = [pc.struct_field(candidates, name) for name in fields if name in known]
    # pyarrow 26 drops a row whose parts are all null, and shifts the others: an empty part keeps it, and is cut off.
    kept = pa.array([""] * len(candidates), pa.string())
    joined = pc.binary_join_element_wise(kept, *parts, SEPARATOR, null_handling="skip")
    return pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(joined, len(SEPARATOR)))


def has_text(fields: Sequence[str]) -> str:
    """The same question as SQL over a column `candidate`: whether that text is more than empty.

    Blank texts are null there, so none has to be read: at ten million rows that is most of the time.
    """
    return "(" + " OR ".join(f"candidate.{identifier(name)} IS NOT NULL" for name in fields) + ")"
