"""The embedded engine on the real model: sharing what prompts share changes nothing but the time."""

import numpy as np
import pytest
from judged_rows import labelled_pair
from safetensors.numpy import save_file

from judge.engines.transformers import TransformersEngine
from judge.errors import ModelError
from judge.records import Failure, Scores, Status
from judge.words.guideline import Guideline, load_guideline
from judge.words.prompt import PromptBuilder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def builder(embedded, guideline):
    return PromptBuilder(guideline, embedded.tokenizer, context=embedded.model.context)


@pytest.fixture(scope="module")
def prompts(builder, dozen):
    """Of every other pair of the dozen."""
    return builder.build(dozen[::2])


def probabilities(scores):
    return np.exp([score.logprobs for score in scores])


@pytest.fixture(scope="module")
def scored(engine, prompts):
    return engine.score(prompts)


@pytest.fixture(scope="module")
def unshared(embedded, prompts):
    """Every third prompt on its own, from its first token to its last, by the plainest use of the model."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(embedded.model.directory, dtype=torch.float32).eval()
    rows = []
    with torch.inference_mode():
        for prompt in prompts[::3]:
            logits = model(input_ids=torch.tensor([prompt.ids])).logits[0, -1]
            rows.append(logits.double().softmax(-1))
    return torch.stack(rows)


def test_shared_and_unshared_computation_agree(prompts, scored, unshared):
    scores = scored[::3]
    expected = unshared[:, list(prompts[0].labels)].numpy()
    assert abs(probabilities(scores) - expected).max() < 1e-4
    outside = 1 - expected.sum(1)
    assert abs(np.array([score.outside_mass for score in scores]) - outside).max() < 1e-4


def test_the_order_and_company_of_prompts_do_not_matter(engine, prompts, scored):
    whole = probabilities(scored)
    order = np.random.default_rng(0).permutation(len(prompts))
    shuffled = probabilities(engine.score([prompts[i] for i in order]))
    assert abs(shuffled - whole[order]).max() < 1e-4
    alone = np.concatenate([probabilities(engine.score([prompt])) for prompt in prompts])
    assert abs(alone - whole).max() < 1e-4


def test_two_guidelines_in_turn_do_not_mix(engine, embedded, prompts, dozen):
    other = PromptBuilder(load_guideline("esci-four-level"), embedded.tokenizer).build(dozen[:3])
    before = engine.score(prompts[:3])
    assert len(engine.score(other)[0].logprobs) == 4
    assert engine.score(prompts[:3]) == before


def test_the_same_prompts_give_the_same_bits(engine, prompts, scored):
    assert engine.score(prompts) == scored


def test_a_label_that_the_tokenizer_splits_is_refused_at_load(embedded, guideline):
    grades = [
        {**grade.model_dump(), "label": label}
        for grade, label in zip(guideline.grades, ("no", "10", "yes"), strict=True)
    ]
    words = Guideline.model_validate({**guideline.model_dump(), "grades": grades})
    with pytest.raises(ModelError, match="label '10' is 2 tokens"):
        PromptBuilder(words, embedded.tokenizer)


def test_a_model_that_cannot_be_loaded_is_one_clear_error(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="is damaged"):
        TransformersEngine(tmp_path)
    save_file({"w": np.zeros(1, dtype=np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="cannot be loaded"):
        TransformersEngine(tmp_path)


@pytest.mark.parametrize("logprobs", [(float("nan"), -1.0, -1.0), (-float("inf"),) * 3])
def test_a_score_that_is_no_number_fails_the_pair_and_grades_nothing(logprobs, dozen):
    label = labelled_pair(dozen[0], Scores(logprobs, 0.0))
    assert (label.status, label.grade, label.probabilities) == (Status.FAILED, None, None)
    assert labelled_pair(dozen[0], Failure("down")).reason == "down"


def test_a_label_is_the_most_probable_grade_with_its_expectation(dozen):
    scores = Scores(tuple(np.log([0.1, 0.3, 0.4])), 0.2)
    label = labelled_pair(dozen[0], scores)
    assert label.grade == 2
    assert label.probabilities == pytest.approx((0.125, 0.375, 0.5))
    assert label.expected_grade == pytest.approx(0.375 + 2 * 0.5)
    assert label.outside_mass == 0.2


@pytest.mark.parametrize(("shares", "tied"), [([0.4, 0.2, 0.4], "0 and 2"), ([1 / 3] * 3, "0 and 1 and 2")])
def test_equal_probabilities_are_a_tie_that_gives_no_grade(shares, tied, dozen):
    label = labelled_pair(dozen[0], Scores(tuple(np.log(shares)), 0.0))
    assert (label.status, label.grade) == (Status.ABSTAINED, None)
    assert label.reason.startswith("a tie")
    assert tied in label.reason
    assert label.probabilities == pytest.approx(shares)
    assert label.expected_grade == pytest.approx(1.0)


def test_a_tie_is_told_whatever_the_threshold(dozen):
    from judge.calibration.abstain import Threshold

    threshold = Threshold(budget=0.1, confidence=0.9, least=0.6, coverage=1, error=0, bound=0.1, pairs=9)
    label = labelled_pair(dozen[0], Scores(tuple(np.log([0.4, 0.2, 0.4])), 0.0), threshold=threshold)
    assert (label.status, label.reason[:5]) == (Status.ABSTAINED, "a tie")
