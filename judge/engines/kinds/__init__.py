"""Engines that can be named: a module for each, which holds an `EngineKind`.

Nothing else knows them by name: what one can do stands in its fields.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeVar

from judge.engines.options import EngineOptions
from judge.engines.weights import check_whole
from judge.errors import InputError, ModelError
from judge.models.model import JudgeModel, find_model
from judge.records import Outcome, Pair, Record, WorkedExample
from judge.registry import registered
from judge.words.guideline import Guideline
from judge.words.tokenizer import ModelTokenizer, Tokenizer

Section = TypeVar("Section", bound=Record)


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
class Setup:
    """What an engine is made of."""

    model: JudgeModel
    options: EngineOptions
    url: str | None = None
    adapter: Path | None = None
    """A peft LoRA adapter's directory."""
    adapter_digest: str | None = None

    def section(self, kind: type[Section]) -> Section:
        """The engine's own options."""
        return next(value for _, value in self.options if isinstance(value, kind))


def weights_parts(setup: Setup) -> dict[str, str | None]:
    """What weights that run in this process add to a fingerprint: the tokenizer, and the type of numbers."""
    from judge.engines.transformers import best_device

    check_whole(setup.model.directory)
    return {"tokenizer": setup.model.tokenizer, "dtype": best_device()[1]}


@dataclass(frozen=True, kw_only=True)
class EngineKind:
    """An engine that can be named: what it needs, what it can do, and how it is made."""

    name: str
    """What `--engine` takes."""
    help: str
    order: int
    """Its place in lists."""
    make: Callable[[Setup], Engine]
    """Load the weights, or reach the endpoint."""
    probabilities: str
    """When it tells them, in a few words."""
    modules: tuple[str, ...] = ()
    """What must be installed."""
    install: str = ""
    """The command that installs it."""
    optional: bool = False
    """Whether its absence is no fault: another engine does its work."""
    options: type[Record] | None = None
    """Its section of the engines' options; for a section that engines.yaml does not have, with a default for each."""
    flags: frozenset[str] = frozenset()
    """Keys of that section, and `price`, that have an option on the command line."""
    endpoint: bool = False
    """Whether it is an address."""
    in_words: bool = False
    """Whether it is asked in messages at a chat endpoint (`make` gives a `ChatEngine`); else by token ids."""
    adapter: bool = False
    """Whether it applies a LoRA adapter itself."""
    modelless: bool = False
    """Whether it has no model, so that naming a judge says nothing."""
    unnamed: tuple[str, str] | None = None
    """Why a judge must be named, and what to do; null where there is a default."""
    served: Callable[[EngineOptions], str] | None = None
    """Of an endpoint that can apply adapters: the name of its model that does."""
    find: Callable[[str], JudgeModel] = find_model
    """The model of a name; cheap next to `make`."""
    tokenizer: Callable[[JudgeModel], Tokenizer] = lambda model: ModelTokenizer(model.directory)
    builder: Callable[[Guideline, str, EngineOptions, Sequence[WorkedExample]], Builder] | None = None
    """Makes its prompts, of guideline, template, options and worked examples; token ids of its tokenizer unless given,
    without examples."""
    parts: Callable[[Setup], Mapping[str, str | None]] = weights_parts
    """What it adds to a fingerprint beyond name and weights."""

    @property
    def missing(self) -> list[str]:
        """Modules that are not installed; none are imported to find out."""
        return [name for name in self.modules if find_spec(name) is None]


def engine_kinds() -> Mapping[str, EngineKind]:
    """Every engine by name, in the order of lists."""
    return registered(__name__, EngineKind)


def option_sections() -> dict[str, type[Record]]:
    """The sections of options that engines understand, by engine."""
    return {name: kind.options for name, kind in engine_kinds().items() if kind.options is not None}


def find_engine(name: str) -> EngineKind:
    """The engine of a name, whether it can run here or not.

    Raises:
        InputError: There is none.
    """
    if name not in engine_kinds():
        raise InputError(f"--engine {name}: there is no such engine", f"name one of {', '.join(engine_kinds())}")
    return engine_kinds()[name]


def check_engine(name: str, url: str | None = None) -> EngineKind:
    """An engine that can run here; any other is refused before anything long begins.

    Raises:
        InputError: There is no engine of that name, or its address is missing.
        ModelError: What it needs is not installed.
    """
    kind = find_engine(name)
    if kind.endpoint != (url is not None):
        what = "needs the endpoint's address" if url is None else "does not use --url"
        which = name if kind.endpoint else next(other.name for other in engine_kinds().values() if other.in_words)
        raise InputError(f"--engine {name} {what}", f"give both: --engine {which} --url http://127.0.0.1:8000/v1")
    if kind.missing:
        raise ModelError(f"--engine {name} needs {', '.join(kind.missing)}", kind.install)
    return kind
