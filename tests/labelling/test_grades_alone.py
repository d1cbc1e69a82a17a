"""What every verb makes of grades that came without probabilities."""

import csv
import json
from collections import Counter

import pytest
from chat_server import is_probe
from judged_rows import labelled_pair

from judge.run.store import Run


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
