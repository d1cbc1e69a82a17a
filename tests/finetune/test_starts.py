"""What a training takes over of the judge that it goes on from, besides weights: what its answers are blended with."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from finetune_fixtures import rated_rows

import judge.calibration.features as read_features
from finetune.config import load_config
from finetune.job import finetune
from finetune.start import Start, choose_start
from judge.calibration.ordinal import Evidence
from judge.errors import ModelError, RunError
from judge.labelling.blending import FILE
from judge.labelling.config import read_tuned
from judge.models.shipped import SHIPPED, shipped_directory
from judge.run.seen import read_seen, words_key
from judge.run.store import Run
from relevance_judge.training import FineTuned

GRADED = "SELECT p.query, p.candidate_id, l.grade FROM labels l JOIN pairs p USING (row)"
HALVES = {"calibration": 0.5, "features": ["overlap"], "objective": "quadratic_kappa", "epochs": 1}


def chosen(guideline, **keys):
    return choose_start(None, None, guideline, lambda below: load_config(None, {**below, **keys}))[1]


@pytest.fixture
def encoder(monkeypatch):
    """One that says it is the one that the shipped judge's blend was fitted with."""
    blend = json.loads((shipped_directory(SHIPPED) / FILE).read_text())["blend"]
    found = SimpleNamespace(name="fake", digest=blend["encoder"])
    monkeypatch.setattr(read_features, "find_encoder", lambda name: found)


def test_what_goes_on_from_a_blended_judge_is_blended_for_the_same(guideline, encoder):
    config = chosen(guideline)
    assert (config.features, config.objective) == (("cosine", "overlap"), "quadratic_kappa")
    config = chosen(guideline, features=[], objective="log_loss")
    assert (config.features, config.objective) == ((), "log_loss")


def test_without_the_encoder_it_is_not_and_that_is_said(guideline, monkeypatch, caplog):
    def absent(name):
        raise ModelError("the encoder is not installed", "install it")

    monkeypatch.setattr(read_features, "find_encoder", absent)
    # Nothing is said where the user chose the features, nor where the training does not go on from that judge.
    assert chosen(guideline, features=["overlap"]).features == ("overlap",)
    assert chosen(guideline, rank=3).features == ()
    assert not caplog.records
    config = chosen(guideline)
    assert (config.features, config.objective) == ((), "log_loss")
    assert [record.getMessage().count("the encoder is not installed") for record in caplog.records] == [1]


def test_a_starts_blend_is_kept_only_where_it_is_of_what_is_configured(blended, caplog):
    start = Start(blended, "ours", read_tuned(blended), None)  # of all three features, for the log loss
    config = load_config()
    every = {"features": ("cosine", "overlap")}
    assert start.blend_for(config.changed(**every)).blend.names == ("judge", "cosine", "overlap")
    assert start.blend_for(config) is None
    assert not caplog.records
    for keys in ({"features": ("overlap",)}, {"objective": "accuracy"}, {**every, "objective": "accuracy"}):
        assert start.blend_for(config.changed(**keys)) is None
    assert ["not kept" in record.getMessage() for record in caplog.records] == [True] * 3


def test_a_starts_blend_is_one_to_beat_only_where_features_are_read_as_it_reads_them(blended):
    start = Start(blended, "ours", read_tuned(blended), None)
    config = load_config().changed(features=("cosine", "overlap"))
    blend = start.blend_for(config).blend
    as_it_reads = Evidence(blend.reading, np.zeros((5, 3)), (0, 1, 2), "log_loss", "fake")
    assert start.present(config, as_it_reads).blend == blend
    # It was fitted before there was a rule for titles that name what is ruled out, among others.
    assert start.present(config, replace(as_it_reads, reading=read_features.Reading(blend.names))) is None
    assert start.present(config, replace(as_it_reads, encoder="another")) is None


@pytest.mark.parametrize("config", [None, "rank", {"rank": 2.5}, {"fields": {"title": "long"}}])
def test_a_start_that_was_edited_by_hand_is_refused_by_name(directory, tuned, guideline, config):
    usual = load_config().model_dump(mode="json")
    config = usual | config if isinstance(config, dict) else config
    own = json.loads((directory / "judge.json").read_text())
    (directory / "judge.json").write_text(json.dumps(own | {"training": {"data": "d", "config": config}}))
    with pytest.raises(ModelError, match=r"training\.config|does not say how"):
        choose_start(str(directory), None, guideline, lambda below: load_config(None, below))


def test_what_was_begun_with_the_encoder_is_not_called_another_training_without_it(prepared, tmp_path, monkeypatch):
    said = {"features": str(("cosine", "overlap")), "objective": "quadratic_kappa"}
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "training.json").write_text(json.dumps({**prepared.key.parts, **said}))
    monkeypatch.setattr(read_features, "find_encoder", lambda name: SimpleNamespace(digest=""))
    with pytest.raises(RunError, match="holds another training"):
        finetune(prepared, tmp_path / "out")

    def absent(name):
        raise ModelError("the encoder is not installed", "install it")

    monkeypatch.setattr(read_features, "find_encoder", absent)
    with pytest.raises(ModelError, match="the encoder is not installed"):
        finetune(prepared, tmp_path / "out")


@pytest.mark.slow
def test_where_ratings_are_too_few_to_fit_a_blend_the_starts_stays(main, tiny_base, rated_file, quick, tmp_path):
    halves = HALVES
    given = ["finetune", rated_file, "--json", "--config"]
    first = main(*given, quick(**halves), "--base", tiny_base, "--out", "first").json
    assert first["blend"] is not None
    few = {"calibration": 0.0, "epochs": 1}
    again = (halves, "--base", tiny_base, "--out", "first"), (few, "--from", "first", "--out", "second")
    second = main(*given, quick(**few), "--from", "first", "--out", "second")
    told = second.json
    assert told["calibration"] is None
    # Nor is there enough to compare it on with the first one, and that is said.
    assert (told["training"]["compared"], told["training"]["best_step"] > 0) == (None, True)
    assert "too few queries are held out to tell whether it is better than first" in second.err
    assert told["training"]["config"]["features"] == ["overlap"]
    assert told["blend"]["blend"] == first["blend"]["blend"]
    # Its figures are of the first one's weights, and are not given as those of the second.
    assert None not in (first["blend"]["before"], first["blend"]["after"])
    assert (told["blend"]["before"], told["blend"]["after"]) == (None, None)
    shown = [main("finetune", rated_file, "--config", quick(**keys), *more) for keys, *more in again]
    assert ["cross-fitting" in each.out for each in shown] == [True, False]
    assert "too few queries are held out to tell" in shown[1].err, "of a judge that is finished, too"
    # Its held-out pairs were held out for the first one's weights: nothing can be promised of these.
    refused = main("label", rated_file, "--judge", "second", "--max-noise", 0.9, "--out", "run", code=2)
    assert "needs held-out ratings" in refused.err
    plain = quick(**few, features=[], objective="log_loss")
    assert main(*given, plain, "--from", "first", "--out", "third").json["blend"] is None
    results = [FineTuned(tmp_path / name, read_tuned(tmp_path / name)) for name in ("first", "second", "third")]
    assert [bool(each.blend) for each in results] == [True, True, False]
    assert ["blend" in repr(each) for each in results] == [True, True, False]


@pytest.mark.slow
def test_a_judge_is_compared_with_its_start_as_that_one_labels_the_held_out_pairs(
    main, tiny_base, rated_file, quick, tmp_path
):
    given = ["finetune", rated_file, "--config"]
    main(*given, quick(**HALVES), "--base", tiny_base, "--out", "first")
    main(*given, quick(**HALVES, learning_rate=0.003), "--from", "first", "--out", "second")
    ended = main(*given, quick(**HALVES, learning_rate=0.003), "--from", "first", "--out", "second", "--json").json
    own, before = (ended["training"]["compared"][name] for name in ("own", "before"))
    blend = ended["blend"]
    assert own == {**blend["after"]}, "as it judges: by cross-fitting, or through the blend that was kept"
    assert blend["present"] is not None, "the first one's blend is a candidate"
    assert blend["after"]["quadratic_kappa"] >= blend["present"]["quadratic_kappa"]
    # The first one's figures are those of its labels, one of the seven held-out queries apart: it chose the weights.
    main("label", rated_file, "--judge", "first", "--out", "run")
    held = read_seen(tmp_path / "second").held_out
    rows = [row for row in rated_rows() if words_key(row["query"]) in held]
    run = Run(tmp_path / "run")
    found = {(query, key): grade for query, key, grade in run.query(GRADED)}
    right = [(row["query"], found[row["query"], row["candidate_id"]] == row["grade"]) for row in rows]
    shares = {left: np.mean([hit for query, hit in right if query != left]) for left, _ in right}
    assert len(shares) == 7
    assert before["n"] == 36
    assert any(share == pytest.approx(before["accuracy"]) for share in shares.values())
