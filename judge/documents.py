"""The one door for documents that other programs, other versions or other people wrote: configs, manifests, lines.

What is wrong with such a document ends in one error of ours, which names the file, the place and the fix; the words of
the library that met it stay behind. Tables of pairs and ratings have `judge.tables`; this is for everything else.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from judge.errors import InputError, JudgeError
from judge.text import encodable, one_line

Model = TypeVar("Model")
LARGEST = 256 * 1024 * 1024
"""Bytes of a document, at most: the longest honest ones are tokenizers of some tens of megabytes."""
SHOWN = 60
"""Characters of a value that a message shows."""

_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "expected": "one of"}
_BOUNDS |= {"pattern": "what fits", "min_length": "a length of at least"}


@dataclass(frozen=True)
class Kind:
    """A kind of document: what to do about a damaged one, and whose error it is.

    Args:
        fix: As one sentence or command.
        error: The class of what is raised.
        largest: Bytes that it may have.
    """

    fix: str
    error: type[JudgeError] = InputError
    largest: int = LARGEST

    def damaged(self, where: object, what: str) -> JudgeError:
        """The error for a document of this kind that is damaged at some place."""
        return self.error(f"{where}: is damaged ({what})", self.fix)


class NotJSON(ValueError):  # noqa: N818  it never leaves this project's readers
    """Why a text is not JSON that can be used, in our words."""


def load(path: Path, model: type[Model], kind: Kind) -> Model:
    """A JSON document on disk as a value of `model`: a record, or any type that pydantic checks.

    Raises:
        JudgeError: Of the kind's class, "FILE: is damaged (WHERE)"; it is absent, too long,
            not JSON, or of another shape.
    """
    return parse(read(path, kind), model, kind, path)


def parse(raw: bytes | str, model: type[Model], kind: Kind, where: object) -> Model:
    """The same of a text that is read already; `where` is what it is called, such as `FILE, line 3`.

    Raises:
        JudgeError: See `load`.
    """
    try:
        value = read_json(raw)
    except NotJSON as error:
        raise kind.damaged(where, str(error)) from None
    return check(value, model, kind, where)


def check(value: Any, model: type[Model], kind: Kind, where: object) -> Model:
    """A plain value as one of `model`.

    Raises:
        JudgeError: See `load`.
    """
    try:
        found: Model = _adapter(model).validate_python(value)  # type: ignore[arg-type]
    except ValidationError as error:
        raise kind.damaged(where, fault(error)) from None
    except (RecursionError, OverflowError):
        raise kind.damaged(where, "it is nested too deep, or has a number beyond what can be") from None
    return found


def read(path: Path, kind: Kind) -> bytes:
    """The bytes of a document.

    Raises:
        JudgeError: Of the kind's class: they cannot be read, or are too many.
    """
    with reading(path, kind), path.open("rb") as stream:
        raw = stream.read(kind.largest + 1)
    if len(raw) > kind.largest:
        raise kind.damaged(path, f"it has more than {kind.largest:,} bytes")
    return raw


@contextmanager
def reading(where: object, kind: Kind, what: str = "it cannot be read") -> Iterator[None]:
    """What a library raises at a damaged document (Arrow, DuckDB, safetensors, transformers) becomes one error of ours.

    Only the library's call stands inside: an error of our own code would be taken for the document's.

    Raises:
        JudgeError: Of the kind's class.
    """
    try:
        yield
    except JudgeError:
        raise
    except OSError as error:
        if error.errno is None:  # Arrow's, about the bytes
            raise kind.damaged(where, what) from None
        raise kind.error(f"{where}: cannot be read ({error.strerror})", kind.fix) from None
    except Exception as error:
        raise kind.damaged(where, what) from error


def read_json(raw: bytes | str) -> Any:
    """The value that a JSON text says, in which no key occurs twice and every text can be written.

    Raises:
        NotJSON: It is something else; says what and where.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=unique)
        # Half a surrogate pair is JSON, and no text.
        if ("\\ud" in text or "\\uD" in text) and not encodable(json.dumps(value, ensure_ascii=False)):
            raise NotJSON("half a character (\\ud800 to \\udfff alone)")
        return value
    except UnicodeDecodeError as error:
        raise NotJSON(f"not UTF-8 text from byte {error.start + 1:,} on") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, character {error.colno}" if error.lineno > 1 else f"character {error.pos + 1}"
        raise NotJSON(f"no JSON from {place} on") from None
    except RecursionError:
        raise NotJSON("nested too deep") from None
    except NotJSON:
        raise
    except ValueError:  # of `int`, which has a limit of digits
        raise NotJSON("a number too long") from None


def fault(error: ValidationError) -> str:
    """The first thing that is wrong with a document, in our words."""
    first = error.errors(include_url=False)[0]
    place = one_line(".".join(map(str, first["loc"])))[:SHOWN] or "it"
    kind, context = first["type"], first.get("ctx", {})
    if kind == "missing":
        return f"{place} is missing"
    if kind == "extra_forbidden":
        return f"{place}: there is no such key"
    if kind == "value_error":  # a rule of our own, said by our own code
        return f"{place}: {one_line(str(context['error']))[:200]}"
    wanted = next((f", wanted is {words} {context[name]}" for name, words in _BOUNDS.items() if name in context), "")
    return f"{place} cannot be {shown(first['input'])}{wanted}"


def shown(value: Any) -> str:
    """A value as a message shows it: one short line."""
    if isinstance(value, Mapping):
        return f"an object of {len(value):,} keys"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"a list of {len(value):,}"
    if isinstance(value, int) and value.bit_length() > 4_000:
        return "a number of thousands of digits"
    text = one_line(repr(value) if isinstance(value, str) else str(value))
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for `object_pairs_hook`.

    Raises:
        NotJSON: A key occurs twice: whatever it meant, one of them would be lost.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise NotJSON(f"the key {shown(twice)} occurs twice")
    return found


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)
