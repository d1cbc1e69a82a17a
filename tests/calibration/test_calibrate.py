"""Calibration: the numbers that are fitted, what they promise, and what happens with ratings that are too few."""

import csv
import json
import math
import re

import numpy as np
import pytest
from conftest import ROOT
from finetune_fixtures import write_tuned
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax as scipy_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from finetune.held_out import join
from judge.calibration.calibrate import Calibration, calibrate, read_calibration
from judge.calibration.choice import choose_form
from judge.calibration.doubts import doubts
from judge.calibration.held_out import majority_baseline, trust
from judge.calibration.temperature import fit
from judge.errors import InputError
from judge.fingerprint import Fingerprint
from judge.labelling.config import read_tuned
from judge.models.model import find_model
from judge.pairs.stage import Source
from judge.ratings.rated import RatingsFile, read_rated
from judge.run.seen import Seen, words_key, write_seen
from judge.run.store import Run
from judge.statistics import reliability
from judge.words.guideline import known_grades, load_guideline


def softmax(scores):
    return scipy_softmax(scores, axis=1)


def overconfident(n=4000, seed=0, temperature=2.5, bias=(0.4, -0.6, 0.2)):
    """Scores whose truth follows softmax(scores / temperature + bias)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 3, (n, 3))
    chances = softmax(scores / temperature + np.array(bias))
    truth = (rng.random(n)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    return scores, np.eye(3)[truth]


def test_fitting_finds_the_temperature_and_biases_that_made_the_grades():
    scores, shares = overconfident(40_000)
    temperature, bias = fit(scores, shares)
    assert temperature == pytest.approx(2.5, rel=0.05)
    assert bias == pytest.approx((0.4, -0.6, 0.2), abs=0.05)
    assert bias.sum() == pytest.approx(0)


@pytest.mark.parametrize(
    ("gains", "taken"),
    # Four queries of a pair each: mean .25, standard error .1155 / 4 = .029; mean .075, standard error .9 / 4 = .225.
    [((0.2, 0.3, 0.2, 0.3), 1), ((0.3, 0.3, 0.3, -0.6), 0), ((0.0,) * 4, 0)],
)
def test_a_form_has_to_be_better_by_more_than_a_standard_error(gains, taken):
    simple = np.full(4, 1.0)
    assert choose_form([simple, simple - np.array(gains)], np.arange(4)) == taken
    # The same gains in pairs of one query weigh as one: twice the pairs are no more evidence.
    twice = np.repeat(np.arange(4), 2)
    assert choose_form([np.full(8, 1.0), 1.0 - np.repeat(gains, 2)], twice) == taken


def test_two_grades_are_a_logistic_regression():
    scores, shares = overconfident(2000)
    scores, truth = scores[:, :2], shares[:, :2].argmax(axis=1)
    temperature, bias = fit(scores, np.eye(2)[truth])
    # With two grades, softmax(z/T + b) is the logistic of (z1 - z0)/T + (b1 - b0).
    oracle = LogisticRegression(C=1e9).fit(scores[:, 1:] - scores[:, :1], truth)
    assert 1 / temperature == pytest.approx(oracle.coef_[0, 0], abs=0.01)
    assert bias[1] - bias[0] == pytest.approx(oracle.intercept_[0], abs=0.01)


def test_figures_get_better_and_equal_those_of_the_audit():
    scores, shares = overconfident()
    found = calibrate(scores, shares, [f"q{i % 50}" for i in range(len(scores))], "digest")
    assert found.after.calibration_error < 0.03 < 0.1 < found.before.calibration_error
    assert found.after.log_loss < found.before.log_loss
    assert found.after.brier < found.before.brier
    truth = shares.argmax(axis=1)
    chances = softmax(scores)
    confidence, right = reliability.top_label(chances, truth)
    assert found.before.calibration_error == pytest.approx(reliability.expected_calibration_error(confidence, right))
    assert found.before.brier == pytest.approx(reliability.brier_score(chances, truth))
    assert found.before.log_loss == pytest.approx(log_loss(truth, chances))


def test_soft_shares_are_worked_by_hand():
    # One pair, probabilities .5 .5, people's shares 1 and 0: log loss ln 2, Brier .25 + .25, confidence .5 and right.
    found = trust(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]), ["q"])
    assert found.log_loss == pytest.approx(math.log(2))
    assert (found.brier, found.accuracy, found.calibration_error) == (0.5, 1.0, 0.5)
    # Shares as the probabilities are: nothing is left of Brier, and of the log loss the entropy.
    assert trust(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]]), ["q"]).brier == 0


def test_figures_after_come_from_queries_that_the_fit_did_not_see():
    # Every query has its own grade, always given with certainty by the wrong score: only a fit on the very pairs helps.
    queries = np.repeat(np.arange(6), 10)
    scores = np.random.default_rng(0).normal(0, 1, (60, 3))
    shares = np.eye(3)[queries % 3]
    found = calibrate(scores, shares, queries.tolist(), "digest")
    temperature, bias = fit(scores, shares)
    inside = trust(softmax(scores / temperature + bias), shares, queries)
    assert found.after.log_loss > inside.log_loss
    assert len(found.held_out.confidence) == 60
    assert sorted(set(found.held_out.query)) == list(range(6))


@pytest.mark.parametrize(
    ("n", "queries", "said"),
    [(29, 10, "29 rated pairs of 10 queries"), (100, 4, "of 4 queries are"), (100, 1, "of 1 query are")],
)
def test_too_few_ratings_or_queries_are_refused(n, queries, said):
    scores, shares = overconfident(n)
    with pytest.raises(InputError, match=said):
        calibrate(scores, shares, [i % queries for i in range(n)], "digest")


def test_ratings_that_the_scores_part_perfectly_give_finite_numbers():
    shares = np.eye(3)[np.arange(60) % 3]
    temperature, bias = fit(shares * 9, shares)
    assert 0 < temperature < np.inf
    assert np.isfinite(bias).all()


@given(st.lists(st.floats(-30, 0), min_size=3, max_size=3), st.floats(0.1, 10))
def test_probabilities_are_probabilities_and_temperature_alone_keeps_the_order(logprobs, temperature):
    figures = trust(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]), ["q"]).model_dump()
    found = Calibration.model_validate(
        {
            "temperature": temperature,
            "bias": (0, 0, 0),
            "before": figures,
            "after": figures,
            "held_out": {"confidence": (), "wrong": (), "query": ()},
            "ratings": "",
        }
    )
    chances = found.apply(logprobs)
    assert chances.sum() == pytest.approx(1)
    assert chances[np.argmax(logprobs)] == pytest.approx(chances.max())


def test_the_command_calibrates_a_run_and_labels_carry_it(main, rated_file, tmp_path):
    main("label", rated_file, "--engine", "fake", "--out", "plain")
    found = main("calibrate", "plain", rated_file, "--report", "chart.svg", "--json").json
    assert found["after"]["log_loss"] <= found["before"]["log_loss"] + 0.1
    with rated_file.open(encoding="utf-8") as stream:
        grades = [row["grade"] for row in csv.DictReader(stream)]
    assert found["majority_baseline"] == max(map(grades.count, "012")) / len(grades)
    assert "majority baseline" in main("calibrate", "plain", rated_file, "--out", "again.json").out
    chart = (tmp_path / "chart.svg").read_text()
    assert chart.startswith("<svg")
    assert re.search(r"<desc>uncalibrated: \d+ pairs, confidence 0\.\d+, right \d\.\d+; ", chart)
    assert "<script" not in chart
    unknown = main("calibrate", "plain", rated_file, "--map", "raters=who", "--out", "other.json", code=2)
    assert "there is no 'raters' to map" in unknown.err
    again = main("calibrate", "plain", rated_file, code=2)
    assert "already there" in again.err
    main("calibrate", "plain", rated_file, "--overwrite")
    lost = main("export", "plain", "--to", "opensearch", "--out", "plain/calibration.json", "--overwrite", code=2)
    assert "belongs to the run" in lost.err
    file = tmp_path / "plain" / "calibration.json"
    main("label", rated_file, "--engine", "fake", "--calibration", file, "--out", "fitted")
    parts = json.loads((tmp_path / "fitted" / "run.json").read_text())["parts"]
    assert parts["calibration"] == Calibration.model_validate_json(file.read_bytes()).digest
    text = (ROOT / "guidelines" / "three-level.yaml").read_text("utf-8")
    (tmp_path / "stricter.yaml").write_text(text.replace("moderately relevant", "relevant in part"), "utf-8")
    other = ["--guideline", tmp_path / "stricter.yaml", "--calibration", file, "--out", "other"]
    refused = main("label", rated_file, "--engine", "fake", *other, code=2)
    assert "another judge's probabilities" in refused.err
    assert "guideline_digest: " in refused.err
    assert "weights" not in refused.err
    assert not (tmp_path / "other").exists()
    # One that leaves out whose it is would fit every judge.
    said = json.loads(file.read_text())
    for parts, why in (({}, "does not say which judge"), ({"fields": said["parts"]["fields"]}, "weights: None")):
        (tmp_path / "anyone.json").write_text(json.dumps(said | {"parts": parts}))
        given = ("--calibration", "anyone.json", "--out", "other")
        assert why in main("label", rated_file, "--engine", "fake", *given, code=2).err
        assert not (tmp_path / "other").exists()
    # Its calibration is undone: what is fitted is what was fitted before.
    again = main("calibrate", "fitted", rated_file, "--out", "undone.json", "--json").json
    assert again["temperature"] == pytest.approx(found["temperature"], rel=1e-3)


def test_a_merged_judge_gets_no_calibration_of_another_ones_labels(main, rated_file, directory, tuned, tmp_path):
    for name, text in (("config.json", "{}"), ("model.safetensors", "weights")):
        (directory / name).write_text(text)
    for file in directory.glob("adapter_*"):
        file.unlink()
    write_tuned(directory, tuned)  # no adapter of its own: merged
    main("label", rated_file, "--engine", "fake", "--out", "plain")
    refused = main("calibrate", "plain", rated_file, "--adapter", directory, code=2)
    assert "did not make the labels" in refused.err
    manifest = tmp_path / "plain" / "run.json"
    said = json.loads(manifest.read_text())
    said["parts"]["weights"] = find_model(str(directory)).weights
    said["fingerprint"] = Fingerprint(parts=said["parts"]).value
    manifest.write_text(json.dumps(said))
    main("calibrate", "plain", rated_file, "--adapter", directory)
    assert read_tuned(directory).calibration != tuned.calibration


def test_rated_pairs_that_the_run_lacks_are_counted(main, rated_file):
    main("label", rated_file, "--engine", "fake", "--limit", 60, "--out", "plain")
    assert "left out: 12 rated pairs that the run has no probabilities" in main("calibrate", "plain", rated_file).out


def test_a_judge_that_says_nothing_of_the_grades_is_doubted():
    # Nine of ten pairs are of grade 0, and what the judge says is drawn without a look at them.
    shares = np.eye(3)[[0] * 9 + [1]][np.arange(200) % 10]
    queries = [f"q{i % 20}" for i in range(200)]
    drawn = np.log(np.random.default_rng(0).dirichlet((1, 1, 1), 200))
    found = calibrate(drawn, shares, queries, "digest")
    assert any("gives one grade to 100.0%" in doubt for doubt in doubts(found, drawn))
    assert majority_baseline(shares) == 0.9
    flat = found.model_copy(update={"temperature": 50.0, "bias": (0.0, 0.0, 0.0)})
    assert "the temperature is at the end of its range" in " ".join(doubts(flat, drawn))
    calm = found.model_copy(update={"temperature": 2.0, "bias": (0.0, 0.0, 0.0)})
    assert doubts(calm, drawn) == []


def test_a_file_that_is_no_calibration_is_refused(main, rated_file):
    refused = main("label", rated_file, "--engine", "fake", "--calibration", rated_file, "--out", "run", code=2)
    assert "is damaged" in refused.err


def test_ratings_with_query_ids_of_their_own_are_found_by_the_query(main, rated_file, tmp_path):
    main("label", rated_file, "--engine", "fake", "--out", "plain")
    plain = main("calibrate", "plain", rated_file, "--json").json
    with rated_file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (tmp_path / "elsewhere.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0], "query_id"])
        writer.writeheader()
        # Two ids for every query, as where a tool counts locales or sessions apart.
        writer.writerows({**row, "query_id": f"tool-{row['query']}-{n % 2}"} for n, row in enumerate(rows))
    found = main("calibrate", "plain", "elsewhere.csv", "--out", "other.json", "--json").json
    assert found["before"] == pytest.approx(plain["before"]), "as many queries"
    assert found["after"] == pytest.approx(plain["after"], abs=1e-4), "no query is on both sides of a split"
    # `judge agree` counts the ids, and what is calibrated says how many of them it counts as one.
    assert main("agree", "elsewhere.csv", "--run", "plain", "--json").json["queries"] == found["query_ids"] == 24
    assert (found["after"]["queries"], plain["query_ids"]) == (12, 12)
    told = [
        main("calibrate", "plain", name, "--out", "told.json", "--overwrite").out
        for name in ("elsewhere.csv", rated_file)
    ]
    assert ["24 query ids, as `judge agree` counts them, are 12 queries" in each for each in told] == [True, False]


def test_ratings_may_name_queries_by_id_alone(main, rated_file, tmp_path):
    with rated_file.open(encoding="utf-8", newline="") as stream:
        rows = [{"query_id": row["query"].replace(" ", "-"), **row} for row in csv.DictReader(stream)]
    for name, left in (("words.csv", ()), ("ids.csv", ("query",))):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, [key for key in rows[0] if key not in left], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    main("label", "words.csv", "--engine", "fake", "--out", "plain")
    found = [
        main("calibrate", "plain", name, "--out", f"{name}.json", "--json").json for name in ("words.csv", "ids.csv")
    ]
    assert found[0]["after"]["queries"] == 12
    assert found[0]["after"] == found[1]["after"]


EDITED = {
    "held_out.confidence": ({"confidence": [1.5]}, {"confidence": [math.nan]}),
    "held_out": ({"wrong": []}, {"query": [10**15]}),
    "held_out.query": ({"query": [-1]},),
}


@pytest.mark.parametrize(("place", "part"), [(place, part) for place, parts in EDITED.items() for part in parts])
def test_held_out_pairs_that_were_edited_by_hand_are_refused(tmp_path, place, part):
    """They count for a promise, which would rest on nothing, or take all memory."""
    sound = json.loads((ROOT / "tests" / "data" / "earlier" / "calibration.json").read_text())
    held = {name: values[:1] for name, values in sound["held_out"].items()}
    path = tmp_path / "edited.json"
    for changed, fits in (({}, True), (part, False)):
        path.write_text(json.dumps({**sound, "held_out": {**held, "query": [0], **changed}}))
        if fits:
            assert read_calibration(path).held_out.query == (0,)
            continue
        with pytest.raises(InputError, match=rf"edited\.json: is damaged \({place}\b"):
            read_calibration(path)


def test_a_calibration_is_not_of_a_judge_that_was_shown_or_asked_otherwise():
    sound = read_calibration(ROOT / "tests" / "data" / "earlier" / "calibration.json")
    same = {**sound.parts, "weights": None, "judge": "gpt", "samples": "1"}
    found = sound.model_copy(update={"parts": {**same, "examples": None}})
    assert found.differences(same) == []
    for name, other in (("samples", "5"), ("examples", "e1"), ("judge", "gpt-mini")):
        assert [line.partition(":")[0] for line in found.differences({**same, name: other})] == [name]
    # A file of an earlier version does not say.
    assert sound.differences({**sound.parts, "examples": "e1"}) == []


def test_what_is_left_out_is_said_where_too_few_ratings_remain(main, rated_file, tmp_path):
    # 12 queries of 6 pairs, of which the run has 66 pairs, and of which the judge learned from 9 queries.
    main("label", rated_file, "--engine", "fake", "--limit", 66, "--out", "plain")
    main("label", rated_file, "--engine", "fake", "--out", "all")
    queries = [
        query for (query,) in Run(tmp_path / "all").query("SELECT query FROM pairs GROUP BY 1 ORDER BY min(row)")
    ]
    write_seen(tmp_path / "plain", Seen(learned=tuple(words_key(query) for query in queries[:9])))
    refused = main("calibrate", "plain", rated_file, code=2).err
    assert "12 rated pairs of 2 queries" in refused
    assert "54 more are of queries that the judge learned from; 6 more are not in the run" in refused


@pytest.mark.parametrize("said", [{"adapter": "a1"}, {"declared_adapter": "a1"}, {"members": ({}, {"adapter": "a1"})}])
def test_a_fine_tuned_judge_whose_run_does_not_say_what_it_learned_is_noted(main, rated_file, tmp_path, said):
    main("label", rated_file, "--engine", "fake", "--out", "plain")
    assert "learned" not in main("calibrate", "plain", rated_file, "--out", "one.json").err
    run = Run.open(tmp_path / "plain")
    changed = said if "members" in said else {"parts": {**run.manifest.parts, **said}}
    run.begin(run.manifest.model_copy(update=changed))
    assert "learned" in main("calibrate", "plain", rated_file, "--out", "two.json").err
    # One that says it is not noted, unless a judge before it did not say.
    write_seen(run.path, Seen())
    assert "learned" not in main("calibrate", "plain", rated_file, "--out", "three.json").err
    write_seen(run.path, Seen(unknown=True))
    assert "learned" in main("calibrate", "plain", rated_file, "--out", "four.json").err


def test_an_id_that_is_another_querys_in_the_run_is_none_of_it(main, rated_file, tmp_path):
    with rated_file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    queries = list(dict.fromkeys(row["query"] for row in rows))

    def write(name, order):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, [*rows[0], "query_id"])
            writer.writeheader()
            # Every product stands under every query's number, so that a wrong number finds a wrong pair.
            writer.writerows({**row, "candidate_id": "x", "query_id": order.index(row["query"])} for row in firsts)

    firsts = [next(row for row in rows if row["query"] == query) for query in queries]
    write("run.csv", queries)
    write("ratings.csv", queries[::-1])
    main("label", "run.csv", "--engine", "fake", "--out", "run")
    run, policy = Run.open(tmp_path / "run"), load_guideline()
    grades = known_grades(None, policy)
    source = Source(tmp_path / "ratings.csv", grades=grades, need_text=False)
    joined = join(run, read_rated(RatingsFile(source, []), policy, tmp_path).rated)
    chances = dict(run.query("SELECT p.query, l.probabilities FROM labels l JOIN pairs p USING (row)"))
    assert joined.missing == 0
    assert np.exp(joined.logprobs) == pytest.approx(np.array([chances[query] for query in queries]))


def test_wrong_ratings_are_refused_or_left_out_and_counted(main, rated_file, tmp_path):
    main("label", rated_file, "--engine", "fake", "--out", "plain")
    plain = main("calibrate", "plain", rated_file, "--json").json
    (tmp_path / "bad.csv").write_text(rated_file.read_text().rstrip("\n") + "\nlamp,x1,Lamp,?\n,x2,Lamp,1\n")
    refused = main("calibrate", "plain", "bad.csv", "--out", "other.json", code=2)
    assert "unknown grade '?'" in refused.err
    found = main("calibrate", "plain", "bad.csv", "--skip-bad-rows", "--out", "other.json", "--json").json
    assert (plain["left_out"], found["left_out"]) == ({}, {"unknown_grade": 1, "empty_query": 1})
    assert found["after"] == plain["after"]
    said = main("calibrate", "plain", "bad.csv", "--skip-bad-rows", "--out", "third.json").out
    assert "left out: 1 × unknown grade" in said
