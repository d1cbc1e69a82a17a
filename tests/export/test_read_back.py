"""Every format that holds ids and grades gives back the pairs and grades that were written, guarded cells included."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from judge.errors import InputError
from judge.export.formats import ReadPair, formats
from judge.export.selection import Selection, read_splits
from judge.export.writing import export
from judge.run.store import Run
from judge.tables.rows import Table

QUERIES = {
    "q1": "wool scarf",
    "q2": "=HYPERLINK(1)",
    "q3": "'quoted'",
    "q4": "+1 lamp",
    "q5": "'=1",
    "q6": 'say "a, b"',
}
IDS = ["a-1", "=b", "'+c"]
SHOP = [
    {"query_id": key, "query": text, "candidate_id": id_, "title": f"{text} {id_}", "grade": (number + place) % 3}
    for number, (key, text) in enumerate(QUERIES.items())
    for place, id_ in enumerate(IDS)
]
READ = [name for name, form in formats().items() if form.read is not None]
WANTED = {(row["query_id"], row["query"], row["candidate_id"]): row["grade"] for row in SHOP}


def found(rows: list[ReadPair]) -> dict:
    """By query id, query and candidate id; what the format does not hold is looked up by what it does."""
    ids = {text: key for key, text in QUERIES.items()}
    whole = [(r.query_id or ids[r.query], r.query or QUERIES[r.query_id], r.candidate_id, r.grade) for r in rows]
    assert len({key[:3] for key in whole}) == len(whole)
    return {key[:3]: key[3] for key in whole}


@pytest.mark.parametrize("name", READ)
def test_what_is_written_is_read(run_of, tmp_path, name):
    form, run = formats()[name], run_of(SHOP)
    out = tmp_path / f"out{form.file_suffix}"
    export(run, name, out)
    assert found(list(form.read(out))) == WANTED
    if form.every_row:
        return
    export(run, name, tmp_path / "split", Selection(splits=read_splits("train=0.5,test=0.5"), products="shared"))
    places = [tmp_path / "split"] if form.folder else sorted((tmp_path / "split").iterdir())
    assert found([row for place in places for row in form.read(place)]) == WANTED


def test_a_row_without_a_grade_comes_back_without_one(run_of, tmp_path):
    run = run_of([*SHOP[:2], {**SHOP[2], "grade": None, "status": "failed", "reason": "x"}])
    for name in ("jsonl", "csv", "parquet"):
        export(run, name, tmp_path / f"all.{name}")
        assert [row.grade for row in formats()[name].read(tmp_path / f"all.{name}")] == [0, 1, None]


@pytest.mark.parametrize("name", ["judgments", "jsonl", "csv", "parquet"])
def test_import_reads_what_export_writes(run_of, tmp_path, main, name):
    out = tmp_path / f"out{formats()[name].file_suffix}"
    export(run_of(SHOP), name, out)
    main("import", out, "--out", "again")
    main("export", "again", "--to", "jsonl", "--out", "again.jsonl")
    assert found(list(formats()["jsonl"].read(tmp_path / "again.jsonl"))) == WANTED


def test_judgments_come_back_with_their_texts(run_of, tmp_path, main):
    """Also to be labelled by another judge, as those of a dataset that somebody published."""
    rows = [{**row, "brand": None if row["candidate_id"] == "=b" else "Acme", "locale": "es"} for row in SHOP]
    export(run_of(rows), "judgments", tmp_path / "all.parquet")
    main("import", "all.parquet", "--out", "imported")
    main("label", "all.parquet", "--engine", "fake", "--out", "labelled")
    for name in ("imported", "labelled"):
        export(Run.open(tmp_path / name), "judgments", tmp_path / f"{name}.parquet")
        columns = ["query_id", "query", "candidate_id", "candidate", "locale"]
        first, again = (
            pq.read_table(tmp_path / each, columns=columns).to_pylist() for each in ("all.parquet", f"{name}.parquet")
        )
        assert again == first
        assert again[0]["candidate"]["title"] == SHOP[0]["title"]


def test_texts_of_a_candidate_that_cannot_be_columns_stay_together(tmp_path):
    """A field that is called as a column is."""
    texts = pa.array([{"title": "Lamp", "grade": "A"}, None])
    pq.write_table(pa.table({"candidate": texts, "grade": [1, 2]}), tmp_path / "clash.parquet")
    assert Table(tmp_path / "clash.parquet").columns == ("candidate", "grade")
    pq.write_table(pa.table({"candidate": texts, "query": ["a", "b"]}), tmp_path / "one.parquet")
    whole = Table(tmp_path / "one.parquet")
    assert whole.columns == ("title", "grade", "query")
    assert [row.values for row in whole.rows(["title", "query"])] == [
        {"query": "a", "title": "Lamp"},
        {"query": "b", "title": None},
    ]
    assert [row.values for row in whole.rows(["query"])] == [{"query": "a"}, {"query": "b"}]
    # Texts that are columns in one part and together in another are not the same columns.
    (tmp_path / "parts").mkdir()
    (tmp_path / "one.parquet").rename(tmp_path / "parts" / "a.parquet")
    pq.write_table(pa.table({"title": ["a"], "grade": ["A"], "query": ["a"]}), tmp_path / "parts" / "b.parquet")
    with pytest.raises(InputError, match=r"differ in the column 'candidate\.grade'"):
        Table(tmp_path / "parts")


@pytest.mark.parametrize("name", formats())
def test_a_format_that_cannot_be_read_says_why(name):
    form = formats()[name]
    assert (form.read is None) == bool(form.unread)
