"""Engines: prompts in, scores out. One file each; all take the same prompts and must give the same probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from judge.engines.fake import FAKE_MODEL, FakeEngine, FakeTokenizer
from judge.errors import InputError, ModelError
from judge.fingerprint import digest, file_digest
from judge.model import find_model
from judge.records import Failure, Prompt, Scores
from judge.tokenizer import ModelTokenizer, Tokenizer


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
            "pip install 'relevance-judge[local]'",
            "in process, on a GPU or on any processor",
        ),
        Kind("fake", (), "", "no model: grades drawn from the text's digest, to try out everything else"),
    )
}


class Judge:
    """A model behind an engine. Finding it is cheap beside `open()`, which loads the weights.

    Raises:
        InputError: There is no engine of that name.
        ModelError: What the engine needs is not installed, or there is no such model.
    """

    def __init__(self, model: str, engine: str = DEFAULT, adapter: Path | None = None) -> None:
        check_engine(engine)
        self.engine = engine
        self.adapter = adapter
        self.model = FAKE_MODEL if engine == "fake" else find_model(model)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return FakeTokenizer() if self.engine == "fake" else ModelTokenizer(self.model.directory)

    @property
    def parts(self) -> dict[str, str | None]:
        """What the judge adds to a fingerprint. Engines are not in it: they give the same labels."""
        parts = {"judge": self.model.name, "revision": self.model.revision, "weights": self.model.weights}
        if self.engine == "fake":
            return parts
        from judge.engines.transformers import best_device

        return {**parts, "tokenizer": self.model.tokenizer, "dtype": best_device()[1], "adapter": self._adapter_digest}

    @cached_property
    def _adapter_digest(self) -> str | None:
        if self.adapter is None:
            return None
        return digest({path.name: file_digest(path) for path in sorted(self.adapter.glob("adapter_*"))})

    def open(self) -> Engine:
        """Load the weights."""
        if self.engine == "fake":
            return FakeEngine()
        from judge.engines.transformers import TransformersEngine

        return TransformersEngine(self.model.directory, adapter=self.adapter)


def check_engine(name: str) -> None:
    """Refuse an engine that does not exist or cannot run here, before anything long begins.

    Raises:
        InputError: There is no engine of that name.
        ModelError: What it needs is not installed.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise InputError(f"--engine {name}: there is no such engine", f"name one of {', '.join(KINDS)}")
    if kind.missing:
        raise ModelError(f"--engine {name} needs {', '.join(kind.missing)}", kind.install)
