"""How a candidate's fields become one text: one way, for every view."""

from collections.abc import Sequence
from typing import Any

from judge.manifest import Manifest

SEPARATOR = " | "
"""Between fields. A line break would split the records of line-based formats."""
TITLE = "title"
"""The field that formats with a title of their own take it from."""


def field_names(manifest: Manifest) -> tuple[str, ...]:
    """The names of the guideline's fields, in reading order."""
    return tuple(field["name"] for field in manifest.guideline["fields"])


def candidate_text(candidates: Any, fields: Sequence[str]) -> Any:
    """An Arrow struct array of candidates as one text each: the fields that are there, in this order.

    Returns an Arrow string array; empty where a candidate has none of the fields.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    size = len(candidates)
    known = {field.name for field in candidates.type}
    parts = [pc.struct_field(candidates, name) for name in fields if name in known]
    if not parts:
        return pa.array([""] * size, pa.string())
    joined = pc.binary_join_element_wise(*parts, SEPARATOR, null_handling="skip")
    return pc.utf8_trim_whitespace(pc.fill_null(joined, "").cast(pa.string()))


def has_text(fields: Sequence[str]) -> str:
    """The same question as SQL over a column `candidate`: whether that text is more than empty."""
    texts = ", ".join(f'candidate."{name}"' for name in fields)
    return f"trim(concat_ws('', {texts}), ' \t\r\n') <> ''"
