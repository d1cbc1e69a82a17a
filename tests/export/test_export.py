"""What leaves a run: every input row once, in input order, readable by others."""

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import DOZEN, in_process, write_flags

from judge.errors import InputError
from judge.export.ledger import Exports
from judge.export.writing import export
from judge.records import query_key
from judge.run.decisions import Decision, Decisions
from judge.tables.rows import Table

COLUMNS = ["query_id", "query", "candidate_id", "status", "grade", "probabilities", "expected_grade", "reason"]


@pytest.fixture(scope="module")
def dozen_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dozen") / "run"
    assert in_process("label", DOZEN, "--engine", "fake", "--out", folder).code == 0
    return folder


@pytest.fixture
def labelled(dozen_run, tmp_path):
    shutil.copytree(dozen_run, tmp_path / "run")
    return tmp_path


def test_jsonl_and_parquet_hold_every_input_row_in_order(labelled, main, dozen_rows):
    main("export", "run", "--to", "jsonl", "--out", "x.jsonl")
    main("export", "run", "--to", "parquet", "--out", "x.parquet")
    rows = [json.loads(line) for line in (labelled / "x.jsonl").read_text().splitlines()]
    assert pq.read_table(labelled / "x.parquet").to_pylist() == rows
    assert [list(row)[:8] for row in rows] == [COLUMNS] * 12, "decisions come behind"
    assert [(row["query"], row["candidate_id"]) for row in rows] == [
        (r["query"], r["candidate_id"]) for r in dozen_rows
    ]
    for row in rows:
        if row["status"] == "graded":
            assert sum(row["probabilities"]) == pytest.approx(1)
            assert row["grade"] == row["probabilities"].index(max(row["probabilities"]))
            assert row["expected_grade"] == pytest.approx(row["probabilities"][1] + 2 * row["probabilities"][2])
        else:
            assert (row["candidate_id"], row["grade"], row["reason"]) == ("S4", None, "candidate has no text")


def test_trec_takes_the_graded_rows(labelled, main):
    said = main("export", "run", "--to", "trec", "--out", "q.rel").out
    assert said == "11 records in q.rel\n\ninput rows         12\nexported           11\nleft out: skipped   1\n"
    lines = [line.split(" ") for line in (labelled / "q.rel").read_text().splitlines()]
    assert len(lines) == 11
    assert all(len(line) == 4 and line[1] == "0" and line[3] in "012" for line in lines)
    assert [line[2] for line in lines[:3]] == ["S1", "S2", "S3"]


def test_an_id_with_white_space_cannot_be_a_trec_id(main, tmp_path):
    (tmp_path / "p.csv").write_text("query,candidate_id,title\nlamp,a b,Lamp\n")
    main("label", "p.csv", "--engine", "fake", "--out", "run")
    error = main("export", "run", "--to", "trec", "--out", "q.rel", code=2).err
    assert "row 1, field 'candidate_id': 'a b' holds white space" in error
    assert not (tmp_path / "q.rel").exists()


def test_what_is_there_is_not_replaced_unless_asked(labelled, main):
    (labelled / "x.jsonl").write_text("mine")
    assert "is already there" in main("export", "run", "--to", "jsonl", "--out", "x.jsonl", code=2).err
    assert (labelled / "x.jsonl").read_text() == "mine"
    main("export", "run", "--to", "jsonl", "--out", "x.jsonl", "--overwrite")
    assert len((labelled / "x.jsonl").read_text().splitlines()) == 12


def test_a_folder_with_files_of_others_is_not_replaced(labelled, main):
    export = ("export", "run", "--to", "beir", "--out", "data", "--overwrite")
    (labelled / "data" / "deep").mkdir(parents=True)
    (labelled / "data" / "deep" / "thesis.docx").write_text("mine")
    (labelled / "data" / ".DS_Store").write_text("a file manager's")
    error = main(*export, code=2).err
    assert "data/deep/thesis.docx: no export writes such a file, and it would be lost" in error
    (labelled / "data" / "deep" / "thesis.docx").unlink()
    for name in ("Makefile", ".env"):
        (labelled / "data" / name).write_text("mine")
        assert f"data/{name}: no export writes" in main(*export, code=2).err
        (labelled / "data" / name).unlink()
    main(*export)
    main("export", "run", "--to", "judgments", *export[4:], "--splits", "train=1")
    assert [path.name for path in (labelled / "data").iterdir()] == ["train-00000.parquet"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--to", "xml", "--out", "x"], "there is no such format"),
        (["run", "--to", "pairs", "--out", "x.csv"], "--to pairs writes parquet, and the name says csv"),
        (["run", "--to", "jsonl", "--out", "x.parquet"], "fix: name it x.jsonl, or choose"),
        (["run", "--to", "trec", "--out", "x.JSON"], "--to trec writes qrels"),
        (["run", "--to", "jsonl", "--out", "x.jsonl.gz"], "the name says gz"),
        (["run", "--to", "trec", "--out", "x", "--negatives", "3"], "--positives are for triplets, margin-mse"),
        (["run", "--to", "trec", "--out", "x", "--labelled"], "--labelled and --score are for pairs"),
        (["run", "--to", "triplets", "--out", "x", "--score", "expected"], "--labelled and --score are for pairs"),
        (["run", "--to", "trec", "--out", "x", "--private"], "No such option '--private'"),
        (["run", "--to", "trec"], "give --out PATH"),
        (["run", "--out", "x"], "--to is missing"),
        (["run"], "--to and --out are missing"),
        (["nowhere", "--to", "jsonl", "--out", "x"], "nowhere: does not exist"),
        (["run", "--to", "jsonl", "--out", "/proc/none/x"], "cannot be written"),
        (["run", "--to", "triplets", "--out", "x", "--negative-confidence", "2"], "--negative-confidence 2"),
        (["run", "--to", "triplets", "--out", "x", "--min-confidence", "2"], "give a number from 0 to 1"),
    ],
)
def test_what_cannot_be_exported_is_refused(labelled, main, arguments, says):
    assert says in main("export", *arguments, code=2).err
    assert not list(labelled.glob("x*"))


def test_csv_is_for_spreadsheets_and_holds_what_jsonl_holds(run_of, main, tmp_path):
    hostile = [
        "=cmd|' /C calc'!A0",
        "+1",
        "-1",
        "@x",
        "\tx",
        'a "b", c',
        "two\nlines",
        "a\rb",
        "#1",
        "'quoted'",
        "'=1",
        "plain",
    ]
    rows = [
        {"query": text, "candidate_id": f"={text}", "grade": 2, "probabilities": [0.1, 0.2, 0.7]} for text in hostile
    ]
    rows += [{"query": "lamp", "candidate_id": "p", "status": "abstained", "reason": "=not sure"}, rows[-1]]
    run = run_of(rows)
    line = {"query_id": query_key("plain"), "candidate_id": "=plain", "decision": "0"}
    (tmp_path / "sheet.jsonl").write_text(json.dumps(line | {"author": "+Ana", "reason": "=why"}) + "\n")
    main("decide", run.path, "sheet.jsonl")
    for form in ("jsonl", "csv"):
        main("export", run.path, "--to", form, "--out", f"x.{form}")
    expected = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    found = [row.values for row in Table(tmp_path / "x.csv").rows()]
    assert list(found[0]) == list(expected[0])
    # The reader gives cells back as they were.
    assert found == [
        {
            name: " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
            for name, value in row.items()
        }
        for row in expected
    ]
    with (tmp_path / "x.csv").open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {"'=cmd|' /C calc'!A0", "'+Ana", "'=why", "'=not sure"} <= set(cells)


def test_jsonl_is_written_although_no_grade_is_among_its_first_rows(run_of, tmp_path):
    # More rows than DuckDB looks at to guess what a column holds.
    rows = [
        {"query": "lamp", "candidate_id": f"p{n}", "status": "abstained", "reason": "not sure"} for n in range(20_600)
    ]
    run = run_of([*rows, {"query": "lamp", "candidate_id": "last", "grade": 2}])
    assert export(run, "jsonl", tmp_path / "x.jsonl").records == {"train": 20_601}
    assert json.loads((tmp_path / "x.jsonl").read_text().splitlines()[-1])["grade"] == 2


@pytest.mark.parametrize("out", ["run", ".", "run/run.json", "run/labels", "run/../run/decisions.jsonl"])
@pytest.mark.parametrize("form", ["jsonl", "beir"])
def test_an_export_is_never_written_over_its_run(run_of, tmp_path, monkeypatch, form, out):
    run = run_of([{"query": "lamp", "candidate_id": "p", "title": "Lamp", "grade": 2}])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="would be lost"):
        export(run, form, Path(out), overwrite=True)
    run.check_whole()
    assert export(run, form, run.path / "out").used == 1


def test_an_export_says_how_many_undecided_flags_it_carries(run_of, main):
    """Seven pairs of a query, graded but for one that the judge left to people; four are flagged: a, b, c and d.

    Ana changed b and is unsure of c; of d another judge has an opinion. So a, c and d are flagged and undecided.
    """
    texts = {"query_id": "q", "query": "lamp", "title": "Lamp"}
    grades = {"a": 0, "b": 1, "c": 2, "d": 0, "e": 2, "g": 0}
    rows = [texts | {"candidate_id": key, "title": f"Lamp {key}", "grade": grade} for key, grade in grades.items()]
    left = {"candidate_id": "f", "grade": None, "status": "abstained", "reason": "unsure"}
    run = run_of([*rows, texts | left])
    write_flags(run, [(n, "q", "lamp", key, grades[key], 2 - grades[key]) for n, key in enumerate("abcd", 1)])

    def decision(key, verdict, grade, source):
        said = {"query_id": "q", "candidate_id": key, "verdict": verdict, "grade": grade, "author": "Ana"}
        return Decision(**said, reason="", time="t", source=source)

    said = (("b", "change", 2, "file"), ("c", "unsure", None, "file"), ("d", "opinion", 0, "judge"))
    Decisions(run.path).append([decision(*each) for each in said])

    def carried(form, *options):
        out = f"{form}{len(options)}"
        found = main("export", "run", "--to", form, "--out", out, *options, "--json").json
        shown = main("export", "run", "--to", form, "--out", out, *options, "--overwrite").out
        assert (f"{found['undecided']} label" in shown and "--without-flagged" in shown) is (found["undecided"] > 0)
        return found["undecided"]

    for form in ("judgments", "pairs", "listwise", "trec", "beir", "quepid", "jsonl", "csv", "parquet"):
        assert carried(form) == 3, form
    # Flagged and undecided labels are never set against others, whatever is chosen.
    assert carried("triplets") == 0
    assert carried("judgments", "--without-flagged") == 0
    assert {each.undecided for each in Exports(run.path)} == {0, 3}
    # What an earlier version wrote can be read.
    old = json.loads((run.path / "exports.jsonl").read_text().splitlines()[0])
    del old["undecided"]
    (run.path / "exports.jsonl").write_text(json.dumps(old) + "\n")
    assert [each.undecided for each in Exports(run.path)] == [None]
