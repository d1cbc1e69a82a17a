"""Whatever is wrong with the input: one message with file, row, field and fix, exit code 2, and no model is loaded.

The judge named here does not exist. That is found only after the input has been read, so an error about the input
shows that nothing of the judge was touched.
"""

import errno
import gzip
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

GOOD = "query,candidate_id,title\nlamp,1,Lamp\n"
NO_JUDGE = ("--judge", "./there-is-no-such-judge", "--out", "run")

# name of the case: file name, bytes, what the message must say
BAD = {
    "missing column": (
        "p.csv",
        "search,candidate_id,title\nlamp,1,Lamp\n",
        ["p.csv", "row 1", "'query'", "missing column", "--map query="],
    ),
    "empty query": ("p.csv", GOOD + ",2,Chair\n", ["p.csv", "row 2 (line 3)", "'query'", "empty", "fill it in"]),
    "no candidate": ("p.csv", GOOD + "lamp,,Chair\n", ["p.csv", "row 2 (line 3)", "'candidate_id'", "empty"]),
    "same pair, other text": ("p.csv", GOOD + "lamp,1,Chair\n", ["row 2 (line 3)", "another text in row 1"]),
    "same id, other query": (
        "p.csv",
        "query_id,query,candidate_id,title\nQ,lamp,1,Lamp\nQ,chair,2,Chair\n",
        ["row 2 (line 3)", "'query_id'", "another query text in row 1"],
    ),
    "ragged row": ("p.csv", GOOD + "lamp,2\n", ["row 2 (line 3)", "has 2 cells where the header has 3", "quote"]),
    "open quote": ("p.csv", GOOD + 'lamp,2,"Lamp\nlamp,3,x\n', ["row 2 (line 3)", "runs on to line 4", "quote"]),
    "lines swallowed by a quote": (
        "p.csv",
        GOOD + 'lamp,2,"Lamp\nlamp,3,x"y\n',
        ["row 2 (line 3)", "runs on to line 4", "quote"],
    ),
    "some query ids": (
        "p.csv",
        "query_id,query,candidate_id,title\nQ,lamp,1,x\n,lamp,1,x\n",
        ["row 2 (line 3)", "'query_id'", "is empty"],
    ),
    "a gzip by another name": ("p.csv", gzip.compress(GOOD.encode()), ["is gzip", "end in .gz"]),
    "an open quote in the header": ("p.csv", 'query,"candidate_id,title\nlamp,1,Lamp\n', ["line 1", "quote"]),
    "a number too long": ("p.jsonl", '{"query": ' + "9" * 5000 + "}\n", ["row 1 (line 1)", "invalid JSON"]),
    "broken quotes": ("p.csv", GOOD + 'lamp,2,"Lamp" old\n', ["row 2 (line 3)", "double the quotes inside"]),
    "column twice": ("p.csv", "query,candidate_id,query\nlamp,1,x\n", ["line 1", "'query' occurs twice"]),
    "no rows": ("p.csv", "query,candidate_id,title\n", ["holds no rows"]),
    "nothing": ("p.csv", "", ["p.csv: is empty", "column names"]),
    "nothing but blank lines": ("p.csv", "\n \n", ["p.csv: is empty"]),
    "nothing in JSON": ("p.jsonl", "", ["p.jsonl: holds no rows", "a JSON object on each line"]),
    "semicolons in a TSV": ("p.tsv", GOOD.replace(",", ";"), ["separated by ';'", "end in .csv"]),
    "commas in a TSV": ("p.tsv", GOOD, ["separated by ','", "end in .csv"]),
    "no text": (
        "p.csv",
        "query,candidate_id,name\nlamp,1,x\n",
        ["no column holds a candidate's text", "--map title=name"],
    ),
    "latin-1": ("p.csv", GOOD.encode() + b"lamp,2,l\xe4mp\n", ["row 2 (line 3)", "'title'", "UTF-8"]),
    "utf-16": ("p.csv", GOOD.encode("utf-16"), ["UTF-16", "UTF-8"]),
    "latin-1 in JSON": ("p.jsonl", b'{"query": "l\xe4mp"}\n', ["row 1 (line 1)", "UTF-8"]),
    "lone surrogate": (
        "p.jsonl",
        '{"query": "\\ud800", "candidate_id": 1, "title": "x"}\n',
        ["row 1", "'query'", "UTF-8"],
    ),
    "invalid JSON": (
        "p.jsonl",
        '{"query": "a", "candidate_id": 1, "title": "x"}\n\n{"query"\n',
        ["row 2 (line 3)", "invalid JSON"],
    ),
    "no object": ("p.jsonl", "[1, 2]\n", ["line 1", "not a JSON object"]),
    "missing key": (
        "p.jsonl",
        '{"search": "a", "candidate_id": 1}\n',
        ["line 1", "'query'", "missing", "--map query="],
    ),
    "object as text": (
        "p.jsonl",
        '{"query": "a", "candidate_id": 1, "title": {"en": "x"}}\n',
        ["'title'", "is an object"],
    ),
    "not Parquet": ("p.parquet", b"PAR1 but no more", ["p.parquet", "is not whole Parquet"]),
    "not gzip": ("p.csv.gz", GOOD, ["p.csv.gz", "not whole gzip"]),
    "unknown kind": ("p.doc", b"PK", ["p.doc", ".csv, .tsv, .jsonl", ".parquet"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pairs_are_refused_with_place_and_fix_before_a_judge_is_looked_for(case, main, tmp_path):
    name, content, says = BAD[case]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = main("label", name, *NO_JUDGE, code=2)
    error, fix = done.err.strip().split("\n")
    assert error.startswith("error: ")
    assert fix.startswith("  fix: ")
    for words in says:
        assert words in done.err
    assert not (tmp_path / "run").exists(), "a refused input leaves nothing behind"


def test_good_input_is_refused_for_the_judge_only(main, tmp_path):
    (tmp_path / "p.csv").write_text(GOOD)
    assert "no judge './there-is-no-such-judge'" in main("label", "p.csv", *NO_JUDGE, code=2).err


def test_a_truncated_gzip_is_refused_even_if_bad_rows_may_be_skipped(main, tmp_path):
    whole = gzip.compress((GOOD + "".join(f"query {n},{n},{os.urandom(8).hex()}\n" for n in range(5000))).encode())
    (tmp_path / "p.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in main("label", "p.csv.gz", *NO_JUDGE, "--skip-bad-rows", code=2).err


def test_catalogue_problems_name_the_catalogue_or_the_pair(main, tmp_path):
    (tmp_path / "p.csv").write_text("query,candidate_id\nlamp,1\nlamp,9\n")
    (tmp_path / "c.csv").write_text("candidate_id,title\n1,Lamp\n1,Lamp\n2,Chair\n2,Sofa\n")
    done = main("validate", "p.csv", "--catalogue", "c.csv", "--json", code=2).json
    assert done["problems"] == {"conflicting_product": 1, "not_in_catalogue": 1}
    places = {(p["kind"], p["file"], p["row"], p["line"], p["field"]) for p in done["first"]}
    assert places == {
        ("not_in_catalogue", "p.csv", 2, 3, "candidate_id"),
        ("conflicting_product", "c.csv", 4, 5, "candidate_id"),
    }
    assert done["pairs"] == 1


def test_what_is_no_file_is_said_to_be_none_whatever_its_name(main, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "rows.csv").mkdir()
    for name, says in (("folder", "is a directory"), ("rows.csv", "is a directory"), ("none", "does not exist")):
        assert f"{name}: {says}" in main("validate", name, code=2).err


def test_one_of_a_thing_is_named_as_one(main, tmp_path):
    (tmp_path / "p.csv").write_text(GOOD + ",2,Chair\n3\n")
    assert "(and 1 more problem;" in main("label", "p.csv", "--engine", "fake", "--out", "run", code=2).err
    assert "has 1 cell where the header has 3" in main("validate", "p.csv", code=2).out
    (tmp_path / "r.csv").write_text("query,candidate_id,grade\nlamp,1,2\n")
    main("import", "r.csv", "--out", "run")
    assert "1 record in run.qrels" in main("export", "run", "--to", "trec", "--out", "run.qrels").out
    assert "1 pair of 1 query;" in main("agree", "r.csv", "--run", "run").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--map", "titel=title"], ["there is no 'titel'", "did you mean title"]),
        (["--map", "title=tilte"], ["no file has a column 'tilte'", "did you mean title"]),
        (["--map", "title"], ["is not NAME=COLUMN"]),
        (["--guideline", "nope"], ["no guideline 'nope'", "three-level"]),
        (["--engine", "nope"], ["no such engine", "transformers"]),
        (["--catalogue", "none.csv"], ["none.csv", "cannot be read"]),
    ],
)
def test_options_that_cannot_be_are_refused(arguments, says, main, tmp_path):
    (tmp_path / "p.csv").write_text(GOOD)
    error = main("label", "p.csv", *NO_JUDGE, *arguments, code=2).err
    for words in says:
        assert words in error


def test_an_output_that_is_taken_or_not_writable_is_refused(main, tmp_path):
    (tmp_path / "p.csv").write_text(GOOD)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    for out, says in (
        ("file", "cannot be written"),
        ("full", "something else (thesis.txt)"),
        ("/proc/run", "cannot be written"),
    ):
        assert says in main("label", "p.csv", "--engine", "fake", "--out", out, code=2).err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]


BAD_ROWS = GOOD + ",2,Chair\nlamp,1,Lamp\nlamp,1,Sofa\nlamp,3,\nlamp,,x\nlamp,4\nlamp,5,l\xe4mp\nlamp,6,Desk lamp\n"


def test_one_bad_row_does_not_stop_the_rest(main, tmp_path):
    (tmp_path / "p.csv").write_bytes(BAD_ROWS.encode("latin-1"))
    done = main("label", "p.csv", "--engine", "fake", "--out", "run", "--skip-bad-rows", "--json").json
    assert done["rows"] == sum(done["status"].values()) == 9
    assert done["status"] == {"graded": 2, "abstained": 0, "failed": 0, "skipped": 7}
    main("export", "run", "--to", "jsonl", "--out", "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("graded", None),
        ("skipped", "empty_query: is empty"),
        ("skipped", "repeats row 1"),
        ("skipped", "conflicting_pair: same pair as an earlier row, with another text"),
        ("skipped", "candidate has no text"),
        ("skipped", "missing_candidate_id: is empty"),
        ("skipped", "ragged_row: has 2 cells where the header has 3"),
        ("skipped", "wrong_encoding: is not UTF-8 text"),
        ("graded", None),
    ]
    assert all(row["grade"] is None for row in rows if row["status"] == "skipped")


def test_validate_lists_every_kind_with_its_first_rows(main, tmp_path):
    (tmp_path / "p.csv").write_bytes(BAD_ROWS.encode("latin-1") + b",7,x\n" * 9)
    shown = main("validate", "p.csv", code=2).out
    assert "empty_query: 10" in shown
    assert "p.csv, row 2 (line 3), field 'query': is empty" in shown
    assert "… and 5 more" in shown
    for kind in ("conflicting_pair: 1", "missing_candidate_id: 1", "ragged_row: 1", "wrong_encoding: 1"):
        assert kind in shown
    (tmp_path / "good.csv").write_text(GOOD)
    assert main("validate", "good.csv", "--json").json["problems"] == {}


def test_a_row_that_is_refused_says_nothing_against_a_right_one(main, tmp_path):
    # Row 2 gives Q another query text; row 3 is a first word on the pair (Q, b), and row 4 repeats it.
    rows = "Q,lamp,a,Lamp\nQ,chair,b,Chair\nQ,lamp,b,Desk lamp\nQ,lamp,b,Desk lamp\nQ,lamp,b,Sofa\n"
    (tmp_path / "p.csv").write_text("query_id,query,candidate_id,title\n" + rows)
    main("label", "p.csv", "--engine", "fake", "--out", "run", "--skip-bad-rows")
    main("export", "run", "--to", "jsonl", "--out", "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in rows] == [
        None,
        "conflicting_query: query_id had another query text before",
        None,
        "repeats row 3",
        "conflicting_pair: same pair as an earlier row, with another text",
    ]


@pytest.mark.parametrize("name", ["given.parquet", "pairs.partial"])
def test_a_disk_that_fills_while_pairs_are_read_is_named_and_nothing_is_left(main, tmp_path, monkeypatch, name):
    (tmp_path / "p.csv").write_text(GOOD)
    write = pq.ParquetWriter.write_table

    def full(self, *given):
        if Path(self.where).name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, *given)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    said = main("label", "p.csv", "--engine", "fake", "--out", "run", code=1).err
    assert f"{name.replace('partial', 'parquet')}: No space left on device" in said
    assert not (tmp_path / "run").exists()
