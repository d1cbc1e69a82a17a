"""What `judge validate` says of input that is no error, and of files of ratings; grades as pandas writes them."""

import shlex

import pytest

from judge.tables.scale import Scale

HEAD = "query,candidate_id,"
GRADES = HEAD + "grade\nlamp,1,2\nlamp,2,5\nlamp,1,0\nlamp,3,x\n"
LONG = HEAD + "rater,grade\nlamp,1,ann,2\nlamp,1,ben,1\nlamp,2,ann,0\n"


@pytest.fixture
def given(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)

    return write


def test_ratings_are_checked_as_an_import_reads_them_and_its_error_leads_there(main, given):
    given(r=GRADES.replace("grade", "label"))
    error = main("import", "r.csv", "--rating", "label", "--out", "run", code=2).err
    # rows 2 and 4 hold no grade, which is one error; row 3 contradicts row 1
    assert "(and 1 more problem; `judge validate r.csv --rating label` lists them)" in error
    shown = main("validate", "r.csv", "--rating", "label", "--json", code=2).json
    assert shown["problems"] == {"unknown_grade": 2, "conflicting_grade": 1}
    assert [p["row"] for p in shown["first"]] == [2, 3, 4]
    error = main("import", "r.csv", "--rating", "label", "--grades", "2=2,0=0", "--out", "run", code=2).err
    command = error.partition("more problem; `judge ")[2].partition("`")[0]
    assert command == "validate r.csv --rating label --grades 2=2,0=0"
    assert main(*shlex.split(command), "--json", code=2).json["problems"] == shown["problems"]
    # unless told of grades, it reads pairs to label, which these are not: they have no text
    assert "no column holds a candidate's text" in main("validate", "r.csv", code=2).err


def test_several_raters_are_checked_as_agree_reads_them(main, given):
    given(long=LONG, wide=HEAD + "ann,ben\nlamp,1,2,1\nlamp,2,7,\nlamp,1,0,\nlamp,,1,9\n")
    shown = main("validate", "long.csv", "--rating", "grade", "--json").json
    assert (shown["problems"], shown["raters_differ"], shown["pairs"]) == ({}, 1, 2)
    assert shown["unused_columns"] == []
    given(segments="query,candidate_id,rater,grade,kind,traffic,colours\nlamp,1,ann,2,name,7,red\n")
    shown = main("validate", "segments.csv", "--rating", "grade", "--json").json
    assert shown["unused_columns"] == ["colours"], "a report of agreement has segments by the others"
    assert "`judge import` refuses that" in main("validate", "long.csv", "--raters", "ann,ben").out
    given(long=LONG + "lamp,2,ann,1\nlamp,2,,1\nlamp,4,ben,?\n")
    shown = main("validate", "long.csv", "--rating", "grade", "--json", code=2).json
    assert shown["problems"] == {"conflicting_grade": 1, "missing_rater": 1, "unknown_grade": 1}
    assert {p["kind"]: p["row"] for p in shown["first"]} == {
        "conflicting_grade": 4,
        "missing_rater": 5,
        "unknown_grade": 6,
    }
    shown = main("validate", "wide.csv", "--raters", "ann,ben", "--json", code=2).json
    assert shown["problems"] == {"missing_candidate_id": 1, "unknown_grade": 1, "conflicting_grade": 1}
    assert "left out" not in main("validate", "wide.csv", "--raters", "ann,ben", code=2).out


def test_the_command_that_lists_all_problems_runs_as_it_stands(main, given):
    given(
        r="term,candidate_id,grade\n" + "lamp,1,2\nlamp,1,0\nlamp,2,2\nlamp,2,0\n",
        p="term,candidate_id,title\na,,b\na,,c\n",
    )
    for verb in (("import", "r.csv"), ("label", "p.csv", "--engine", "fake")):
        error = main(*verb, "--map", "query=term", "--out", "run", code=2).err
        command = shlex.split(error.partition("; `judge ")[2].partition("`")[0])
        assert sum(main(*command, "--json", code=2).json["problems"].values()) == 2


def test_candidates_of_ratings_are_looked_up(main, given):
    given(long=LONG, c="candidate_id,title\n1,Lamp\n")
    shown = main("validate", "long.csv", "--raters", "ann,ben", "--catalogue", "c.csv", "--json", code=2).json
    assert shown["problems"] == {"not_in_catalogue": 1}


def test_whole_numbers_with_a_point_are_grades_and_others_are_not(main, given):
    grades = {"0": 0, "1": 1, "2": 2}
    scale = Scale(grades, (0, 1, 2))
    assert [scale.grade(text) for text in ("2", "2.0", " 1.00 ", "0.0", "2.", ".0")] == [2, 2, 1, 0, 2, 0]
    assert [scale.grade(text) for text in ("1.5", "3.0", "2.0.0", "2.01", "-2.0", "2,0")] == [None] * 6
    named = Scale({"2": 2, "2.0": 0}, (0, 1, 2))
    assert named.grade("2.0") == 0, "what is named itself means what it was said to mean"
    given(r=HEAD + "grade\nlamp,1,2.0\nlamp,2,\nlamp,3,0.0\n", bad=HEAD + "grade\nlamp,1,1.5\n")
    assert main("import", "r.csv", "--out", "run", "--json").json["grades"] == {"0": 1, "1": 0, "2": 1}
    assert main("aggregate", "r.csv", "--out", "g.csv", "--json").json["grades"] == {"0": 1, "1": 0, "2": 1}
    for verb in ("import", "aggregate"):
        assert "unknown grade '1.5'" in main(verb, "bad.csv", "--out", f"{verb}.csv", code=2).err


def test_fields_that_no_file_brings_are_named(main, given):
    given(c="candidate_id,item_name,description\n1,Lamp,An old lamp\n")
    given(p="query,candidate_id\nlamp,1\n")
    arguments = ("p.csv", "--catalogue", "c.csv")
    missing = ["title", "brand", "category", "colour", "size", "material", "price"]
    note = (
        f"fields of the guideline found nowhere: {', '.join(missing)} (a column of another name is read with --map ti"
    )
    label = ("label", *arguments, "--engine", "fake")
    base = ("validate", *arguments, "--judge", "smollm2-135m")
    for command in (base, (*label, "--dry-run"), (*label, "--out", "run")):
        assert note in main(*command).out
        assert main(*command, "--json").json["missing_fields"] == missing
    # The judge that comes with the package was fine-tuned on five of them.
    shown = main("validate", *arguments, "--json").json
    assert shown["missing_fields"] == ["title", "brand", "category", "colour"]
    shown = main("validate", *arguments).out
    assert "--map title=item_name" in shown.split("columns that nothing reads")[0], "one that is called like it"
    assert "no title" in main(*label, "--out", "again").err, "before it begins"
    # title is read now, and the note names the rest
    assert "found nowhere: brand" in main("validate", *arguments, "--map", "title=item_name").out


def test_what_a_taught_judge_does_not_read_is_named(main, given):
    given(p=HEAD + "title,size\nboots,1,Boots,42\n")
    assert "columns that nothing reads: size" in main("validate", "p.csv").out
    assert "nothing reads" not in main("validate", "p.csv", "--guideline", "three-level").out
    refused = main("validate", "p.csv", "--judge", "shop-135m", "--guideline", "esci-four-level", code=2).err
    assert "the guideline three-level" in refused, "as `judge label` says"


def test_a_judge_that_cannot_be_is_refused_as_label_refuses_it(main, given):
    given(p=HEAD + "title\nboots,1,Boots\n")
    for verb in (["validate", "p.csv"], ["label", "p.csv", "--out", "run"]):
        refused = main(*verb, "--judge", "nonsense", code=2).err
        assert "no judge 'nonsense'" in refused
        assert "name shop-135m, smollm2-135m" in refused
    main("validate", "p.csv", "--judge", "owner/name")


def test_of_several_columns_that_a_name_is_mapped_to_the_first_is_read_and_named(main, given):
    given(p=HEAD + "name,label\nlamp,1,Lamp,Old lamp\n")
    maps = ("--map", "title=name", "--map", "title=label")
    assert "title is read from name, not label" in main("validate", "p.csv", *maps).err
    done = main("label", "p.csv", *maps, "--engine", "fake", "--out", "run", "--json").json
    assert done["passed_over"] == {"title": "name, not label"}


def test_queries_are_those_of_the_pairs_to_judge(main, given):
    given(p=HEAD + "title\nlamp,1,Lamp\nchair,2,\nsofa,,Sofa\n")
    shown = main("validate", "p.csv", "--json", code=2).json
    assert (shown["pairs"], shown["queries"]) == (1, 1)


def test_a_dry_run_scores_as_many_pairs_as_it_says(main, given):
    given(p=HEAD + "title\n" + "".join(f"lamp {n // 4},{n},Lamp {n}\n" for n in range(160)))
    assert main("label", "p.csv", "--engine", "fake", "--dry-run", "--json").json["sample"] == 48


def test_options_that_would_be_passed_over_are_refused(main, given):
    given(p=HEAD + "title\nlamp,1,Lamp\n")
    error = main("label", "p.csv", "--catalogue", "-", "--engine", "fake", "--out", "run", code=2).err
    assert "--catalogue -: only PAIRS or RATINGS may be standard input" in error
    for verb in ("label", "probe"):
        out = ("--out", "run") if verb == "label" else ()
        error = main(verb, "p.csv", "--judge", "smollm2-135m", "--engine", "fake", *out, code=2).err
        assert "--engine fake does not use --judge smollm2-135m" in error
