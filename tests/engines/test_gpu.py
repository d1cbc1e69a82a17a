"""What GPUs do differently (16-bit numbers, caps, memory, order of sums): on a processor as far as that goes."""

import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from test_lora import peft_adapter

from judge.engines import transformers as embedded_engine
from judge.engines.options import default_options
from judge.engines.transformers import TransformersEngine
from judge.engines.vllm import VllmEngine
from judge.errors import EngineError, ModelError
from judge.records import Prompt

SMALL = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}
BEHIND_THE_HEAD = {
    "llama": ({}, lambda logits: logits),
    "granite": ({"logits_scaling": 3.0}, lambda logits: logits / 3.0),
    "cohere": ({"logit_scale": 0.7}, lambda logits: logits * 0.7),
    "gemma2": (
        {"final_logit_softcapping": 50.0, "attn_logit_softcapping": None},
        lambda logits: 50.0 * (logits / 50.0).tanh(),
    ),
    "phi": ({}, lambda logits: logits),  # its head has a bias
}
PROMPTS = [Prompt((3, 4), (5, 6 + i % 7), (20 + i, 9), (30, 31, 32)) for i in range(30)]


def small_model(kind, folder, **keys):
    """A random model whose logits are as large as those of real ones, saved as bf16."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    shape = {name: value for name, value in SMALL.items() if kind != "phi" or name != "head_dim"}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape, **keys)).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, mean=0.5 if weights.ndim == 1 else 0.0, std=0.3)
    torch.nn.init.normal_(model.lm_head.weight, std=8.0)
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


def found_of(answers):
    return np.array([answer.logprobs for answer in answers])


@pytest.mark.parametrize("kind", BEHIND_THE_HEAD)
def test_16_bit_models_give_logits_that_are_not_rounded(kind, tmp_path, monkeypatch):
    import torch
    from transformers import AutoModelForCausalLM

    keys, behind = BEHIND_THE_HEAD[kind]
    small_model(kind, tmp_path, **keys)
    # Padded prompts compute the last layer's rows by the same operations as the model below.
    monkeypatch.setattr(embedded_engine, "_plain_attention", lambda _: False)
    engine = TransformersEngine(tmp_path, device="cpu", dtype="bfloat16")
    found = found_of([engine.score([prompt])[0] for prompt in PROMPTS])
    model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    rows = []
    model.lm_head.register_forward_hook(lambda head, given, _: rows.append(given[0][0, -1].double()))
    with torch.inference_mode():
        for prompt in PROMPTS:
            model(input_ids=torch.tensor([prompt.ids]))
        bias = 0.0 if model.lm_head.bias is None else model.lm_head.bias.double()
        logits = behind(torch.stack(rows) @ model.lm_head.weight.double().T + bias)
    labels = list(PROMPTS[0].labels)
    assert abs(found - logits.log_softmax(-1)[:, labels].numpy()).max() < 1e-3
    # As bf16 has them they are steps away: this test could fail.
    rounded = logits.to(torch.bfloat16).double().log_softmax(-1)[:, labels].numpy()
    assert abs(found - rounded).max() > 0.05


def test_a_soft_cap_of_attention_is_kept(tmp_path):
    import torch
    from transformers import AutoModelForCausalLM

    small_model("gemma2", tmp_path, attn_logit_softcapping=0.5, query_pre_attn_scalar=1)

    def whole(attention):
        given = {"dtype": torch.float32, "attn_implementation": attention}
        model = AutoModelForCausalLM.from_pretrained(tmp_path, **given).eval()
        with torch.inference_mode():
            rows = [model(input_ids=torch.tensor([prompt.ids])).logits[0, -1] for prompt in PROMPTS]
        return torch.stack(rows).log_softmax(-1)[:, list(PROMPTS[0].labels)].numpy()

    found = found_of(TransformersEngine(tmp_path, device="cpu", dtype="float32").score(PROMPTS))
    assert abs(found - whole("eager")).max() < 1e-3
    assert abs(found - whole("sdpa")).max() > 0.1, "the cap must matter"


CUBLAS = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"


@pytest.mark.parametrize("way", ["taken apart", "packed", "padded"])
def test_a_batch_that_memory_does_not_hold_is_told_as_such(way, tmp_path, monkeypatch):
    small_model("llama", tmp_path)
    if way != "taken apart":
        monkeypatch.setattr(embedded_engine, "find_plain", lambda _: None)
        monkeypatch.setattr(embedded_engine, "fits", lambda _: False)
    if way == "padded":
        monkeypatch.setattr(embedded_engine, "_plain_attention", lambda _: False)
    engine = TransformersEngine(tmp_path, default_options().transformers, device="cpu", dtype="float32")
    said = [CUBLAS]

    def fail(*_, **__):
        raise RuntimeError(said[0])

    if way == "taken apart":
        engine._lean.guideline = fail
    else:
        engine._model.forward = fail
    with pytest.raises(EngineError, match="a batch of 512 tokens does not fit into memory") as refused:
        engine.score(PROMPTS)
    assert "set transformers.batch_tokens: 256" in refused.value.hint
    said[0] = "shapes do not match"
    with pytest.raises(RuntimeError, match="shapes do not match"):
        engine.score(PROMPTS)


@pytest.mark.parametrize("where", ["transformers", "its files"])
def test_a_model_that_memory_does_not_hold_is_told_as_such(where, tmp_path, monkeypatch):
    import torch

    small_model("llama", tmp_path)

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    if where == "transformers":
        monkeypatch.setattr(embedded_engine, "find_plain", lambda _: None)
        monkeypatch.setattr(torch.nn.Module, "to", full)
    else:
        monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(ModelError, match="does not fit into memory"):
        TransformersEngine(tmp_path, device="cpu", dtype="float32")


def test_sums_on_a_gpu_keep_an_order_while_a_judge_is_taught(monkeypatch):
    import torch

    from judge.engines import repeatable

    def state():
        math_only = not (torch.backends.cuda.flash_sdp_enabled() or torch.backends.cuda.mem_efficient_sdp_enabled())
        return torch.are_deterministic_algorithms_enabled(), math_only

    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")  # after this test, too, where it was not there before
    with repeatable.repeatable("cpu"):
        assert state() == (False, False)
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    monkeypatch.setattr(repeatable, "chosen_device", lambda _: ("cuda", "bfloat16"))
    with repeatable.repeatable("auto"):
        assert state() == (True, True)
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert state() == (False, False)


@pytest.fixture
def started(monkeypatch):
    """What vLLM would be started with, on a GPU that has bf16 or not."""
    seen = []
    fake = SimpleNamespace(LLM=lambda **options: seen.append(options), __version__="0.33.0")
    monkeypatch.setitem(sys.modules, "vllm", fake)
    monkeypatch.setattr("judge.engines.vllm_setup.os", SimpleNamespace(environ={}))
    monkeypatch.setattr("judge.engines.vllm.gpus", lambda: 1)

    def start(directory, dtype="bfloat16", lora=None, **keys):
        monkeypatch.setattr("judge.engines.transformers.best_device", lambda: ("cuda", dtype))
        VllmEngine(directory, default_options().changed(vllm=keys).vllm, lora)
        return seen.pop()

    return start


def config_of(folder, **keys):
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **keys}))
    return folder


def test_vllm_computes_the_head_in_fp32_on_a_gpu_unless_it_is_quantised(started, tmp_path):
    assert started(config_of(tmp_path))["hf_overrides"] == {"head_dtype": "float32"}
    assert "hf_overrides" not in started(config_of(tmp_path, quantization_config={"quant_method": "awq"}))


def test_an_adapter_needs_16_bits_in_vllm(started, tmp_path):
    small_model("llama", tmp_path)
    peft_adapter(tmp_path, tmp_path)
    assert started(tmp_path, lora=tmp_path, adapter="apply")["enable_lora"]
    assert started(tmp_path, "float32")["dtype"] == "float32"
    with pytest.raises(ModelError, match="16 bits only") as refused:
        started(tmp_path, "float32", tmp_path, adapter="apply")
    assert "merge" in refused.value.hint


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model_type": "granite", "logits_scaling": 8.0}, "logits_scaling"),
        ({"model_type": "cohere"}, "logit_scale"),  # what transformers takes unless told: 0.0625
        ({"model_type": "gemma2"}, "final_logit_softcapping"),
    ],
)
def test_classify_refuses_what_vllm_leaves_out_behind_the_head(keys, said, tmp_path):
    options = default_options().changed(vllm={"path": "classify"}).vllm
    with pytest.raises(ModelError, match=said) as refused:
        VllmEngine(config_of(tmp_path, **keys), options)
    assert "vllm.path: generate" in refused.value.hint
    for plain in ({}, {"model_type": "granite"}, {"model_type": "gemma2", "final_logit_softcapping": None}):
        VllmEngine(config_of(tmp_path, **plain), options)
