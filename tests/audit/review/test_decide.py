"""Decisions from elsewhere: the agreement report's file, another run's, sheets whose queries go by other ids."""

import json
import shutil

import pytest
from conftest import ROOT, write_flags

from audit.review import adjudicate
from audit.review.queue import NUMBERS, Item, as_csv, read_queue, write_queue
from audit.review.rejudge import Answer, rejudge, unwatched
from audit.review.reviewing import Review
from judge.engines import Serving
from judge.errors import RunError
from judge.labelling.config import JudgeConfig
from judge.records import query_key
from judge.run.decided import Decided
from judge.run.decisions import Decision, Decisions
from judge.tables.rows import Table
from judge.tables.values import inert
from judge.words.guideline import load_guideline

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
    assert found == {"decisions": 3, "change": 1, "keep": 2, "already_there": 1, "undecided": 0}
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


GRADES = {"repeated": 0, "raised": 0, "silent": 2, "between": 1}
"""Labels; shoppers say 2 of those below it, and 0 of that one."""
GIVEN = {"repeated": 0, "raised": 1, "between": 0}
"""What another judge gives."""
SAID = {("q", key): Answer(grade) for key, grade in GIVEN.items()} | {
    ("q", "silent"): Answer(None, reason="a tie: 0 and 1")
}


class Second:
    """Another judge, as far as `adjudicate` asks for it; it is not asked."""

    guideline, serving = load_guideline(), Serving("fake")
    judge_config = JudgeConfig("big")


@pytest.fixture
def flagged(run_of, monkeypatch):
    """A run of four flagged pairs, seen the more the later they come, and a judge that gives `GIVEN`."""
    texts = {"query_id": "q", "query": "lamp", "title": "Lamp"}
    run = run_of([texts | {"candidate_id": key, "grade": grade} for key, grade in GRADES.items()])
    write_flags(run, [(n, "q", "lamp", key, g, 2 - g if g != 1 else 2) for n, (key, g) in enumerate(GRADES.items(), 1)])
    monkeypatch.setattr(adjudicate, "rejudge", lambda *args: SAID)
    return run


def _written(folder, form, items):
    """What the queue's file of a form holds."""
    write_queue(items, form, folder / "written", (0, 1, 2))
    return json.loads((folder / "written").read_text(encoding="utf-8"))


def test_opinions_settle_nothing_and_agreement_with_shoppers_is_a_suggested_change(flagged, main, tmp_path):
    outcomes = adjudicate.adjudicate(flagged, Second(), sure=1).outcomes
    found = {outcome.item.candidate_id: outcome.item for outcome in outcomes}
    assert {key: str(item.stance) for key, item in found.items()} == {
        "repeated": "label_repeated",  # 0 as the label
        "raised": "suggested_change",  # 1 and 2 are both above 0
        "silent": "no_grade",
        "between": "other_way",  # the judge puts it below 1, the shoppers above
    }
    decisions = Decisions(flagged.path)
    assert [(d.verdict, d.candidate_id, d.grade) for d in decisions] == [
        ("opinion", key, GIVEN.get(key)) for key in ("between", "silent", "raised", "repeated")
    ]
    assert decisions.latest() == decisions.settled() == {}
    assert [d.reason for d in decisions if d.candidate_id == "silent"] == ["gave no grade: a tie: 0 and 1"]
    # The suggested change is first, then those that are seen most; each with the likeliest grade. Of "raised", label
    # and engagement say (.1, .2, .7), which is (.123, .213, .663) after a tenth was spread evenly; an unknown judge
    # gives 1 to (.267, .6, .2) of the pairs of each grade: together .033 : .128 : .133.
    queue = read_queue(flagged)
    assert [(item.candidate_id, item.suggestion) for item in queue] == [
        ("raised", 2),
        ("between", 2),
        ("silent", 0),
        ("repeated", 2),
    ]
    main("queue", "run", "--to", "csv", "--out", "queue.csv")
    (first, *_, last) = (row.values for row in Table(tmp_path / "queue.csv").rows())
    assert (first["candidate_id"], first["suggested_grade"], first["decision"] or "") == ("raised", "2", "")
    assert "judge fake: gives 1 where the label has 0" in first["evidence"]
    assert "judge fake: gives 0 again" in last["evidence"]
    [task] = _written(tmp_path, "label-studio", queue[:1])
    assert task["predictions"][0]["result"][0]["value"] == {"choices": ["2"]}
    assert (task["data"]["label"], task["data"]["evidence"]) == (0, queue[0].evidence)
    # What Argilla's `Record.from_dict` takes: suggestions by question, each a mapping of `value`, `score`, `agent`.
    [record] = _written(tmp_path, "argilla", queue[:1])
    assert record["suggestions"] == {"grade": {"value": "2", "score": queue[0].p_wrong, "agent": "judge audit"}}
    assert (record["fields"]["evidence"], record["metadata"]["label"]) == (queue[0].evidence, 0)
    assert _written(tmp_path, "argilla", []) == _written(tmp_path, "label-studio", []) == []
    shown = Review(flagged, "Ana").state()["item"]
    assert (shown["candidate_id"], shown["suggested"], shown["likeliest"]) == ("raised", 2, 2)
    assert shown["seconded"] is True
    assert shown["decided"] is None
    # An export has the labels' own grades, by nobody's decision.
    main("export", "run", "--to", "jsonl", "--out", "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {row["candidate_id"]: (row["grade"], row["decided_by"]) for row in rows} == {
        key: (grade, None) for key, grade in GRADES.items()
    }
    assert main("trace", "run", "q", "raised", "--json").json["final_grade"] == 0
    assert "settles nothing" in main("trace", "run", "q", "raised").out
    # The same judge asked again says nothing new.
    adjudicate.adjudicate(flagged, Second(), sure=1)
    assert len(list(decisions)) == 4


def test_what_a_judge_kept_before_settles_nothing_and_what_it_changed_does(flagged, main, tmp_path):
    def line(key, verdict, grade, source="judge", author="judge small"):
        said = {"query_id": "q", "candidate_id": key, "verdict": verdict, "grade": grade, "label": GRADES[key]}
        rest = {"author": author, "reason": "the judge gives 0 again", "time": "2026-09-07T09:00:00Z"}
        return json.dumps(said | rest | {"source": source}) + "\n"

    old = [line("repeated", "keep", None), line("raised", "change", 1), line("silent", "unsure", None)]
    # Ana's word stands, though a judge's came after it.
    old += [line("between", "change", 2, "file", "Ana"), line("between", "keep", None)]
    Decisions(flagged.path).path.write_text("".join(old))
    settled = Decisions(flagged.path).settled()
    assert {key: d.author for (_, key), d in settled.items()} == {"raised": "judge small", "between": "Ana"}
    assert {item.candidate_id for item in read_queue(flagged)} == {"repeated", "silent"}
    assert Decided.of(flagged).settled == settled
    main("export", "run", "--to", "trec", "--without-flagged", "--out", "out.qrels")
    assert (tmp_path / "out.qrels").read_text() == "q 0 raised 1\nq 0 between 2\n"
    # In another run, where the first pair has another grade, what the judge kept is its opinion, too.
    shutil.copytree(flagged.path, tmp_path / "there")
    main("decide", "run", tmp_path / "there" / "decisions.jsonl")
    carried = tmp_path / "opinions.jsonl"
    carried.write_text(line("repeated", "opinion", 2) + line("silent", "opinion", None))
    assert main("decide", "run", carried, "--json").json["opinion"] == 2
    assert Decisions(flagged.path).settled() == settled | {
        key: d for key, d in Decisions(flagged.path).settled().items() if key in settled
    }
    assert {key: d.given for (_, key), d in Decisions(flagged.path).opinions().items()} == {
        "repeated": 2,
        "between": 1,
        "silent": None,
    }
    carried.write_text(line("repeated", "opinion", 7))
    assert "row 1, field 'decision': '7'" in main("decide", "run", carried, code=2).err
    # Nobody but a judge has an opinion in this sense.
    (tmp_path / "sheet.csv").write_text("query_id,candidate_id,decision,author,source\nq,silent,opinion,Ana,judge\n")
    assert "field 'decision'" in main("decide", "run", "sheet.csv", code=2).err


def test_a_judges_decision_of_another_run_keeps_what_it_weighed_and_overrules_nobody(flagged, main, tmp_path):
    ana = {"verdict": "unsure", "label": 0, "author": "Ana", "reason": "", "time": "t", "source": "review"}
    Decisions(flagged.path).append([Decision(**ana, query_id="q", candidate_id="raised")])
    line = {"query_id": "q", "candidate_id": "raised", "verdict": "change", "grade": 2, "label": 0, "judged": 1}
    line |= {"author": "judge big", "reason": "", "time": "2026-09-07T09:00:00Z", "source": "judge"}
    carried = tmp_path / "carried.jsonl"
    for wrong in ({"judged": 7}, {"posterior": {"7": 1.0}}, {"posterior": {"2": "much"}}, {"posterior": [0.1, 0.9]}):
        carried.write_text(json.dumps(line | wrong) + "\n")
        assert f"row 1, field '{next(iter(wrong))}'" in main("decide", "run", carried, code=2).err
    carried.write_text(json.dumps(line | {"posterior": {"0": 0.01, "1": 0.09, "2": 0.9}}) + "\n")
    assert main("decide", "run", carried, "--json").json["change"] == 1
    *_, last = Decisions(flagged.path)
    assert (last.grade, last.judged, last.posterior) == (2, 1, {0: 0.01, 1: 0.09, 2: 0.9})
    assert ("q", "raised") not in Decisions(flagged.path).settled(), "she could not tell: the pair stays in the queue"
    # People's lines have neither.
    carried.write_text(json.dumps(line | {"source": "file", "posterior": {"2": 1.0}}) + "\n")
    main("decide", "run", carried)
    *_, last = Decisions(flagged.path)
    assert (last.source, last.judged, last.posterior) == ("file", None, None)


def test_a_damaged_batch_of_an_adjudication_is_named(flagged, tmp_path, monkeypatch):
    monkeypatch.setattr("audit.review.rejudge.folder_of", lambda *args: tmp_path / "batches")
    (tmp_path / "batches").mkdir()
    good = json.dumps({"query_id": "q", "candidate_id": "raised", "title": "T"})
    for damaged in ('{"query_id": "q"', '{"query_id": "q"}', '{"query_id": "q", "candidate_id": 1}', "\xff"):
        (tmp_path / "batches" / "000000.jsonl").write_text(f"{good}\n{damaged}\n", encoding="latin-1")
        with pytest.raises(RunError, match=r"000000\.jsonl, line 2: is damaged"):
            rejudge(flagged, {0}, None, unwatched)


def test_a_judge_does_not_overrule_what_people_decided_while_it_worked(flagged, monkeypatch):
    run = flagged
    said = {"query_id": "q", "candidate_id": "raised", "verdict": "change", "grade": 2, "author": "Ana"}

    def work(*args):
        Decisions(run.path).append([Decision(**said, reason="", time="t", source="review")])
        return {("q", key): Answer(0) for key in GRADES}

    monkeypatch.setattr(adjudicate, "rejudge", work)
    assert len(adjudicate.adjudicate(run, Second()).outcomes) == 4
    assert [d.author for d in Decisions(run.path).settled().values()] == ["Ana"]
    assert "raised" not in {item.candidate_id for item in read_queue(run)}


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
