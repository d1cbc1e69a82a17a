"""Labels as a run keeps them: an Arrow table with the fields of `Label`, in order."""

from collections.abc import Sequence
from typing import Any

from judge.records import Label


def label_schema() -> Any:
    """The Arrow schema of labels: the fields of `Label`, in order."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    kinds = {
        "row": pa.int64(),
        "grade": pa.int32(),
        "probabilities": pa.list_(number),
        "expected_grade": number,
        "outside_mass": number,
    }
    return pa.schema([(name, kinds.get(name, text)) for name in Label.model_fields])


BLENDED = ("own_probabilities", "cosine", "overlap")
"""Further columns of labels whose probabilities a blend made: the judge's own ones, and what the texts say; null where
it said none, or the blend does not read them."""


def blended_schema() -> Any:
    """The Arrow schema of `BLENDED`."""
    import pyarrow as pa

    own, *features = BLENDED
    return pa.schema([(own, pa.list_(pa.float64())), *((name, pa.float64()) for name in features)])


def label_table(labels: Sequence[Label]) -> Any:
    """Labels as an Arrow table."""
    import pyarrow as pa

    schema = label_schema()
    return pa.table({name: [getattr(label, name) for label in labels] for name in schema.names}, schema=schema)
