"""Adapters and weights: all of what was asked for takes effect, or is refused with the numbers."""

import json
import shutil
import warnings

import numpy as np
import pytest

from judge.engines import Judge, Serving
from judge.engines.applying import check_lora
from judge.engines.transformers import TransformersEngine
from judge.engines.vllm_setup import AppliedAdapter
from judge.errors import ModelError
from judge.records import Prompt
from relevance_judge.cli.serving import note_other_base

PROMPTS = [Prompt((3, 4), (5, 6 + i % 3), (20 + i, 9), (30, 31, 32)) for i in range(6)]
ALL = ["q_proj", "v_proj", "down_proj"]


def peft_adapter(base, out, targets=ALL, model=None, **keys):
    """An adapter with random weights large enough to move every log-probability, as peft saves it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(**{"r": 4, "lora_alpha": 16, "task_type": "CAUSAL_LM", "target_modules": targets, **keys})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = get_peft_model(model or AutoModelForCausalLM.from_pretrained(base), config)
        for name, weight in adapted.named_parameters():
            if "lora_" in name and "magnitude" not in name:
                torch.nn.init.normal_(weight, std=0.2)
        adapted.save_pretrained(out)
    return out


def logprobs(base, adapter=None):
    scores = TransformersEngine(base, adapter=adapter, device="cpu", dtype="float32").score(PROMPTS)
    return np.array([score.logprobs for score in scores])


def by_peft(base, adapter, untie=False):
    """The same by peft's own forward pass, the adapter not merged."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    if untie:
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        adapted = PeftModel.from_pretrained(model, adapter).eval()
        rows = [adapted(input_ids=torch.tensor([p.ids])).logits[0, -1].log_softmax(-1)[list(p.labels)] for p in PROMPTS]
    return torch.stack(rows).numpy()


def rewrite(adapter, change):
    from safetensors.torch import load_file, save_file

    path = adapter / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)


@pytest.fixture(scope="session")
def tied_base(tiny_base, tmp_path_factory):
    """The tiny base with a head that shares its weights with the embedding."""
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = shutil.copytree(tiny_base, tmp_path_factory.mktemp("tied") / "base")
    config = AutoConfig.from_pretrained(tiny_base)
    config.tie_word_embeddings = True
    model = AutoModelForCausalLM.from_pretrained(tiny_base, config=config)
    model.model.embed_tokens.weight.data *= 4
    model.tie_weights()
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def plain(tiny_base, tmp_path):
    return peft_adapter(tiny_base, tmp_path / "plain")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"use_dora": True},
        {"use_rslora": True},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.1.self_attn.v_proj": 3}},
        {"layers_to_transform": [1]},
        {"exclude_modules": ["v_proj"]},
        {"targets": "all-linear"},
        {"targets": r".*layers\.0.*(q|o)_proj"},
        {"targets": ["embed_tokens", "q_proj"]},
        {"targets": ["lm_head"]},
    ],
    ids=lambda keys: "-".join(keys) or "plain",
)
def test_an_adapter_gives_what_peft_gives(keys, tiny_base, tmp_path):
    adapter = peft_adapter(tiny_base, tmp_path / "a", **keys)
    check_lora(adapter, tiny_base)
    found = logprobs(tiny_base, adapter)
    assert abs(found - by_peft(tiny_base, adapter)).max() < 1e-3
    assert abs(found - logprobs(tiny_base)).max() > 0.1, "it changes something"


@pytest.mark.parametrize("targets", [["lm_head", "q_proj"], ["embed_tokens", "q_proj"]])
def test_a_tied_head_is_untied_before_an_adapter_changes_it_or_the_embedding(targets, tied_base, tmp_path):
    adapter = peft_adapter(tied_base, tmp_path / "a", targets)
    found = logprobs(tied_base, adapter)
    assert abs(found - by_peft(tied_base, adapter, untie=True)).max() < 1e-3
    assert abs(found - logprobs(tied_base)).max() > 0.1


def test_a_merged_model_keeps_a_head_that_was_untied(tied_base, tuned, tmp_path):
    from finetune.merge import merge
    from judge.labelling.config import Base

    adapter = peft_adapter(tied_base, tmp_path / "a", ["lm_head", "q_proj"])
    base = Base(name=str(tied_base), revision=None, weights="w")
    merge(tuned.model_copy(update={"base": base}), adapter, tmp_path / "merged")
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["tie_word_embeddings"] is False
    assert abs(logprobs(tmp_path / "merged") - logprobs(tied_base, adapter)).max() < 1e-3
    rewrite(adapter, lambda tensors: {name: tensor for name, tensor in tensors.items() if "layers.0" in name})
    with pytest.raises(ModelError, match="missing"):
        merge(tuned.model_copy(update={"base": base}), adapter, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def wrapped(tensors):
    return {name.replace(".model.model.", ".model.model.language_model."): value for name, value in tensors.items()}


# 3 targets in 2 layers with two tensors each: 12.
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (wrapped, "12 of its 12 tensors fit no module"),
        (lambda t: {name.replace("base_model.model.", ""): v for name, v in t.items()}, "12 of its 12 tensors"),
        (lambda t: {name: v for name, v in t.items() if "layers.0" in name}, "6 of the 12 tensors"),
        (lambda t: {name: v for name, v in t.items() if "q_proj.lora_B" not in name}, "2 of the 12 tensors"),
        (lambda t: t | {"base_model.model.score.weight": t[next(iter(t))].clone()}, "1 of its 13 tensors"),
        (lambda t: {name: v[:2] if "lora_A" in name else v[:, :2] for name, v in t.items()}, "12 of its 12 tensors"),
        (lambda t: {name: v * ("lora_A" in name) for name, v in t.items()}, "changes nothing: for each of its 6"),
        (lambda t: {name: v * float("nan") for name, v in t.items()}, "not numbers"),
    ],
    ids=["wrapped", "raw", "half", "one of a pair", "one more", "another rank", "zero", "nan"],
)
def test_tensors_that_do_not_all_take_effect_are_refused_with_their_number(change, said, plain, tiny_base):
    rewrite(plain, lambda tensors: {name: value.contiguous() for name, value in change(tensors).items()})
    for use in (check_lora, lambda adapter, base: AppliedAdapter(adapter, base), lambda a, b: logprobs(b, a)):
        with pytest.raises(ModelError, match=said):
            use(plain, tiny_base)


@pytest.mark.parametrize(
    ("changed", "said"), [({"hidden_size": 32}, "another shape"), ({"num_hidden_layers": 1}, "fit")]
)
def test_an_adapter_of_a_base_of_another_shape_is_refused(changed, said, plain, tiny_base, tmp_path):
    other = shutil.copytree(tiny_base, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, **changed, "head_dim": 32}))
    with pytest.raises(ModelError, match=said):
        check_lora(plain, other)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "LoRA adapter is wanted, this is 'PROMPT_TUNING'"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"peft_type": None}, "peft_type"),
        ({"task_type": "SEQ_CLS"}, "SEQ_CLS"),
        ({"task_type": None, "auto_mapping": {"base_model_class": "LlamaForSequenceClassification"}}, "Classification"),
        ({"modules_to_save": ["score"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
        ({"lora_bias": True}, "lora_bias"),
        ({"alora_invocation_tokens": [3]}, "alora_invocation_tokens"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"a_key_of_a_later_peft": 0.5}, "a_key_of_a_later_peft"),
        ({"r": "8"}, "r cannot be '8'"),
        ({"r": 0}, "r cannot be 0"),
        ({"r": [8]}, "r cannot be"),
        ({"lora_alpha": "x"}, "lora_alpha cannot be"),
        ({"target_modules": "("}, "not a valid pattern"),
        ({"target_modules": []}, "target_modules"),
    ],
)
def test_a_config_of_another_kind_is_refused_by_name(keys, said, plain, tiny_base):
    path = plain / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    with pytest.raises(ModelError, match=said) as refused:
        check_lora(plain, tiny_base)
    assert refused.value.hint
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("text", ["", "[1]", "1", "{}", '{"peft_type": "LORA"}'])
def test_a_config_that_is_none_is_refused(text, plain, tiny_base):
    (plain / "adapter_config.json").write_text(text)
    with pytest.raises(ModelError, match=r"adapter_config\.json"):
        check_lora(plain, tiny_base)


def test_the_command_line_refuses_before_a_run_is_begun(main, plain, tiny_base, rated_file, tmp_path):
    given = ("label", rated_file, "--judge", tiny_base, "--adapter", plain, "--out", "run")
    rewrite(plain, wrapped)
    assert "12 of its 12 tensors fit no module" in main(*given, code=2).err
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("keys", [{"rank_pattern": {"q_proj": 2}}, {"use_dora": True}, {"targets": ["lm_head"]}])
def test_vllm_is_handed_no_adapter_that_it_would_apply_in_part(keys, tiny_base, tmp_path):
    with pytest.raises(ModelError, match="vLLM does not apply") as refused:
        AppliedAdapter(peft_adapter(tiny_base, tmp_path / "a", **keys), tiny_base)
    assert (keys.get("targets") or list(keys))[0] in refused.value.message


def test_vllm_is_told_of_an_adapter_that_fits(plain, tiny_base):
    assert AppliedAdapter(plain, tiny_base).room() == {"enable_lora": True, "max_loras": 2, "max_lora_rank": 8}


def test_own_copies_of_the_vocabulary_must_be_those_of_the_base(tied_base, tmp_path):
    adapter = peft_adapter(tied_base, tmp_path / "a", ["lm_head"])
    rewrite(adapter, lambda t: {name: v + ("base_layer" in name) for name, v in t.items()})
    with pytest.raises(ModelError, match="brings weights of its own for 'lm_head'"):
        logprobs(tied_base, adapter)


def test_an_adapter_that_names_another_base_is_noted(tiny_base, tmp_path, capsys):
    adapter = peft_adapter(tiny_base, tmp_path / "adapter", ["q_proj"])
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_text())
    judge = Judge(str(tiny_base), Serving(adapter=adapter))
    # Its own base, elsewhere, by another case, or unnamed; then another one of the same shapes.
    same = [str(tiny_base), f"/elsewhere/{tiny_base.name.upper()}", f"owner/{tiny_base.name}@main", None, ""]
    for named, noted in [(name, None) for name in same] + [("owner/Other-0.1B", "owner/Other-0.1B")]:
        path.write_text(json.dumps(config | {"base_model_name_or_path": named}))
        assert judge.other_base == noted
        note_other_base(judge)
        said = capsys.readouterr()
        assert said.out == ""
        assert ("owner/Other-0.1B" in said.err) == bool(noted)
    assert judge.parts["adapter"], "it is a note, and no refusal"
    assert Judge("-", Serving("fake", adapter=adapter)).other_base is None
