"""Files of ratings in, long and wide, and what is refused of them."""

import numpy as np
import pytest

from judge.errors import InputError
from judge.ratings.layout import RatingsLayout
from judge.ratings.panel import majority, read_panel

GRADES = {"0": 0, "1": 1, "2": 2}
LONG = """query,candidate_id,rater,grade,clause,time,kind
lamp,P1,ann,2,full-match,2026-09-07T09:00:00Z,category
lamp,P1,ben,1,accessory,1788771601,category
lamp,P2,ann,0,,,category
"""
WIDE = """query,product,ann,ben,agreed,locale
lamp,P1,2,1,2,en
lamp,P2,0,,0,en
lamp,P3,,,,en
"""


def read(tmp_path, text, name="ratings.csv", **layout):
    path = tmp_path / name
    path.write_text(text)
    return read_panel(path, RatingsLayout(**({"grades": GRADES} | layout)), (0, 1, 2), name)


def test_a_long_file(tmp_path):
    panel = read(tmp_path, LONG)
    assert panel.raters == ("ann", "ben")
    np.testing.assert_array_equal(panel.grades, [[2, 0], [1, np.nan]])
    assert panel.clauses == {(0, 0): "full-match", (1, 0): "accessory"}
    assert panel.times[0, 0] == 1788771600  # date -u -d 2026-09-07T09:00:00Z +%s
    assert panel.times[1, 0] == 1788771601
    assert panel.units[0].facets == {"kind": "category"}
    assert panel.gold is None


def test_a_wide_file_with_gold(tmp_path):
    mapping = {"candidate_id": ["product"]}
    panel = read(tmp_path, WIDE, mapping=mapping, raters=("ann", "ben"), gold="agreed")
    assert [unit.candidate_id for unit in panel.units] == ["P1", "P2"]  # nobody rated P3
    np.testing.assert_array_equal(panel.grades, [[2, 0], [1, np.nan]])
    np.testing.assert_array_equal(panel.gold, [2, 0])
    assert panel.raters == ("ann", "ben")


def test_gold_may_be_a_rater_of_a_long_file(tmp_path):
    panel = read(tmp_path, LONG, gold="ben")
    assert panel.raters == ("ann",)
    np.testing.assert_array_equal(panel.gold, [1, np.nan])


def test_some_raters_of_a_long_file(tmp_path):
    assert read(tmp_path, LONG, raters=("ann",)).raters == ("ann",)


def test_json_lines_need_no_header(tmp_path):
    line = '{"query": "lamp", "candidate_id": "P1", "rater": "ann", "grade": 2}\n'
    assert read(tmp_path, line, "ratings.jsonl").grades.tolist() == [[2]]


def test_an_exact_repeat_counts_once(tmp_path):
    again = LONG + "lamp,P2,ann,0,,,category\n"
    assert read(tmp_path, again).grades.shape == (2, 2)


@pytest.mark.parametrize(
    ("text", "layout", "said"),
    [
        (LONG + "lamp,P1,ann,1,,,\n", {}, ["row 4", "'grade'", "another grade in row 1"]),
        (LONG + "lamp,P1,ann,7,,,\n", {}, ["row 4", "'grade'", "unknown grade '7'"]),
        (LONG + ",P1,ann,1,,,\n", {}, ["row 4", "'query'", "is empty"]),
        (LONG + "lamp,P9,,1,,,\n", {}, ["row 4", "'rater'", "is empty"]),
        (LONG + "lamp,P9,ann,1,,noon,\n", {}, ["row 4", "'time'", "'noon' is no time"]),
        (LONG + "lamp,P9,ann\n", {}, ["row 4", "cells"]),
        (LONG, {"raters": ("zoe",)}, ["'zoe'"]),
        (WIDE, {"raters": ("ann", "zoe")}, ["'candidate_id'", "product"]),
        (WIDE, {"raters": ("ann", "zoe"), "mapping": {"candidate_id": ["product"]}}, ["'zoe'", "it has"]),
        (WIDE, {"mapping": {"candidate_id": ["product"]}}, ["'grade'"]),
        ("query_id,query,candidate_id,grade\n1,a,P,1\n1,b,P,1\n", {}, ["row 2", "'query_id'", "another query"]),
        ("query,candidate_id,grade\nlamp,P,\n", {}, ["holds no grade"]),
    ],
)
def test_what_is_wrong_is_named_by_its_place(tmp_path, text, layout, said):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, **layout)
    assert caught.value.hint
    assert all(words in caught.value.message for words in ("ratings.csv", *said)), caught.value.message


def test_a_majority_needs_one_maximum():
    table = np.array([[0, 0, 1, np.nan], [0, 1, 1, np.nan], [2, 2, np.nan, np.nan]])
    np.testing.assert_array_equal(majority(table), [0, np.nan, 1, np.nan])


def test_bad_rows_are_refused_or_counted_and_left_out_whole(main, tmp_path):
    good = ["lamp,p1,ann,2,", "lamp,p1,ben,2,", "lamp,p2,ann,1,", "lamp,p2,ben,0,", "sofa,p3,ann,0,", "sofa,p3,ben,0,"]
    bad = ["lamp,p1,ann,0,", "lamp,p2,cleo,?,", ",p1,ann,1,", "lamp,,ann,1,", "lamp,p4,,1,", "sofa,p5,ann,1,noon"]
    head = "query,candidate_id,rater,grade,time\n"
    (tmp_path / "good.csv").write_text(head + "\n".join(good) + "\n")
    (tmp_path / "all.csv").write_text(head + "\n".join(good[:3] + bad + good[3:]) + "\n")
    assert "row 5" in main("agree", "all.csv", code=2).err, "what is no grade is told first, all of it"
    found = main("agree", "all.csv", "--skip-bad-rows", "--json").json
    clean = main("agree", "good.csv", "--json").json
    kinds = (
        *("conflicting_grade", "unknown_grade", "empty_query", "missing_candidate_id", "missing_rater"),
        "not_a_time",
    )
    assert found.pop("left_out") == dict.fromkeys(kinds, 1)
    assert clean.pop("left_out") == {}
    assert {**found, "ratings": ""} == {**clean, "ratings": ""}
    shown = main("agree", "all.csv", "--skip-bad-rows", "--report", "r.html").out
    assert "left out: 1 × unknown grade" in shown
    assert "1 × unknown grade" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("column", ["WorkerId", "ASSIGNMENT:worker_id", "_annotator_id", "completed_by", "annotator"])
def test_raters_whose_column_goes_by_another_name_do_not_become_one_in_silence(main, tmp_path, column):
    head = f"query,candidate_id,{column},grade\n"
    (tmp_path / "differ.csv").write_text(f"{head}lamp,p1,ann,2\nlamp,p1,ben,1\nlamp,p2,ann,0\n")
    given = f"--map rater={column}"
    assert given in main("aggregate", "differ.csv", "--out", "o.csv", code=2).err
    assert given in main("aggregate", "differ.csv", "--skip-bad-rows", "--out", "o.csv").err
    (tmp_path / "alike.csv").write_text(f"{head}lamp,p1,ann,2\nlamp,p1,ben,2\nlamp,p2,ann,0\n")
    said = main("aggregate", "alike.csv", "--out", "o.csv", "--overwrite")
    assert "1 grade of pairs graded before did not count" in said.err
    assert given in said.err
    said = main("aggregate", "alike.csv", "--out", "o.csv", "--overwrite", "--map", f"rater={column}")
    assert (said.err, "majority of 2 raters" in said.out) == ("", True)


def test_grades_of_one_rater_are_read_without_a_word_of_others(main, tmp_path):
    (tmp_path / "one.csv").write_text("query,candidate_id,annotator,grade\nlamp,p1,ann,2\nlamp,p2,ann,0\n")
    assert not main("aggregate", "one.csv", "--out", "o.csv").err
    (tmp_path / "plain.csv").write_text("query,candidate_id,updated,grade\nlamp,p1,1,2\nlamp,p1,2,1\n")
    said = main("aggregate", "plain.csv", "--out", "p.csv", code=2).err
    assert "--map rater=COLUMN" in said
    assert "judge aggregate" not in said


def test_a_bad_cell_of_a_wide_row_costs_the_cell_alone(main, tmp_path):
    rows = ["query,candidate_id,ann,ben", "lamp,p1,2,2", "lamp,p2,1,unrateable", "lamp,p3,0,1", "lamp,p3,0,2"]
    (tmp_path / "wide.csv").write_text("\n".join([*rows, "sofa,,1,1", "sofa,p4,1,1"]) + "\n")
    panel = read_panel(
        tmp_path / "wide.csv", RatingsLayout(grades=GRADES, raters=("ann", "ben"), skip_bad_rows=True), (0, 1, 2)
    )
    # Ann's 1 of p2 stands although Ben wrote a word; of p3, Ann repeats herself and Ben contradicts himself; the row
    # without a candidate is one bad row, whatever it holds.
    np.testing.assert_array_equal(panel.grades, [[2, 1, 0, 1], [2, np.nan, 1, 1]])
    assert panel.left_out == {"unknown_grade": 1, "conflicting_grade": 1, "missing_candidate_id": 1}
    told = main("aggregate", "wide.csv", "--raters", "ann,ben", "--skip-bad-rows", "--out", "o.csv", "--json").json
    assert (told["pairs"], told["left_out"]) == (4, dict(panel.left_out))


def test_times_are_read_however_they_are_written(tmp_path):
    # All are 31 January 2026, 14:05 UTC: 1769868300 seconds.
    times = ["2026-01-31T14:05:00Z", "1769868300", "1769868300000", "1/31/2026 14:05", "01/31/2026 2:05 PM"]
    rows = [f"lamp,p{number},ann,1,{time}" for number, time in enumerate([*times, "31/1/2026"])]
    (tmp_path / "r.csv").write_text("query,candidate_id,rater,grade,time\n" + "\n".join(rows) + "\n")
    panel = read_panel(tmp_path / "r.csv", RatingsLayout(grades=GRADES, skip_bad_rows=True), (0, 1, 2))
    assert panel.times[0].tolist() == [1769868300.0] * len(times)
    assert panel.left_out == {"not_a_time": 1}
