"""The prompt templates that ship with the package: their texts, digests and compiled forms."""

from functools import lru_cache
from hashlib import sha256

from jinja2 import StrictUndefined, Template, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from judge.errors import InputError
from judge.words.folders import shipped_names, shipped_text

TEMPLATE = "judge.v1"
"""What a judge is asked by unless told otherwise."""
OVERLAP = "overlap"
"""The slot of a template that wants to know which of the query's words the candidate has."""


def template_text(name: str = TEMPLATE) -> str:
    """The text of a prompt template that ships with the package.

    Raises:
        InputError: There is none of that name.
    """
    known = shipped_names("prompts", ".j2")
    if name not in known:
        raise InputError(f"no template {name!r}", f"name one of {', '.join(known)}")
    return shipped_text("prompts", f"{name}.j2")


def compiled(name: str = TEMPLATE) -> Template:
    """A prompt template that ships with the package, compiled once in a process.

    Raises:
        InputError: There is none of that name.
    """
    return _compiled(template_text(name))


@lru_cache(maxsize=8)
def _compiled(text: str) -> Template:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text)


def reads_overlap(name: str = TEMPLATE) -> bool:
    """Whether a template has the slot `OVERLAP`, so that its prompts depend on which words a text has."""
    return OVERLAP in meta.find_undeclared_variables(ImmutableSandboxedEnvironment().parse(template_text(name)))


def template_digest(name: str = TEMPLATE) -> str:
    """SHA-256 (hex) of a template's text."""
    return sha256(template_text(name).encode()).hexdigest()
