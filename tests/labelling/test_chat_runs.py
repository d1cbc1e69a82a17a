"""Runs through a chat endpoint on the command line, and what every verb makes of grades without probabilities."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from chat_server import Server, is_probe
from conftest import write_flags
from judged_rows import labelled_pair

from judge.errors import InputError
from judge.run.store import Run
from judge.run.usage import Usage, read_price

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Server() as found:
        yield found


@pytest.fixture
def chat(server):
    return ("--engine", "chat", "--url", server.url, "--judge", "acme/large")


@pytest.fixture
def pairs(tmp_path):
    """Twenty queries of three products, whose titles say the grade that the server gives."""
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query", "candidate_id", "title"])
        writer.writerows([f"query {q}", f"c{q}-{g}", f"product {q} of grade {g}"] for q in range(20) for g in range(3))
    return path


@pytest.fixture
def alone(main, server, chat, pairs, tmp_path):
    """A finished run whose grades came without probabilities."""
    server.logprobs = False
    main("label", pairs, *chat, "--out", "alone")
    return Run(tmp_path / "alone")


@pytest.fixture
def mixed(main, server, chat, pairs, tmp_path):
    """A finished run in which the grades 2 came without probabilities."""

    def mood(handler, body, turn):
        answer = handler.good(body)
        if not is_probe(body) and "grade 2" in body["messages"][1]["content"]:
            answer["choices"][0].pop("logprobs")
        handler.reply(200, answer)
        return True

    server.mood, server.logprobs = mood, True
    main("label", pairs, *chat, "--out", "mixed")
    return Run(tmp_path / "mixed")


@pytest.fixture
def ratings(tmp_path):
    """People agree with the server, but for the first query, whose grade 2 they call 0."""
    path = tmp_path / "ratings.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query", "candidate_id", "title", "grade"])
        for q in range(20):
            for g in range(3):
                grade = 0 if (q, g) == (0, 2) else g
                writer.writerow([f"query {q}", f"c{q}-{g}", f"product {q} of grade {g}", grade])
    return path


# labelling


def test_a_run_says_what_was_negotiated_and_what_it_cost(main, server, chat, pairs, tmp_path):
    found = main("label", pairs, *chat, "--out", "run", "--price", "in=2,out=10", "--json").json
    assert found["grades"] == {"0": 20, "1": 20, "2": 20}
    assert found["without_probabilities"] == 0
    assert found["mean_outside_mass"] == pytest.approx(0.1)
    manifest = Run(tmp_path / "run").manifest
    parts = {"judge": "acme/large", "endpoint": "chat completions", "answers": "json_schema", "logprobs": "20"}
    assert parts.items() <= manifest.parts.items()
    assert not any("127.0.0.1" in str(value) for value in manifest.parts.values())
    tokens_in = sum(sum(len(m["content"]) for m in body["messages"]) // 4 for body in server.requests)
    # {"grade": "2"} has 14 characters: 4 tokens out, of 60 pairs and a question before.
    assert manifest.usage["requests"] == 61
    assert (manifest.usage["prompt_tokens"], manifest.usage["completion_tokens"]) == (tokens_in, 61 * 4)
    assert manifest.usage["cost"] == pytest.approx((tokens_in * 2 + 61 * 4 * 10) / 1e6)
    assert found["usage"] == manifest.usage


@pytest.mark.parametrize("options", [(), ("--per-request", "3"), ("--samples", "2")])
def test_a_dry_run_foretells_the_bill(main, server, chat, options):
    shop = (SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--limit", "110", "--price", "in=2,out=10")
    foretold = main("label", *shop, *chat, *options, "--dry-run", "--json").json
    assert len(server.asked) <= 48 * 2, "a sample is asked about"
    counted = main("label", *shop, *chat, *options, "--out", "run", "--json").json
    assert foretold["usage"]["cost"] == pytest.approx(counted["usage"]["cost"], rel=0.1)
    assert foretold["usage"]["requests"] == counted["usage"]["requests"] - 1


def test_a_run_is_not_gone_on_with_where_the_endpoint_is_asked_otherwise(main, server, chat, pairs):
    main("label", pairs, *chat, "--out", "run")
    server.logprobs = False
    assert "logprobs: 20 → None" in main("label", pairs, *chat, "--out", "run", code=2).err
    server.logprobs = True
    assert "per_request: 1 → 4" in main("label", pairs, *chat, "--out", "run", "--per-request", "4", code=2).err
    assert main("label", pairs, *chat, "--out", "run", "--json").json["grades"] == {"0": 20, "1": 20, "2": 20}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--engine", "fake", "--samples", "2"), "does not use --samples"),
        (("--engine", "fake", "--price", "in=1,out=1"), "does not use --price"),
        (("--engine", "chat", "--judge", "m"), "needs the endpoint's address"),
        (("--engine", "chat", "--url", "http://127.0.0.1:9/v1"), "needs --judge"),
        (("--engine", "chat", "--url", "http://127.0.0.1:9/v1", "--judge", "m", "--samples", "0"), "--samples 0"),
        (("--engine", "chat", "--url", "http://127.0.0.1:9/v1", "--judge", "m", "--adapter", "x"), "no --adapter"),
    ],
)
def test_what_does_not_go_together_is_refused(main, pairs, options, said):
    assert said in main("label", pairs, *options, "--out", "run", code=2).err


@pytest.mark.parametrize("text", ["2", "in=2", "in=a,out=1", "in=-1,out=1", "in=nan,out=1", "in=1,out=1,x=1"])
def test_a_price_that_is_none_is_refused(text):
    with pytest.raises(InputError):
        read_price(text)
    assert read_price("in=2,out=8").cost(Usage(prompt_tokens=500_000, completion_tokens=250_000)) == 3


KILLS = int(os.environ.get("KILLS", "2"))
"""How often the run below is killed: twice, or as often as somebody likes to see."""


def test_a_run_that_is_killed_asks_nothing_twice_that_was_answered(pairs, tmp_path):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    environment.pop("OPENAI_API_KEY", None)
    port, asked, journal = tmp_path / "port", tmp_path / "asked", tmp_path / "run" / "answers.jsonl"
    program = [sys.executable, str(ROOT / "tests" / "chat_server.py"), str(port), str(asked)]
    chance = random.Random(KILLS)
    with subprocess.Popen(program, env=environment) as serving:
        try:
            while not (port.is_file() and port.read_text()):
                time.sleep(0.05)
            url = f"http://127.0.0.1:{port.read_text()}/v1"
            label = [
                sys.executable,
                "-m",
                "relevance_judge.cli.main",
                "label",
                str(pairs),
                "--out",
                str(tmp_path / "run"),
            ]
            label += ["--engine", "chat", "--url", url, "--judge", "m", "--concurrency", "2"]
            paid = []
            for _ in range(KILLS):
                # At any moment of what is left, from before the first answer on.
                answers = paid[-1][0] if paid else 0
                enough = answers + chance.randint(0, max(1, 2 * (58 - answers) // (KILLS - len(paid))))
                with subprocess.Popen(label, env=environment, stderr=subprocess.DEVNULL) as begun:
                    while len(lines := whole_lines(journal)) < min(enough, 58):
                        assert begun.poll() is None
                        time.sleep(0.002)
                    begun.send_signal(signal.SIGKILL)
                lines = whole_lines(journal)
                rows = {row for line in map(json.loads, lines) for row in line["rows"]}
                paid.append(
                    (len(lines), rows, Counter(asked.read_text().splitlines()) if asked.is_file() else Counter())
                )
            assert len(paid[-1][1]) < 60
            subprocess.run(label, env=environment, check=True, stdout=subprocess.DEVNULL)
        finally:
            serving.kill()
    run = Run(tmp_path / "run")
    run.check_whole()
    counts = Counter(asked.read_text().splitlines())
    titles = dict(run.query("SELECT row, candidate.title FROM pairs"))
    for _, rows, before in paid:
        assert all(counts[titles[row]] == before[titles[row]] for row in rows)
    # What was under way at a kill was not answered, and is asked again: at most two requests a kill.
    assert len(counts) == 60
    assert sum(counts.values()) <= 60 + 2 * KILLS
    assert run.query("SELECT count(*) FROM labels WHERE status = 'graded'") == [(60,)]


def whole_lines(path):
    return path.read_bytes().split(b"\n")[:-1] if path.is_file() else []


# grades without probabilities


def test_a_grade_that_came_alone_is_graded_without_probabilities(main, alone):
    rows = alone.query("SELECT status, grade, probabilities, expected_grade, outside_mass, reason FROM labels")
    assert Counter(rows) == {("graded", g, None, None, None, None): 20 for g in range(3)}
    found = main("status", "alone", "--json").json
    assert (found["without_probabilities"], found["mean_confidence"]) == (60, None)
    assert "graded without probabilities" in main("status", "alone").out


def test_agreement_takes_the_grade_for_what_is_expected(main, alone, mixed, ratings, tmp_path):
    for run in ("alone", "mixed"):
        found = main("agree", ratings, "--run", run, "--report", f"{run}.html", "--json").json
        text = json.dumps(found)
        assert "NaN" not in text
        page = (tmp_path / f"{run}.html").read_text()
        assert "query 0" in page, "the one disagreement is shown, although nobody knows how sure the judge was"
        comparison = next(each for each in find(found, "calibration_error"))
        # 59 of 60 grades are people's; in the mixed run 40 have probabilities, all of 0.7 / 0.9 and all right.
        wanted = None if run == "alone" else pytest.approx(1 - 0.7 / 0.9)
        assert comparison["calibration_error"]["value"] == wanted
        assert comparison["spearman"]["value"] > 0.9


def find(value, key):
    """Every object in a JSON value that has a key."""
    if isinstance(value, dict):
        yield from [value] if key in value else []
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from find(each, key)


def test_calibration_refuses_grades_without_probabilities(main, server, chat, alone, ratings, pairs):
    said = main("calibrate", "alone", ratings, "--out", "c.json", code=2).err
    assert "nothing to calibrate" in said


def test_a_calibration_is_refused_where_the_endpoint_tells_no_probabilities(main, server, chat, mixed, ratings, pairs):
    assert main("calibrate", "mixed", ratings, "--out", "c.json").code == 0
    server.logprobs = False
    given = ("--calibration", "c.json")
    assert "no probabilities" in main("label", pairs, *chat, *given, "--out", "no", code=2).err


def test_a_threshold_leaves_grades_without_confidence_to_people(guideline):
    from judge.calibration.abstain import Threshold
    from judge.records import Choice, Pair

    threshold = Threshold(budget=0.1, confidence=0.9, least=0.4, coverage=1, error=0, bound=0.1, pairs=9)
    pair = Pair(1, "q", "q", "c", {"title": "t"})
    label = labelled_pair(pair, Choice(2), guideline.values, threshold=threshold)
    assert (label.status, label.grade) == ("abstained", None)
    assert "confidence" in label.reason
    assert labelled_pair(pair, Choice(2), guideline.values).grade == 2


def test_confidence_filters_leave_out_what_has_no_confidence(main, alone, mixed, tmp_path):
    # In the mixed run the grades 2 have none, and the others 0.7 / 0.9.
    main("export", "mixed", "--to", "jsonl", "--out", "all.jsonl")
    main("export", "mixed", "--to", "judgments", "--out", "kept.parquet", "--min-confidence", "0.5")
    import pyarrow.parquet as pq

    assert Counter(pq.read_table(tmp_path / "kept.parquet")["grade"].to_pylist()) == {0: 20, 1: 20}
    said = main("export", "alone", "--to", "judgments", "--out", "none.parquet", "--min-confidence", "0.5", code=2).err
    assert "60 × graded without a confidence" in said
    # By default they may be set against others; not where more than a half is asked for.
    main("export", "alone", "--to", "triplets", "--out", "t.parquet")
    assert pq.read_metadata(tmp_path / "t.parquet").num_rows == 20 * 3
    assert main("export", "alone", "--to", "triplets", "--out", "u.parquet", "--negative-confidence", "0.6", code=2).err


def test_scores_are_the_grades_where_no_probabilities_came(main, alone, mixed, tmp_path):
    import pyarrow.parquet as pq

    for run in ("alone", "mixed"):
        main("export", run, "--to", "pairs", "--score", "expected", "--out", f"{run}.parquet")
        found = pq.read_table(tmp_path / f"{run}.parquet").to_pylist()
        by_text = {row["sentence2"]: row["score"] for row in found}
        assert by_text["product 3 of grade 2"] == 1.0
        # 0 under (0.7, 0.15, 0.05) / 0.9 is 0.25 / 0.9 expected, half of that as a score.
        assert by_text["product 3 of grade 0"] == (0.0 if run == "alone" else pytest.approx(0.25 / 0.9 / 2))


def test_sheets_name_the_judge_and_no_score(main, alone, tmp_path):
    main("export", "alone", "--to", "label-studio", "--out", "sheet.json")
    tasks = json.loads((tmp_path / "sheet.json").read_text())
    assert {each["predictions"][0]["model_version"] for each in tasks} == {f"judge {alone.manifest.fingerprint}"}
    assert not any("score" in each["predictions"][0] for each in tasks)


def test_two_runs_are_compared_by_their_grades(main, alone, mixed):
    found = main("diff", "mixed", "alone", "--json").json
    assert "NaN" not in json.dumps(found)
    assert main("diff", "alone", "mixed", "--out", "diff.csv").code == 0


def test_a_trace_shows_the_messages(main, alone):
    found = main("trace", "alone", "query 3", "c3-2", "--json").json
    assert found["probabilities"] is found["confidence"] is found["expected_grade"] is None
    system, user = found["asked"]["segments"]
    assert (system["name"], user["name"]) == ("system", "user")
    assert json.loads(user["text"])["product"]["title"] == "product 3 of grade 2"
    assert "product 3 of grade 2" in main("trace", "alone", "query 3", "c3-2").out


def test_the_example_shop_is_labelled_audited_adjudicated_and_probed(main, server, chat, tmp_path):
    server.logprobs = False
    # The judge calls everything 1; a second one, who knows better, calls it 2.
    shop = (SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv")
    main("label", *shop, *chat, "--out", "run", "--per-request", "5")
    flagged = main("audit", "run", SHOP / "engagement.csv", "--out", "audit", "--json").json
    assert "NaN" not in json.dumps(flagged)
    # Where one grade is given to everything, an audit holds its flags back: these are made by hand.
    rows = Run(tmp_path / "run").query("SELECT row, query_id, query, candidate_id FROM pairs ORDER BY row LIMIT 8")
    write_flags(Run(tmp_path / "run"), [(*row, 1, 2) for row in rows])
    server.answer = lambda body: {"grade": "1" if is_probe(body) else "2"}
    assert "repeat itself" in main("adjudicate", "run", "--with", "acme/large", *chat[:4], code=2).err
    done = main("adjudicate", "run", "--with", "acme/larger", *chat[:4], "--sure", "1", "--json").json
    assert done["opinions"] > 5
    assert Run(tmp_path / "run").query("SELECT count(*) FROM labels WHERE probabilities IS NOT NULL") == [(0,)]
    server.answer = lambda body: {"grade": str(len(str(body)) % 3 if not is_probe(body) else 1)}
    probed = main("probe", *shop, *chat, "--limit", "6", "--json").json["probes"]
    assert all(each["shift"] is None or abs(each["shift"]) <= 2 for each in probed)
    assert any(each["flips"]["value"] for each in probed)


def test_doctor_compares_no_endpoint_that_takes_words(main, server):
    said = main("doctor", "--parity", "--engine", "fake", "--engine", "chat", "--url", server.url, code=2).err
    assert "takes none" in said
