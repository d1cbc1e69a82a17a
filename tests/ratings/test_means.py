"""Means of several people's grades, such as 2.33; and cells that say that nobody answered."""

import json
import re
import shlex
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from conftest import shared_data
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.targets import around, targets
from judge.errors import InputError
from judge.ratings.layout import RatingsLayout
from judge.ratings.panel import as_panel
from judge.ratings.rated import rated_pairs
from judge.ratings.reader import read_ratings
from judge.tables.ranges import Ranges
from judge.words.guideline import known_grades
from relevance_judge.cli.params import read_grades

CUTS = "1..1.67=0,1.67..2.33=1,2.33..3=2"
PLAIN = {"0": 0, "1": 1, "2": 2}


def layout(grades, **more):
    return RatingsLayout({"grade": ["relevance"], "candidate_id": ["product_uid"]}, grades, **more)


def test_a_range_holds_its_upper_end_and_the_first_both():
    ranges = Ranges.of(read_grades(CUTS))
    told = {number: ranges.name(Decimal(number)) for number in ("1", "1.67", "1.68", "2.33", "2.34", "3")}
    first, second, third = CUTS.replace("=0", "").replace("=1", "").replace("=2", "").split(",")
    assert list(told.values()) == [first, first, second, second, third, third]
    assert (ranges.name(Decimal("0.99")), ranges.name(Decimal("3.01"))) == (None, None)
    # The ends 1 and 3 are the grades 0 and 2, and the cut points half-way between two grades.
    told = [ranges.on_scale(Decimal(number)) for number in ("1", "1.335", "1.67", "2", "2.33", "2.665", "3")]
    assert told == pytest.approx([0, 0.25, 0.5, 1, 1.5, 1.75, 2])


@pytest.mark.parametrize(
    ("given", "fixed"),
    [
        ("1..1.66=0,1.67..2.33=1,2.34..3=2", "1..1.67=0,1.67..2.34=1,2.34..3=2"),
        ("1..2=0,1.67..2.33=1,2.33..3=2", "1..1.67=0,1.67..2.33=1,2.33..3=2"),
        ("2.33..3=2,1..1.5=0,2..2.33=1", "1..2=0,2..2.33=1,2.33..3=2"),
    ],
)
def test_gaps_and_overlaps_are_refused_with_the_fix(given, fixed):
    with pytest.raises(InputError) as refused:
        Ranges.of(read_grades(given))
    assert shlex.split(refused.value.hint.partition("--grades ")[2]) == [fixed]
    assert Ranges.of(read_grades(fixed)).grades == (0, 1, 2)


@pytest.mark.parametrize(
    "given", ["1..=0", "2..1=0", "a..b=1", "1..2=", "1..1=0", "nan..2=0", "1...2=0", "1..1e99999999=0"]
)
def test_what_is_no_range_is_refused(given):
    with pytest.raises(InputError):
        Ranges.of(read_grades(given))


@settings(max_examples=40)
@given(st.lists(st.integers(0, 400), min_size=2, max_size=6, unique=True), st.integers(0, 400))
def test_every_number_between_the_ends_is_in_one_range(cuts, hundredths):
    ends = [Decimal(cut) / 100 for cut in sorted(cuts)]
    names = {f"{low}..{high}": grade for grade, (low, high) in enumerate(pairwise(ends))}
    number = Decimal(hundredths) / 100
    # By counting, as the definition has it.
    held = [n for n, (low, high) in zip(names, pairwise(ends), strict=True) if low < number <= high]
    held = held or [name for name in list(names)[:1] if number == ends[0]]
    assert ([Ranges.of(names).name(number)] if ends[0] <= number <= ends[-1] else []) == held


@settings(max_examples=60)
@given(st.sets(st.integers(0, 400), min_size=4, max_size=4), st.integers(0, 400))
def test_what_a_mean_teaches_most_is_the_grade_of_its_range(cuts, hundredths):
    ends = [Decimal(cut) / 100 for cut in sorted(cuts)]
    names = {f"{low}..{high}": grade for grade, (low, high) in enumerate(pairwise(ends))}
    number = min(max(Decimal(hundredths) / 100, ends[0]), ends[-1])
    ranges = Ranges.of(names)
    # The lower of two equal shares: a range holds its upper end.
    assert around(ranges.on_scale(number), (0, 1, 2)).argmax() == names[ranges.name(number)]


@pytest.fixture
def means(tmp_path):
    """Two queries; the last row is a repeat and the one before it contradicts the first."""
    rows = ["lamp,a,3", "lamp,b,2.33", "lamp,c,1.67", "sofa,a,1", "sofa,b,2.67", "lamp,b,2.2", "lamp,a,3.00"]
    path = tmp_path / "hd.csv"
    path.write_text("search_term,product_uid,relevance\n" + "\n".join(rows) + "\n")
    return path


def test_the_mean_is_kept_and_the_cut_points_decide_the_grade(means):
    found = layout(read_grades(CUTS), skip_bad_rows=True)
    read = read_ratings(
        means, RatingsLayout({**found.mapping, "query": ["search_term"]}, found.grades, skip_bad_rows=True), (0, 1, 2)
    )
    assert [(r.candidate_id, r.grade, r.mean) for r in read] == [
        ("a", 2, 2.0),
        ("b", 1, 1.5),
        ("c", 0, 0.5),
        ("a", 0, 0.0),
        ("b", 2, pytest.approx(1.5 + 0.5 * 0.34 / 0.67)),
    ]
    # 2.2 has the grade of 2.33, and is another mean all the same.
    assert read.set_aside == {"conflicting_grade": 1, "repeat": 1}
    assert read.rows == 7


def test_a_mean_teaches_both_grades_around_it(means):
    assert around(1.25, (0, 1, 2)).tolist() == [0, 0.75, 0.25]
    assert around(0, (0, 1, 2)).tolist() == [1, 0, 0]
    assert around(2, (0, 1, 2)).tolist() == [0, 0, 1]
    assert around(4, (0, 1, 3, 7)).tolist() == [0, 0, 0.75, 0.25]
    # Ann's grade and a mean of 1.25 that was cut to 1: one vote each.
    votes, given = [{"ann": 2, "crowd": 1}], [{"crowd": 1.25}]
    assert targets(votes, (0, 1, 2), "distribution", given).tolist() == [[0, 0.375, 0.625]]
    assert targets(votes, (0, 1, 2), "majority", given).tolist() == [[0, 0.5, 0.5]]


def test_agreement_with_means_by_hand(main, means, tmp_path):
    lines = [("lamp", "a", 2), ("lamp", "b", 2), ("lamp", "c", 0), ("sofa", "a", 0), ("sofa", "b", 1)]
    (tmp_path / "judged.csv").write_text("query,candidate_id,grade\n" + "".join(f"{q},{c},{g}\n" for q, c, g in lines))
    main("import", "judged.csv", "--out", "run")
    options = (
        "--map",
        "query=search_term",
        "--map",
        "candidate_id=product_uid",
        "--rating",
        "relevance",
        "--skip-bad-rows",
    )
    found = main("agree", means, "--run", "run", *options, "--grades", CUTS, "--json").json
    # Means on the scale 2, 1.5, .5, 0, 1.5 + .5 * .34 / .67 = 1.7537 against 2, 2, 0, 0, 1: errors 0, .5, .5, 0, .7537.
    assert found["mean_absolute_error"]["value"] == pytest.approx(1.7537 / 5, abs=1e-4)
    # Always 1, the grade next to their median of 1.5: errors 1, .5, .5, 1, .7537. (Always 2: 4.2463, always 0: 5.7537.)
    assert found["baseline_absolute_error"]["value"] == pytest.approx(3.7537 / 5, abs=1e-4)
    # Ranks 5, 3, 2, 1, 4 against 4.5, 4.5, 1.5, 1.5, 3: covariance 7.5, variances 10 and 9.
    assert found["spearman"]["value"] == pytest.approx(7.5 / np.sqrt(90))
    assert (found["n"], found["accuracy"]["value"]) == (5, 3 / 5)
    assert found["left_out"] == {"conflicting_grade": 1}
    shown = main("agree", means, "--run", "run", *options, "--grades", CUTS, "--report", "r.html").out
    assert "mean absolute error" in shown


def test_means_are_refused_with_ranges_that_can_be_copied(main, means):
    options = ("--map", "query=search_term", "--map", "candidate_id=product_uid", "--rating", "relevance")
    said = main("import", means, *options, "--out", "run", code=2).err
    assert all(value in said for value in ("'1.67'", "'2.33'", "'2.67'")), "all values at once"
    copied = shlex.split(re.search(r"--grades \S+", said).group())[1]
    assert copied == CUTS
    run = main("import", means, *options, "--skip-bad-rows", "--grades", copied, "--out", "run", "--json", code=0)
    assert run.json["grades"] == {"0": 2, "1": 1, "2": 2}


def test_home_depot_is_read_whole():
    path = shared_data("homedepot") / "ratings.csv"
    columns = {"grade": ["relevance"], "candidate_id": ["product_id"]}
    read = read_ratings(path, RatingsLayout(columns, read_grades(CUTS)), (0, 1, 2), described=True)
    panel = as_panel(read)
    assert read.used + sum(read.set_aside.values()) == read.rows == 36_652
    means = panel.means[0]
    # What the file says of itself, by another way: its steps are at 1, 1.25 and so on to 3.
    assert (np.nanmin(means), np.nanmax(means)) == (0, 2)
    assert (panel.grades[0] == np.select([means <= 0.5, means <= 1.5], [0, 1], 2)).all()
    rated = rated_pairs(read)
    shares = targets([r.votes for r in rated], (0, 1, 2), "distribution", [r.means for r in rated])
    assert (shares @ [0, 1, 2]).mean() == pytest.approx(means.mean())


# no answer


@pytest.mark.parametrize("word", ["NA", "n/a", "nan", "None", "null", "NULL", " na ", ""])
def test_words_for_no_answer_are_none(tmp_path, word):
    rows = ["query,candidate_id,ann,ben", f"lamp,a,2,{word}", f"lamp,b,{word},{word}", "lamp,c,1,0"]
    (tmp_path / "wide.csv").write_text("\n".join(rows) + "\n")
    read = read_ratings(tmp_path / "wide.csv", RatingsLayout({}, PLAIN, ("ann", "ben")), (0, 1, 2))
    assert [(r.candidate_id, r.rater, r.grade) for r in read] == [("a", "ann", 2), ("c", "ann", 1), ("c", "ben", 0)]
    assert read.set_aside == {"no_grade": 1}


def test_a_word_that_means_a_grade_is_one(tmp_path, guideline):
    (tmp_path / "r.csv").write_text("query,candidate_id,grade\nlamp,a,none\nlamp,b,full\n")
    grades = known_grades(read_grades("none=0,full=2"), guideline)
    assert [r.grade for r in read_ratings(tmp_path / "r.csv", RatingsLayout({}, grades), (0, 1, 2))] == [0, 2]


def test_a_word_can_be_no_answer(main, tmp_path, guideline):
    assert known_grades(read_grades("unrateable="), guideline) == {**PLAIN, "unrateable": None}
    rows = ["query,candidate_id,ann,ben,cleo", "mouse,1,2,unrateable,2", "mouse,2,0,1,", "mouse,3,unrateable,,NA"]
    (tmp_path / "book.csv").write_text("\n".join(rows) + "\n")
    for grades in ("unrateable=", "0=0,1=1,2=2,unrateable="):
        given = ("--raters", "ann,ben,cleo", "--grades", grades, "--out", "o.jsonl", "--overwrite")
        main("aggregate", "book.csv", *given)
        lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
        assert [(line["candidate_id"], line["grade"], line["ratings"]) for line in lines] == [
            ("1", 2, 2),
            ("2", None, 2),
        ]
    # Without it the word is asked about, and skipped it costs its cell alone.
    assert "unrateable" in main("aggregate", "book.csv", "--raters", "ann,ben,cleo", "--out", "p.jsonl", code=2).err
    main("aggregate", "book.csv", "--raters", "ann,ben,cleo", "--out", "p.jsonl", "--skip-bad-rows")
    assert (tmp_path / "p.jsonl").read_text() == (tmp_path / "o.jsonl").read_text()
