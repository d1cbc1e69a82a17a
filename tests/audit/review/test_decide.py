"""Decisions from elsewhere: the agreement report's file, another run's, sheets whose queries go by other ids."""

import json

from conftest import ROOT

from audit.review.queue import NUMBERS, Item, as_csv
from audit.review.sheet import overruled
from judge.records import query_key
from judge.run.decisions import REFRESH, Decision, Decisions
from judge.tables.rows import Table
from judge.tables.values import inert

SHOP = ROOT / "examples" / "shop"


def test_decisions_of_the_agreement_report_and_of_another_run_come_in(main, tmp_path):
    run = tmp_path / "run"
    main("import", SHOP / "grades.csv", "--out", run)
    (tmp_path / "plain.csv").write_text("query,candidate_id,grade\nhiking boots,P001,2\nhiking boots,P003,0\n")
    # As the report's page writes them, here of ratings without query ids: the run has ids of its own.
    digest = query_key("hiking boots")
    who = {"query": "hiking boots", "author": "lead"}
    first = {"query_id": digest, "candidate_id": "P001", "decision": "1", "time": "2026-09-07T11:00:00.123+02:00"}
    second = {"query_id": "Q01", "candidate_id": "P003", "decision": "unsure", "reason": ""}
    lines = [who | first | {"reason": "'=1 is a word"}, who | second]
    saved = tmp_path / "decisions.jsonl"
    saved.write_text("".join(json.dumps(line) + "\n" for line in lines))
    main("decide", run, saved)
    first, second = Decisions(run)
    assert (first.query_id, first.grade, first.author, first.time) == ("Q01", 1, "lead", "2026-09-07T09:00:00Z")
    assert (second.candidate_id, second.verdict) == ("P003", "unsure")
    # What one run holds, another takes: the run here has made its query ids from the words.
    main("import", tmp_path / "plain.csv", "--out", tmp_path / "plain")
    carried = tmp_path / "carried.jsonl"
    carried.write_text((run / "decisions.jsonl").read_text().replace('"query_id":"Q01"', f'"query_id":"{digest}"'))
    main("decide", tmp_path / "plain", carried)
    assert [(d.grade, d.verdict, d.time) for d in Decisions(tmp_path / "plain")] == [
        (d.grade, d.verdict, d.time) for d in Decisions(run)
    ]
    saved.write_text(json.dumps(lines[0] | {"time": "yesterday"}) + "\n")
    assert "row 1, field 'time': 'yesterday'" in main("decide", run, saved, code=2).err


def test_reviewers_see_the_clicks_that_were_weighed_beside_those_expected():
    seen = {"impressions": 1040, "examined_impressions": 40.0, "clicks": 83, "expected_clicks": 3.22}
    rest = {"carts": 0, "purchases": 0, "people_grade": None}
    known = {"query_id": "q", "query": "lamp", "candidate_id": "p", "candidate": {}, "grade": 1, "suggested_grade": 2}
    known |= {"types": (), "p_wrong": 0.5, "probabilities": None}
    item = Item(**known, numbers=seen | rest | {"examined_clicks": 3.0})
    assert "83 clicks, 3 of them weighed (3.2 expected), 0 carts" in item.evidence
    for same in (83.0, None):  # all of them, and an audit that has not written it
        item = Item(**known, numbers=seen | rest | {"examined_clicks": same})
        assert "83 clicks (3.2 expected), 0 carts" in item.evidence


def test_a_sheet_that_comes_twice_is_appended_once(main, tmp_path):
    (tmp_path / "g.csv").write_text("query_id,query,candidate_id,grade\nq,lamp,p1,1\nq,lamp,p2,0\nq,lamp,p3,2\n")
    main("import", "g.csv", "--out", "run")
    sheet = tmp_path / "sheet.csv"
    head = "query_id,candidate_id,decision,author,time\n"
    sheet.write_text(head + "q,p1,2,Ana,2026-09-07\nq,p2,0,Ana,\nq,p3,unsure,Ana,2026-09-07\n")
    said = main("decide", "run", sheet).out
    assert said == "3 decisions appended: 1 change, 1 keep, 1 unsure (the label's own grade counts as keep)\n"
    assert main("decide", "run", sheet).out == "0 decisions appended; 3 were already there\n"
    # Ana changes her mind on p1, Ben says of p2 what she said, and p3 stands twice in the sheet.
    sheet.write_text(head + "q,p1,0,Ana,2026-09-08\nq,p2,0,Ben,\nq,p3,keep,Ana,\nq,p3,keep,Ana,\n")
    found = main("decide", "run", sheet, "--json").json
    assert found == {"decisions": 3, "change": 1, "keep": 2, "already_there": 1, "undecided": 0, "overruled": 0}
    sheet.write_text(head + "q,p1,2,Ana,2026-09-09\n")
    assert main("decide", "run", sheet).out == "1 decision appended: 1 change\n", "she said it, but not last"
    # The whole history once more: her earlier words are there, too.
    history = tmp_path / "history.jsonl"
    history.write_text((tmp_path / "run" / "decisions.jsonl").read_text())
    assert main("decide", "run", history).out == "0 decisions appended; 7 were already there\n"


def test_words_that_name_two_queries_decide_nothing(main, tmp_path):
    (tmp_path / "two.csv").write_text("query_id,query,candidate_id,grade\na,lamp,p1,1\nb,lamp,p1,2\n")
    main("import", tmp_path / "two.csv", "--out", tmp_path / "run")
    line = {"query_id": query_key("lamp"), "query": "lamp", "candidate_id": "p1", "decision": "0", "author": "Ana"}
    saved = tmp_path / "decisions.jsonl"
    saved.write_text(json.dumps(line) + "\n")
    assert "field 'candidate_id'" in main("decide", tmp_path / "run", saved, code=2).err
    saved.write_text(json.dumps(line | {"query_id": "b"}) + "\n")
    main("decide", tmp_path / "run", saved)
    assert [d.query_id for d in Decisions(tmp_path / "run")] == ["b"]


def test_a_kept_label_of_another_run_is_its_grade_and_a_judge_stays_a_judge(main, tmp_path):
    for name, grades in (("there", (0, 0, 1)), ("here", (2, 0, 2))):
        rows = "".join(f"q,lamp,p{number},{grade}\n" for number, grade in enumerate(grades))
        (tmp_path / f"{name}.csv").write_text("query_id,query,candidate_id,grade\n" + rows)
        main("import", f"{name}.csv", "--out", name)
    (tmp_path / "sheet.csv").write_text("query_id,candidate_id,decision\nq,p0,keep\nq,p1,keep\n")
    main("decide", "there", "sheet.csv", "--author", "Ana")
    given = {"query_id": "q", "candidate_id": "p2", "verdict": "change", "grade": 0, "label": 1}
    said = {"author": "judge big", "reason": "", "time": "2026-09-07T09:00:00Z", "source": "judge"}
    with (tmp_path / "there" / "decisions.jsonl").open("a") as stream:
        stream.write(json.dumps(given | said) + "\n")
    main("decide", "here", "there/decisions.jsonl")
    # Ana said that p0 has grade 0: here that is a change. p1 is 0 in both.
    assert [(d.verdict, d.grade, d.source) for d in Decisions(tmp_path / "here")] == [
        ("change", 0, "file"),
        ("keep", None, "file"),
        ("change", 0, "judge"),
    ]


def test_a_file_that_decides_nothing_or_is_no_utf_8_is_refused(main, tmp_path):
    (tmp_path / "g.csv").write_text("query_id,query,candidate_id,grade\nq,lamp,p1,1\n")
    main("import", "g.csv", "--out", "run")
    sheet = tmp_path / "sheet.csv"
    (tmp_path / "sheet.jsonl").write_text('{"query_id": "q", "candidate_id": "p1", "grade": 2}\n')
    assert "row 1, field 'decision': missing" in main("decide", "run", "sheet.jsonl", code=2).err
    sheet.write_bytes("query_id,candidate_id,decision,author,reason\nq,p1,2,Ana,café\n".encode("latin-1"))
    error = main("decide", "run", sheet, code=2).err
    assert "row 1, field 'reason': is not UTF-8 text" in error
    assert "--encoding" in error
    sheet.write_text("query_id,candidate_id,decision,author\nq,p1,,\n")
    assert main("decide", "run", sheet).out == "0 decisions appended; 1 row without a decision\n"
    # 4 rows: 1 is appended, 1 said before, 2 say nothing.
    sheet.write_text("query_id,candidate_id,decision,author\nq,p1,2,Ana\nq,p1,,Ana\nq,p1,2,Ana\n\nq,p1, ,\n")
    found = main("decide", "run", sheet, "--json").json
    assert (found["decisions"], found["already_there"], found["undecided"]) == (1, 1, 2)


def test_a_line_break_in_a_product_stays_within_its_cell_of_the_sheet(tmp_path):
    item = Item("q", "lamp", "p1", {"title": "Red\rlamp"}, 0, 2, (), 0.9, None, dict.fromkeys(NUMBERS, 0))
    sheet = tmp_path / "queue.csv"
    sheet.write_text(as_csv([item]), encoding="utf-8", newline="\n")
    (row,) = Table(sheet).rows()
    assert row.values["candidate"] == "title: Red\rlamp"


def test_a_decision_is_the_grade_that_it_says_whatever_grades_are_named(run_of, guideline, main):
    names = {0: "2", 1: "keep", 2: "fits"}
    policy = guideline.model_copy(
        update={"grades": tuple(grade.model_copy(update={"name": names[grade.value]}) for grade in guideline.grades)}
    )
    rows = [{"query": "lamp", "query_id": "q", "candidate_id": key, "title": "x", "grade": 1} for key in "abc"]
    run = run_of(rows, policy=policy)
    sheet = run.path.parent / "sheet.csv"
    sheet.write_text("query_id,candidate_id,decision,author\nq,a,2,Ana\nq,b,keep,Ana\nq,c,Fits,Ana\n")
    main("decide", run.path, sheet)
    assert [(d.candidate_id, str(d.verdict), d.grade) for d in Decisions(run.path)] == [
        ("a", "change", 2),
        ("b", "keep", None),
        ("c", "change", 2),
    ]


def test_a_sheet_in_which_somebody_contradicts_themselves_is_refused(run_of, main):
    rows = [{"query": "lamp", "query_id": "q", "candidate_id": key, "title": "x", "grade": 1} for key in "ab"]
    run = run_of(rows)
    sheet = run.path.parent / "sheet.csv"
    head = "query_id,candidate_id,decision,author,time\n"
    sheet.write_text(f"{head}q,a,2,Ana,\nq,b,0,Ana,\nq,a,0,Ben,\nq,a,keep,Ana,\n")
    said = main("decide", run.path, sheet, code=2).err
    assert "row 4, field 'decision'" in said
    assert "row 1" in said
    assert not list(Decisions(run.path))
    # The same twice is no contradiction, and with times the later one counts.
    sheet.write_text(f"{head}q,a,2,Ana,\nq,a,2,Ana,\nq,b,0,Ana,2026-11-01T10:00:00Z\nq,b,2,Ana,2026-11-01T11:00:00Z\n")
    main("decide", run.path, sheet)
    assert {pair[1]: d.grade for pair, d in Decisions(run.path).settled().items()} == {"a": 2, "b": 2}
    # So it does where it stands first; Ben, who says nothing of when, stays where he is.
    sheet.write_text(f"{head}q,a,0,Ana,2026-11-02T11:00:00Z\nq,a,2,Ben,\nq,a,2,Ana,2026-11-02T10:00:00Z\n")
    main("decide", run.path, sheet)
    said = [(d.author, d.grade) for d in Decisions(run.path)][-3:]
    assert said[1:] == [("Ben", 2), ("Ana", 0)]


def test_who_is_overruled_is_told(run_of, main):
    rows = [{"query": "lamp", "query_id": "q", "candidate_id": key, "title": "x", "grade": 1} for key in "abc"]
    run = run_of(rows)
    sheet = run.path.parent / "sheet.csv"
    head = "query_id,candidate_id,decision,author\n"
    sheet.write_text(f"{head}q,a,2,Ana\nq,b,keep,Ana\nq,c,unsure,Ana\n")
    assert "otherwise" not in main("decide", run.path, sheet).out
    # Ben gives b the label's grade, which is what Ana said, and settles c; but of a he says another thing.
    sheet.write_text(f"{head}q,a,0,Ben\nq,b,1,Ben\nq,c,2,Ben\n")
    told = "1 pair decided otherwise by another author: the last decision counts"
    assert told in main("decide", run.path, sheet).out
    # Ana gives in on a; that she is not sure of c undoes what Ben said.
    sheet.write_text(f"{head}q,a,0,Ana\nq,c,unsure,Ana\n")
    assert main("decide", run.path, sheet, "--json").json["overruled"] == 0
    sheet.write_text(f"{head}q,c,unsure,Cleo\n")
    assert main("decide", run.path, sheet, "--json").json["overruled"] == 1


def test_nobody_is_overruled_on_a_pair_that_was_another_one():
    said = {"query_id": "q", "candidate_id": "a", "label": 1, "reason": "", "time": "2026-11-01T00:00:00Z"}
    ana, reopened, ben = (
        Decision(**said, verdict=verdict, grade=grade, author=author, source=source)
        for verdict, grade, author, source in (
            ("change", 2, "Ana", "file"),
            ("unsure", None, "refresh", REFRESH),
            ("change", 0, "Ben", "file"),
        )
    )
    assert overruled([ana, ben]) == {("q", "a")}
    assert overruled([ana, reopened, ben]) == set()


def test_all_rows_of_pairs_that_have_gone_are_named(run_of, main):
    run = run_of([{"query": "lamp", "query_id": "q", "candidate_id": "a", "title": "x", "grade": 1}])
    sheet = run.path.parent / "sheet.csv"
    head = "query_id,candidate_id,decision\nq,a,2\n"
    sheet.write_text(f"{head}q,gone,2\n")
    assert f"row 2, field 'candidate_id': is not a pair of {run.path}\n" in main("decide", run.path, sheet, code=2).err
    sheet.write_text(head + "".join(f"q,gone{number},2\n" for number in range(30)))
    said = main("decide", run.path, sheet, code=2).err
    assert f"is not a pair of {run.path} (nor are rows 3, 4, 5" in said
    assert "more)" in said
    assert "no longer has" in said


def test_a_decision_lands_on_the_product_of_its_row_where_ids_differ_in_a_quote_alone(run_of, main):
    def decided(run, sheet, text):
        sheet.write_text(text)
        main("decide", run.path, sheet)
        return [(d.candidate_id, d.grade) for d in Decisions(run.path)]

    two = run_of(
        [{"query": "lamp", "query_id": "q", "candidate_id": i, "title": "x", "grade": 1} for i in ("-1", "'-1")]
    )
    sheet = two.path.parent / "sheet.csv"
    head = "query_id,candidate_id,decision,author\n"
    first, second = inert("-1"), inert("'-1")
    assert first != second
    found = decided(two, sheet, f"{head}q,{first},0,Ana\nq,{second},2,Ana\n")
    assert found == [("-1", 0), ("'-1", 2)]
    # What is no sheet has its ids as they are.
    line = {"query_id": "q", "candidate_id": "'-1", "decision": "0", "author": "Ben"}
    assert decided(two, sheet.with_suffix(".jsonl"), json.dumps(line))[-1] == ("'-1", 0)
    # A sheet of before has such an id as it stood.
    old = run_of([{"query": "lamp", "query_id": "q", "candidate_id": "'-1", "title": "x", "grade": 1}], "old")
    assert decided(old, sheet, f"{head}q,'-1,2,Ana\n") == [("'-1", 2)]
