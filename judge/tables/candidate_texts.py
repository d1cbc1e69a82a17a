"""A candidate's texts that stand together in one column of Parquet, as exports and runs of ours have them."""

from typing import Any

CANDIDATE = "candidate"


def flat_columns(schema: Any) -> tuple[list[str], dict[str, str]]:
    """A schema's columns, the fields of the struct `CANDIDATE` in its place, and the paths of these fields by name.

    They stay in it where one is called as another column is.
    """
    import pyarrow as pa

    at = schema.get_field_index(CANDIDATE)  # -1 where there are two
    struct = at >= 0 and pa.types.is_struct(schema.field(at).type)
    paths = {field.name: f"{CANDIDATE}.{field.name}" for field in schema.field(at).type} if struct else {}
    if not paths or {*paths} & {*schema.names}:
        return schema.names, {}
    return [*schema.names[:at], *paths, *schema.names[at + 1 :]], paths


def flat(batch: Any, columns: list[str]) -> Any:
    """A batch of these columns and paths, those fields in place of the struct that they were read in."""
    import pyarrow as pa

    at = batch.schema.get_field_index(CANDIDATE)
    if at < 0 or CANDIDATE in columns:
        return batch
    fields = zip(batch.column(at).type, batch.column(at).flatten(), strict=True)
    held = dict(zip(batch.schema.names, batch.columns, strict=True))
    del held[CANDIDATE]
    return pa.record_batch(held | {field.name: texts for field, texts in fields})
