"""A label's whole story: what was given, asked, scored, flagged, rated and decided of one pair."""

import csv
import json
import shutil

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from judge.calibration.calibrate import calibrate
from judge.engines.fake import FakeEngine, FakeTokenizer
from judge.labelling.label import read_pairs
from judge.labelling.trace import before_calibration
from judge.run.decisions import Decision, Decisions, Verdict
from judge.run.store import Run
from judge.words.prompt import PromptBuilder

SHOP = ROOT / "examples" / "shop"
LABEL = ("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--limit", "40")


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_row_the_label_and_the_prompt_are_those_of_the_run(main, tmp_path, guideline):
    main(*LABEL, "--out", "run")
    found = main("trace", "run", "hiking boots", "P003", "--json").json
    assert found["row"] == 2
    assert (found["query_id"], found["locale"]) == ("Q01", "en")
    product = next(row for row in rows(SHOP / "catalogue.csv") if row["candidate_id"] == "P003")
    assert found["candidate"] == {name: product[name] for name in found["candidate"]}
    run = Run(tmp_path / "run")
    (label,) = run.query("SELECT grade, probabilities, expected_grade, outside_mass FROM labels WHERE row = 2")
    assert (found["grade"], found["probabilities"]) == (label[0], list(label[1]))
    assert (found["expected_grade"], found["outside_mass"]) == label[2:]
    assert found["confidence"] == max(label[1])
    assert found["parts"] == dict(run.manifest.parts)
    # The prompt is the one that was scored: the fake's scores depend on its tokens alone.
    pair = next(pair for batch in read_pairs(run.pairs_path) for pair, _ in batch if pair.row == 2)
    prompt = PromptBuilder(guideline, FakeTokenizer()).build([pair])[0]
    assert found["asked"]["ids"] == prompt.ids
    assert "".join(part["text"] for part in found["asked"]["segments"]).encode() == bytes(prompt.ids)
    scored = np.exp(FakeEngine().score([prompt])[0].logprobs)
    assert scored / scored.sum() == pytest.approx(label[1])
    # By its id it is the same story.
    assert main("trace", "run", "Q01", "P003", "--json").json == found


def test_what_was_cut_is_told(main, tmp_path):
    (tmp_path / "long.csv").write_text(f"query,candidate_id,title,brand\nlamp,p1,{'long title ' * 9000},Bulbo\n")
    main("label", "long.csv", "--engine", "fake", "--out", "run")
    found = main("trace", "run", "lamp", "p1", "--json").json["asked"]
    assert found["cut"] == ["title"]
    title = next(text for text in found["texts"] if text["name"] == "title")
    assert title["kept"] == title["budget"] == 48
    kept = next(part["text"] for part in found["segments"] if part["name"] == "candidate")
    whole = " " + ("long title " * 9000).strip()
    assert whole[48:] == title["lost"]
    assert f"Title:{whole[:48]}\n" in kept
    brand = next(text for text in found["texts"] if text["name"] == "brand")
    assert (brand["tokens"], brand["kept"], brand["lost"]) == (6, 6, "")


@given(
    arrays(np.float64, 4, elements=st.floats(-12, 0)),
    st.floats(0.2, 5),
    arrays(np.float64, 4, elements=st.floats(-3, 3)),
)
def test_a_calibration_is_undone(logprobs, temperature, bias):
    plain = np.exp(logprobs) / np.exp(logprobs).sum()
    scores = logprobs / temperature + bias
    calibrated = np.exp(scores - scores.max())
    calibrated /= calibrated.sum()
    label = {"probabilities": calibrated.tolist()}
    back = before_calibration(label, {"temperature": temperature, "bias": bias.tolist()})
    assert back == pytest.approx(plain, abs=1e-9)


def test_probabilities_before_and_after_a_calibration_and_the_threshold(main, tmp_path):
    rng = np.random.default_rng(0)
    logprobs = np.log(rng.dirichlet((1, 1, 1), 60))
    shares = np.eye(3)[[int(rng.choice(3, p=np.exp(row) ** 2 / (np.exp(row) ** 2).sum())) for row in logprobs]]
    fitted = calibrate(logprobs, shares, [f"q{i % 12}" for i in range(60)], "data")
    main(*LABEL, "--out", "plain")
    fitted = fitted.model_copy(update={"parts": json.loads((tmp_path / "plain" / "run.json").read_text())["parts"]})
    (tmp_path / "cal.json").write_text(fitted.model_dump_json())
    main(*LABEL, "--calibration", "cal.json", "--max-noise", "0.6", "--out", "run")
    before = main("trace", "plain", "Q01", "P003", "--json").json
    after = main("trace", "run", "Q01", "P003", "--json").json
    assert before["uncalibrated"] is None
    assert before["threshold"] is None
    assert after["uncalibrated"] == pytest.approx(before["probabilities"])
    assert after["probabilities"] == pytest.approx(fitted.apply(np.log(before["probabilities"])).tolist())
    assert after["threshold"] == pytest.approx(float(after["parts"]["threshold"]))
    assert "temperature" in main("trace", "run", "Q01", "P003").out
    # A run that was begun before its manifest held the numbers says so.
    path = tmp_path / "run" / "run.json"
    manifest = json.loads(path.read_text())
    del manifest["calibration"]
    path.write_text(json.dumps(manifest))
    assert "does not hold by which numbers" in main("trace", "run", "Q01", "P003").out


def test_flags_ratings_and_decisions_stand_in_their_order(main, audited_shop, tmp_path):
    shutil.copytree(audited_shop[0] / "run", tmp_path / "run")
    flags = f"read_parquet('{tmp_path}/run/flags.parquet')"
    first = f"SELECT query_id, candidate_id FROM {flags} ORDER BY strength DESC LIMIT 1"
    query_id, candidate_id = Run(tmp_path / "run").query(first)[0]
    main("adjudicate", "run", "--with", "fake", "--engine", "fake", "--sure", "1")
    before = main("trace", "run", query_id, candidate_id, "--json").json
    (tmp_path / "sheet.csv").write_text(
        f"query_id,candidate_id,decision,reason\n{query_id},{candidate_id},1,\x1b[2Jfits\n"
    )
    main("decide", "run", "sheet.csv", "--author", "Ana")
    found = main("trace", "run", query_id, candidate_id, "--ratings", SHOP / "ratings.csv", "--json").json
    assert found["asked"] is None
    assert found["probabilities"] is None
    assert found["flags"]
    assert all(flag["type"] and flag["impressions"] > 0 for flag in found["flags"])
    assert [d["source"] for d in found["decisions"]] == ["judge", "file"]
    assert found["decisions"][0] == before["decisions"][0]
    assert (found["final_grade"], found["final_status"]) == (1, "graded")
    given = {(g["rater"], g["grade"]) for g in found["ratings"]}
    wanted = [
        row for row in rows(SHOP / "ratings.csv") if (row["query_id"], row["candidate_id"]) == (query_id, candidate_id)
    ]
    assert given == {(row["rater"], int(row["grade"])) for row in wanted}
    shown = main("trace", "run", query_id, candidate_id).out
    assert "an export has grade 1 by Ana" in shown
    assert "people gave the grade" in shown
    assert "\x1b" not in shown


def test_the_exports_that_a_row_went_into_and_why_it_is_not_in_others(main, tmp_path):
    """Of grades 2, 1, 0 of one query: balanced to one a grade, capped to two rows, and a decision after the first."""
    (tmp_path / "g.csv").write_text(
        "query,candidate_id,title,grade\nlamp,a,A lamp,2\nlamp,b,A bulb,1\nlamp,c,A sofa,0\n"
    )
    main("import", "g.csv", "--out", "run")
    assert main("trace", "run", "lamp", "c", "--json").json["exports"] == []
    main("export", "run", "--to", "trec", "--out", "all.qrels")
    main("export", "run", "--to", "pairs", "--per-query", "2", "--out", "two.parquet")
    main("export", "run", "--to", "jsonl", "--out", "rows.jsonl")

    def told(candidate):
        found = main("trace", "run", "lamp", candidate, "--json").json["exports"]
        return [
            (e["exported"]["format"], e["exported"]["out"], e["split"], e["left_out"], e["decisions_changed"])
            for e in found
        ]

    # Two of a query, the highest grades first: 0 is the one too many.
    assert told("a") == [
        ("trec", "all.qrels", "train", None, False),
        ("pairs", "two.parquet", "train", None, False),
        ("jsonl", "rows.jsonl", "every row", None, False),
    ]
    # Nobody asked for splits, so none is named.
    shown = main("trace", "run", "lamp", "a").out
    assert shown.count("in it") == 3
    assert "in train" not in shown
    assert told("c")[1] == ("pairs", "two.parquet", None, "beyond the number for a query", False)
    key = Run(tmp_path / "run").query("SELECT query_id FROM pairs LIMIT 1")[0][0]
    (tmp_path / "d.csv").write_text(f"query_id,candidate_id,decision\n{key},a,0\n")
    main("decide", "run", "d.csv", "--author", "Ana")
    assert all(changed for *_, changed in told("a"))
    assert "others than then" in main("trace", "run", "lamp", "a").out


def test_rows_that_nobody_was_asked_about(main, tmp_path):
    (tmp_path / "pairs.csv").write_text("query,candidate_id,title\nlamp,p1,A lamp\nlamp,p1,A lamp\nlamp,p2,\n")
    main("label", "pairs.csv", "--engine", "fake", "--out", "run")
    found = main("trace", "run", "lamp", "p1", "--json").json
    assert found["other_rows"] == [{"row": 2, "reason": "repeats row 1"}]
    skipped = main("trace", "run", "lamp", "p2", "--json").json
    assert (skipped["status"], skipped["asked"], skipped["reason"]) == ("skipped", None, "candidate has no text")
    assert "it was not: the row was skipped" in main("trace", "run", "lamp", "p2").out
    for part in (tmp_path / "run" / "labels").iterdir():
        part.unlink()
    early = main("trace", "run", "lamp", "p1", "--json").json
    assert (early["status"], early["grade"], early["final_status"]) == ("not labelled yet", None, "not labelled yet")


def test_a_decision_about_a_skipped_row_grades_nothing(main, tmp_path):
    (tmp_path / "pairs.csv").write_text("query_id,query,candidate_id,title\nq,lamp,p1,A lamp\nq,lamp,p2,\n")
    main("label", "pairs.csv", "--engine", "fake", "--out", "run")
    by = {"query_id": "q", "author": "Ana", "reason": "", "source": "file", "time": "2026-01-01T00:00:00Z"}
    Decisions(tmp_path / "run").append(
        [Decision(candidate_id=key, verdict=Verdict.CHANGE, grade=2, **by) for key in ("p1", "p2")]
    )
    graded, skipped = (main("trace", "run", "q", key, "--json").json for key in ("p1", "p2"))
    assert (graded["final_status"], graded["final_grade"]) == ("graded", 2)
    assert (skipped["status"], skipped["final_status"], skipped["final_grade"]) == ("skipped", "skipped", None)
    assert len(skipped["decisions"]) == 1, "the decision itself is shown"
    main("export", "run", "--to", "jsonl", "--out", "rows.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(row["candidate_id"], row["status"], row["grade"]) for row in rows] == [
        ("p1", "graded", 2),
        ("p2", "skipped", None),
    ]
