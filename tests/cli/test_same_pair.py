"""Two files that number their queries each for itself: every verb finds the pair by its words, and not by a number."""

import json

import pyarrow.parquet as pq
import pytest

from judge.run.decisions import Decisions

RUN = """query_id,query,candidate_id,title,grade
1,red lamp,a,Red lamp,2
2,wool scarf,a,Wool scarf,0
3,oak chair,a,Oak chair,1
"""
# 1 and 2 are the other way round, in other spellings; 3 stands for other words, which the run has not.
THEIRS = """query_id,query,candidate_id,grade
1,Wool  SCARF,a,0
2,RED LAMP,a,2
3,pine chair,a,0
"""
EVENTS = """query_id,query,candidate_id,position,impressions,clicks
1,wool\u3000scarf,a,1,100,10
2,Red Lamp,a,1,100,60
3,pine chair,a,1,100,99
"""


@pytest.fixture
def here(main, tmp_path):
    for name, text in (("run.csv", RUN), ("theirs.csv", THEIRS), ("events.csv", EVENTS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    main("import", "run.csv", "--out", "run")
    return tmp_path


def test_ratings_are_of_the_pairs_whose_words_they_have(here, main):
    found = main("agree", "theirs.csv", "--run", "run", "--json").json
    # Both grades are the run's; by number, 2 would stand beside 0 twice. Nobody knows the third pair.
    assert (found["rated"], found["n"], found["not_in_run"], found["accuracy"]["value"]) == (3, 2, 1, 1.0)
    for query, grades in (("Red lamp", [2]), ("2", [0]), ("oak chair", [])):
        told = main("trace", "run", query, "a", "--ratings", "theirs.csv", "--json").json
        assert [rating["grade"] for rating in told["ratings"]] == grades


def test_events_and_peoples_grades_of_an_audit_are(here, main):
    found = main("audit", "run", "events.csv", "--people", "theirs.csv", "--out", "audit", "--json").json
    evidence = {row["query"]: row["clicks"] for row in pq.read_table(here / "audit" / "evidence.parquet").to_pylist()}
    assert evidence == {"red lamp": 60, "wool scarf": 10, "oak chair": 0}
    assert found["pairs"]["with_people_grade"] == 2
    assert found["flags"]["judge_against_people"] == 0
    assert found["input"]["of_other_pairs"] == found["traffic"]["queries_not_in_run"] == 1
    assert (
        "the run has the flags too, in run/flags.parquet"
        in main(*("audit", "run", "events.csv", "--out", "audit", "--overwrite")).out
    )


def test_decisions_are(here, main):
    (here / "sheet.csv").write_text("query_id,query,candidate_id,decision\n1,wool scarf,a,1\n,Oak Chair,a,2\n1,,a,0\n")
    main("decide", "run", "sheet.csv", "--author", "Ana")
    decided = [(d.query_id, d.label, d.grade) for d in Decisions(here / "run")]
    # The last has no words: its id counts.
    assert decided == [("2", 0, 1), ("3", 1, 2), ("1", 2, 0)]
    (here / "other.csv").write_text("query_id,query,candidate_id,decision\n3,pine chair,a,1\n")
    assert "row 1" in main("decide", "run", "other.csv", "--author", "Ana", code=2).err
    assert len(list(Decisions(here / "run"))) == 3


def test_two_versions_are(here, main):
    main("import", "theirs.csv", "--out", "theirs")
    found = main("diff", "run", "theirs", "--json").json
    assert (found["both"], found["same"], found["only_a"], found["only_b"]) == (2, 2, 1, 1)
    assert found["matched_by"] == "query"
    (here / "some.csv").write_text(
        "query_id,query,candidate_id,grade\n1,Red lamp,a,1\n9,oak chair,a,1\n8,OAK chair,a,0\n"
    )
    main("import", "some.csv", "--out", "some")
    found = main("diff", "run", "some", "--json").json
    # Of two spellings of one query, the same one is it.
    assert (found["both"], found["same"], found["only_a"], found["only_b"]) == (2, 1, 1, 1)
    assert found["matched_by"] == "query_id and query"


def test_what_a_calibration_is_fitted_on_is(run_of):
    from finetune.held_out import join
    from judge.ratings.rated import Rated
    from judge.records import Pair

    names, *rows = [line.split(",") for line in RUN.splitlines()]
    for row, chances in zip(rows, [(0.1, 0.2, 0.7), (0.7, 0.2, 0.1), (0.2, 0.6, 0.2)], strict=True):
        row[-1:] = [int(row[-1]), chances]
    run = run_of([dict(zip([*names, "probabilities"], row, strict=True)) for row in rows])
    theirs = [line.split(",") for line in THEIRS.splitlines()[1:]]
    rated = [Rated(Pair(1, *key, {}), {"ann": int(grade)}) for *key, grade in theirs]
    found = join(run, rated)
    assert found.missing == 1
    assert found.logprobs.argmax(axis=1).tolist() == found.shares.argmax(axis=1).tolist() == [0, 2]


def test_a_rating_whose_words_are_several_queries_is_counted_apart(main, tmp_path):
    (tmp_path / "run.csv").write_text("query_id,query,candidate_id,grade\nus,sofa,a,2\nfr,sofa,a,0\nus2,lamp,a,1\n")
    (tmp_path / "theirs.csv").write_text("query,candidate_id,grade\nSofa,a,2\nlamp,a,1\n")
    main("import", "run.csv", "--out", "run")
    found = main("agree", "theirs.csv", "--run", "run", "--json").json
    assert (found["rated"], found["n"], found["not_in_run"]) == (2, 1, 0)
    assert list(found["not_graded"].values()) == [1]
    told = main("trace", "run", "SOFA", "a", code=2).err
    assert "us" in told
    assert "fr" in told
    assert json.loads(main("trace", "run", "fr", "a", "--json").out)["grade"] == 0
