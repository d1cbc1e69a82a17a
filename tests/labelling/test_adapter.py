"""What a taught judge brings along, and what is refused of it; the compact template that it is asked with."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from finetune_fixtures import COMPACT as TEMPLATE
from finetune_fixtures import write_tuned as write

from finetune.config import load_config
from finetune.job import _writing as writing
from finetune.outcome import base_of, store
from judge.engines import Judge, Serving
from judge.engines.options import default_options
from judge.errors import InputError, ModelError
from judge.fingerprint import Fingerprint, adapter_digest
from judge.labelling.config import AdapterManifest, Base, JudgeConfig, read_tuned
from judge.labelling.resolve import JudgeRequest, resolve_judge
from judge.models.model import JudgeModel
from judge.words.guideline import Guideline
from judge.words.prompt import PromptBuilder
from judge.words.templates import template_digest


def test_a_taught_judge_brings_its_base_guideline_template_and_calibration(directory, tuned):
    guideline, judge_config = resolve_judge(JudgeRequest(str(directory)))
    assert (judge_config.model, judge_config.adapter, judge_config.template) == ("smollm2-135m", directory, TEMPLATE)
    assert guideline == tuned.policy
    assert judge_config.calibration == tuned.calibration
    assert judge_config.parts["calibration"] == tuned.calibration.digest
    assert resolve_judge(JudgeRequest(str(directory), calibration=Path("none")))[1].calibration is None
    threshold = resolve_judge(JudgeRequest(str(directory), max_noise=0.9))[1].threshold
    assert threshold.bound <= 0.9


def test_a_revision_of_the_hub_is_asked_for_again(directory, tuned):
    base = Base(name="owner/name", revision="abc", weights="w")
    write(directory, tuned.model_copy(update={"base": base, "adapter": adapter_digest(directory)}))
    assert resolve_judge(JudgeRequest(str(directory)))[1].model == "owner/name@abc"


def test_a_base_of_this_machine_is_found_from_other_folders(tmp_path, monkeypatch):
    (tmp_path / "bases" / "ours").mkdir(parents=True)
    (tmp_path / "smollm2-135m").mkdir()
    monkeypatch.chdir(tmp_path)
    names = [
        base_of(JudgeModel(n, Path(n), None, None, "w")).name for n in ("bases/ours", "owner/name", "smollm2-135m")
    ]
    assert names == [str(tmp_path / "bases" / "ours"), "owner/name", "smollm2-135m"]


def test_the_guideline_as_it_was_given_is_the_one_that_was_taught(directory, tuned):
    assert resolve_judge(JudgeRequest(str(directory), "three-level"))[0].fields[0].tokens == 20
    with pytest.raises(InputError, match="the guideline three-level 1"):
        resolve_judge(JudgeRequest(str(directory), "esci-four-level"))
    # What it was calibrated to, and what --max-noise would promise by, are answers to another prompt.
    forced = JudgeRequest(str(directory), "esci-four-level", force_guideline=True)
    policy, judge_config = resolve_judge(forced)
    assert (len(policy.values), judge_config.calibration) == (4, None)
    with pytest.raises(InputError, match="this judge has no calibration"):
        resolve_judge(replace(forced, max_noise=0.9))
    whose = tuned.calibration.model_copy(update={"parts": {"weights": "w"}})
    (directory / "calibration.json").write_text(whose.model_dump_json())
    with pytest.raises(InputError, match="calibration is for 3 grades, 'esci-four-level' has 4"):
        resolve_judge(replace(forced, calibration=directory / "calibration.json"))
    # Insisting, as on a changed template, is no wish for fields and budgets other than those of the training.
    assert resolve_judge(JudgeRequest(str(directory), "three-level", force_guideline=True))[0].fields[0].tokens == 20


def test_a_template_whose_words_changed_is_refused_unless_forced(directory, tuned):
    changed = {"template_digest": "0" * 64, "adapter": adapter_digest(directory)}
    write(directory, tuned.model_copy(update=changed))
    with pytest.raises(InputError, match=r"judge-compact\.v1\.j2 is not the text"):
        resolve_judge(JudgeRequest(str(directory)))
    forced = resolve_judge(JudgeRequest(str(directory), force_guideline=True))[1]
    assert (forced.template, forced.calibration) == (TEMPLATE, None)


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', '{"unknown": 1}'])
def test_a_broken_judge_json_is_one_clear_error(directory, text):
    (directory / "judge.json").write_text(text)
    with pytest.raises(ModelError, match=r"judge\.json: is damaged"):
        resolve_judge(JudgeRequest(str(directory)))


def test_files_that_do_not_belong_together_are_refused(directory):
    (directory / "adapter_model.safetensors").write_bytes(b"others")
    with pytest.raises(ModelError, match="are not those"):
        read_tuned(directory)


def test_another_base_or_other_label_tokens_are_refused(tuned):
    tuned = tuned.model_copy(update={"base": Base(name="owner/name", revision=None, weights="w"), "adapter": "a"})
    judge_config = JudgeConfig("owner/name", Path("ours"), tuned)
    ids = (48, 49, 50)
    judge_config.check(JudgeModel("owner/name", Path("base"), None, None, "w"), ids)
    with pytest.raises(ModelError, match="other weights"):
        judge_config.check(JudgeModel("owner/name", Path("base"), None, None, "v"), ids)
    with pytest.raises(ModelError, match="labels have other tokens"):
        judge_config.check(JudgeModel("owner/name", Path("base"), None, None, "w"), (48, 49, 51))


def test_a_served_adapter_is_declared_and_its_model_named(main, directory, tiny_base, rated_file, tmp_path):
    options = default_options().changed(server={"model": "shop-judge"})
    parts = Judge(str(tiny_base), Serving("server", options, "http://127.0.0.1:9/v1", directory)).parts
    # What the endpoint applies, nobody here has seen.
    assert (parts["adapter"], parts["declared_adapter"]) == (None, adapter_digest(directory))
    assert (parts["served"], parts["dtype"]) == ("shop-judge", "as served")
    url = ("--engine", "server", "--url", "http://127.0.0.1:9/v1")
    refused = main("label", rated_file, "--judge", directory, *url, "--out", "run", code=2)
    assert "server.model" in refused.err, "of its models, one applies the adapter"
    assert not (tmp_path / "run").exists()


def test_labels_name_the_adapter_and_the_calibration_in_their_fingerprint(main, directory, rated_file, tmp_path):
    main("label", rated_file, "--judge", directory, "--engine", "fake", "--out", "run")
    parts = json.loads((tmp_path / "run" / "run.json").read_text())["parts"]
    assert parts["template_digest"] == template_digest(TEMPLATE)
    assert parts["calibration"]
    assert parts["fields"] == "title"
    refused = main(
        "label", rated_file, "--judge", directory, "--engine", "fake", "--calibration", "none", "--out", "run", code=2
    )
    assert "calibration:" in refused.err, "a run does not mix two calibrations"


@pytest.mark.slow
def test_the_compact_template_is_short_and_reads_texts_as_data(embedded, guideline, dozen):
    full = PromptBuilder(guideline, embedded.tokenizer)
    compact = PromptBuilder(guideline, embedded.tokenizer, TEMPLATE)
    assert len(compact.shared) < 60 < 400 < len(full.shared)
    assert compact.labels == full.labels
    hostile = [pair for pair in dozen if "<|im_end|>" in str(pair.candidate)]
    end = embedded.tokenizer.control("<|im_end|>")[0]
    for prompt in compact.build(hostile or dozen):
        # The frame's own ends alone: one behind the instruction, one behind the question.
        assert prompt.ids.count(end) == 2


def test_a_guideline_of_any_number_of_grades_fits_the_compact_template(guideline):
    from judge.engines.fake import FakeTokenizer

    two = {**guideline.model_dump(), "grades": [g.model_dump() for g in guideline.grades[1:]], "clauses": []}
    builder = PromptBuilder(Guideline.model_validate(two), FakeTokenizer(), TEMPLATE)
    assert b"2 relevant, 1 moderately relevant." in bytes(builder.shared)


def test_an_adapter_is_on_disk_before_its_training_is_done(tmp_path, monkeypatch):
    names = ["adapter_config.json", "adapter_model.safetensors"]

    def save_pretrained(out, **options):
        for name in names:
            (Path(out) / name).touch()

    synced = []
    monkeypatch.setattr("os.fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink()))
    store(SimpleNamespace(trainable={}, model=SimpleNamespace(save_pretrained=save_pretrained)), tmp_path)
    assert sorted(synced[:-1]) == [tmp_path / name for name in names]
    assert synced[-1] == tmp_path


def test_an_adapter_that_the_machine_lost_is_made_again_from_the_checkpoint(directory):
    prepared = SimpleNamespace(
        key=Fingerprint(parts={"ratings": "these", "held_out_digest": "so"}), config=load_config()
    )
    weights, checkpoint = directory / "adapter_model.safetensors", directory / "checkpoint.safetensors"
    (directory / "training.json").write_text('{"ratings": "these", "held_out_digest": "so"}')
    checkpoint.write_bytes(b"all of it")
    weights.write_bytes(b"")  # a machine that stops can leave a name without its bytes
    with writing(prepared, directory) as done:
        assert done is None
        assert checkpoint.read_bytes() == b"all of it"
        assert not (directory / "judge.json").exists()


def test_an_adapter_that_is_another_is_refused_where_no_checkpoint_can_make_it(directory):
    prepared = SimpleNamespace(
        key=Fingerprint(parts={"ratings": "these", "held_out_digest": "so"}), config=load_config()
    )
    (directory / "training.json").write_text('{"ratings": "these", "held_out_digest": "so"}')
    (directory / "adapter_model.safetensors").write_bytes(b"another")
    with pytest.raises(ModelError, match="adapter's files are not those"), writing(prepared, directory):
        pass
    assert (directory / "judge.json").is_file()


def test_judge_json_has_no_field_that_says_nothing_and_earlier_versions_do_not_know(tuned):
    written = json.loads(tuned.as_text())
    assert "merged" not in written
    assert "blend" not in written["calibration"]
    assert AdapterManifest.model_validate(written) == tuned
