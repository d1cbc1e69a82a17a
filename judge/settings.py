"""YAML as people write it by hand: guidelines, settings, a card's metadata."""

from typing import Any

import yaml


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


def why_unreadable(error: Exception) -> str:
    """Why a file of settings cannot be read, of what opening it or `read_yaml` raised."""
    if isinstance(error, OSError):
        return error.strerror or "the disk does not give it"
    return "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
