"""Whose blend applies: the judge's own, a file's, or none."""

import json
import logging
from pathlib import Path

import pytest
from blend_fixtures import label
from finetune_fixtures import write_tuned

from judge.calibration.calibrate import read_calibration
from judge.errors import InputError
from judge.labelling.blending import FILE
from judge.labelling.config import read_tuned
from judge.labelling.resolve import JudgeRequest, resolve_judge
from judge.models.shipped import SHIPPED, shipped_directory


def test_another_guideline_has_no_blend(blended, caplog):
    with caplog.at_level(logging.WARNING):
        forced = JudgeRequest(str(blended), "esci-four-level", force_guideline=True)
        assert resolve_judge(forced)[1].calibration is None
    assert not caplog.records


def test_a_calibration_stored_in_a_judge_takes_the_place_of_its_blend(main, blended, tuned, rated_file, monkeypatch):
    label(main, blended, rated_file, "raw", "--calibration", "none")

    def killed(*_):
        raise KeyboardInterrupt

    # Killed before it is stored, the judge is as it was, and the same command ends whole.
    with monkeypatch.context() as patch:
        patch.setattr("judge.files.write_whole", killed)
        with pytest.raises(BaseException):  # noqa: B017  click's Abort, or the interrupt itself
            main("calibrate", "raw", rated_file, "--adapter", blended)
    assert (blended / FILE).is_file()
    notes = main("calibrate", "raw", rated_file, "--adapter", blended).err.splitlines()
    assert sum("blend.json" in note for note in notes) == 1
    own = read_tuned(blended).calibration
    assert own not in (None, tuned.calibration)
    assert resolve_judge(JudgeRequest(str(blended)))[1].calibration == own
    assert sorted(path.name for path in blended.iterdir() if FILE in path.name) == []


@pytest.mark.parametrize("objective", ["accuracy", "quadratic_kappa"])
def test_a_judge_keeps_what_it_has_where_nothing_makes_its_grades_better(main, blended, rated_file, objective):
    label(main, blended, rated_file, "raw", "--calibration", "none")
    before = {path.name: path.read_bytes() for path in blended.iterdir()}
    told = main("calibrate", "raw", rated_file, "--adapter", blended, "--objective", objective, "--json")
    assert told.json["form"] == "nothing"
    assert {path.name: path.read_bytes() for path in blended.iterdir()} == before
    assert str(blended) in told.err


def test_a_judges_damaged_blend_is_refused_before_anything_is_judged(main, blended, rated_file, tmp_path):
    said = json.loads((blended / FILE).read_text())
    one = said["blend"]["features"][0]
    for wrong in (
        {"blend": said["blend"] | {"features": [one, one | {"name": "colour"}]}},
        {"blend": said["blend"] | {"features": []}},
        {"blend": said["blend"] | {"cuts": [0.1]}},
        {"bias": [0.0, 0.0], "blend": said["blend"] | {"cuts": [0.1]}},  # whole, and for two grades
    ):
        (blended / FILE).write_text(json.dumps(said | wrong))
        label(main, blended, rated_file, "run", code=2)
        assert not (tmp_path / "run").exists()


def test_two_engines_are_compared_by_the_judges_own_calibration(main, blended, tuned, encoder, monkeypatch):
    seen = []

    def compare(guideline, judge_config, servings):
        seen.append(judge_config)
        raise InputError("enough", "seen")

    monkeypatch.setattr("judge.labelling.parity.compare", compare)
    main("doctor", "--parity", "--engine", "fake", "--engine", "fake", "--judge", blended, code=2)
    assert [(each.calibration, each.encoder) for each in seen] == [(tuned.calibration, None)]


def test_plain_says_where_a_judge_has_no_calibration_of_its_own(blended, tuned, caplog):
    plain = JudgeRequest(str(blended), calibration=Path("plain"))
    assert resolve_judge(plain)[1].calibration == tuned.calibration
    assert not caplog.records
    write_tuned(blended, read_tuned(blended).model_copy(update={"calibration": None}))
    assert resolve_judge(plain)[1].calibration is None
    assert len(caplog.records) == 1


def test_a_run_from_before_the_blend_is_gone_on_with_as_it_was(main, blended, rated_file):
    label(main, blended, rated_file, "old", "--calibration", "plain", "--limit", "20")
    assert "--calibration plain" in label(main, blended, rated_file, "old", code=2).err
    label(main, blended, rated_file, "old", "--calibration", "plain")
    again = ("refresh", "old", "--pairs", rated_file, "--judge", blended, "--engine", "fake", "--out", "again")
    assert "--calibration plain" in main(*again, code=2).err
    main(*again, "--calibration", "plain")
    label(main, blended, rated_file, "new", "--limit", "20")
    assert "--calibration plain" not in label(main, blended, rated_file, "new", "--calibration", "none", code=2).err


def test_the_shipped_blend_says_whose_it_is_and_is_nobody_elses():
    blend = read_calibration(shipped_directory(SHIPPED) / FILE)
    tuned = read_tuned(shipped_directory(SHIPPED))
    told = {"adapter": tuned.adapter, "guideline_digest": tuned.policy.digest, "template_digest": tuned.template_digest}
    assert {name: blend.parts[name] for name in told} == told
    assert blend.differences(blend.parts) == []
    assert blend.differences({**blend.parts, "adapter": None})


def test_a_calibration_of_an_unquantised_judge_is_not_for_a_quantised_one():
    blend = read_calibration(shipped_directory(SHIPPED) / FILE)
    assert blend.differences({**blend.parts, "quantization": "fp8"})
    assert blend.differences({**blend.parts, "lora": "applied"})
    # Merged, as every other engine does without a word.
    assert blend.differences({**blend.parts, "lora": "merged"}) == []
