"""Engines: prompts in, what the judge says of each out. Those that take token ids get the same ones, and must give the
same probabilities; `chat` asks in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any, Protocol

from judge.engines.chat.engine import ChatEngine
from judge.engines.chat.prompt import ChatBuilder
from judge.engines.fake import FAKE_MODEL, FakeEngine, FakeTokenizer
from judge.engines.options import EngineOptions, default_options
from judge.engines.weights import check_whole
from judge.errors import InputError, ModelError, install
from judge.fingerprint import adapter_digest
from judge.models.embedded import EMBEDDED, HUB_NAME
from judge.models.model import JudgeModel, find_model
from judge.records import Outcome, Pair, WorkedExample
from judge.words.guideline import Guideline
from judge.words.prompt import PromptBuilder
from judge.words.tokenizer import ModelTokenizer, Tokenizer


class Builder(Protocol):
    """What makes the prompts that an engine takes: token ids, or messages."""

    labels: tuple[int, ...]
    """The label tokens, in grade order; empty where the judge is asked in words."""

    def build(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        """The prompts of some pairs, in their order."""
        ...


class Engine(Protocol):
    """What judges. State between calls is a cache and never changes a result."""

    block: int
    """How many prompts it likes to get at once."""

    def score(self, prompts: Sequence[Any]) -> Sequence[Outcome]:
        """What is said of some prompts of its builder, in their order. Prompts of one query come together.

        Raises:
            EngineError: The engine cannot go on at all. What concerns one prompt is a `Failure` in its place.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """An engine that can be named: what it needs installed, and what it is."""

    name: str
    modules: tuple[str, ...]
    install: str
    about: str

    @property
    def missing(self) -> list[str]:
        """Modules that are not installed; none are imported to find out."""
        return [name for name in self.modules if find_spec(name) is None]


DEFAULT = "transformers"
ENDPOINTS = ("server", "chat")
"""Engines that are an address."""
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            DEFAULT,
            ("torch", "transformers", "safetensors"),
            install("local"),
            "in process, on a GPU or on any processor",
        ),
        Kind(
            "vllm",
            ("vllm", "torch", "transformers"),
            install("vllm"),
            "vLLM in process, on GPUs at scale",
        ),
        Kind(
            "server",
            ("tokenizers", "transformers"),
            install("local"),
            "an OpenAI-compatible completions endpoint (--url), `vllm serve` first",
        ),
        Kind(
            "chat",
            (),
            "",
            "any OpenAI-compatible chat endpoint (--url): hosted, vLLM, SGLang, Ollama, llama.cpp, LM Studio",
        ),
        Kind("fake", (), "", "no model: grades drawn from the text's digest, to try out everything else"),
    )
}


@dataclass(frozen=True)
class Serving:
    """How a judge is run: none of it is about what the judge is, but for the adapter."""

    engine: str = DEFAULT
    options: EngineOptions | None = None
    """`engines.yaml` unless given."""
    url: str | None = None
    """The endpoint of `server` or `chat`."""
    adapter: Path | None = None
    """A peft LoRA adapter's directory."""


class Judge:
    """A model behind an engine. Finding it is cheap beside `open()`, which loads the weights.

    Raises:
        InputError: There is no engine of that name, or it is asked for something that it cannot do.
        ModelError: What the engine needs is not installed, or there is no such model.
    """

    def __init__(self, model: str, serving: Serving | None = None) -> None:
        self.serving = serving or Serving()
        check_engine(self.serving.engine, self.serving.url)
        self.options = self.serving.options or default_options()
        if self.serving.engine == "chat":
            # What computes there only its operator knows: a name is all there is of it.
            self.model = JudgeModel(model, Path(), None, None, f"served as {model}")
        else:
            self.model = FAKE_MODEL if self.serving.engine == "fake" else find_model(model)

    def builder(self, guideline: Guideline, template: str, examples: Sequence[WorkedExample] = ()) -> Builder:
        """What makes this judge's prompts; `examples` are shown before each question.

        Raises:
            InputError: The template is none for this engine, or it shows no examples.
            ModelError: The guideline does not suit the judge.
        """
        if self.serving.engine == "chat":
            return ChatBuilder(guideline, template, many=self.options.chat.per_request > 1, examples=examples)
        if examples:
            raise InputError(
                f"--engine {self.serving.engine} shows no --examples: a judge that takes tokens learns from ratings",
                "fine-tune it with `judge finetune`, or ask a chat endpoint: --engine chat --url URL",
            )
        return PromptBuilder(guideline, self.tokenizer, template, self.model.context)

    @cached_property
    def chat(self) -> ChatEngine | None:
        """The endpoint, where it is one that is asked in words; it has not been reached."""
        if self.serving.engine != "chat":
            return None
        return ChatEngine(self.serving.url or "", self.model.name, self.options.chat)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return FakeTokenizer() if self.serving.engine == "fake" else ModelTokenizer(self.model.directory)

    @property
    def parts(self) -> dict[str, str | None]:
        """What the judge adds to a fingerprint. Engines are not in it: they give the same labels; but for an endpoint,
        whose computing only its operator knows, and of whose models one is named. That it applies the adapter it is
        asked as, nobody here can prove: that adapter is `declared_adapter`, and `adapter` is one that took effect."""
        model, adapter = self.model, self._adapter_digest
        parts = {"judge": model.name, "revision": model.revision, "weights": model.weights, "adapter": adapter}
        if self.serving.engine == "fake":
            return parts
        if self.chat:
            return {**parts, "endpoint": "chat completions", **self.chat.terms.parts(self.options.chat)}
        from judge.engines.transformers import best_device

        check_whole(model.directory)
        parts["tokenizer"] = model.tokenizer
        if self.serving.engine != "server":
            return {**parts, "dtype": best_device()[1]}
        declared = {"adapter": None, "declared_adapter": adapter} if adapter else {}
        served = {"served": self.options.server.model} if self.options.server.model else {}
        return {**parts, "dtype": "as served", **declared, **served}

    @cached_property
    def _adapter_digest(self) -> str | None:
        if self.serving.adapter is None:
            return None
        found = adapter_digest(self.serving.adapter)
        if found is None:
            raise ModelError(f"{self.serving.adapter}: holds no adapter", "name a peft LoRA adapter's directory")
        if self.serving.engine in ("transformers", "vllm"):  # an endpoint's adapter is its operator's to apply
            from judge.engines.applying import check_lora

            check_lora(self.serving.adapter, self.model.directory)
        return found

    @property
    def other_base(self) -> str | None:
        """The base that the adapter says it was trained on, where its name is not this model's: shapes may be the same.

        Folders differ from machine to machine, so that only the last part of a name counts.
        """
        if self.serving.adapter is None or self.serving.engine not in ("transformers", "vllm"):
            return None
        from judge.engines.lora import read_lora

        named = read_lora(self.serving.adapter).config.base_model_name_or_path or ""
        same = {_last(self.model.name), *([_last(HUB_NAME)] if self.model.name == EMBEDDED else [])}
        return named if _last(named) and _last(named) not in same else None

    def open(self) -> Engine:
        """Load the weights, or reach the endpoint."""
        serving, directory, options = self.serving, self.model.directory, self.options
        if self.chat:
            return self.chat
        if serving.engine == "fake":
            return FakeEngine()
        if serving.engine == "server":
            from judge.engines.server import ServerEngine

            return ServerEngine(serving.url, options.server)
        if serving.engine == "vllm":
            from judge.engines.vllm import VllmEngine

            return VllmEngine(directory, options.vllm, serving.adapter)
        from judge.engines.transformers import TransformersEngine

        return TransformersEngine(directory, options.transformers, serving.adapter)


def _last(name: str) -> str:
    return PurePath(name).name.partition("@")[0].casefold()


def check_engine(name: str, url: str | None = None) -> None:
    """Refuse an engine that does not exist or cannot run here, before anything long begins.

    Raises:
        InputError: There is no engine of that name, or its address is missing.
        ModelError: What it needs is not installed.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise InputError(f"--engine {name}: there is no such engine", f"name one of {', '.join(KINDS)}")
    if (name in ENDPOINTS) != (url is not None):
        what = "needs the endpoint's address" if url is None else "does not use --url"
        which = name if name in ENDPOINTS else "chat"
        raise InputError(f"--engine {name} {what}", f"give both: --engine {which} --url http://127.0.0.1:8000/v1")
    if kind.missing:
        raise ModelError(f"--engine {name} needs {', '.join(kind.missing)}", kind.install)
