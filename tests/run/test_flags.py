"""The flags of a run: what is written is read, and a file that is damaged or foreign is one clear error."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import write_flags

from judge.errors import RunError
from judge.records import Flag
from judge.run.flag_types import flag_types
from judge.run.flags import Flags, flag_schema, read_evidence

ROWS = [{"query": "lamp", "candidate_id": name, "title": name, "grade": 0, "query_id": "q"} for name in "ab"]
BARE = {"row": 2, "query_id": "q", "query": "lamp", "candidate_id": "ü", "grade": 0, "p_wrong": 0.9, "impressions": 3}
BARE |= {"examined_impressions": 1.5, "clicks": 2, "carts": 1, "purchases": 0, "type": "purchased_but_low"}
BARE |= {"strength": 1.0, "q_value": 0.05, "suggested_grade": 2, "suggested_action": "ask people", "candidate": {}}
FULL = {"posterior": (0.1, 0.2, 0.7), "people_grade": 1, "expected_clicks": 0.25, "expected_low": 0, "expected_high": 2}


def test_what_is_written_is_read(tmp_path):
    flags = Flags(tmp_path)
    assert (flags.exist, len(flags), flags.read(), flags.rows(), flags.types()) == (False, 0, [], set(), {})
    with pytest.raises(RunError):
        flags.require()
    bare, full = Flag(**BARE), Flag(**BARE | FULL | {"type": "ignored_but_relevant", "strength": 2.0, "row": 1})
    flags.write([bare, full, full])
    assert flags.read() == [bare, full, full]
    assert flags.of("q", "ü") == [full, full, bare], "the strongest first"
    assert flags.of("q", "u") == []
    assert (len(flags), flags.rows()) == (3, {1, 2})
    assert list(flags.types().items()) == [("ignored_but_relevant", 2), ("purchased_but_low", 1)]
    assert flags.pairs().to_pylist() == [{"query_id": "q", "candidate_id": "ü"}]
    assert [path.name for path in tmp_path.iterdir()] == ["flags.parquet"]
    assert pq.read_schema(flags.path).names == list(Flag.model_fields)
    flags.write([])
    assert (flags.exist, flags.read(), len(flags.pairs())) == (True, [], 0)


def test_what_an_older_audit_did_not_write_is_null(tmp_path):
    flags = Flags(tmp_path)
    flags.write([Flag(**BARE | FULL)])
    optional = [name for name, field in Flag.model_fields.items() if not field.is_required()]
    pq.write_table(pq.read_table(flags.path).drop_columns(optional), flags.path)
    assert flags.read() == [Flag(**BARE)]


def test_every_type_says_what_it_means():
    assert len({kind.meaning for kind in flag_types().values()}) == len(flag_types()) == 5
    assert flag_types()["purchased_but_low"].words == "purchased but low"


def without(name):
    return lambda t: t.drop_columns(name)


def replaced(name, column):
    return lambda t: t.set_column(t.schema.get_field_index(name), name, column)


SPOILT = {
    "no-row": ("row", without("row")),
    "no-type": ("type", without("type")),
    "row-is-text": ("row", replaced("row", pa.array(["1", "2"]))),
    "optional-is-text": ("people_grade", replaced("people_grade", pa.array(["1", None]))),
    "no-grade": ("grade", replaced("grade", pa.array([None, 0], pa.int64()))),
    "unknown-type": ("type", replaced("type", pa.array(["likely_label_error", "sunspots"]))),
    "no-texts": ("candidate", replaced("candidate", pa.array([None, "{}"], pa.string()))),
    "deep-texts": ("candidate", replaced("candidate", pa.array(["{}", "[" * 100_000]))),
    "list-of-texts": ("candidate", replaced("candidate", pa.array(["{}", "[1]"]))),
}


@pytest.mark.parametrize("name", SPOILT)
def test_flags_that_cannot_be_are_one_clear_error(run_of, tmp_path, main, name):
    run = run_of(ROWS)
    write_flags(run, [(1, "q", "lamp", "a", 0, 2), (2, "q", "lamp", "b", 0, 2)])
    column, spoil = SPOILT[name]
    pq.write_table(spoil(pq.read_table(run.path / "flags.parquet")), run.path / "flags.parquet")
    for verb in (("queue", "run", "--to", "csv", "--out", "q.csv"), ("trace", "run", "lamp", "b")):
        said = main(*verb, code=2).err
        assert "flags.parquet" in said
        assert column in said
    assert not (tmp_path / "q.csv").exists()


def test_a_damaged_file_and_one_without_rows_stop_every_verb_that_reads_it(run_of, tmp_path, main):
    run = run_of(ROWS)
    write_flags(run, [(1, "q", "lamp", "a", 0, 2)])
    whole = (run.path / "flags.parquet").read_bytes()
    (tmp_path / "e.csv").write_text("query,candidate_id,position,impressions,clicks\nlamp,a,1,10,5\n")
    ways = ("queue", "run", "--to", "csv", "--out", "q.csv"), ("audit", "run", "e.csv", "--out", "a", "--overwrite")
    ways += ("adjudicate", "run", "--with", "smollm2-135m", "--engine", "fake"), ("trace", "run", "lamp", "a")
    ways += ("export", "run", "--to", "csv", "--out", "x.csv"), ("export", "run", "--to", "pairs", "--out", "p")
    middle = len(whole) // 4
    for bad in (whole[:100], whole[:middle] + b"\xff" * 200 + whole[middle + 200 :]):
        (run.path / "flags.parquet").write_bytes(bad)
        for way in ways:
            assert "flags.parquet" in main(*way, code=2).err, way
        assert (run.path / "flags.parquet").read_bytes() == bad


def test_flags_of_another_run_are_refused(run_of, main):
    run = run_of(ROWS)
    for other in ((2, "q", "lamp", "a", 0, 2), (3, "q", "lamp", "c", 0, 2)):
        write_flags(run, [other])
        assert "flags.parquet" in main("queue", "run", "--to", "csv", "--out", "q.csv", code=2).err


def test_evidence_of_another_shape_is_named(run_of):
    run = run_of(ROWS)
    write_flags(run, [(1, "q", "lamp", "a", 0, 2)])
    assert read_evidence(run.path).column_names == ["row", "query_id", "candidate_id", "posterior"]
    path = run.path / "evidence.parquet"
    pq.write_table(pq.read_table(path).drop_columns("posterior"), path)
    with pytest.raises(RunError, match=r"evidence\.parquet.*'posterior'"):
        read_evidence(run.path)
    path.unlink()
    with pytest.raises(RunError):
        read_evidence(run.path)


def test_the_schema_takes_what_the_record_holds():
    schema = flag_schema()
    assert schema.names == list(Flag.model_fields)
    table = pa.Table.from_pylist([{**dict(Flag(**BARE | FULL)), "candidate": "{}"}], schema=schema)
    assert pc.all(pc.is_valid(table["posterior"])).as_py()
