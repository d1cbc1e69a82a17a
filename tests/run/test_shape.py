"""Files of a run that are damaged, or of another shape: one clear error, whichever verb meets them."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from judge.errors import RunError
from judge.run.store import Run

ROWS = [{"query": "lamp", "candidate_id": name, "title": name, "grade": 2} for name in "ab"]


def rewrite(path, change):
    pq.write_table(change(pq.read_table(path)), path)


def cast(name, kind):
    return lambda t: t.set_column(t.schema.get_field_index(name), name, t[name].cast(kind))


def without(name):
    return lambda t: t.drop_columns(name)


@pytest.mark.parametrize(
    ("file", "column", "change"),
    [
        *(("labels/part-000000000000.parquet", name, without(name)) for name in ("status", "row", "reason")),
        ("labels/part-000000000000.parquet", "grade", cast("grade", pa.string())),
        ("labels/part-000000000000.parquet", "grade", cast("grade", pa.float64())),
        *(("pairs.parquet", name, without(name)) for name in ("query", "skip", "candidate")),
        (
            "pairs.parquet",
            "query_id",
            lambda t: cast("query_id", pa.int64())(t.set_column(1, "query_id", [["1", "2"]])),
        ),
        ("pairs.parquet", "candidate", lambda t: t.drop_columns("candidate").append_column("candidate", [["a", "b"]])),
    ],
)
@pytest.mark.parametrize("verb", [("status",), ("trace", "lamp", "a"), ("export", "--to", "csv", "--out", "x.csv")])
def test_a_file_of_another_shape_is_named_with_its_column(run_of, main, tmp_path, file, column, change, verb):
    run_of(ROWS)
    rewrite(tmp_path / "run" / file, change)
    name, *rest = verb
    said = main(name, "run", *rest, code=2).err
    assert file in said
    assert repr(column) in said
    assert not (tmp_path / "x.csv").exists()


def test_wider_numbers_and_further_columns_are_read(run_of, main, tmp_path):
    run_of(ROWS)
    part = tmp_path / "run" / "labels" / "part-000000000000.parquet"
    rewrite(
        part, lambda t: cast("grade", pa.int64())(cast("reason", pa.large_string())(t)).append_column("x", [[1, 2]])
    )
    assert main("status", "run", "--json").json["status"]["graded"] == 2


def test_a_damaged_pairs_file_is_named(run_of, tmp_path):
    run_of(ROWS)
    (tmp_path / "run" / "pairs.parquet").write_bytes(b"PAR1 and no more PAR1")
    with pytest.raises(RunError, match=r"pairs\.parquet: is damaged"):
        Run.open(tmp_path / "run").query("SELECT 1")
