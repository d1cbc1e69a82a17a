"""Models of a plain shape are read without transformers and peft, and give to the bit what these would."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from judge.engines import plain
from judge.engines.plain import find_plain
from judge.records import Prompt
from judge.words.tokenizer import ModelTokenizer

SHAPE = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "head_dim": 8}
KINDS = {
    "llama": {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "mistral": {"num_attention_heads": 4, "num_key_value_heads": 4, "sliding_window": None},
    "qwen2": {"num_attention_heads": 6, "num_key_value_heads": 2},
}
PROMPTS = [
    Prompt((1, 2, 9, 4), (5, 6), candidate, (7, 8)) for candidate in ((9,), (11, 12, 13), (20, 21), (3, 4, 5, 6, 7))
]


def model(kind, folder, size="5GB", dtype="float32"):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SHAPE, **KINDS[kind])).eval()
    for weights in made.parameters():
        torch.nn.init.normal_(weights, mean=0.5 if weights.ndim == 1 else 0.0, std=0.3)
    made.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=size)
    return made


def adapted(made, folder, **keys):
    import torch
    from peft import LoraConfig, get_peft_model

    found = get_peft_model(made, LoraConfig(r=3, lora_alpha=7, task_type="CAUSAL_LM", **keys))
    for name, weight in found.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    found.save_pretrained(folder, save_embedding_layers=False)
    return folder


def both(folder, adapter, monkeypatch):
    """What the engine says of a model that it reads by itself, and of one that transformers and peft have loaded."""
    from judge.engines import transformers

    found = []
    for find in (find_plain, lambda _: None):
        monkeypatch.setattr(transformers, "find_plain", find)
        engine = transformers.TransformersEngine(folder, None, adapter, "cpu", "float32")
        assert hasattr(engine, "_model") == (find is not find_plain)
        found.append([(answer.logprobs, answer.outside_mass) for answer in engine.score(PROMPTS)])
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_model_gives_the_very_numbers_that_transformers_gives(kind, tmp_path, monkeypatch):
    model(kind, tmp_path)
    own, theirs = both(tmp_path, None, monkeypatch)
    assert own == theirs
    assert len(set(own)) > 1


def test_a_head_that_is_the_embedding_is_in_memory_once(tmp_path):
    model("llama", tmp_path, dtype="bfloat16")
    found = plain.FileWeights(find_plain(tmp_path))
    embedding, head = (found(f"{name}.weight") for name in ("model.embed_tokens", "lm_head"))
    assert head.data_ptr() == embedding.data_ptr()
    assert (str(head.dtype), tuple(head.shape)) == ("torch.float32", (60, 32))


@pytest.mark.parametrize("keys", [{"target_modules": ["q_proj", "down_proj"]}, {"target_modules": "all-linear"}])
def test_an_adapter_is_merged_as_peft_merges_it(keys, tmp_path, monkeypatch):
    pytest.importorskip("peft")
    made = model("qwen2", tmp_path / "base", size="10KB", dtype="bfloat16")
    assert len(list((tmp_path / "base").glob("*.safetensors"))) > 1
    adapter = adapted(made, tmp_path / "adapter", use_rslora="q_proj" in keys["target_modules"], **keys)
    own, theirs = both(tmp_path / "base", adapter, monkeypatch)
    assert own == theirs
    assert own != both(tmp_path / "base", None, monkeypatch)[0]


@pytest.mark.parametrize(
    "keys",
    [
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}},
        {"attention_bias": True},
        {"hidden_act": "gelu"},
        {"architectures": ["LlamaForSequenceClassification"]},
        {"quantization_config": {"quant_method": "fp8"}},
        {"a_key_of_tomorrow": 1},
        {"tie_word_embeddings": False},
        {"num_key_value_heads": 1},
        {"model_type": "gemma"},
    ],
)
def test_what_is_special_about_a_model_is_left_to_transformers(keys, tmp_path):
    model("llama", tmp_path)
    assert find_plain(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))
    assert find_plain(tmp_path) is None


def test_weights_that_are_not_those_of_the_config_are_left_to_transformers(tmp_path):
    from safetensors.torch import load_file, save_file

    model("llama", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    first = next(iter(tensors))
    for changed in ({**tensors, "more": tensors[first]}, {name: t for name, t in tensors.items() if name != first}):
        save_file({name: tensor.clone() for name, tensor in changed.items()}, tmp_path / "model.safetensors")
        assert find_plain(tmp_path) is None
    save_file(tensors, tmp_path / "model.safetensors")
    assert find_plain(tmp_path)
    save_file(tensors, tmp_path / "consolidated.safetensors")
    assert find_plain(tmp_path) is None


def test_an_adapter_of_the_head_is_left_to_peft(tmp_path):
    pytest.importorskip("peft")
    from judge.engines.lora import read_lora

    made = model("mistral", tmp_path / "base")
    adapter = adapted(made, tmp_path / "adapter", target_modules=["q_proj", "lm_head"])
    assert find_plain(tmp_path / "base").slots(read_lora(adapter)) is None


def test_a_second_small_run_loads_neither_transformers_nor_peft(main, tiny_base, tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "pairs.csv").write_text("query,candidate_id,title\nred scarf,1,Scarlet wool scarf\nred scarf,2,Lamp\n")
    code = "import runpy, sys\ntry: runpy.run_module('relevance_judge.cli.main', run_name='__main__')\n"
    code += "finally: print('loaded', *sorted({'transformers', 'peft', 'scipy', 'sklearn'} & set(sys.modules)))"
    given = ["label", "pairs.csv", "--judge", tiny_base, "--out"]
    with monkeypatch.context() as watched:
        asked = []
        backend = ModelTokenizer._backend
        watched.setattr(ModelTokenizer, "_backend", lambda self: asked.append(self) or backend(self))
        main(*given, "first")
        assert asked, "the first run asks transformers"
    command = [sys.executable, "-c", code, *map(str, given), "second"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert "loaded" in done.stdout.splitlines(), done.stdout
    labels = [pq.read_table(tmp_path / run / "labels") for run in ("first", "second")]
    assert labels[0].equals(labels[1])


def test_a_kept_tokenizer_is_the_one_that_transformers_makes(tiny_base, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    shutil.copytree(tiny_base, folder)
    text = "Scarlet  wool scarf <|im_end|> 12"

    def said():
        tokenizer = ModelTokenizer(folder)
        return tokenizer.frame(), tokenizer.plain([text]), tokenizer.control(text)

    first = said()
    (kept,) = (tmp_path / "cache" / "tokenizers").iterdir()
    whole = kept.read_text()
    monkeypatch.setattr(ModelTokenizer, "_backend", lambda self: pytest.fail("the kept one is not used"))
    assert said() == first
    tokenizer = ModelTokenizer(folder)
    assert (tokenizer.control(text), tokenizer.text(tokenizer.plain([text])[0])) == (first[2], text)
    assert "_control" not in vars(tokenizer), "the second backend is not made for what is known"
    monkeypatch.undo()
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    for damaged in (whole[:-40], whole.replace("Ġ", "X", 1), "{}", "[]"):
        kept.write_text(damaged)
        assert said() == first
        assert kept.read_text() == whole
    (folder / "chat_template.jinja").write_text("{% for m in messages %}[{{ m.content }}]{% endfor %}")
    assert said()[0] == ("[", "][", "]")
    assert len(list(kept.parent.iterdir())) == 2


def test_kept_values_are_where_the_module_says(tmp_path, monkeypatch):
    from judge.cache import cached, keep_cached

    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "file"))
    keep_cached("kind", "key", [1])
    assert cached("kind", "key") == [1]
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "blocked"))
    keep_cached("kind", "key", [1])
    assert cached("kind", "key") is None
    assert plain.NEEDED.isdisjoint(plain.HARMLESS)
