"""Packing: every prompt runs exactly once, in batches that its neighbours alone decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.engines.packed import packs
from judge.records import Prompt

TOKENS = st.lists(st.integers(3, 9), min_size=1, max_size=6).map(tuple)


def prompts_of(groups):
    return [Prompt((1, 2), query, candidate, (7, 8)) for query, candidates in groups for candidate in candidates]


@given(st.lists(st.tuples(TOKENS, st.lists(TOKENS, min_size=1, max_size=9)), max_size=8), st.integers(8, 40))
def test_every_prompt_is_in_one_pack_whole(groups, size):
    prompts = prompts_of(groups)
    found = packs(prompts, size)
    places = sorted(place for pack in found for stretch in pack for place in stretch.places)
    assert places == list(range(len(prompts)))
    for pack in found:
        used = 0
        for stretch in pack:
            used += stretch.tokens
            for place, tokens in zip(stretch.places, stretch.candidates, strict=True):
                assert (*stretch.query, *tokens) == (*prompts[place].query, *prompts[place].candidate)
        assert used <= size or len(pack) == 1


SMALL = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "head_dim": 8}
LAYERS = {
    "llama": {"num_attention_heads": 4, "num_key_value_heads": 2, "attention_bias": True, "mlp_bias": True},
    "mistral": {"num_attention_heads": 4, "num_key_value_heads": 4, "sliding_window": None},
    "qwen2": {"num_attention_heads": 6, "num_key_value_heads": 2},
    "qwen3": {"num_attention_heads": 4, "num_key_value_heads": 1},
}


def small_model(kind, folder):
    """A model with random weights, norms and biases, saved; and the log-probabilities it gives to whole prompts."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SMALL, **LAYERS[kind])).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, mean=0.5 if weights.ndim == 1 else 0.0, std=0.3)
    model.save_pretrained(folder)

    def whole(prompts):
        with torch.inference_mode():
            logits = [model(input_ids=torch.tensor([prompt.ids])).logits[0, -1] for prompt in prompts]
        return torch.stack(logits).double().log_softmax(-1)[:, list(prompts[0].labels)].numpy()

    return whole


MANY = prompts_of([((3, 4, 5), [(9,), (11, 12, 13, 14), (20, 21)] * 4), ((6,), [(30, 31)]), ((8, 9), [(1, 2, 3)] * 3)])


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    "way",
    [
        "as it is",
        "without MKL",
        "in MKL's order",
        "in oneDNN's order",
        "transformers' layers",
        "as on other devices",
        "padded",
    ],
)
def test_every_way_of_computing_gives_what_whole_prompts_give(kind, way, tmp_path, monkeypatch):
    from judge.engines import packed, transformers

    whole = small_model(kind, tmp_path)
    if way == "without MKL":
        monkeypatch.setattr("torch.backends.mkl.is_available", lambda: False)
    elif "order" in way:
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
        monkeypatch.setattr("judge.engines.product.is_amd", lambda: "oneDNN" in way)
    elif way != "as it is":
        monkeypatch.setattr(transformers, "find_plain", lambda _: None)
        monkeypatch.setattr(transformers, "fits", lambda _: False)
    if way == "as on other devices":
        monkeypatch.setattr(packed, "PROCESSOR", "none")
    if way == "padded":
        monkeypatch.setattr(transformers, "_plain_attention", lambda _: False)
    engine = transformers.TransformersEngine(tmp_path, device="cpu", dtype="float32")
    assert (engine._lean is not None) == (("order" in way or way in ("as it is", "without MKL")) and kind != "qwen3")
    for size in (4, 20, 512):
        engine._tokens = size
        found = np.array([answer.logprobs for answer in engine.score(MANY)])
        assert abs(found - whole(MANY)).max() < 1e-4
    assert np.ptp(found, axis=0).max() > 0.5, "the prompts must differ"
