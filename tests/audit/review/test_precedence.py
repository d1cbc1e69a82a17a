"""Whose decision of a pair settles it: people's before a judge's, a judge's before none."""

import json
import shutil

import pytest
from conftest import write_flags

from audit.review import adjudicate
from audit.review.queue import read_queue, write_queue
from audit.review.rejudge import Answer, rejudge, unwatched
from audit.review.reviewing import Review
from judge.engines import Serving
from judge.errors import RunError
from judge.labelling.config import JudgeConfig
from judge.run.decided import Decided
from judge.run.decisions import Decision, Decisions
from judge.tables.rows import Table
from judge.words.guideline import load_guideline

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
