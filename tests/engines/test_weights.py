"""A model's files as others leave them: weights missing or cut off, configs of odd types. Each is one clear error."""

import json
import shutil

import pytest
from test_lora import logprobs, peft_adapter

from judge.errors import ModelError


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {name: v for name, v in t.items() if "layers.1." not in name}, r"lacks 9 tensors"),
        (lambda t: t | {"score.weight": next(iter(t.values())).clone()}, r"has besides 1 tensor"),
        (lambda t: {name: v[:60].contiguous() if "lm_head" in name else v for name, v in t.items()}, "lm_head"),
    ],
    ids=["a layer missing", "one more", "another shape"],
)
def test_weights_that_are_not_those_of_the_config_are_refused(change, said, tiny_base, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_base, tmp_path / "m")
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=said):
        logprobs(folder)


@pytest.mark.parametrize("size", [0, 5, 3000, -1])
def test_weights_that_are_cut_off_are_refused_by_file(size, main, tiny_base, rated_file, tmp_path):
    plain = peft_adapter(tiny_base, tmp_path / "plain")
    folder = shutil.copytree(tiny_base, tmp_path / "m")
    for path, given in (
        (folder / "model.safetensors", ("--judge", folder)),
        (plain / "adapter_model.safetensors", ("--judge", tiny_base, "--adapter", plain)),
    ):
        path.write_bytes(path.read_bytes()[:size])
        refused = main("label", rated_file, *given, "--out", "run", code=2)
        assert f"{path.name}: is damaged (it is cut off" in refused.err
        assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(
    "keys",
    [{"max_position_embeddings": [1]}, {"max_position_embeddings": "x"}, {"text_config": 3}, {"hidden_size": "x"}],
    ids=str,
)
def test_a_config_of_odd_types_is_one_clear_error(keys, main, tiny_base, rated_file, tmp_path):
    folder = shutil.copytree(tiny_base, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config.pop("max_position_embeddings")
    (folder / "config.json").write_text(json.dumps({**config, **keys}))
    refused = main("label", rated_file, "--judge", folder, "--out", "run", code=2)
    assert "defect" not in refused.err


def test_a_damaged_guideline_in_a_judge_is_one_clear_error(main, directory, rated_file, tuned):
    text = json.loads((directory / "judge.json").read_text())
    text["guideline"]["clauses"] = "x"
    (directory / "judge.json").write_text(json.dumps(text))
    refused = main("label", rated_file, "--judge", directory, "--engine", "fake", "--out", "run", code=2)
    assert "judge.json, guideline: is damaged (clauses" in refused.err
