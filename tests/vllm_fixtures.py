"""A fake module in place of vLLM, which remembers what it was told."""

import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from judge.engines.options import default_options
from judge.engines.vllm import VllmEngine
from judge.records import Prompt

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


def options(**changes):
    return default_options().changed(vllm=changes).vllm


def told(directory, adapter=None, **changes):
    VllmEngine(directory, options(**changes), adapter)
    return started[-1].given
