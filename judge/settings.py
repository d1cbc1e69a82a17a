"""YAML as people write it by hand: guidelines, settings, a card's metadata."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from judge.documents import fault
from judge.errors import InputError

Settings = TypeVar("Settings", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """Safe values without anchors and aliases: some lines of these can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if event.anchor is not None:
            line = event.start_mark.line + 1
            raise yaml.YAMLError(f"anchors (&) and aliases (*) are not taken: write it out, line {line}")
        return super().compose_node(parent, index)


def read_yaml(text: str) -> Any:
    """What a YAML text says, in plain values.

    Raises:
        yaml.YAMLError: It is no YAML, has an anchor or alias, or a value that cannot be.
    """
    return deepcopy(_parsed(text))  # a caller may change what it gets


@lru_cache(maxsize=16)
def _parsed(text: str) -> Any:
    """The same, parsed once: a guideline takes longer to parse than to use."""
    try:
        return _Loader(text).get_single_data()
    except RecursionError:
        raise yaml.YAMLError("nested too deep") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise yaml.YAMLError(f"{place}not YAML from there on; look at the indentation and the quotes") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise yaml.YAMLError(f"line {line}: a control character") from None
    except ValueError:
        raise yaml.YAMLError("a day that no calendar has, or a number too long") from None


def yaml_lines(text: str) -> Callable[[Sequence[int | str]], int]:
    """Where a YAML text says something: from keys and places in lists to the line, counted from 1. What is not there is
    on the line of what should hold it."""
    root = _Loader(text).get_single_node()

    def line_of(path: Sequence[int | str]) -> int:
        node, line = root, root.start_mark.line if root else 0
        for part in path:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == part), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line
            else:
                break
        return int(line) + 1

    return line_of


def load_settings(
    kind: type[Settings],
    package: str,
    file: str,
    path: Path | None = None,
    below: Mapping[str, Any] | None = None,
    current: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> Settings:
    """Settings as the commented YAML `file` of a package has them, with a user's file over it, section by section;
    `current` gives keys that were renamed their new names.

    `below` lies between the two; what the user's file says of a key takes the place of what `below` says.

    Raises:
        InputError: The user's file cannot be read, has a key that does not exist, or a value that cannot be.
    """
    shipped = f"{package.replace('.', '/')}/{file}"
    defaults = read_yaml(files(package).joinpath(file).read_text(encoding="utf-8"))
    if path is None:
        return kind.model_validate({**defaults, **(below or {})})
    try:
        given = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read ({_why(error)})", f"name a YAML file like {shipped}") from None
    if not isinstance(given, dict | None):
        raise InputError(f"{path}: holds no keys", f"write lines of `key: value`, as {shipped} does")
    try:
        own = current(given or {})
        under = {name: value for name, value in (below or {}).items() if name not in own}
        return kind.model_validate(over({**defaults, **under}, own))
    except ValidationError as error:
        raise InputError(f"{path}, {fault(error)}", f"{shipped} lists the keys and values") from None


def as_yaml(settings: BaseModel) -> str:
    """Settings as YAML that `load_settings` reads back."""
    return str(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def over(below: Any, above: Any) -> Any:
    """Values with others over them: of two mappings key by key, else the others alone."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {**below, **{name: over(below.get(name), value) for name, value in above.items()}}


def _why(error: Exception) -> str:
    """Why a file of settings cannot be read, of what opening it or `read_yaml` raised."""
    if isinstance(error, OSError):
        return error.strerror or "the disk does not give it"
    return "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
