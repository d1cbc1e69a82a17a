"""What vLLM is told: every option reaches it, under its own names, or is refused. A fake module stands for vLLM."""

import os

import pytest
from vllm_fixtures import PROMPTS, options, started, told

from judge.engines.vllm import VllmEngine
from judge.errors import InputError, ModelError


@pytest.fixture
def gpus(monkeypatch):
    """Four GPUs with bf16."""
    monkeypatch.setattr("judge.engines.transformers.best_device", lambda: ("cuda", "bfloat16"))
    monkeypatch.setattr("judge.engines.vllm.gpus", lambda: 4)


def test_on_gpus_vllm_has_its_own_defaults_and_a_process_of_its_own(vllm, gpus, tiny_base):
    given = told(tiny_base)
    assert given["block_size"] == 16
    assert given["dtype"] == "bfloat16"
    assert given["tensor_parallel_size"] == 1
    assert given["gpu_memory_utilization"] == 0.9
    assert given["hf_overrides"] == {"head_dtype": "float32"}
    assert given["enable_prefix_caching"] is True
    assert given["load_format"] == "safetensors"
    assert not given["enforce_eager"]
    assert {"max_num_batched_tokens", "max_num_seqs", "quantization", "enable_lora"}.isdisjoint(given)
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_on_processors_blocks_are_larger_and_all_is_one_process(vllm, tiny_base):
    given = told(tiny_base)
    assert (given["block_size"], given["dtype"], given["enforce_eager"]) == (32, "float32", True)
    assert {"gpu_memory_utilization", "hf_overrides"}.isdisjoint(given)
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tensor_parallel_size": 2}, {"tensor_parallel_size": 2}),
        ({"dtype": "float16"}, {"dtype": "float16"}),
        ({"quantization": "fp8"}, {"quantization": "fp8", "dtype": "bfloat16"}),
        ({"quantization": "bitsandbytes"}, {"quantization": "bitsandbytes", "load_format": "bitsandbytes"}),
        ({"batch_tokens": 16384, "batch_prompts": 1024}, {"max_num_batched_tokens": 16384, "max_num_seqs": 1024}),
        ({"batch_tokens": 100, "context": 640}, {"max_num_batched_tokens": 640, "max_model_len": 640}),
        ({"prefix_block": 64}, {"block_size": 64}),
        ({"gpu_memory": 0.5, "eager": True}, {"gpu_memory_utilization": 0.5, "enforce_eager": True}),
    ],
)
def test_every_option_reaches_vllm(vllm, gpus, tiny_base, changes, expected):
    given = told(tiny_base, **changes)
    assert expected.items() <= given.items()
    # A head that may be quantised is computed as vLLM does.
    assert ("hf_overrides" in given) == ("quantization" not in changes)


def test_devices_and_a_process_of_its_own_are_said_in_the_environment(vllm, gpus, tiny_base, monkeypatch):
    told(tiny_base, devices="1,3", tensor_parallel_size=2)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1,3"
    told(tiny_base, own_process=False)
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    # What the user set stays, unless an option says otherwise.
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    told(tiny_base)
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    told(tiny_base, own_process=True)
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tensor_parallel_size": 8}, "sees 4"),
        ({"tensor_parallel_size": 3}, "does not divide the 2"),
        ({"tensor_parallel_size": 2, "devices": "1"}, "names 1"),
        ({"devices": "0", "own_process": False}, "own_process"),
    ],
)
def test_gpus_that_are_not_there_are_refused_before_anything_is_loaded(vllm, gpus, tiny_base, changes, message):
    with pytest.raises(InputError, match=message):
        told(tiny_base, **changes)
    assert not started


@pytest.mark.parametrize("wrong", [{"devices": "0; rm"}, {"dtype": "fp4"}, {"quantization": "Fp8 --x"}])
def test_values_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        options(**wrong)


@pytest.mark.parametrize(("version", "taken"), [("0.31.2", False), ("0.32.0+cpu", True), ("0.1.dev7+g1a2b", True)])
def test_a_version_with_known_wrong_results_is_refused_by_name(vllm, tiny_base, version, taken):
    vllm.__version__ = version
    if taken:
        assert told(tiny_base)
        return
    with pytest.raises(ModelError, match=version):
        told(tiny_base)


def test_no_prompt_is_padded(vllm, tiny_base):
    VllmEngine(tiny_base, options()).score(PROMPTS)
    (prompts, _, _), *_ = started[-1].asked
    assert [tuple(prompt["prompt_token_ids"]) for prompt in prompts] == [tuple(prompt.ids) for prompt in PROMPTS]
