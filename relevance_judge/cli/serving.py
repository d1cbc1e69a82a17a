"""The options that say how a judge is run, shared by the verbs that run one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from judge.engines import Judge

JudgeName = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="MODEL",
        help="shop-135m (embedded and taught; the default), smollm2-135m (its base), a model or adapter directory, a "
        "GGUF file, or owner/name[@revision] or owner/name/FILE.gguf[@revision] of the Hub.",
    ),
]
JudgeGuideline = Annotated[
    str | None,
    typer.Option(
        "--guideline",
        metavar="NAME|FILE",
        help="What relevance means; unless given, what the judge was taught, or three-level.",
    ),
]
EngineName = Annotated[str, typer.Option("--engine", metavar="NAME", help="What runs the judge; see `judge doctor`.")]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="The endpoint's root for --engine server or chat: http://…/v1."),
]
EngineConfig = Annotated[
    Path | None, typer.Option("--engine-config", metavar="FILE", help="What the engine is told; see docs/serving.md.")
]
Adapter = Annotated[Path | None, typer.Option("--adapter", metavar="FOLDER", help="A peft LoRA adapter for the judge.")]
Samples = Annotated[
    int | None,
    typer.Option("--samples", metavar="K", help="chat: draw K answers for each pair; their shares are probabilities."),
]
PerRequest = Annotated[
    int | None,
    typer.Option("--per-request", metavar="N", help="chat: ask about up to N candidates of a query at once."),
]
Concurrency = Annotated[
    int | None, typer.Option("--concurrency", metavar="N", help="server, chat: requests under way at once.")
]


def note_other_base(judge: "Judge") -> None:
    """A note on standard error where an adapter names another base than the one it is put on."""
    from relevance_judge.cli.output import show

    if named := judge.other_base:
        fix = "if these are other weights, its labels mean nothing"
        show(f"note: the adapter names {named[:80]!r} as its base, and is put on {judge.model.name!r}: {fix}", err=True)
