"""Rows in memory become a file with the same rows, whatever holds them."""

import datetime
import pickle
import traceback
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from judge.errors import InputError
from judge.fingerprint import file_digest
from judge.tables.rows import Table
from relevance_judge.inputs import GROUP, as_file

ROWS = [{"query": "wool scarf", "candidate_id": "1", "grade": 2}, {"query": "lamp", "candidate_id": "2", "grade": None}]


class Stream:
    """A library of its own that speaks Arrow's interface and nothing else, as polars does."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def read(rows, what="pairs"):
    """What the readers of files make of rows."""
    with as_file(rows, what) as (path, name):
        return name, [dict(row.values) for row in Table(path, name).rows()]


@pytest.mark.parametrize(
    "rows",
    [
        pa.Table.from_pylist(ROWS),
        pa.RecordBatch.from_pylist(ROWS),
        pa.RecordBatchReader.from_batches(pa.Table.from_pylist(ROWS).schema, pa.Table.from_pylist(ROWS).to_batches()),
        Stream(pa.Table.from_pylist(ROWS)),
        pd.DataFrame(ROWS).astype({"grade": "Int64"}),
        pd.DataFrame(ROWS, index=[7, 9]).astype({"grade": "Int64"}),  # an index without a name is no column
        ROWS,
        tuple(ROWS),
        (row for row in ROWS),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_every_kind_of_rows_reads_the_same(rows):
    name, found = read(rows)
    assert name == f"pairs ({type(rows).__name__})"
    assert found == ROWS


def test_a_path_is_read_where_it_lies(tmp_path):
    path = tmp_path / "pairs.csv"
    with as_file(path, "pairs") as (found, name):
        assert (found, name) == (path, str(path))
    with as_file(str(path), "pairs") as (found, name):
        assert (found, name) == (path, str(path))


def test_a_column_that_only_later_rows_have_is_kept():
    assert read([{"query": "a"}, {"query": "b", "title": "B"}])[1] == [{"query": "a"}, {"query": "b", "title": "B"}]


def test_a_column_of_values_of_several_kinds_is_read_value_by_value():
    frame = pd.DataFrame({"candidate_id": [1, "b", None], "grade": [2, 1, 0]})
    assert [row["candidate_id"] for row in read(frame)[1]][:2] == [1, "b"]


def test_values_of_other_libraries_are_written_as_json_has_them():
    day = datetime.date(2026, 1, 31)
    row = {"a": np.int64(2), "b": np.array([1, 2]), "c": Decimal("2.5"), "d": day, "e": pd.NA, "f": np.float32(0.5)}
    assert read([row])[1] == [{"a": 2, "b": [1, 2], "c": "2.5", "d": "2026-01-31", "e": None, "f": 0.5}]


def test_the_same_rows_give_the_same_bytes_however_they_are_cut():
    count = 2 * GROUP + 7
    table = pa.table({"query": [f"q{n}" for n in range(count)], "n": range(count)})
    pieces = pa.concat_tables([table.slice(0, 3), table.slice(3, GROUP), table.slice(GROUP + 3)])
    noted = table.replace_schema_metadata({"library": "of another version"})
    digests = set()
    for rows in (table, pieces, Stream(pieces), noted):
        with as_file(rows, "pairs") as (path, _):
            digests.add(file_digest(path))
            assert pq.read_table(path).equals(table)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"query": ["a"]}, r"pairs \(dict\): holds no rows"),
        (7, r"pairs \(int\): holds no rows"),
        ([{"query": "a"}, ("b",)], r"pairs \(list\), row 2: is a tuple"),
        ([{"query": "a"}, {"query": b"b"}], r"pairs \(list\), row 2: a value is of the type bytes"),
        ([{"query": "a"}, {"query": object()}], r"pairs \(list\), row 2: a value is of the type object"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"pairs \(DataFrame\): cannot be read as columns"),
        (Stream(pa.table({"a": pa.array([None], pa.month_day_nano_interval())})), r"pairs \(Stream\): cannot be read"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_rows_is_one_clear_error(rows, said):
    with pytest.raises(InputError, match=said) as error, as_file(rows, "pairs"):
        pass
    assert error.value.hint


def test_the_temporary_file_lies_where_it_is_told_and_goes(tmp_path):
    with as_file(ROWS, "pairs", tmp_path) as (path, _):
        assert path.is_relative_to(tmp_path)
        assert path.parent.name.startswith("staging-")  # what a killed run's next sitting clears away
    assert list(tmp_path.iterdir()) == []


def test_polars():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    assert read(polars.DataFrame(ROWS))[1] == ROWS


def test_a_traceback_shows_the_fix_once(main):
    error = InputError("datasets is not installed", "install it")
    assert str(error) == "datasets is not installed"
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert "".join(traceback.format_exception(each)).count("install it") == 1
    assert main("status", "nowhere", code=2).err.count("fix: ") == 1
