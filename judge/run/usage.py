"""What asking a chat endpoint takes: requests, tokens, and what they cost at a price."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judge.documents import Kind, NotJSON, check, read_json
from judge.errors import InputError, RunError
from judge.records import Record

MILLION = 1_000_000
JOURNAL = Kind("fix or remove the line", RunError)
FILE = "answers.jsonl"
"""A run's answers of a paid endpoint, one a line, each with what it took."""


class Usage(Record):
    """Requests that were answered, and the tokens that the endpoint counted for them."""

    requests: int = 0
    unmetered: int = 0
    """Of these, the ones whose tokens the endpoint did not tell: they are in no figure below."""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})

    @classmethod
    def of(cls, answer: Any) -> "Usage":
        """What an answer says that it took."""
        said = answer.get("usage") if isinstance(answer, Mapping) else None
        said = said if isinstance(said, Mapping) else {}
        counts = [said.get(name) for name in ("prompt_tokens", "completion_tokens")]
        prompt, completion = (count if type(count) is int and count >= 0 else None for count in counts)
        if prompt is None or completion is None:
            return cls(requests=1, unmetered=1)
        return cls(requests=1, prompt_tokens=prompt, completion_tokens=completion)


class Price(Record):
    """What a million tokens cost, in any currency."""

    prompt: float
    completion: float

    def cost(self, usage: Usage) -> float:
        """What some tokens cost."""
        return (usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) / MILLION


def read_price(text: str) -> Price:
    """`in=2.50,out=10`: prices of a million tokens.

    Raises:
        InputError: It says something else.
    """
    hint = "give what a million tokens cost: --price in=2.50,out=10"
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise InputError(f"--price {text}: {number.strip()!r} is not a number", hint) from None
    if found.keys() != {"in", "out"} or not all(0 <= value < float("inf") for value in found.values()):
        raise InputError(f"--price {text}: does not say what tokens in and out cost", hint)
    return Price(prompt=found["in"], completion=found["out"])


def journal_usage(path: Path, fingerprint: str) -> Usage | None:
    """What all answers of a run took; null where it was not labelled through a chat endpoint."""
    if not path.is_file():
        return None
    total = Usage()
    for line in lines_of(path, fingerprint):
        total += line.usage
    return total


class Answered(Record):
    """One line of the journal: an answer, to some rows, and what it took."""

    fingerprint: str
    rows: tuple[int, ...] = ()
    sample: int = 0
    attempt: int = 0
    replies: tuple[Mapping[str, Any], ...] = ()
    usage: Usage = Usage()


def lines_of(path: Path, fingerprint: str) -> Iterator[Answered]:
    """The whole lines of a journal that are of this fingerprint.

    Raises:
        RunError: One is whole and damaged.
    """
    if not path.is_file():
        return
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            try:
                line = read_json(raw)
            except NotJSON:
                continue  # cut short by a kill
            if isinstance(line, Mapping) and line.get("fingerprint") == fingerprint:
                yield check(line, Answered, JOURNAL, f"{path}, line {number}")
