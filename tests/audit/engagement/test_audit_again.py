"""Audits that are refused, repeated or cut off: what they leave of the run's flags."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from engagement_fixtures import judge

from judge.files import keep
from judge.run.decisions import Decision, Decisions, Verdict


def test_events_of_other_queries_are_refused(audited, tmp_path):
    events = tmp_path / "counts.csv"
    events.write_text("query,candidate_id,position,impressions,clicks\nsnow tyres,X,1,10,1\n")
    error = judge("audit", audited[0], events, "--out", tmp_path / "a", "--overwrite", code=2).err
    assert "none of its 1 queries is in" in error


def test_events_of_other_candidates_are_refused_and_leave_the_flags(audited, tmp_path):
    before = (audited[0] / "flags.parquet").read_bytes()
    events = tmp_path / "counts.csv"
    events.write_text("query,candidate_id,position,impressions,clicks\nhiking boots,X,1,10,1\nsnow tyres,X,1,9,1\n")
    error = judge("audit", audited[0], events, "--out", tmp_path / "a", "--overwrite", code=2).err
    assert "none of its 2 rows is about a graded pair of" in error
    assert "--map candidate_id=COLUMN" in error
    assert (audited[0] / "flags.parquet").read_bytes() == before


SHOWN = """search_id,query,candidate_id,position,action
s1,lamp,A,1,impression
s1,lamp,A,1,click
s1,lamp,A,1,click
s1,lamp,B,2,impression
s1,Lamp,A,1,impression
s1,tent,C,1,impression
s1,,C,1,impression
"""


@pytest.mark.parametrize(
    ("text", "others"),
    [
        # Of 7 rows one is a duplicate and one names no query; B and the tent are not in the run.
        (SHOWN, 2),
        ("query,candidate_id,position,impressions,clicks\nlamp,A,1,9,1\nlamp,A,2,9,1\nlamp,B,1,9,0\n", 1),
        ("query,candidate_id,position,impressions,clicks\nlamp,A,1,9,1\n", 0),
    ],
)
def test_rows_about_pairs_that_are_not_in_the_run_are_counted(main, tmp_path, text, others):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\nlamp,A,2\nlamp,D,0\n")
    (tmp_path / "events.csv").write_text(text)
    main("import", "grades.csv", "--out", "run")
    said = main("audit", "run", "events.csv", "--out", "audit").out
    read = json.loads((tmp_path / "audit" / "audit.json").read_text())["input"]
    assert read["of_other_pairs"] == others
    assert (f"({others} of them about pairs that have no grade in the run)" in said) is (others > 0)
    assert ("have no grade in the run" in (tmp_path / "audit" / "report.html").read_text()) is (others > 0)


def test_another_audit_or_something_else_is_not_written_over(main, tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\nlamp,A,2\nlamp,D,0\n")
    for name in ("events", "more"):
        (tmp_path / f"{name}.csv").write_text("query,candidate_id,position,impressions,clicks\nlamp,A,1,9,1\n")
    for name in ("run", "other"):
        main("import", "grades.csv", "--out", name)
    main("audit", "run", "events.csv", "--out", "audit")
    main("audit", tmp_path / "run", tmp_path / "events.csv", "--out", "audit")
    said = (tmp_path / "audit" / "audit.json").read_bytes()
    for run, events in (("run", "more.csv"), ("other", "events.csv")):
        error = main("audit", run, events, "--out", "audit", code=2).err
        assert "audit: holds the audit of" in error
        assert "--overwrite" in error
    assert "(labels, pairs" in main("audit", "run", "events.csv", "--out", "other", code=2).err
    assert (tmp_path / "audit" / "audit.json").read_bytes() == said
    assert not (tmp_path / "other" / "flags.parquet").exists()
    main("audit", "run", "more.csv", "--out", "audit", "--overwrite")


@pytest.mark.parametrize("name", ["report.html", "audit.json", "audit.html"])
def test_an_audit_that_was_killed_while_it_wrote_is_made_again_by_the_same_command(main, tmp_path, monkeypatch, name):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\nlamp,A,2\nlamp,D,0\n")
    (tmp_path / "events.csv").write_text("query,candidate_id,position,impressions,clicks\nlamp,A,1,9,1\n")
    main("import", "grades.csv", "--out", "run")
    whole = keep

    def killed(partial, target):
        if target.name == name:
            raise KeyboardInterrupt  # what was written so far stays, as after a kill
        whole(partial, target)

    with monkeypatch.context() as patched:
        patched.setattr("judge.files.keep", killed)
        main("audit", "run", "events.csv", "--out", "audit", code=130)
    main("audit", "run", "events.csv", "--out", "audit")
    assert (tmp_path / "run" / "flags.parquet").is_file()


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_flags_are_replaced_only_when_asked_and_by_enough_evidence(audited, main, tmp_path):
    run, out = tmp_path / "run", tmp_path / "audit"
    shutil.copytree(audited[0], run)
    decided = Decision(**DECIDED, label=0, author="Ana", reason="", time="t", source="file")
    Decisions(run).append([decided])
    flags = {(flag["query_id"], flag["candidate_id"]) for flag in pq.read_table(run / "flags.parquet").to_pylist()}
    before = everything(run)
    # Without --overwrite the events are not even read.
    (tmp_path / "nothing.csv").write_text("")
    assert "--overwrite" in main("audit", run, "nothing.csv", "--out", out, code=2).err
    head, again = "query_id,candidate_id,position,impressions,clicks\n", ("--out", out, "--overwrite")
    flagged = [f"{query},{candidate},1,90,9\n" for query, candidate in sorted(flags)]
    few = (len(flags) - 1) // 2
    for rows in (
        # One of three rows can be used.
        [flagged[0], "Q01,P001,0.5,9,1\n", "Q01,P001,1,1,9\n"],
        # Of ten flagged pairs at most four are shown, and every row can be used.
        flagged[:few],
    ):
        (tmp_path / "events.csv").write_text(head + "".join(rows))
        error = main("audit", run, "events.csv", *again, code=2).err
        assert "the flags are kept" in error
        assert everything(run) == before
        assert not out.exists()
    # Half of the rows, and of the flagged pairs.
    (tmp_path / "events.csv").write_text(head + "".join(flagged[: few + 1]) + "Q01,P001,1,1,9\n" * (few + 1))
    main("audit", run, "events.csv", *again)
    found = everything(run)
    assert found[run / "flags.parquet"] == (out / "flags.parquet").read_bytes() != before[run / "flags.parquet"]
    assert found[run / "decisions.jsonl"] == before[run / "decisions.jsonl"]


def test_rows_that_are_no_evidence_by_nature_are_not_missed(audited, main, tmp_path):
    run = shutil.copytree(audited[0], tmp_path / "run")
    pq.write_table(pq.read_table(run / "flags.parquet").slice(0, 1), run / "flags.parquet")
    flag = pq.read_table(run / "flags.parquet").to_pylist()[0]
    pair = f"{flag['query_id']},{flag['candidate_id']},1"
    # One impression, thrice; a click that is one; and five actions that are of no interest: 2 of 2 rows.
    rows = [f"s,{pair},impression\n"] * 3 + [f"s,{pair},click\n"] + [f"s,{pair},scroll\n"] * 5
    (tmp_path / "events.csv").write_text("search_id,query_id,candidate_id,position,action\n" + "".join(rows))
    read = main("audit", run, "events.csv", "--out", "audit", "--overwrite", "--json").json["input"]
    assert (read["used"], read["set_aside"]) == (2, {"other_action": 5, "duplicate": 2})


DECIDED = {"query_id": "Q01", "candidate_id": "P001", "verdict": Verdict.UNSURE}
