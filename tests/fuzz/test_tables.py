"""Every reader of tables: rows come back as they were written, and what is broken is one clear error or counted."""

import csv
import io
import json

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzz.broken import FEW, MANY, TEXTS, broken_bytes, broken_json, clear
from hypothesis import example, given
from hypothesis import strategies as st

from audit.engagement.source import EngagementFile, open_engagement
from audit.review.sheet import parse_decision
from judge.errors import InputError
from judge.pairs.intake import Intake
from judge.pairs.stage import Source, stage
from judge.ratings.layout import RatingsLayout
from judge.ratings.reader import read_ratings
from judge.records import Problem
from judge.run.flags import Flags
from judge.tables.columns import Columns
from judge.tables.rows import Table
from judge.words.guideline import load_guideline

GUIDELINE = load_guideline()
NAMES = ("query", "candidate_id", "title")
SHAPES = (".csv", ".tsv", ".jsonl", ".parquet")
ROWS = [
    {"query": "red shoe", "candidate_id": "a1", "title": 'A "red" shoe, size 4'},
    {"query": "red shoe", "candidate_id": "a2", "title": "Größe 38\u200b"},
    {"query": "lamp", "candidate_id": "a3", "title": ""},
]
GRADED = [{**row, "rater": "ann", "grade": str(at), "time": "2026-01-01"} for at, row in enumerate(ROWS)]
EVENTS = [
    {"search_id": "s1", "query": "lamp", "candidate_id": "a3", "position": "1", "action": "click", "timestamp": "17"}
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def written(rows, shape):
    """The bytes of a file with these rows."""
    names = list(rows[0])
    if shape == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if shape == ".parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({name: [row[name] for row in rows] for name in names}), sink)
        return sink.getvalue().to_pybytes()
    stream = io.StringIO()
    if shape == ".csv":
        csv.DictWriter(stream, names).writeheader()
        csv.DictWriter(stream, names, quoting=csv.QUOTE_ALL).writerows(rows)
        return stream.getvalue().encode()
    lines = [names, *([row[name] for name in names] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines).encode()


def put(folder, name, raw):
    path = folder / name
    path.write_bytes(raw)
    return path


def broken_file(rows, shape):
    """A file of rows that is broken: JSON in its values too."""
    if shape == ".jsonl":
        return st.builds(lambda *lines: b"\n".join(lines), *(broken_json(row) for row in rows))
    return broken_bytes(written(rows, shape))


def pairs_of(path):
    """What the reader of pairs makes of a file, without the joins."""
    fields = [field.name for field in GUIDELINE.fields]
    reader = Intake(GUIDELINE, Columns({}, ["query", "candidate_id", "query_id", "locale", *fields]), None, None)
    return list(reader.pairs(Table(path), catalogue=False)), reader


@pytest.mark.parametrize("shape", SHAPES)
@MANY
@given(data=st.data())
def test_broken_pairs_are_refused_or_counted(folder, shape, data):
    path = put(folder, f"pairs{shape}", data.draw(broken_file(ROWS, shape)))
    with clear():
        rows, reader = pairs_of(path)
        assert sum(1 for row in rows if row.get("skip")) == sum(reader.problems.kinds.values())


@pytest.mark.parametrize("shape", SHAPES)
@FEW
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, TEXTS)), min_size=1, max_size=5))
@example(rows=[{"query": "'", "candidate_id": "=1", "title": "NaN"}])
def test_rows_come_back(folder, shape, rows):
    found = list(Table(put(folder, f"rows{shape}", written(rows, shape))).rows())
    assert [dict(row.values) for row in found] == rows


@pytest.mark.parametrize("shape", SHAPES)
@FEW
@given(data=st.data())
def test_broken_files_are_staged_or_refused(folder, shape, data):
    path = put(folder, f"staged{shape}", data.draw(broken_file(ROWS, shape)))
    catalogue = put(folder, f"catalogue{shape}", data.draw(broken_file(ROWS, shape)))
    with clear():
        staged = stage(Source(path, catalogue, skip_bad_rows=True), GUIDELINE, folder)
        assert staged.rows == pq.read_metadata(staged.path).num_rows


@pytest.mark.parametrize("shape", SHAPES)
@FEW
@given(data=st.data())
def test_broken_ratings_are_read_or_refused(folder, shape, data):
    path = put(folder, f"ratings{shape}", data.draw(broken_file(GRADED, shape)))
    grades = {str(value): value for value in GUIDELINE.values}
    with clear():
        read_ratings(path, RatingsLayout(grades=grades, skip_bad_rows=data.draw(st.booleans())), GUIDELINE.values)


@pytest.mark.parametrize("shape", SHAPES)
@FEW
@given(data=st.data())
def test_broken_events_are_read_or_refused(folder, shape, data):
    path = put(folder, f"events{shape}", data.draw(broken_file(EVENTS, shape)))
    with clear(), duckdb.connect(config={"temp_directory": str(folder / "spill")}) as db:
        opened = open_engagement(db, EngagementFile(path))
        assert db.execute("SELECT count(*) FROM raw").fetchone()[0] == opened.rows


@MANY
@given(st.data())
def test_broken_flags_are_read_or_refused(folder, request, data):
    raw = (request.config.rootpath / "tests/data/earlier/labelled/flags.parquet").read_bytes()
    put(folder, "flags.parquet", data.draw(broken_bytes(raw)))
    with clear():
        Flags(folder).read()


@MANY
@given(st.text(max_size=8))
@example("9" * 5000)
@example("٣")
@example("²")
def test_any_word_is_a_decision_or_refused(text):
    with clear():
        verdict, grade = parse_decision(text, (0, 1, 2), "sheet.csv, row 1", 1)
        assert grade in (None, 0, 2)
        assert verdict


def test_a_key_that_occurs_twice_is_no_row(folder):
    path = put(folder, "twice.jsonl", b'{"query": "a", "candidate_id": "1", "candidate_id": "2", "title": "x"}\n')
    (row,) = Table(path).rows()
    assert isinstance(row, Problem)
    assert row.kind == "invalid_json"


def test_one_text_in_every_row_is_unfolded_a_piece_at_a_time(folder, monkeypatch):
    monkeypatch.setattr("judge.tables.parquet.PIECE", 1000)
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 50, pa.int32()), pa.array(["A" * 400]))
    lists = pa.array([["b", "c"], []] * 25)
    pq.write_table(pa.table({"title": text, "tags": lists}), folder / "folded.parquet")
    rows = [dict(row.values) for row in Table(folder / "folded.parquet").rows()]
    assert rows == [{"title": "A" * 400, "tags": tags} for tags in (["b", "c"], []) * 25]


def test_a_row_of_more_bytes_than_memory_should_hold_is_set_aside(folder, monkeypatch):
    monkeypatch.setattr("judge.tables.parquet.PIECE", 1000)
    pq.write_table(pa.table({"title": ["x", "A" * 2000, "y"]}), folder / "long.parquet")
    together = pa.array([{"title": text} for text in ("x", "A" * 2000, "y")])
    pq.write_table(pa.table({"candidate": together}), folder / "together.parquet")
    for name in ("long", "together"):
        first, long, last = Table(folder / f"{name}.parquet").rows()
        assert isinstance(long, Problem)
        assert (first.values, last.values) == ({"title": "x"}, {"title": "y"})


def test_a_column_that_unfolds_without_end_is_refused(folder, monkeypatch):
    monkeypatch.setattr("judge.tables.parquet.UNFOLDED", 1000)
    pq.write_table(pa.table({"title": ["A" * 2_000_000]}), folder / "bomb.parquet", compression="zstd")
    with pytest.raises(InputError, match=r"bomb\.parquet, field 'title'"):
        list(Table(folder / "bomb.parquet").rows())


@pytest.mark.parametrize("room", [2**24, 200])
def test_pairs_come_in_the_same_order_however_small_a_stretch_is(folder, monkeypatch, room):
    monkeypatch.setattr("judge.pairs.ordering.STRETCH", room)
    rows = [{"query": f"q{at % 7}", "candidate_id": f"c{at}", "title": "x" * (at * 37 % 50)} for at in range(60)]
    staged = stage(Source(put(folder, "order.jsonl", written(rows, ".jsonl"))), GUIDELINE, folder)
    found = pq.read_table(staged.path).to_pylist()
    wanted = sorted(range(60), key=lambda at: (at % 7, len(rows[at]["title"]), at))
    assert [row["row"] - 1 for row in found] == wanted
    assert [row["candidate"]["title"] or "" for row in found] == [rows[at]["title"] for at in wanted]
    assert (pq.read_metadata(staged.path).num_row_groups > 1) == (room == 200)
