"""The rule for which words a text has is in the fingerprint, where prompts or a blend go by it."""

import json

from blend_fixtures import BLEND, label

from judge.fingerprint import Fingerprint
from judge.labelling.config import JudgeConfig
from judge.run.store import Run
from judge.words.split import VERSION
from judge.words.templates import template_digest


def age(path, **parts):
    """Make a run one from before the rule for words was named, with other parts of a fingerprint."""
    said = json.loads(path.read_text())
    said["parts"].pop("words", None)
    said["parts"] |= parts
    path.write_text(json.dumps(said | {"fingerprint": Fingerprint(parts=said["parts"]).value}))


def test_a_run_whose_words_were_read_by_another_rule_is_not_gone_on_with(main, blended, rated_file, tmp_path):
    label(main, blended, rated_file, "run", "--limit", "20")
    age(tmp_path / "run" / "run.json")
    assert f"words: None → {VERSION}" in label(main, blended, rated_file, "run", code=2).err
    assert Run.open(tmp_path / "run").position() == 20


def test_words_are_named_where_prompts_or_a_blend_count_them(tuned):
    counting = tuned.calibration.model_copy(update={"blend": BLEND})
    alone = BLEND.model_copy(update={"features": BLEND.features[:1], "encoder": None})
    for config, counts in (
        (JudgeConfig(), False),
        (JudgeConfig(template="judge-match.v2"), True),
        (JudgeConfig(calibration=counting), True),
        (JudgeConfig(calibration=tuned.calibration.model_copy(update={"blend": alone})), False),
    ):
        assert ("words" in config.parts) == counts


def test_cosines_of_a_run_from_before_are_computed_anew(main, blended, rated_file, tmp_path, encoder):
    label(main, blended, rated_file, "run")
    main("calibrate", "run", rated_file, "--features", "cosine,overlap", "--out", "fitted.json")
    told = json.loads((tmp_path / "fitted.json").read_text())
    (tmp_path / "same.json").write_text(json.dumps(told | {"blend": BLEND.model_dump(mode="json")}))
    encoder["there"] = False
    main("calibrate", "run", "--apply", "same.json", "--out", "kept")
    age(tmp_path / "run" / "run.json")
    assert "encoder" in main("calibrate", "run", "--apply", "same.json", "--out", "anew", code=2).err


def test_labels_under_another_blend_keep_the_rule_that_their_prompts_were_made_by(main, blended, rated_file, tmp_path):
    label(main, blended, rated_file, "run")
    for template, words in (("judge.v1", str(VERSION)), ("judge-match.v2", None)):
        age(tmp_path / "run" / "run.json", template_digest=template_digest(template))
        main("calibrate", "run", rated_file, "--features", "overlap", "--out", f"{template}.json")
        main("calibrate", "run", "--apply", f"{template}.json", "--out", template)
        assert Run.open(tmp_path / template).manifest.parts.get("words") == words
