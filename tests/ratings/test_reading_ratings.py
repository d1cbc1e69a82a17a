"""What a file of ratings may hold besides plain grades."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judgment_files import GRADES, VALUES, row

from judge.errors import InputError
from judge.pairs.stage import Source
from judge.ratings.layout import RatingsLayout
from judge.ratings.panel import read_panel
from judge.ratings.reader import read_ratings, stage_ratings
from judge.records import Rating, query_key


@pytest.fixture
def rated_run(main, tmp_path):
    (tmp_path / "r.csv").write_text("query,candidate_id,grade\nlamp,p1,2\nsofa,p2,0\n")
    main("import", "r.csv", "--out", "run")


@pytest.mark.parametrize(
    "words",
    [
        ("aggregate", "r.csv", "--out", "o.csv"),
        ("agree", "r.csv", "--run", "run"),
        ("calibrate", "run", "r.csv", "--out", "c.json"),
        ("finetune", "r.csv", "--out", "adapter"),
        ("import", "r.csv", "--out", "other"),
        ("trace", "run", "lamp", "p1", "--ratings", "r.csv"),
        ("validate", "r.csv", "--rating", "grade"),
    ],
    ids=lambda words: words[0],
)
def test_every_verb_refuses_names_that_it_cannot_use(words, rated_run, main):
    assert "'candidate'" in main(*words, "--map", "candidate=candidate_id", code=2).err
    if words[0] != "import":
        assert "twice" in main(*words, "--raters", "ann,ben,ann", code=2).err


def test_a_row_without_a_grade_says_how_its_file_writes_ids(guideline, tmp_path):
    """Next to 7.5 the 101.0 is no whole number, for the reader of pairs and for that of grades."""
    (tmp_path / "r.csv").write_text("query,candidate_id,grade\nlamp,101.0,2\nlamp,7.5,\n")
    alone = read_ratings(tmp_path / "r.csv", RatingsLayout(grades=GRADES), VALUES)
    staged, read = stage_ratings(
        Source(tmp_path / "r.csv", need_text=False), RatingsLayout(grades=GRADES), guideline, tmp_path, tmp_path
    )
    assert [r.candidate_id for r in alone] == [r.candidate_id for r in read] == ["101.0"]
    assert sorted(pq.read_table(staged.path)["candidate_id"].to_pylist()) == ["101.0", "7.5"]


def test_grades_go_by_the_ids_that_pairs_and_catalogue_have_together(guideline, tmp_path):
    """The catalogue's 1.0.2 makes 101.0 and 101 two products: neither grade repeats or contradicts the other."""
    (tmp_path / "r.csv").write_text("query,candidate_id,grade\nlamp,101.0,2\nlamp,101,1\n")
    (tmp_path / "c.csv").write_text("candidate_id,title\n101.0,Lamp\n101,Sofa\n1.0.2,Desk\n")
    source = Source(tmp_path / "r.csv", tmp_path / "c.csv", need_text=False)
    staged, read = stage_ratings(source, RatingsLayout(grades=GRADES, one_grade=True), guideline, tmp_path, tmp_path)
    assert {r.candidate_id: r.grade for r in read} == {"101.0": 2, "101": 1}
    pairs = pq.read_table(staged.path, columns=["candidate_id", "grade", "skip"]).to_pylist()
    assert {row["candidate_id"]: (row["grade"], row["skip"]) for row in pairs} == {"101.0": (2, None), "101": (1, None)}


def test_raters_who_differ_are_wrong_only_where_a_pair_has_one_grade(main, tmp_path):
    (tmp_path / "r.csv").write_text("query,candidate_id,rater,grade\nlamp,p1,ann,2\nlamp,p1,ben,1\nlamp,p1,cleo,2\n")
    assert main("validate", "r.csv", "--rating", "grade", "--json").json["raters_differ"] == 1
    assert "another rater" in main("import", "r.csv", "--out", "run", code=2).err
    kept = main("import", "r.csv", "--out", "run", "--skip-bad-rows", "--json").json
    assert kept["grades"] == {"0": 0, "1": 0, "2": 1}
    with pytest.raises(InputError, match=r"row 2 .*another rater"):
        read_ratings(tmp_path / "r.csv", RatingsLayout(grades=GRADES, one_grade=True), VALUES)
    assert read_panel(tmp_path / "r.csv", RatingsLayout(grades=GRADES), VALUES).grades.tolist() == [[2], [1], [2]]


def test_a_rating_says_who_when_and_why(tmp_path):
    (tmp_path / "r.csv").write_text("query,candidate_id,rater,grade,clause,time\nlamp,p1,ann,2,full-match,60\n")
    [rating] = read_ratings(tmp_path / "r.csv", RatingsLayout(grades=GRADES), VALUES)
    assert rating == Rating(query_key("lamp"), "lamp", "p1", "ann", 2, "full-match", 60.0)


def test_a_rater_whom_only_a_later_line_names_is_no_other_one(tmp_path):
    """Lines of JSON have keys of their own: a rater's that begins in row 2 makes a nameless grade in row 1."""
    lines = [{"grade": 1}, {"grade": 2, "rater": "ann"}]
    text = "".join(json.dumps({"query": "lamp", "candidate_id": "p1"} | line) + "\n" for line in lines)
    (tmp_path / "r.jsonl").write_text(text)
    found = read_ratings(tmp_path / "r.jsonl", RatingsLayout(grades=GRADES, skip_bad_rows=True), VALUES)
    assert (found.raters, found.left_out) == (("ann",), {"missing_rater": 1})


def test_a_column_of_a_wide_file_of_lines_may_begin_late(tmp_path):
    lines = [{"candidate_id": "p1", "ann": 1}, {"candidate_id": "p2", "ann": 0, "ben": 2}]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps({"query": "lamp"} | line) + "\n" for line in lines))
    panel = read_panel(tmp_path / "r.jsonl", RatingsLayout(grades=GRADES, raters=("ann", "ben")), VALUES)
    assert panel.raters == ("ann", "ben")
    assert panel.grades[:, 1].tolist() == [0, 2]


def test_what_describes_a_pair_and_cannot_be_shown_costs_no_grade(tmp_path):
    line = {"query": "lamp", "candidate_id": "p1", "grade": 1, "title": {"en": "Lamp"}, "kind": "category"}
    (tmp_path / "r.jsonl").write_text(json.dumps(line) + "\n")
    panel = read_panel(tmp_path / "r.jsonl", RatingsLayout(grades=GRADES), VALUES)
    assert (panel.grades.tolist(), panel.units[0].facets) == ([[1]], {"kind": "category"})


@settings(max_examples=25, database=None, derandomize=True)
@given(st.lists(row, min_size=1, max_size=12))
def test_cells_add_up_and_the_first_grade_counts(tmp_path_factory, rows):
    """Against a reading by hand: ann's and ben's columns, cell by cell, in the order of the file."""
    expected, aside = {}, Counter()
    for query, candidate_id, *cells in rows:
        graded = [(who, text.strip()) for who, text in zip(("ann", "ben"), cells, strict=True) if text.strip()]
        if not query:
            aside["empty_query"] += 1
        elif not graded:
            aside["no_grade"] += 1
        for who, text in graded if query else ():
            if text == "?":
                aside["unknown_grade"] += 1
            elif expected.setdefault((query, candidate_id, who), int(text)) != int(text):
                aside["conflicting_grade"] += 1
            else:
                aside["used"] += 1
    aside["repeat"] = aside.pop("used", 0) - len(expected)
    path = tmp_path_factory.mktemp("cells") / "r.csv"
    path.write_text("query,candidate_id,ann,ben\n" + "".join(",".join(each) + "\n" for each in rows))
    raters = tuple(sorted({who for *_, who in expected}))
    if not raters:
        return
    found = read_ratings(path, RatingsLayout(grades=GRADES, raters=raters, skip_bad_rows=True), VALUES)
    if len(raters) == 2:
        assert {(r.query, r.candidate_id, r.rater): r.grade for r in found} == expected
        assert found.set_aside == {reason: count for reason, count in aside.items() if count}
        assert found.rows == len(rows)


def test_a_weight_that_does_not_count_is_said(main, tmp_path):
    (tmp_path / "r.csv").write_text("query,candidate_id,grade,weight\nlamp,p1,2,5\nlamp,p2,0,1\n")
    for words in (("aggregate", "r.csv", "--out", "o.csv"), ("import", "r.csv", "--out", "run")):
        assert "column 'weight' is not read: every grade counts alike" in main(*words).err
    (tmp_path / "r.csv").write_text("query,candidate_id,grade,weight\nlamp,p1,2,5\nlamp,p2,0,1\n")
    assert "weight" not in main("aggregate", "r.csv", "--map", "title=weight", "--out", "p.csv").err
    # A product's weight, which a guideline asks for, is read.
    usual = (Path(__file__).parents[2] / "guidelines" / "three-level.yaml").read_text()
    (tmp_path / "own.yaml").write_text(usual.replace("{name: price,", "{name: weight,"))
    assert "weight" not in main("import", "r.csv", "--guideline", "own.yaml", "--out", "weighed").err
