"""Write docs/api.md out of the docstrings of `relevance_judge`: `python docs/write_api.py`."""

import ast
import inspect
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "api.md"
ORDER = (
    "Judge",
    "validate",
    "label",
    "plan",
    "PlannedOptions",
    "status",
    "finish",
    "refresh",
    "ensemble",
    "import_ratings",
    "Run",
    "calibrate",
    "agree",
    "audit",
    "mine",
    "queries",
    "export",
    "push",
    "finetune",
    "train",
    "search",
    "evaluate",
)
"""What a user meets first; what these take and give back follows, then the errors."""
HEAD = """# The Python API

Made from docstrings by `python docs/write_api.py`; a test checks that it is current. A first walk through it is
[examples/notebook.ipynb](../examples/notebook.ipynb).
"""


def document() -> str:
    """The whole page."""
    import relevance_judge as rj

    rest = [name for name in rj.__all__ if name not in ORDER]
    errors = [name for name in rest if inspect.isclass(found := getattr(rj, name)) and issubclass(found, Exception)]
    parts = [HEAD, f"```python\n{_example(rj)}\n```\n"]
    parts += [_entry(name, getattr(rj, name)) for name in (*ORDER, *(name for name in rest if name not in errors))]
    parts.append("## Errors\n")
    parts.append(f"```\n{inspect.cleandoc(sys.modules['judge.errors'].__doc__ or '').split(chr(10) * 2)[1]}\n```\n")
    return "\n".join(parts).rstrip() + "\n"


def _example(module: Any) -> str:
    """The example of the module's docstring; what stands behind a line becomes its comment."""
    lines = [line[4:] for line in (module.__doc__ or "").split("\n") if line.startswith("    ") or not line.strip()]
    code = "\n".join(lines).strip("\n")
    return re.sub(r"^(\S.*?\)) {2,}(\S.*)$", r"\1  # \2", code, flags=re.M)


def _entry(name: str, found: Any) -> str:
    parts = [f"## {name}\n", f"```python\n{name}{_signature(found)}\n```\n"]
    if inspect.isclass(found) and issubclass(found, dict) and hasattr(found, "__required_keys__"):
        parts.pop()  # a TypedDict: its keys are in its docstring
    parts.append(_text(found))
    if inspect.isclass(found):
        parts += _members(found)
    return "\n".join(parts)


def _members(found: type) -> list[str]:
    """Fields, methods and properties that the class itself says something of."""
    parts = [f"- `{name}`: {text}" for name, text in _fields(found)]
    parts += [""] if parts else []
    for name, member in vars(found).items():
        if name.startswith("_") or not inspect.getdoc(member) or not hasattr(member, "__doc__"):
            continue
        if isinstance(member, property) or type(member).__name__ == "cached_property":
            parts.append(f"### {found.__name__}.{name}\n\n{_text(member)}")
        elif callable(member) or isinstance(member, classmethod):
            call = f"{found.__name__}.{name}{_signature(getattr(found, name))}"
            parts.append(f"### {found.__name__}.{name}\n\n```python\n{call}\n```\n\n{_text(member)}")
    return parts


def _fields(found: type) -> list[tuple[str, str]]:
    """Fields with the text under each: it is in the source alone."""
    body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(found))).body[0]
    assert isinstance(body, ast.ClassDef)
    return [
        (line.target.id, " ".join(str(text.value.value).split()))
        for line, text in pairwise(body.body)
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    ]


def _signature(found: Any) -> str:
    """Parameters a line each, as they are written in the code; without types where the default says enough."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return ""
    kept = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values() if p.name != "self"]
    text = str(signature.replace(parameters=kept, return_annotation=inspect.Signature.empty))
    return text if len(text) < 100 else text.replace("(", "(\n    ", 1).replace(", ", ",\n    ")[:-1] + ",\n)"


def _text(found: Any) -> str:
    """A docstring, its sections as lists."""
    lines, item = [], re.compile(r"^    (\w[\w, ]*): (.*)$")
    for line in (inspect.getdoc(found) or "").split("\n"):
        if re.fullmatch(r"(Args|Raises|Returns):", line):
            lines += [f"**{ {'Args': 'Parameters'}.get(line[:-1], line[:-1]) }**", ""]
        elif match := item.match(line):
            lines.append(f"- `{match[1]}`: {match[2]}")
        elif line.startswith("        "):
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line.removeprefix("    "))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    OUT.write_text(document(), encoding="utf-8")
