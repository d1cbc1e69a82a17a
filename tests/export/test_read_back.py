"""Every format that holds ids and grades gives back the pairs and grades that were written, guarded cells included."""

import pytest

from judge.export.formats import ReadPair, formats
from judge.export.selection import Selection, read_splits
from judge.export.writing import export

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


@pytest.mark.parametrize("name", formats())
def test_a_format_that_cannot_be_read_says_why(name):
    form = formats()[name]
    assert (form.read is None) == bool(form.unread)
