"""Engines: prompts in, what the judge says of each out. Those that take token ids get the same ones, and must give the
same probabilities; `chat` asks in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from judge.engines.chat.engine import ChatEngine
from judge.engines.kinds import Builder, Engine, Setup, check_engine, engine_kinds, option_sections
from judge.engines.options import EngineOptions, load_options
from judge.errors import InputError, ModelError
from judge.fingerprint import adapter_digest
from judge.models.embedded import EMBEDDED, HUB_NAME
from judge.models.model import JudgeModel
from judge.records import WorkedExample
from judge.words.guideline import Guideline
from judge.words.prompt import PromptBuilder
from judge.words.tokenizer import Tokenizer

__all__ = ["DEFAULT", "Builder", "Engine", "Judge", "JudgeModel", "Serving"]

DEFAULT = "transformers"


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
    """A model behind an engine. Finding it is cheap compared with `open()`, which loads the weights.

    Raises:
        InputError: There is no engine of that name, or it is asked for something that it cannot do.
        ModelError: What the engine needs is not installed, or there is no such model.
    """

    def __init__(self, model: str, serving: Serving | None = None) -> None:
        self.serving = serving or Serving()
        self.kind = check_engine(self.serving.engine, self.serving.url)
        self.options = self.serving.options or load_options(more=option_sections())
        self.model = self._find(model)

    def _find(self, name: str) -> JudgeModel:
        try:
            return self.kind.find(name)
        except ModelError:
            if name not in engine_kinds():
                raise
            url = " --url URL" if engine_kinds()[name].endpoint else ""
            fix = f"name it with --engine {name}{url}, and give a model in its place"
            raise ModelError(f"no judge {name!r}: it is an engine", fix) from None

    def builder(self, guideline: Guideline, template: str, examples: Sequence[WorkedExample] = ()) -> Builder:
        """What makes this judge's prompts; `examples` are shown before each question.

        Raises:
            InputError: The template is none for this engine, or it shows no examples.
            ModelError: The guideline does not suit the judge.
        """
        if self.kind.builder is not None:
            return self.kind.builder(guideline, template, self.options, examples)
        if examples:
            raise InputError(
                f"--engine {self.kind.name} shows no --examples: a judge that takes tokens learns from ratings",
                "fine-tune it with `judge finetune`, or ask a chat endpoint: --engine chat --url URL",
            )
        return PromptBuilder(guideline, self.tokenizer, template, self.model.context)

    @cached_property
    def chat(self) -> ChatEngine | None:
        """The endpoint, where it is one that is asked in words; it has not been reached."""
        if not self.kind.in_words:
            return None
        engine = self.kind.make(self._setup(None))
        assert isinstance(engine, ChatEngine)
        return engine

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self.kind.tokenizer(self.model)

    @property
    def parts(self) -> dict[str, str | None]:
        """What the judge adds to a fingerprint. Engines are not in it: they give the same labels; but for an endpoint,
        whose computing only its operator knows, and of whose models one is named."""
        model, adapter = self.model, self._adapter_digest
        parts = {"judge": model.name, "revision": model.revision, "weights": model.weights, "adapter": adapter}
        if self.chat:
            return {**parts, "endpoint": "chat completions", **self.chat.terms.parts(self.options.chat)}
        return {**parts, **self.kind.parts(self._setup(adapter))}

    def _setup(self, adapter: str | None) -> Setup:
        return Setup(self.model, self.options, self.serving.url, self.serving.adapter, adapter)

    @cached_property
    def _adapter_digest(self) -> str | None:
        if self.serving.adapter is None:
            return None
        found = adapter_digest(self.serving.adapter)
        if found is None:
            raise ModelError(f"{self.serving.adapter}: holds no adapter", "name a peft LoRA adapter's directory")
        if self.kind.adapter:  # an endpoint's adapter is its operator's to apply
            from judge.engines.applying import check_lora

            check_lora(self.serving.adapter, self.model.directory)
        return found

    @property
    def other_base(self) -> str | None:
        """The base that the adapter says it was trained on, where its name is not this model's: shapes may be the same.

        Folders differ from machine to machine, so that only the last part of a name counts.
        """
        if self.serving.adapter is None or not self.kind.adapter:
            return None
        from judge.engines.lora import read_lora

        named = read_lora(self.serving.adapter).config.base_model_name_or_path or ""
        same = {_last(self.model.name), *([_last(HUB_NAME)] if self.model.name == EMBEDDED else [])}
        return named if _last(named) and _last(named) not in same else None

    def open(self) -> Engine:
        """Load the weights, or reach the endpoint."""
        return self.chat or self.kind.make(self._setup(None))


def _last(name: str) -> str:
    return PurePath(name).name.partition("@")[0].casefold()
