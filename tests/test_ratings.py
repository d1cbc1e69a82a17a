"""Files of ratings in, long and wide, and what is refused of them."""

import numpy as np
import pytest

from audit.panel import majority
from audit.ratings import Layout, read_ratings
from judge.errors import InputError

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
    return read_ratings(path, Layout(**({"grades": GRADES} | layout)), (0, 1, 2), name)


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
