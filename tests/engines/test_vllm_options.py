"""What vLLM is told: every option reaches it, under its own names, or is refused. A fake module stands for vLLM."""

import json
import os
import shutil
import sys
from types import ModuleType, SimpleNamespace

import pytest

from judge.engines import Judge, Serving
from judge.engines.options import default_options
from judge.engines.vllm import VllmEngine
from judge.errors import InputError, ModelError
from judge.records import Prompt, Scores

PROMPTS = [Prompt((1, 2), (3,), (4, number), (7, 8)) for number in (5, 6)]


class LLM:
    """Says 0.5 for the first label and 0.25 for the second, and remembers what it was told."""

    def __init__(self, **given):
        self.given = given
        started.append(self)
        self.asked = []

    def generate(self, prompts, ask, **more):
        self.asked.append((prompts, ask, more))
        found = {label: SimpleNamespace(logprob=-0.6931 * (n + 1)) for n, label in enumerate(ask.logprob_token_ids)}
        return [SimpleNamespace(outputs=[SimpleNamespace(logprobs=[found])]) for _ in prompts]

    def classify(self, prompts, **more):
        self.asked.append((prompts, None, more))
        return [SimpleNamespace(outputs=SimpleNamespace(probs=[0.75, 0.25])) for _ in prompts]


started = []


@pytest.fixture
def vllm(monkeypatch):
    """A module that is called vLLM; gives the environment that it finds when it starts, and what was started."""
    for name in list(os.environ):
        if name.startswith(("VLLM_", "CUDA_")):
            monkeypatch.delenv(name)
    started.clear()
    module, lora, request = ModuleType("vllm"), ModuleType("vllm.lora"), ModuleType("vllm.lora.request")
    module.LLM, module.__version__ = LLM, "0.33.0"
    module.SamplingParams = lambda **given: SimpleNamespace(**given)
    request.LoRARequest = lambda name, number, path: SimpleNamespace(name=name, path=path)
    for name, value in (("vllm", module), ("vllm.lora", lora), ("vllm.lora.request", request)):
        monkeypatch.setitem(sys.modules, name, value)
    before = dict(os.environ)
    yield module
    for name in [name for name in os.environ if name not in before]:
        del os.environ[name]


@pytest.fixture
def gpus(monkeypatch):
    """Four GPUs with bf16."""
    monkeypatch.setattr("judge.engines.transformers.best_device", lambda: ("cuda", "bfloat16"))
    monkeypatch.setattr("judge.engines.vllm.gpus", lambda: 4)


def options(**changes):
    return default_options().changed(vllm=changes).vllm


def told(directory, adapter=None, **changes):
    VllmEngine(directory, options(**changes), adapter)
    return started[-1].given


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


def test_no_prompt_is_padded(vllm, tiny_base):
    VllmEngine(tiny_base, options()).score(PROMPTS)
    (prompts, _, _), *_ = started[-1].asked
    assert [tuple(prompt["prompt_token_ids"]) for prompt in prompts] == [tuple(prompt.ids) for prompt in PROMPTS]
