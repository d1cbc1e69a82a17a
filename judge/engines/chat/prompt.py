"""Pairs to chat messages: the guideline as the system prompt, texts as JSON in the user's turn.

Another model's tokens cannot be counted here, so that a budget of tokens is one of characters, `CHARS_PER_TOKEN` each.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from jinja2 import TemplateError

from judge.errors import InputError
from judge.records import Pair, WorkedExample
from judge.words.guideline import Guideline
from judge.words.normalise import clean
from judge.words.templates import compiled

TEMPLATE = "chat.v1"
BLOCKS = ("system", "user")
CHARS_PER_TOKEN = 4
"""Characters that a token of a budget stands for: about what English takes; other scripts take more tokens."""
LOCALE_TOKENS = 8
LETTERS = "bcdfghjkmnpqrtvwxz"
"""Of keys: they spell no word, and no grade."""
KEY = "grade"
"""The answer's key where a request has one candidate."""
EXAMPLE_KEY = "example"
"""The key of a worked example's candidate where a request has several: no candidate's, which have no vowels."""

# A slot cannot be confused with a template's words: `clean` and JSON leave no such character in a guideline's.
_SLOT = "\ue010data\ue011"
# What could begin a control token (<|im_end|>, </s>, [INST]) where an endpoint looks for them in messages.
_ESCAPES = {ord("<"): "\\u003c", ord("["): "\\u005b", ord("\ue010"): "\\ue010", ord("\ue011"): "\\ue011"}

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Script:
    """What all requests of a run share."""

    system: str
    before: str
    """The user's turn before the data, and after it."""
    after: str
    labels: tuple[str, ...]
    """The answer for each grade, in grade order."""
    many: bool
    """Whether a request has several candidates, under keys."""
    shots: tuple[Message, ...] = ()
    """Worked examples, as turns of a user and of the judge."""

    def messages(self, asked: "Sequence[ChatPrompt]", keys: Sequence[str]) -> list[Message]:
        """The messages that ask about candidates of one query, in this order, under these keys."""
        data: dict[str, Any] = dict(asked[0].query)
        if self.many:
            data["products"] = {key: dict(prompt.candidate) for key, prompt in zip(keys, asked, strict=True)}
        else:
            data["product"] = dict(asked[0].candidate)
        turn = {"role": "user", "content": self.before + as_data(data) + self.after}
        return [{"role": "system", "content": self.system}, *self.shots, turn]

    def shown(self, prompt: "ChatPrompt", place: int) -> "Script":
        """This script with one more worked example: a candidate, and its grade's place."""
        key = EXAMPLE_KEY if self.many else KEY
        answer = {"role": "assistant", "content": json.dumps({key: self.labels[place]})}
        question = replace(self, shots=()).messages([prompt], [key])[-1]
        return replace(self, shots=(*self.shots, question, answer))

    def schema(self, keys: Sequence[str]) -> dict[str, Any]:
        """The JSON Schema of an answer: each key, and no other, with a grade."""
        return {
            "type": "object",
            "properties": {key: {"type": "string", "enum": list(self.labels)} for key in keys},
            "required": list(keys),
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """One pair as a chat endpoint is asked about it."""

    row: int
    query_id: str
    script: Script
    """The same object for all prompts of a run."""
    query: tuple[tuple[str, str], ...]
    """`query`, and `locale` where there is one: the same for all candidates of a query."""
    candidate: tuple[tuple[str, str], ...]
    """Field names and texts, in the guideline's order."""
    cut: tuple[str, ...] = ()
    """Names of the parts that were cut to their budget."""

    @property
    def chars(self) -> int:
        """How long its texts are, names and quotes included."""
        return len(as_data(dict(self.candidate)))


def as_data(value: Mapping[str, Any]) -> str:
    """JSON without a character that could begin a control token; a reader of JSON finds the same texts in it."""
    text = json.dumps(value, ensure_ascii=False)
    # Outside of strings a [ begins a list; data here has none.
    return text.translate(_ESCAPES)


class ChatBuilder:
    """Builds the prompts of one run.

    Args:
        guideline: What the judge is told, and the budgets.
        template: Name of the template file in `prompts/`, without its suffix.
        many: Whether a request has several candidates.
        examples: Rated pairs that are shown before each question, in this order.

    Raises:
        InputError: The template lacks a block, uses a name that does not exist, or does not show the data once.
    """

    labels: tuple[int, ...] = ()

    def __init__(
        self,
        guideline: Guideline,
        template: str = TEMPLATE,
        *,
        many: bool = False,
        examples: Sequence[WorkedExample] = (),
    ) -> None:
        self.guideline = guideline
        found = compiled(template)
        if missing := [block for block in BLOCKS if block not in found.blocks]:
            raise InputError(
                f"prompts/{template}.j2: has no block {missing[0]!r}", f"name a template with {' and '.join(BLOCKS)}"
            )
        values = {"guideline": guideline, "many": many, "data": _SLOT}
        try:
            system, user = ("".join(found.blocks[name](found.new_context(values))) for name in BLOCKS)
        except TemplateError as error:
            raise InputError(f"prompts/{template}.j2 cannot be rendered: {error}", "fix the template") from None
        if _SLOT in system or user.count(_SLOT) != 1:
            raise InputError(f"prompts/{template}.j2 does not show the data once", "show it once, in the block user")
        before, after = user.split(_SLOT)
        labels = tuple(grade.token for grade in guideline.grades)
        self.script = Script(system.strip(), before, after, labels, many)
        for example in examples:
            pair = Pair(0, "", example.query, "", example.candidate, example.locale)
            self.script = self.script.shown(self._prompt(pair), guideline.values.index(example.grade))

    def build(self, pairs: Sequence[Pair]) -> list[ChatPrompt]:
        """The prompts of some pairs, in their order."""
        return [self._prompt(pair) for pair in pairs]

    def _prompt(self, pair: Pair) -> ChatPrompt:
        cut: list[str] = []
        query = [("query", self._within(clean(pair.query), self.guideline.query_tokens, "query", cut))]
        if pair.locale and (locale := clean(pair.locale)):
            query.append(("locale", self._within(locale, LOCALE_TOKENS, "locale", cut)))
        candidate = tuple(self._fields(pair, cut))
        return ChatPrompt(pair.row, pair.query_id, self.script, tuple(query), candidate, tuple(cut))

    def _fields(self, pair: Pair, cut: list[str]) -> Iterable[tuple[str, str]]:
        left = self.guideline.candidate_tokens
        for field in self.guideline.fields:
            if not (given := pair.candidate.get(field.name)) or not (text := clean(given)):
                continue
            kept = self._within(text, min(field.tokens, left), field.name, cut, end=field.keep == "end")
            left -= -(-len(kept) // CHARS_PER_TOKEN)
            if kept:
                yield field.name, kept

    @staticmethod
    def _within(text: str, tokens: int, name: str, cut: list[str], *, end: bool = False) -> str:
        room = tokens * CHARS_PER_TOKEN
        if len(text) <= room:
            return text
        cut.append(name)
        return (text[len(text) - room :] if end else text[:room]).strip()


def opaque_keys(count: int, seed: int) -> list[str]:
    """Keys for the candidates of a request: opaque, and the same for all requests, so that their schema is."""
    draw, found = Random(f"keys {seed}"), dict[str, None]()  # noqa: S311
    while len(found) < count:
        found["".join(draw.choices(LETTERS, k=4))] = None
    return list(found)
