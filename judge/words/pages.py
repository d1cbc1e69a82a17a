"""HTML pages of our own templates: values are escaped, and a template reaches nothing but what it is given."""

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Protocol


class Ranged(Protocol):
    """A figure with its interval."""

    @property
    def low(self) -> float | None:
        """Its lower end."""

    @property
    def high(self) -> float | None:
        """Its upper end."""

    @property
    def reason(self) -> str | None:
        """Why there is none."""


def report_page(
    folder: Traversable, values: Mapping[str, Any], functions: Mapping[str, Any] | None = None, *, plain: bool = False
) -> str:
    """The page of `report.html.j2` in a folder, with its `style.css` and its `behaviour.js`, if it has one, inside.

    Unless it is `plain`, the style that reports share, `report.css`, comes first. The template finds them as `style`
    and `script`, with `style_hash` and `script_hash` for a policy (CSP) that allows these two alone.
    """
    from markupsafe import Markup

    shared = [] if plain else [files("judge.words").joinpath("report.css")]
    inside = {"style": [*shared, folder.joinpath("style.css")], "script": [folder.joinpath("behaviour.js")]}
    texts = {name: "".join(_text(file) for file in some if file.is_file()) for name, some in inside.items()}
    # Our own files, and the only text that is not escaped.
    own = {name: Markup(text) for name, text in texts.items() if text}  # noqa: S704
    hashes = {f"{name}_hash": _hash(text) for name, text in own.items()}
    return page(folder, "report.html.j2", {**values, **own, **hashes}, functions)


def _text(file: Traversable) -> str:
    return file.read_text(encoding="utf-8")


def number(value: float | None, digits: int = 3, sign: str = "-") -> str:
    """A figure with a true minus sign, or a dash; `sign` "+" shows the plus too."""
    return "–" if value is None else f"{round(value, digits) + 0.0:{sign},.{digits}f}".replace("-", "−")


def interval(figure: Ranged) -> str:
    """A figure's interval, or why there is none."""
    return figure.reason or "–" if figure.low is None else f"{number(figure.low)} to {number(figure.high)}"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def page(folder: Traversable, name: str, values: Mapping[str, Any], functions: Mapping[str, Any] | None = None) -> str:
    """The page of the template `name` in a folder of templates.

    `values` are for it alone, `functions` for those that it imports from the folder too. An unknown name is an error.
    """
    where: Any = folder
    return str(_environment(where, tuple((functions or {}).items())).get_template(name).render(values))


@lru_cache(maxsize=8)
def _environment(folder: Traversable, functions: tuple[tuple[str, Any], ...]) -> Any:
    """Compiled templates of one folder: to compile one takes longer than to fill it in many times."""
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(lambda part: folder.joinpath(part).read_text(encoding="utf-8")),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(functions)
    return environment
