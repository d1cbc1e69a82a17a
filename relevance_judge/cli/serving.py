"""Who judges and what runs it: options shared by the verbs that ask a judge."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from click import Option

from relevance_judge.cli.params import count, file, text
from relevance_judge.serving import default_judge, read_serving

if TYPE_CHECKING:
    from judge.engines import Judge, Serving
    from judge.labelling.config import JudgeConfig


@dataclass(frozen=True)
class EndpointParams:
    """What an engine is told."""

    url: Annotated[str | None, text("--url", "URL", "The endpoint's root for --engine server or chat: http://…/v1.")]
    engine_config: Annotated[
        Path | None, file("--engine-config", "FILE", "Options of the engine; see docs/serving.md.")
    ]


@dataclass(frozen=True)
class EngineParams(EndpointParams):
    """What runs a judge."""

    engine: Annotated[
        str,
        Option(
            ["--engine"], metavar="NAME", default="transformers", help="What runs the judge; `judge doctor` lists them."
        ),
    ]


@dataclass(frozen=True)
class JudgeParams(EngineParams):
    """Who judges, and what runs it."""

    judge: Annotated[
        str | None,
        text(
            "--judge",
            "MODEL",
            "shop-135m (embedded and fine-tuned; the default), smollm2-135m (its base), a model or adapter directory, "
            "a GGUF file, or owner/name[@revision] or owner/name/FILE.gguf[@revision] of the Hub.",
        ),
    ]
    guideline: Annotated[
        str | None,
        text(
            "--guideline",
            "NAME|FILE",
            "What relevance means; unless given, what the judge was fine-tuned on, or three-level.",
        ),
    ]
    adapter: Annotated[Path | None, file("--adapter", "FOLDER", "A peft LoRA adapter for the judge.")]

    @property
    def name(self) -> str:
        """Who was named, or the default judge of the engine."""
        return self.judge or default_judge(self.engine)

    @property
    def chat(self) -> bool:
        """Whether the judge is asked in words."""
        from judge.engines.kinds import find_engine

        return find_engine(self.engine).in_words

    def serving(self, judge_config: "JudgeConfig") -> "Serving":
        """How the judge is run, checked as far as that takes no loading."""
        return read_serving(
            self.engine, self.url, self.engine_config, self.adapter, judge_config.adapter, self.judge, **self.asking
        )

    @property
    def asking(self) -> dict[str, int | None]:
        """What the command line says of how an endpoint is asked."""
        return {}


@dataclass(frozen=True)
class LabellingParams(JudgeParams):
    """Who judges, what runs it, and how an endpoint is asked."""

    samples: Annotated[
        int | None,
        count(
            "--samples",
            "chat: draw K answers for each pair; their shares are probabilities.",
            metavar="K",
            least=None,
        ),
    ]
    per_request: Annotated[
        int | None, count("--per-request", "chat: ask about up to N candidates of a query at once.", least=None)
    ]
    concurrency: Annotated[int | None, count("--concurrency", "server, chat: requests under way at once.", least=None)]

    @property
    def asking(self) -> dict[str, int | None]:
        """What the command line says of how an endpoint is asked."""
        return {"samples": self.samples, "per_request": self.per_request, "concurrency": self.concurrency}


def note_other_base(judge: "Judge") -> None:
    """A note on standard error where an adapter names another base than the one it is put on."""
    from relevance_judge.cli.output import show

    if named := judge.other_base:
        fix = "if these are other weights, its labels mean nothing"
        show(f"note: the adapter names {named[:80]!r} as its base, and is put on {judge.model.name!r}: {fix}", err=True)
