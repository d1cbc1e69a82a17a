"""A GPU against a processor, where there is one."""

import numpy as np
import pytest

from judge.engines import transformers as embedded_engine
from judge.engines.transformers import TransformersEngine
from judge.labelling.parity import BOUNDS, difference, examples
from judge.records import Scores
from judge.words.prompt import PromptBuilder


def test_engines_may_differ_by_the_rounding_of_their_number_type(main, monkeypatch):
    from judge.engines import Judge, Serving

    one, two = (Scores(tuple(np.log(shares)), None) for shares in ((0.5, 0.3, 0.2), (0.48, 0.3, 0.22)))
    for dtype, holds in (("float32", False), ("bfloat16", True)):
        assert difference(("a", "b"), [one], [two], bound=BOUNDS[dtype]).holds == holds
    monkeypatch.setattr("judge.labelling.parity.Judge", lambda model, _: Judge(model, Serving("fake")))
    both = ("--engine", "transformers") * 2
    for dtype, bound in (("float32", 0.001), ("bfloat16", 0.05)):
        monkeypatch.setattr(embedded_engine, "best_device", lambda dtype=dtype: ("cuda", dtype))
        assert main("doctor", "--parity", "--judge", "smollm2-135m", *both, "--json").json["bound"] == bound


@pytest.mark.gpu
@pytest.mark.slow
def test_a_gpu_gives_what_a_processor_gives(gpu, embedded, engine, guideline):
    asked = PromptBuilder(guideline, embedded.tokenizer).build(examples(guideline)[:8])
    found = TransformersEngine(embedded.model.directory)
    assert found.device == "cuda"
    assert difference(("", ""), found.score(asked), engine.score(asked), bound=BOUNDS[found.dtype]).holds


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # where torch has no deterministic algorithm it says so
def test_a_judge_is_taught_on_a_gpu_and_the_same_twice(gpu, main, tiny_base, rated_file, quick, tmp_path):
    weights = []
    for out in ("one", "two"):
        config = quick(epochs=1, device="cuda")
        told = main("finetune", rated_file, "--base", tiny_base, "--out", out, "--config", config, "--json").json
        assert told["training"]["device"] == "cuda"
        weights.append((tmp_path / out / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]
