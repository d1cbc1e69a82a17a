"""Any chat endpoint, asked in words."""

from collections.abc import Sequence
from pathlib import Path

from judge.engines.chat.engine import ChatEngine
from judge.engines.chat.prompt import ChatBuilder
from judge.engines.kinds import EngineKind, Setup
from judge.engines.options import ChatOptions, EngineOptions
from judge.models.model import JudgeModel
from judge.records import WorkedExample
from judge.words.guideline import Guideline


def _make(setup: Setup) -> ChatEngine:
    return ChatEngine(setup.url or "", setup.model.name, setup.options.chat)


def _builder(
    guideline: Guideline, template: str, options: EngineOptions, examples: Sequence[WorkedExample]
) -> ChatBuilder:
    return ChatBuilder(guideline, template, many=options.chat.per_request > 1, examples=examples)


ENGINE = EngineKind(
    name="chat",
    help="any OpenAI-compatible chat endpoint (--url): hosted, vLLM, SGLang, Ollama, llama.cpp, LM Studio",
    order=40,
    make=_make,
    probabilities="where the endpoint tells them, or `samples` are drawn",
    options=ChatOptions,
    flags=frozenset({"samples", "per_request", "concurrency", "price"}),
    endpoint=True,
    in_words=True,
    unnamed=("--engine chat needs --judge: the model's name at the endpoint", "add --judge MODEL"),
    # What computes there only its operator knows: a name is all there is of it.
    find=lambda name: JudgeModel(name, Path(), None, None, f"served as {name}"),
    builder=_builder,
)
