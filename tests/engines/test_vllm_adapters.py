"""Adapters in vLLM: merged once with the embedded engine's arithmetic, or applied."""

import json
import shutil
from types import SimpleNamespace

import pytest
from vllm_fixtures import PROMPTS, options, started, told

from judge.engines import Judge, Serving
from judge.engines.options import default_options
from judge.engines.vllm import VllmEngine
from judge.errors import InputError, ModelError
from judge.records import Scores


@pytest.fixture(scope="module")
def adapter(tiny_base, tmp_path_factory):
    peft = pytest.importorskip("peft", reason="peft is not installed")
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32), config)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    folder = tmp_path_factory.mktemp("lora")
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_adapter_is_merged_once_with_the_arithmetic_of_the_embedded_engine(
    vllm, tiny_base, adapter, dtype, tmp_path, monkeypatch
):
    import torch
    from transformers import AutoModelForCausalLM

    from judge.engines.applying import load_adapted

    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path))
    given = told(tiny_base, adapter, dtype=dtype)
    assert "enable_lora" not in given
    merged = AutoModelForCausalLM.from_pretrained(given["model"], dtype="auto").state_dict()
    expected = load_adapted(tiny_base, dtype, adapter).state_dict()
    assert merged.keys() == expected.keys()
    assert all(torch.equal(merged[name], expected[name]) for name in merged)
    base = load_adapted(tiny_base, dtype, None).state_dict()
    assert sum(not torch.equal(merged[name], base[name]) for name in merged) == 4  # q and v of two layers
    # A second engine finds it; another adapter, or number type, gets a folder of its own.
    monkeypatch.setattr("judge.engines.merged.load_adapted", lambda *a: pytest.fail("it is merged already"))
    assert told(tiny_base, adapter, dtype=dtype)["model"] == given["model"]
    started[-1].generate(PROMPTS, SimpleNamespace(logprob_token_ids=[1]))
    with pytest.raises(pytest.fail.Exception):
        told(tiny_base, adapter, dtype="float16")


def test_a_merge_that_was_killed_or_damaged_is_made_again(vllm, tiny_base, adapter, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path))
    folder = Path(told(tiny_base, adapter)["model"])
    assert sorted(folder.parent.glob(".*")) == []
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-9])
    left = folder.parent / f".{folder.name}-killed"
    left.mkdir()
    assert told(tiny_base, adapter)["model"] == str(folder)
    assert (folder / "model.safetensors").read_bytes() == whole
    assert not left.exists()
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(blocked))
    with pytest.raises(ModelError, match="cannot be written"):
        told(tiny_base, adapter)


def test_a_disk_that_is_full_is_told_with_what_to_do(vllm, tiny_base, adapter, tmp_path, monkeypatch):
    from safetensors import SafetensorError
    from transformers import PreTrainedModel

    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path))

    def full(self, folder, **options):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", full)
    with pytest.raises(ModelError, match="No space left on device") as raised:
        told(tiny_base, adapter)
    assert "RELEVANCE_JUDGE_CACHE" in raised.value.hint


def test_another_version_of_peft_merges_anew(vllm, tiny_base, adapter, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path))
    before = told(tiny_base, adapter)["model"]
    monkeypatch.setattr("judge.engines.merged.version", lambda name: "99.0")
    assert told(tiny_base, adapter)["model"] != before


def test_an_adapter_is_applied_where_that_is_asked_for(vllm, tiny_base, adapter):
    engine = VllmEngine(tiny_base, options(adapter="apply"), adapter)
    assert {"enable_lora": True, "max_loras": 2, "max_lora_rank": 8}.items() <= started[-1].given.items()
    assert engine.score(PROMPTS) == [Scores((-0.6931, -1.3862), pytest.approx(0.25, abs=1e-3))] * 2
    (prompts, ask, more), *_ = started[-1].asked
    assert len(prompts) == len(PROMPTS)
    assert more["lora_request"].path == str(adapter)
    assert (ask.max_tokens, ask.logprob_token_ids) == (1, [7, 8])
    with pytest.raises(InputError, match="merge"):
        VllmEngine(tiny_base, options(adapter="apply", path="classify"), adapter)


def test_an_adapter_of_a_quantised_base_is_applied(vllm, tiny_base, adapter, tmp_path, monkeypatch):
    monkeypatch.setattr("judge.engines.kinds.find_spec", lambda name: True)
    base = shutil.copytree(tiny_base, tmp_path / "awq")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "awq", "bits": 4}}))
    given = told(base, adapter)
    assert (given["model"], given["enable_lora"]) == (str(base), True)
    assert Judge(str(base), Serving("vllm", default_options(), adapter=adapter)).parts["lora"] == "applied"
    with pytest.raises(InputError) as raised:
        told(base, adapter, path="classify")
    assert "merge," not in raised.value.hint
    # What vLLM does not apply is not said to be merged, either.
    settings = json.loads((adapter / "adapter_config.json").read_text())
    other = shutil.copytree(adapter, tmp_path / "other")
    (other / "adapter_config.json").write_text(json.dumps({**settings, "alpha_pattern": {"q_proj": 2}}))
    with pytest.raises(ModelError) as refused:
        told(base, other)
    assert "vllm.adapter" not in refused.value.hint


def test_classify_takes_a_merged_adapter(vllm, tiny_base, adapter, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path))
    engine = VllmEngine(tiny_base, options(path="classify"), adapter)
    assert [answer.outside_mass for answer in engine.score(PROMPTS)] == [None, None]
    given = started[-1].given
    assert given["model"].startswith(str(tmp_path))
    assert (given["runner"], given["convert"]) == ("pooling", "classify")
    assert given["hf_overrides"]["architectures"] == ["LlamaForSequenceClassification"]
    assert started[-1].asked[0][2].get("lora_request") is None


def test_what_changes_a_label_is_in_the_fingerprint_and_nothing_else(vllm, tiny_base, adapter, monkeypatch):
    monkeypatch.setattr("judge.engines.kinds.find_spec", lambda name: True)

    def parts(lora=None, engine="vllm", **changes):
        chosen = default_options().changed(vllm=changes)
        return Judge(str(tiny_base), Serving(engine, chosen, adapter=lora)).parts

    plain = parts()
    assert plain == parts(engine="transformers")
    same = {"tensor_parallel_size": 2, "batch_tokens": 9, "prefix_block": 64, "own_process": True, "adapter": "apply"}
    assert parts(**same) == plain
    assert parts(dtype="float16") == {**plain, "dtype": "float16"}
    assert parts(quantization="fp8") == {**plain, "quantization": "fp8"}
    merged = parts(adapter)
    # Not what an earlier version said, which applied every adapter.
    assert merged == {**parts(adapter, engine="transformers"), "lora": "merged"}
    assert parts(adapter, **same) == {**merged, "lora": "applied"}
