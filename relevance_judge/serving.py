"""Who judges and what runs it, from what a user says: for the verbs and for `Judge`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from judge.engines import Serving
    from judge.engines.kinds import EngineKind
    from judge.engines.options import EngineOptions
    from judge.run.usage import Price


def default_judge(engine: str) -> str:
    """Who judges unless a judge is named: the shipped adapter where the engine can apply it, else its base.

    Raises:
        InputError: Only the user knows what an endpoint serves.
    """
    from judge.engines.kinds import find_engine
    from judge.errors import InputError
    from judge.models.embedded import EMBEDDED
    from judge.models.shipped import SHIPPED, shipped_directory

    kind = find_engine(engine)
    if kind.unnamed is not None:
        raise InputError(*kind.unnamed)
    return SHIPPED if kind.adapter and shipped_directory(SHIPPED) else EMBEDDED


def read_rate(engine: str, price: str | None) -> "Price | None":
    """What a chat endpoint's tokens cost, null unless told.

    Raises:
        InputError: It says something else, or the engine costs nothing.
    """
    from judge.engines.kinds import find_engine
    from judge.errors import InputError
    from judge.run.usage import read_price

    rate = read_price(price) if price else None
    if rate and "price" not in find_engine(engine).flags:
        raise InputError(f"--engine {engine} does not use --price", "leave it out")
    return rate


def read_serving(
    engine: str,
    url: str | None,
    config: Path | None,
    adapter: Path | None,
    fine_tuned: Path | None = None,
    judge: str | None = None,
    **chat: int | None,
) -> "Serving":
    """The options as one record, checked as far as that takes no loading.

    `fine_tuned` is the adapter of a judge of `judge finetune`: an endpoint must serve it. The fake engine does not use
    it, and it is still part of the fingerprint. `judge` is who was named: the fake refuses one without a `judge.json`.
    `chat` are keys of that section of the options that were given on the command line.
    """
    from judge.engines import Serving
    from judge.engines.kinds import check_engine, option_sections
    from judge.engines.options import load_options
    from judge.errors import InputError

    kind = check_engine(engine, url)
    if adapter is not None and not kind.adapter:
        raise InputError(
            f"--engine {engine} applies no --adapter",
            "have the endpoint serve the adapter, and name it as server.model in --engine-config",
        )
    if kind.modelless and judge is not None and fine_tuned is None:
        raise InputError(
            f"--engine fake does not use --judge {judge}",
            "drop --judge, or name another engine: `judge doctor` lists them",
        )
    if adapter is not None and (adapter / "judge.json").is_file():
        raise InputError(f"--adapter {adapter}: is a judge by itself (it has a judge.json)", f"--judge {adapter}")
    if adapter is not None and fine_tuned is not None:
        raise InputError(
            f"--adapter {adapter}: {judge or 'the default judge'} is an adapter already", "name its base with --judge"
        )
    options = _changed(load_options(config, option_sections()), kind, chat)
    if fine_tuned is not None and kind.served is not None and not kind.served(options):
        raise InputError(
            f"--judge {judge or fine_tuned}: is an adapter, and only its endpoint knows which of its models applies it",
            "name the model that does: server.model in --engine-config",
        )
    return Serving(engine, options, url, adapter or fine_tuned)


def _changed(options: "EngineOptions", kind: "EngineKind", given: Mapping[str, int | None]) -> "EngineOptions":
    """The options with what the command line says over them."""
    from pydantic import ValidationError

    from judge.errors import InputError

    wanted = {name: value for name, value in given.items() if value is not None}
    for name in wanted:
        if name not in kind.flags:
            raise InputError(f"--engine {kind.name} does not use --{name.replace('_', '-')}", "leave it out")
    try:
        return options.changed(**{kind.name: wanted}) if wanted else options
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][-1]).replace("_", "-")
        raise InputError(f"--{name} {first['input']}: {first['msg']}", "give a number in that range") from None
