"""Decisions from elsewhere: the agreement report's file, another run's, sheets whose queries go by other ids."""

import json
from pathlib import Path

from judge.decisions import Decisions
from judge.records import query_key

SHOP = Path(__file__).parent.parent / "examples" / "shop"


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
    assert "row 1, field 'time': 'yesterday' is no time" in main("decide", run, saved, code=2).err


def test_words_that_name_two_queries_decide_nothing(main, tmp_path):
    (tmp_path / "two.csv").write_text("query_id,query,candidate_id,grade\na,lamp,p1,1\nb,lamp,p1,2\n")
    main("import", tmp_path / "two.csv", "--out", tmp_path / "run")
    line = {"query_id": query_key("lamp"), "query": "lamp", "candidate_id": "p1", "decision": "0", "author": "Ana"}
    saved = tmp_path / "decisions.jsonl"
    saved.write_text(json.dumps(line) + "\n")
    assert "is no pair of" in main("decide", tmp_path / "run", saved, code=2).err
    saved.write_text(json.dumps(line | {"query_id": "b"}) + "\n")
    main("decide", tmp_path / "run", saved)
    assert [d.query_id for d in Decisions(tmp_path / "run")] == ["b"]
