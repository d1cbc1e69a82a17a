"""A run remembers how its input was read: files about the same pairs need no --map and no --grades again."""

import json

import pytest

import relevance_judge as rj

RUN = """suchwort,artikel,urteil,title
red lamp,a,E,Red lamp
red lamp,b,I,Wool scarf
oak chair,a,S,Red lamp
oak chair,c,C,Oak table
"""
HOW = ("--map", "query=suchwort", "--map", "candidate_id=artikel", "--rating", "urteil", "--grades", "E=2,S=1,C=1,I=0")
EVENTS = """suchwort,artikel,position,impressions,clicks
red lamp,a,1,100,50
red lamp,b,2,100,1
oak chair,a,1,90,30
"""


@pytest.fixture
def here(main, tmp_path):
    (tmp_path / "run.csv").write_text(RUN)
    main("import", "run.csv", *HOW, "--out", "run")
    return tmp_path


def test_ratings_are_read_as_the_runs_input_was_and_said(here, main):
    told = main("agree", "run.csv", "--run", "run", *HOW, "--json")
    found = main("agree", "run.csv", "--run", "run", "--json")
    assert found.json == told.json
    assert (found.json["n"], found.json["accuracy"]["value"]) == (4, 1.0)
    assert told.err == ""
    (line,) = found.err.splitlines()
    for part in ("query=suchwort", "candidate_id=artikel", "grade=urteil", "grades E=2,C=1,S=1,I=0"):
        assert part in line


def test_it_is_the_same_in_python(here, caplog):
    found = rj.agree(here / "run", here / "run.csv")
    assert (found.n, found["accuracy"].value) == (4, 1.0)
    assert len(caplog.messages) == 1
    seen = {"suchwort": "red lamp", "artikel": "a", "position": 1, "impressions": 9, "clicks": 3}
    flags = rj.audit(here / "run", [seen])
    assert flags.summary["input"]["used"] == 1


def test_an_option_wins_and_what_does_not_fit_is_not_applied(here, main):
    # Our own names, in a file that has none of the run's columns; the guideline's own grades.
    (here / "own.csv").write_text("query,candidate_id,grade\nred lamp,a,2\noak chair,c,0\n")
    found = main("agree", "own.csv", "--run", "run", "--json")
    # The run has 2 and 1 for these two pairs.
    assert (found.json["n"], found.json["accuracy"]["value"], found.err) == (2, 0.5, "")
    # The names of the grades are read as ever.
    (here / "named.csv").write_text("query,candidate_id,grade\nred lamp,a,relevant\noak chair,c,irrelevant\n")
    assert main("agree", "named.csv", "--run", "run", "--json").json["accuracy"]["value"] == 0.5
    # Said again otherwise: E is 1 now, of the run's 2.
    other = ("--grades", "E=1,S=1,C=1,I=0")
    found = main("agree", "run.csv", "--run", "run", *other, "--json")
    assert found.json["accuracy"]["value"] == 0.75
    assert "grades" not in found.err
    # Another column for candidates, where the file has both: the ids of `nummer` are none of the run's.
    both = "".join(f"{line},x{line.split(',')[1]}\n" for line in RUN.splitlines()).replace("xartikel", "nummer")
    (here / "both.csv").write_text(both)
    found = main("agree", "both.csv", "--run", "run", "--map", "candidate_id=nummer", code=2)
    assert "artikel" not in found.err.split("error:")[0]


def test_a_word_that_is_no_grade_by_any_reading_is_an_error_of_its_row(here, main):
    (here / "bad.csv").write_text(RUN + "oak chair,d,bogus,Oak\n")
    found = main("agree", "bad.csv", "--run", "run", code=2)
    assert "bogus" in found.err
    assert "known: E, C, S, I" in found.err
    found = main("agree", "bad.csv", "--run", "run", "--skip-bad-rows", "--json")
    assert (found.json["n"], found.json["left_out"]) == (4, {"unknown_grade": 1})


def test_grades_that_are_numbers_of_another_scale(main, tmp_path):
    (tmp_path / "three.csv").write_text("query,candidate_id,grade\na,1,1\na,2,2\na,3,3\n")
    main("import", "three.csv", "--grades", "1=0,2=1,3=2", "--out", "run")
    assert main("agree", "three.csv", "--run", "run", "--json").json["accuracy"]["value"] == 1.0
    # 0 is none of 1 to 3: this file is on the guideline's scale. The run has 0, 1 and 2 for its 1, 2 and 0.
    (tmp_path / "own.csv").write_text("query,candidate_id,grade\na,1,1\na,2,2\na,3,0\n")
    found = main("agree", "own.csv", "--run", "run", "--json")
    assert (found.json["accuracy"]["value"], found.err) == (0.0, "")
    # 1 and 2 are grades of both scales.
    (tmp_path / "either.csv").write_text("query,candidate_id,grade\na,1,1\na,2,2\n")
    assert "--grades" in main("agree", "either.csv", "--run", "run", code=2).err
    # The run has 0 and 1: as 1 to 3 both are right, on the guideline's scale none.
    for told, share in (("1=0,2=1,3=2", 1.0), ("0=0,1=1,2=2", 0.0)):
        found = main("agree", "either.csv", "--run", "run", "--grades", told, "--json")
        assert found.json["accuracy"]["value"] == share


def test_every_verb_that_reads_a_file_for_a_run_remembers(here, main):
    (here / "events.csv").write_text(EVENTS)
    found = main("audit", "run", "events.csv", "--people", "run.csv", "--out", "audit", "--json")
    # 290 impressions of three cells; the fourth pair was never shown.
    assert found.json["pairs"]["with_impressions"] == 3
    assert found.json["input"]["rows"] == found.json["input"]["used"] == 3
    assert len(found.err.splitlines()) == 2
    given = main("trace", "run", "red lamp", "a", "--ratings", "run.csv", "--json").json["ratings"]
    assert [rating["grade"] for rating in given] == [2]
    (here / "catalogue.csv").write_text("artikel,title\na,Red lamp\nb,Wool scarf\nc,Oak table\nd,Red oak chair\n")
    (here / "queries.csv").write_text("suchwort\nred lamp\noak chair\n")
    how = ("--catalogue", "catalogue.csv", "--queries", "queries.csv", "--from", "lexical", "--out", "mined.parquet")
    assert main("mine", "run", *how, "--json").json["catalogue"]["products"] == 4


def test_a_manifest_of_somebody_else_is_no_reason_to_fail(here, main):
    path = here / "run" / "run.json"
    text = path.read_text()
    for broken in ("[[[", '"x"', '{"query": "suchwort"}', '{"query": [1]}', '{"query": []}'):
        document = json.loads(text)
        document["inputs"] |= {"map": broken, "grades": broken}
        path.write_text(json.dumps(document))
        assert main("agree", "run.csv", "--run", "run", *HOW, "--json").json["n"] == 4


def test_a_refresh_reads_todays_pairs_as_the_run_did(main, tmp_path):
    (tmp_path / "p.csv").write_text("suchwort,artikel\nred lamp,a\noak chair,b\n")
    (tmp_path / "c.csv").write_text("artikel,name\na,Red lamp\nb,Oak chair\nc,Oak table\n")
    maps = ("--map", "query=suchwort", "--map", "candidate_id=artikel", "--map", "title=name")
    main("label", "p.csv", "--catalogue", "c.csv", *maps, "--engine", "fake", "--out", "run")
    (tmp_path / "p.csv").write_text("suchwort,artikel\nred lamp,a\noak chair,c\n")
    given = ("refresh", "run", "--pairs", "p.csv", "--catalogue", "c.csv", "--engine", "fake", "--out", "new", "--json")
    found = main(*given)
    assert {name: found.json["refresh"][name] for name in ("unchanged", "new", "vanished")} == {
        "unchanged": 1,
        "new": 1,
        "vanished": 1,
    }
    (line,) = found.err.splitlines()
    assert "title=name" in line
    # What it remembers, it hands on.
    assert main("status", "new", "--json").json["status"]["graded"] == 2
    (tmp_path / "r.csv").write_text("suchwort,artikel,grade\nred lamp,a,2\n")
    assert main("agree", "r.csv", "--run", "new", "--json").json["n"] == 1


def test_grades_are_remembered_for_a_column_in_other_letters(main, tmp_path):
    """Of Parquet only the columns that are asked for are read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"Query": "lamp", "SKU": "1", "Rating": "E"}, {"Query": "lamp", "SKU": "2", "Rating": "I"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "r.parquet")
    main("import", "r.parquet", "--grades", "E=2,I=0", "--out", "run")
    assert main("agree", "r.parquet", "--run", "run", "--json").json["n"] == 2
