"""Where the words that ship lie: guidelines and prompts, which people read and change at the top of the repository."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal


def shipped_folder(name: Literal["guidelines", "prompts"]) -> Traversable:
    """The folder of the guidelines, or of the prompt templates, that ship.

    A wheel holds it in this package (`tool.hatch.build.targets.wheel.sources` of pyproject.toml); a checkout, which is
    what an editable install imports, at its top.
    """
    installed = files("judge.words").joinpath(name)
    if installed.is_dir():
        return installed
    return files("judge").joinpath("..", name)


def shipped_names(name: Literal["guidelines", "prompts"], suffix: str) -> list[str]:
    """The names of the files of one suffix in it, sorted, without the suffix."""
    found = (file.name for file in shipped_folder(name).iterdir())
    return sorted(file.removesuffix(suffix) for file in found if file.endswith(suffix))


def shipped_text(name: Literal["guidelines", "prompts"], file: str) -> str:
    """The text of one file in it."""
    return shipped_folder(name).joinpath(file).read_text(encoding="utf-8")
