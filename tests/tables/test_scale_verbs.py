"""Every verb refuses grades of another scale, and says which map fits."""

import csv
import re

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from judge.errors import InputError
from judge.pairs.stage import Source
from judge.ratings.layout import RatingsLayout
from judge.ratings.panel import read_panel
from judge.ratings.reader import stage_ratings
from judge.run.store import Run
from relevance_judge.publishing import agreement

PLAIN = {"0": 0, "1": 1, "2": 2}


VALUES = (0, 1, 2)


def write(path, rows, head="query,candidate_id,grade"):
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture
def three(tmp_path):
    """Ten pairs rated 1 to 3."""
    rated = [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    rows = [(f"q{i % 5}", f"c{i}", grade) for i, grade in enumerate(rated)]
    return write(tmp_path / "r.csv", rows)


def imported(main, tmp_path, grades):
    """A run of these grades of the ten pairs."""
    write(tmp_path / "mine.csv", [(f"q{i % 5}", f"c{i}", grade) for i, grade in enumerate(grades)])
    main("import", "mine.csv", "--out", "run")


VERBS = [
    ("import", "r.csv", "--out", "out"),
    ("aggregate", "r.csv", "--out", "out.csv"),
    ("agree", "r.csv", "--run", "run", "--report", "out.html"),
    ("finetune", "r.csv", "--out", "out", "--base", "no/such-base"),
    ("calibrate", "run", "r.csv", "--out", "out.json"),
    ("audit", "run", "events.csv", "--people", "r.csv", "--out", "out"),
    ("trace", "run", "q0", "c0", "--ratings", "r.csv"),
]


@pytest.mark.parametrize(
    ("verb", "skip"), [(v, s) for v in VERBS for s in (False, True) if not s or v[0] not in ("audit", "trace")]
)
def test_every_verb_refuses_another_scale_before_it_writes(verb, skip, main, three, tmp_path):
    imported(main, tmp_path, [0, 0, 1, 1, 1, 2, 2, 2, 2, 0])
    if verb[0] == "audit":
        seen = [(f"q{i % 5}", f"c{i}", 1, 100, 10) for i in range(10)]
        write(tmp_path / "events.csv", seen, "query,candidate_id,position,impressions,clicks")
    before = sorted(tmp_path.rglob("*"))
    told = main(*verb, *(["--skip-bad-rows"] if skip else []), code=2).err
    assert "'1' (3 times), '2' (3 times), '3' (4 times)" in told
    assert "--grades 1=0,2=1,3=2" in told
    assert sorted(tmp_path.rglob("*")) == before


def test_a_card_has_no_figures_of_another_scale(main, three, tmp_path):
    imported(main, tmp_path, [0, 0, 1, 1, 1, 2, 2, 2, 2, 0])
    with pytest.raises(InputError, match="another scale"):
        agreement(Run.open(tmp_path / "run"), three, RatingsLayout())


def test_validate_lists_the_values_and_the_fix(main, three):
    found = main("validate", "r.csv", "--rating", "grade", "--json", code=2).json
    assert found["scale"]["values"] == {"grade": {"1": 3, "2": 3, "3": 4}}
    assert "--grades 1=0,2=1,3=2" in found["scale"]["fix"]
    assert found["problems"] == {"unknown_grade": 4}
    fine = main("validate", "r.csv", "--rating", "grade", "--grades", "1=0,2=1,3=2", "--json").json
    assert (fine["problems"], fine["scale"]["fix"]) == ({}, None)
    assert "--grades 1=0,2=1,3=2" in main("validate", "r.csv", "--rating", "grade", code=2).out


def test_the_map_that_is_named_gives_the_right_kappa(main, three, tmp_path):
    mine = [0, 0, 1, 1, 1, 2, 2, 2, 2, 0]
    imported(main, tmp_path, mine)
    people = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]  # 1 to 3 as 0 to 2
    grades = re.search(r"--grades (\S+)", main("agree", "r.csv", "--run", "run", code=2).err)[1]
    found = main("agree", "r.csv", "--run", "run", "--grades", grades, "--json").json
    # By hand: squared distances are 0 but for three pairs, 1 + 1 + 4 = 6 of 10. Expected: of the people 3, 3, 4 and of
    # the run 3, 3, 4 in 0, 1, 2: (3*3 + 3*4*4 + 3*3 + 3*4 + 4*3*4 + 4*3) / 10 = 13.8; kappa 1 - 6 / 13.8.
    assert found["weighted_kappa"]["value"] == pytest.approx(1 - 6 / 13.8)
    assert found["weighted_kappa"]["value"] == pytest.approx(cohen_kappa_score(people, mine, weights="quadratic"))
    assert found["within_1"]["value"] == 0.9
    assert found["n"] == 10


def test_all_raters_columns_are_told_at_once(main, tmp_path):
    """Ann counts from 1, Ben from 0, and gold has one 4: none of them is read first and told alone."""
    head = "query,candidate_id,ann,ben,gold"
    write(tmp_path / "w.csv", [("q", f"c{i}", 1 + i % 3, i % 3, 4 if i == 8 else "") for i in range(9)], head)
    for verb in (
        ("aggregate", "w.csv", "--out", "out.csv", "--gold", "gold"),
        ("agree", "w.csv", "--gold", "gold"),
    ):
        told = main(*verb, "--raters", "ann,ben", "--skip-bad-rows", code=2).err
        assert "'3' (3 times), '4' (1 time)" in told
        assert "ann: '1' (3 times), '2' (3 times), '3' (3 times); ben: '0' (3 times)" in told
    told = main("finetune", "w.csv", "--raters", "ann,ben,gold", "--out", "out", "--base", "no/such-base", code=2).err
    assert "ann: '1' (3 times), '2' (3 times), '3' (3 times); ben: '0' (3 times)" in told
    assert "gold: '4' (1 time)" in told
    found = main("validate", "w.csv", "--raters", "ann,ben", "--gold", "gold", "--json", code=2).json
    assert found["scale"]["values"]["gold"] == {"4": 1}


def test_a_long_file_of_several_raters_is_one_scale(main, tmp_path):
    rows = [("q", f"c{i % 4}", "ann" if i < 4 else "ben", i % 4) for i in range(8)]
    write(tmp_path / "l.csv", rows, "query,candidate_id,rater,grade")
    for verb in (("aggregate", "l.csv", "--out", "out.csv"), ("agree", "l.csv")):
        told = main(*verb, "--skip-bad-rows", code=2).err
        assert "'0' (2 times), '1' (2 times), '2' (2 times), '3' (2 times)" in told
        assert "--grades 0=0,1=1,2=1,3=2" in told


def test_a_row_that_is_bad_otherwise_tells_the_scale_as_well(main, tmp_path, guideline):
    """The only 3 is in a row without a product: it tells what the other rows' grades mean."""
    path = write(tmp_path / "r.csv", [("q", "c1", 1), ("q", "c2", 2), ("q", "", 3)])
    for verb in ("import", "aggregate"):
        assert "'3' (1 time)" in main(verb, "r.csv", "--out", f"{verb}.csv", "--skip-bad-rows", code=2).err
    with pytest.raises(InputError, match="another scale"):
        read_panel(path, RatingsLayout(grades=PLAIN, skip_bad_rows=True), VALUES)
    source = Source(path, need_text=False)
    staged, _ = stage_ratings(source, RatingsLayout(grades=PLAIN), guideline, tmp_path, tmp_path)
    with pytest.raises(InputError, match="another scale"):
        staged.refuse(skip_bad_rows=True)


def test_words_are_all_named_or_left_out_and_counted(main, tmp_path):
    cells = [0, "unrateable", "E", "E", "", 2]
    write(tmp_path / "r.csv", [("q", f"c{number}", cell) for number, cell in enumerate(cells, 1)])
    for verb in (("import", "--out", "run"), ("aggregate", "--out", "o.csv")):
        told = main(verb[0], "r.csv", *verb[1:], code=2).err
        assert "'E' (2 times), 'unrateable' (1 time)" in told
    found = main("aggregate", "r.csv", "--out", "o.csv", "--skip-bad-rows", "--json").json
    assert (found["pairs"], found["left_out"]) == (2, {"unknown_grade": 3})
    with (tmp_path / "o.csv").open() as stream:
        assert [(row["candidate_id"], row["grade"]) for row in csv.DictReader(stream)] == [("c1", "0"), ("c6", "2")]
    kept = main("import", "r.csv", "--out", "run", "--skip-bad-rows", "--json").json
    assert (kept["status"]["graded"], kept["status"]["skipped"]) == (2, 4)


def test_an_unused_end_is_noted_and_nothing_is_refused(main, tmp_path):
    write(tmp_path / "r.csv", [("q", f"c{i}", 1 + i % 2) for i in range(6)])
    assert "no rating is 0" in main("import", "r.csv", "--out", "run").out
    assert "no rating is 0" in main("aggregate", "r.csv", "--out", "o.csv").out
    assert "no rating is 0" in main("validate", "r.csv", "--rating", "grade").out
    found = main("agree", "r.csv", "--run", "run", "--json").json
    assert "1, 2" in found["scale_note"]
    assert found["n"] == 6
    assert "no rating is 0" in main("agree", "r.csv", "--run", "run").out
    told = ("--grades", "0=0,1=1,2=2")
    assert main("agree", "r.csv", "--run", "run", *told, "--json").json["scale_note"] is None
    for verb in (
        ("import", "--out", "told"),
        ("aggregate", "--out", "told.csv"),
        ("validate",),
        ("agree", "--run", "run"),
    ):
        assert "no rating is" not in main(verb[0], "r.csv", *verb[1:], *told).out


def test_a_step_is_a_step_where_values_are_uneven(main, tmp_path):
    """On a guideline of 0, 10 and 20, 10 and 20 are neighbours."""
    plain = main("guideline", "--source").out
    wide = plain.replace("value: 2", "value: 20").replace("value: 1", "value: 10").replace("value: 0", "value: 0")
    wide = re.sub(r"(highest|max_grade|grade): 2\b", r"\1: 20", wide)
    wide = re.sub(r"(highest|max_grade|grade): 1\b", r"\1: 10", wide)
    (tmp_path / "wide.yaml").write_text(wide)
    mine, people = [0, 10, 20, 20, 0, 20], [0, 20, 20, 10, 20, 10]
    for name, grades in (("mine", mine), ("people", people)):
        write(tmp_path / f"{name}.csv", [("q", f"c{i}", grade) for i, grade in enumerate(grades)])
    main("import", "mine.csv", "--out", "run", "--guideline", "wide.yaml")
    found = main("agree", "people.csv", "--run", "run", "--json").json
    assert found["within_1"]["value"] == pytest.approx(5 / 6)  # 0 for 20 alone is two steps off
    assert np.isclose(found["weighted_kappa"]["value"], cohen_kappa_score(people, mine, weights="quadratic"))


def test_decimal_commas_are_answered_with_how_to_write_them(tmp_path):
    from judge.errors import InputError
    from judge.ratings.layout import RatingsLayout
    from judge.ratings.reader import read_ratings

    path = tmp_path / "g.csv"
    path.write_text('query,candidate_id,grade\nq,a,"1,0"\nq,b,"2,0"\n')
    with pytest.raises(InputError) as error:
        read_ratings(path, RatingsLayout(grades={"0": 0, "1": 1, "2": 2}), (0, 1, 2))
    assert "decimal point" in error.value.hint
    assert "--grades" not in error.value.hint  # a comma parts the values there
