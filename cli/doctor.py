"""`judge doctor`: what is installed, what can run, what is missing."""

import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import typer

from cli.options import Json
from cli.output import show_json, show_table

PACKAGES = ("relevance-judge", "torch", "transformers", "accelerate", "gguf", "duckdb", "pyarrow", "pydantic")


def doctor(json: Json = False) -> None:
    """Tell what is installed, which engines can run, what is missing and the command that fixes it.

    Ends with exit code 2 where the default engine or the embedded judge cannot run.

    \b
    Example:
      judge doctor
    """
    found = _look()
    if json:
        show_json(found)
    else:
        show_table([(name, value or "not installed") for name, value in found["packages"].items()])
        typer.echo()
        show_table([(name, value) for name, value in found["machine"].items()])
        typer.echo()
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
        typer.echo()
        show_table([(f"judge {found['embedded']['name']}", found["embedded"]["state"])])
        for fix in found["fixes"]:
            typer.echo(f"\nto mend: {fix}")
    if found["fixes"]:
        raise typer.Exit(2)


def _look() -> dict[str, Any]:
    from judge.embedded import embedded_state
    from judge.engines import KINDS

    packages = {name: _version(name) for name in PACKAGES}
    machine = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    if find_spec("torch"):
        from judge.engines.transformers import best_device

        device, dtype = best_device()
        machine |= {"device": _device_name(device), "number type": dtype}
    engines = {kind.name: {"about": kind.about, "missing": kind.missing} for kind in KINDS.values()}
    embedded, fix = embedded_state()
    fixes = [kind.install for kind in KINDS.values() if kind.missing] + ([fix] if fix else [])
    return {"packages": packages, "machine": machine, "engines": engines, "embedded": embedded, "fixes": fixes}


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
