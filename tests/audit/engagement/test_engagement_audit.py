"""The audit from the command line, on the example shop: flags, queue, decisions, export; and hostile words."""

import base64
import csv
import hashlib
import json
import re

import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from engagement_fixtures import judge

from audit.review.categories import CategoryVote, category_fit, compared_path
from audit.review.queue import read_queue
from judge.export.writing import export
from judge.run.decisions import Decision, Decisions, Verdict
from judge.run.store import Run
from judge.tables.values import inert, restored

SHOP = ROOT / "examples" / "shop"
EVIL = '=HYPERLINK("x")<script>alert(1)</script>\x1b[31m'


def planted():
    with (SHOP / "grades_with_errors.csv").open(encoding="utf-8") as stream:
        return {(row["query_id"], row["candidate_id"]) for row in csv.DictReader(stream) if row["planted"]}


def test_it_finds_the_planted_errors(audited):
    _, out, printed = audited
    flags = pq.read_table(out / "flags.parquet").to_pylist()
    found = {(flag["query_id"], flag["candidate_id"]) for flag in flags}
    assert len(found & planted()) >= 12
    assert len(found - planted()) <= 3
    assert "pairs flagged" in printed
    strengths = [flag["strength"] for flag in flags]
    assert strengths == sorted(strengths, reverse=True)
    for flag in flags:
        assert flag["q_value"] <= 0.1
        assert flag["suggested_grade"] != flag["grade"]


def test_evidence_has_every_graded_pair_and_adds_up(audited):
    _, out, _ = audited
    evidence = pq.read_table(out / "evidence.parquet").to_pylist()
    assert len(evidence) == 429
    with (SHOP / "engagement.csv").open(encoding="utf-8") as stream:
        clicks = sum(int(row["clicks"]) for row in csv.DictReader(stream))
    assert sum(row["clicks"] for row in evidence) == clicks
    for row in evidence:
        assert sum(row["posterior"]) == pytest.approx(1)
        assert row["p_wrong"] == pytest.approx(1 - row["posterior"][row["grade"]])
        assert 0 < row["examined_impressions"] <= row["impressions"]
    summary = json.loads((out / "audit.json").read_text())
    assert summary["input"]["rows"] == summary["input"]["used"] + sum(summary["input"]["set_aside"].values())
    assert summary["zero_click"]["popular"]["share"] is None
    assert "single searches" in summary["zero_click"]["reason"]


def test_the_report_needs_nothing_from_outside(audited):
    html = (audited[1] / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    for word in ("http://", "https://", " src=", "nan"):
        assert word not in html.lower()
    # One script and one style, both ours: the policy names their hashes and nothing else.
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in html
    # The strongest flags come before what the checks say, and that before the curve.
    heads = re.findall("<h2>(.*?)</h2>", html)
    assert heads.index("The strongest flags") < heads.index("Do the events fit?") < heads.index("Where shoppers looked")
    assert (audited[0] / "audit.html").read_text(encoding="utf-8") == html, "where the review page finds it"


def test_queue_decide_export(audited, tmp_path):
    run = audited[0]
    before = [part.read_bytes() for part in Run(run).parts()]
    sheet = tmp_path / "queue.csv"
    judge("queue", run, "--to", "csv", "--out", sheet)
    with sheet.open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    changed, kept, unsure = rows[:3]
    changed |= {"decision": changed["suggested_grade"], "reason": "-1 for spelling", "author": "Ana"}
    kept |= {"decision": "keep"}
    unsure |= {"decision": "unsure"}
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert json.loads(judge("decide", run, sheet, "--author", "Ben", "--json").out)["decisions"] == 3
    out = tmp_path / "out.parquet"
    judge("export", run, "--to", "parquet", "--out", out)
    exported = {(r["query_id"], r["candidate_id"]): r for r in pq.read_table(out).to_pylist()}
    row = exported[changed["query_id"], changed["candidate_id"]]
    assert (row["grade"], row["label_grade"]) == (int(changed["suggested_grade"]), int(changed["grade"]))
    assert (row["decided_by"], row["decision_reason"]) == ("Ana", "-1 for spelling")
    assert sum(r["grade"] != r["label_grade"] for r in exported.values()) == 1
    assert [part.read_bytes() for part in Run(run).parts()] == before, "a decision never edits a label"
    judge("queue", run, "--to", "argilla", "--out", tmp_path / "again.json")
    left = json.loads((tmp_path / "again.json").read_text())
    assert len(left) == len(rows) - 2, "what is unsure stays in the queue"
    judge("queue", run, "--to", "label-studio", "--out", tmp_path / "tasks.json")
    assert json.loads((tmp_path / "tasks.json").read_text())[0]["data"]["query"]


def test_adjudicate_appends_an_opinion_of_every_open_flag_and_leaves_it_open_where_nothing_is_sure(audited):
    run = audited[0]
    open_ = len(pq.read_table(run / "flags.parquet").group_by("row").aggregate([]))
    settled = len(Decisions(run).settled())
    found = json.loads(judge("adjudicate", run, "--with", "fake", "--engine", "fake", "--sure", "1", "--json").out)
    stances = ("suggested_change", "label_repeated", "other_way", "no_grade")
    assert found["opinions"] == open_ - settled == sum(found[name] for name in stances) > 5
    assert found["changed"] == found["kept"] == 0
    assert {d.author for d in Decisions(run) if d.source == "judge"} == {"judge fake"}
    assert len(Decisions(run).settled()) == settled
    assert len(read_queue(Run(run))) == open_ - settled


@pytest.mark.parametrize(
    ("cell", "message"), [("7", "'7' is not a decision"), ("perhaps", "'perhaps' is not a decision")]
)
def test_a_wrong_decision_names_row_field_and_fix(audited, tmp_path, cell, message):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(f"query_id,candidate_id,decision,author\nQ01,P001,,\nQ01,P001,{cell},Ana\n")
    error = judge("decide", audited[0], sheet, code=2).err
    assert "row 2, field 'decision'" in error
    assert message in error
    assert "fix: write 0, 1, 2, keep or unsure" in error


def test_hostile_words_stay_words(tmp_path):
    with (
        (tmp_path / "pairs.csv").open("w", newline="") as pairs,
        (tmp_path / "counts.csv").open("w", newline="") as counts,
    ):
        labels, events = csv.writer(pairs), csv.writer(counts)
        labels.writerow(["query", "candidate_id", "title", "grade"])
        events.writerow(["query", "candidate_id", "position", "impressions", "clicks", "add_to_carts", "purchases"])
        for i in range(120):
            wrong = i % 40 == 0
            labels.writerow([f"query {i // 15} {EVIL}", f"={i}", f"@{i} {EVIL}", 0 if i % 2 or wrong else 2])
            for place in (1, 2):
                events.writerow(
                    [f"query {i // 15} {EVIL}", f"={i}", place, 2000, *((20, 0, 0) if i % 2 else (600, 200, 90))]
                )
    judge("import", tmp_path / "pairs.csv", "--out", tmp_path / "run")
    found = judge("audit", tmp_path / "run", tmp_path / "counts.csv", "--out", tmp_path / "audit")
    assert "\x1b" not in found.out
    assert pq.read_table(tmp_path / "audit" / "flags.parquet").num_rows > 0
    html = (tmp_path / "audit" / "report.html").read_text(encoding="utf-8")
    assert html.count("<script") == 1, "ours"
    assert EVIL not in html
    judge("queue", tmp_path / "run", "--to", "csv", "--out", tmp_path / "queue.csv")
    with (tmp_path / "queue.csv").open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t")]
    assert "'=0" in cells
    # The sheet's ids find their pairs again.
    text = (tmp_path / "queue.csv").read_text(encoding="utf-8").replace(",,,\n", ",keep,Ana,\n")
    (tmp_path / "queue.csv").write_text(text, encoding="utf-8")
    judge("decide", tmp_path / "run", tmp_path / "queue.csv", "--author", "Ana")


@pytest.mark.parametrize(
    "cell",
    [
        *("=1", "+1", "-1", "@x", "\tx", "\n=1", "＝1", "＋1", "－1", "＠x"),
        "'a'",
        "'=1",
        "''=1",
        "'＝1",
        "'",
        "plain",
        "",
    ],
)
def test_cells_come_back_from_a_sheet(cell):
    assert inert(cell)[:1] not in ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\n")
    assert restored(inert(cell)) == cell


def decision(grade, verdict=Verdict.CHANGE):
    return Decision(
        query_id="q", candidate_id="c", verdict=verdict, grade=grade, author="A", reason="", time="", source="file"
    )


def test_the_last_decision_counts_and_a_torn_line_costs_only_itself(tmp_path):
    decisions = Decisions(tmp_path)
    decisions.append([decision(1)])
    with decisions.path.open("ab") as stream:
        stream.write(b'{"query_id": "q", "cand')
    decisions.append([decision(2)])
    assert [d.grade for d in decisions] == [1, 2]
    assert decisions.settled()["q", "c"].grade == 2
    decisions.append([decision(None, Verdict.UNSURE)])
    assert decisions.settled() == {}


def test_export_without_decisions_is_the_labels(audited, tmp_path):
    judge("import", SHOP / "grades.csv", "--out", tmp_path / "run")
    assert export(Run(tmp_path / "run"), "jsonl", tmp_path / "x.jsonl").used == 429
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert all(row["grade"] == row["label_grade"] and row["decided_by"] is None for row in rows)


def test_the_category_that_an_opinion_tells_by_hand():
    assert compared_path("Outdoor > Tents >  Family tents") == ("outdoor", "tents", "family tents")
    votes = [
        CategoryVote("a", ("outdoor", "tents"), 1.0),
        CategoryVote("b", ("outdoor", "stoves"), 0.5),
        CategoryVote("d", ("toys",), 0.0),
    ]
    # Tents: wholly with the first, half with the second: (1 x 1 + 0.5 x 0.5) / 1.5.
    assert category_fit(("outdoor", "tents"), votes) == pytest.approx(1.25 / 1.5)
    assert category_fit(("toys",), votes) == 0
    assert category_fit((), votes) is None
