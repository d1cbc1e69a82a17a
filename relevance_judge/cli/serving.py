"""The options that say how a judge is run, shared by the verbs that run one."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from judge.engines import Judge, Serving
    from judge.engines.options import EngineOptions

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


def default_judge(engine: str) -> str:
    """Who judges unless a judge is named: the shipped adapter where the engine can apply it, else its base.

    Raises:
        InputError: Only the user knows what an endpoint serves.
    """
    from judge.errors import InputError
    from judge.models.embedded import EMBEDDED
    from judge.models.shipped import SHIPPED, shipped_directory

    if engine == "chat":
        raise InputError("--engine chat needs --judge: the model's name at the endpoint", "add --judge MODEL")
    if engine == "server":
        raise InputError(
            "--engine server needs --judge: prompts go as token ids, which are other words to another model",
            "name the model that the endpoint serves: --judge MODEL",
        )
    return SHIPPED if engine in ("transformers", "vllm") and shipped_directory(SHIPPED) else EMBEDDED


def note_other_base(judge: "Judge") -> None:
    """A note on standard error where an adapter names another base than the one it is put on."""
    from relevance_judge.cli.output import show

    if named := judge.other_base:
        fix = "if these are other weights, its labels mean nothing"
        show(f"note: the adapter names {named[:80]!r} as its base, and is put on {judge.model.name!r}: {fix}", err=True)


def read_serving(
    engine: str,
    url: str | None,
    config: Path | None,
    adapter: Path | None,
    taught: Path | None = None,
    judge: str | None = None,
    **chat: int | None,
) -> "Serving":
    """The options as one record, checked as far as that takes no loading.

    `taught` is the adapter of a judge that was taught here: an endpoint must serve it, and the fake has no use for it,
    but it is part of who judges all the same. `judge` is who was named: the fake refuses one, unless it was taught how
    to be asked. `chat` are keys of that section of the options that were given on the command line.
    """
    from judge.engines import Serving, check_engine
    from judge.engines.options import load_options
    from judge.errors import InputError

    check_engine(engine, url)
    if adapter is not None and engine in ("server", "chat", "fake"):
        raise InputError(
            f"--engine {engine} applies no --adapter",
            "have the endpoint serve the adapter, and name it as server.model in --engine-config",
        )
    if engine == "fake" and judge is not None and taught is None:
        raise InputError(
            f"--engine fake asks no --judge {judge}",
            "leave --judge out, or name another engine: `judge doctor` lists them",
        )
    if adapter is not None and (adapter / "judge.json").is_file():
        raise InputError(f"--adapter {adapter}: is a taught judge, which says how it is asked", f"--judge {adapter}")
    if adapter is not None and taught is not None:
        raise InputError(
            f"--adapter {adapter}: {judge or 'the default judge'} is an adapter already", "name its base with --judge"
        )
    options = _changed(load_options(config), engine, chat)
    if engine == "server" and taught is not None and not options.server.model:
        raise InputError(
            f"--judge {judge or taught}: is an adapter, and only its endpoint knows which of its models applies it",
            "name the model that does: server.model in --engine-config",
        )
    return Serving(engine, options, url, adapter or taught)


def _changed(options: "EngineOptions", engine: str, given: Mapping[str, int | None]) -> "EngineOptions":
    """The options with what the command line says over them."""
    from pydantic import ValidationError

    from judge.errors import InputError

    wanted = {name: value for name, value in given.items() if value is not None}
    for name in wanted:
        if engine != "chat" and not (engine == "server" and name == "concurrency"):
            raise InputError(f"--engine {engine} does not use --{name.replace('_', '-')}", "leave it out")
    try:
        return options.changed(**{engine: wanted}) if wanted else options
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][-1]).replace("_", "-")
        raise InputError(f"--{name} {first['input']}: {first['msg']}", "give a number in that range") from None
