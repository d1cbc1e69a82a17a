"""Everything that is known of each graded pair, as Parquet."""

import numpy as np

from judge.export.formats import Format
from judge.export.hard import hard_column
from judge.export.parquet import parquet_of
from judge.export.query_batches import Window
from judge.export.reading import read_pairs
from judge.export.views import Made, View, Work


def _make(window: Window, work: Work) -> Made:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = window.table
    keys = zip(table.column("query_id").to_pylist(), table.column("candidate_id").to_pylist(), strict=True)
    settled = work.chosen.decisions.settled
    found = [settled.get(key) for key in keys] if settled else [None] * len(table)
    confidence = pa.array(window.confidence, mask=np.isnan(window.confidence))
    columns = {
        "query_id": table.column("query_id"),
        "query": table.column("query"),
        "candidate_id": table.column("candidate_id"),
        "candidate": table.column("candidate"),
        "locale": table.column("locale"),
        "grade": pa.array(window.grade, pa.int32()),
        "probabilities": table.column("probabilities"),
        "expected_grade": table.column("expected_grade"),
        "confidence": confidence,
        "label_grade": pc.cast(table.column("grade"), pa.int32()),
        "decided_by": pa.array([d.author if d else None for d in found], pa.string()),
        "decision_reason": pa.array([d.reason if d else None for d in found], pa.string()),
        "fingerprint": table.column("fingerprint"),
    }
    if "mined" in table.column_names:
        mined = table.column("mined").combine_chunks()
        columns |= {name: pc.struct_field(mined, name) for name in ("source", "relation", "changed", "found_by")}
        columns["hard"] = hard_column(window.hard)
    return pa.table(columns), window.split


VIEW = View(
    name="judgments",
    help="a graded pair: texts, grade, probabilities, who decided",
    make=_make,
    need_text=False,
    labels=("probabilities", "expected_grade", "grade", "fingerprint"),
    ids=("query_id", "candidate_id", "grade"),
)


FORMAT = Format(
    name="judgments",
    help="everything of each graded pair: texts, grade, probabilities, confidence, who decided",
    opened_by='`datasets.load_dataset("parquet", data_files=…)`',
    suffix="-00000.parquet",
    write=parquet_of(VIEW),
    read=read_pairs,
    order=10,
    view=VIEW,
)
