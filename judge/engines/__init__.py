"""Engines: prompts in, scores out. One file each; all take the same prompts and must give the same probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from judge.engines.fake import FAKE_MODEL, FakeEngine, FakeTokenizer
from judge.engines.options import EngineOptions, default_options
from judge.engines.weights import check_whole
from judge.errors import InputError, ModelError, install
from judge.fingerprint import adapter_digest
from judge.models.model import find_model
from judge.records import Failure, Prompt, Scores
from judge.words.tokenizer import ModelTokenizer, Tokenizer


class Engine(Protocol):
    """What judges. State between calls is a cache and never changes a result."""

    block: int
    """How many prompts it likes to get at once."""

    def score(self, prompts: Sequence[Prompt]) -> list[Scores | Failure]:
        """Scores of some prompts, in their order. Prompts of one query come together.

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
    """The endpoint of `server`."""
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
        self.model = FAKE_MODEL if self.serving.engine == "fake" else find_model(model)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return FakeTokenizer() if self.serving.engine == "fake" else ModelTokenizer(self.model.directory)

    @property
    def parts(self) -> dict[str, str | None]:
        """What the judge adds to a fingerprint. Engines are not in it: they give the same labels; but for an endpoint,
        whose computing only its operator knows, and of whose models one is named."""
        model, adapter = self.model, self._adapter_digest
        parts = {"judge": model.name, "revision": model.revision, "weights": model.weights, "adapter": adapter}
        if self.serving.engine == "fake":
            return parts
        from judge.engines.transformers import best_device

        check_whole(model.directory)
        parts["tokenizer"] = model.tokenizer
        if self.serving.engine != "server":
            return {**parts, "dtype": best_device()[1]}
        options = self.serving.options or default_options()
        return {**parts, "dtype": "as served", **({"served": options.server.model} if options.server.model else {})}

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

    def open(self) -> Engine:
        """Load the weights, or reach the endpoint."""
        serving, directory = self.serving, self.model.directory
        options = serving.options or default_options()
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


def check_engine(name: str, url: str | None = None) -> None:
    """Refuse an engine that does not exist or cannot run here, before anything long begins.

    Raises:
        InputError: There is no engine of that name, or its address is missing.
        ModelError: What it needs is not installed.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise InputError(f"--engine {name}: there is no such engine", f"name one of {', '.join(KINDS)}")
    if (name == "server") != (url is not None):
        what = "needs the endpoint's address" if url is None else "does not use --url"
        raise InputError(f"--engine {name} {what}", "give both: --engine server --url http://127.0.0.1:8000/v1")
    if kind.missing:
        raise ModelError(f"--engine {name} needs {', '.join(kind.missing)}", kind.install)
