"""Packing: every prompt runs exactly once, in batches that its neighbours alone decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.engines.packed import packs
from judge.records import Prompt, Scores

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


@pytest.mark.slow
def test_small_packs_and_the_way_of_other_devices_agree_with_whole_prompts(
    engine, embedded, dozen, guideline, monkeypatch
):
    from judge.engines import packed
    from judge.parity import difference
    from judge.prompt import PromptBuilder

    prompts = PromptBuilder(guideline, embedded.tokenizer).build(dozen)[:5]
    labels = list(prompts[0].labels)
    whole = [engine._padded(([i], prompts, labels))[0][1] for i in range(len(prompts))]
    assert all(isinstance(answer, Scores) for answer in whole)
    assert difference(("a", "b"), engine.score(prompts), whole).probability_difference < 1e-4
    monkeypatch.setattr(engine, "_tokens", 64)
    assert difference(("a", "b"), engine.score(prompts), whole).probability_difference < 1e-4
    monkeypatch.setattr(packed, "_merged", packed._joined)
    assert difference(("a", "b"), engine.score(prompts), whole).probability_difference < 1e-4
    # The way of models whose attention is not the plain one: whole prompts, padded.
    monkeypatch.setattr(engine, "_packed", False)
    engine._model.set_attn_implementation("sdpa")
    try:
        assert difference(("a", "b"), engine.score(prompts), whole).probability_difference < 1e-4
    finally:
        engine._model.set_attn_implementation(packed.NAME)
