"""What a chat endpoint's answer says of each pair, read strictly: one JSON object with the keys that were asked for.

Where the answer brings log-probabilities, a grade's is read at the token in which the grade begins: of that token's
alternatives, those that begin exactly one grade count for it, and everything else stays outside the labels.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from judge.engines.chat.prompt import Script
from judge.records import Choice, Scores

NEGLIGIBLE = 0.01
"""How much probability may be hidden from us before a distribution is taken as not told: of a grade that is not among
the alternatives listed, or on tokens that begin several grades."""
SAID = 160
"""Characters of a judge's own words that a reason holds."""
_AFTER = frozenset('",} \t\r\n')
"""What can stand behind a grade in the token that ends it."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """An answer that gives a pair no grade."""

    reason: str
    again: bool
    """Whether the same request may be answered better. If not, it may be so for a request about the pair alone."""


Reply = Scores | Choice | Unusable


def replies_of(answer: Any, script: Script, keys: Sequence[str], *, scored: bool) -> list[Reply]:
    """What an answer says under each key, in the order of the keys; `scored` if log-probabilities were asked for."""
    choice = _first(answer)
    content = _content(choice)
    if isinstance(content, Unusable):
        return [content] * len(keys)
    found = read_object(content)
    if isinstance(found, Unusable):
        return [found] * len(keys)
    replies: list[Reply] = []
    for key in keys:
        values = [(value, place) for name, value, place in found if name == key]
        reply: Reply = _grade(values, script.labels)
        if scored and isinstance(reply, Choice):
            value, place = values[0]
            reply = scores_of(choice, content, place + isinstance(value, str), script.labels) or reply
        replies.append(reply)
    return replies


def _first(answer: Any) -> Mapping[str, Any]:
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def _content(choice: Mapping[str, Any]) -> str | Unusable:
    """The text of an answer, or why there is none to read."""
    message = choice.get("message")
    message = message if isinstance(message, Mapping) else {}
    ended = choice.get("finish_reason")
    if isinstance(said := message.get("refusal"), str) and said.strip():
        return Unusable(f"the judge refused: {_one_line(said)}", again=False)
    if ended == "content_filter":
        return Unusable("the endpoint's content filter stopped the answer", again=False)
    if ended == "length":
        return Unusable("the answer was cut off at its most tokens; chat.max_tokens allows more", again=False)
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        return Unusable("the answer has no text", again=True)
    return content


def read_object(text: str) -> list[tuple[str, Any, int]] | Unusable:
    """The key, the value and the value's place of each entry of a text that is one JSON object and nothing else."""
    try:
        if not isinstance(json.loads(text), dict):
            return Unusable(f"the answer is no JSON object: {_one_line(text)}", again=True)
    except RecursionError:
        return Unusable("the answer is nested too deep", again=True)
    except ValueError:
        return Unusable(f"the answer is not one JSON object: {_one_line(text)}", again=True)
    # It is whole: a walk from entry to entry needs no checks.
    decoder, found = json.JSONDecoder(), []
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        place = _skip(text, text.index(":", at) + 1)
        value, at = decoder.raw_decode(text, place)
        found.append((key, value, place))
        at = _skip(text, at, also=",")
    return found


def _skip(text: str, at: int, also: str = "") -> int:
    while text[at] in " \t\r\n" + also:
        at += 1
    return at


def _grade(values: Sequence[tuple[Any, int]], labels: Sequence[str]) -> Choice | Unusable:
    if len(values) != 1:
        what = "leaves out" if not values else f"has {len(values)} times"
        return Unusable(f"the answer {what} the key of this pair", again=True)
    value = values[0][0]
    said = str(value) if type(value) is int else value
    if not isinstance(said, str) or said not in labels:
        return Unusable(f"the answer's grade is none of the guideline's: {_one_line(json.dumps(value))}", again=True)
    return Choice(labels.index(said))


def scores_of(choice: Mapping[str, Any], content: str, place: int, labels: Sequence[str]) -> Scores | None:
    """The grades' log-probabilities at the token that holds a place of the answer; null where they are not told.

    Args:
        choice: What the endpoint answered: `logprobs.content` has `token`, `logprob` and `top_logprobs` of each token.
        content: The answer's text.
        place: Where in it the grade begins.
        labels: The grades' texts, in grade order.
    """
    try:
        tokens = choice["logprobs"]["content"]
        texts = [token["token"] for token in tokens]
        whole = "".join(texts)
        ends = list(accumulate(map(len, texts)))
        if whole.count(content) != 1:
            return None
        place += whole.index(content)
        index = next(i for i, end in enumerate(ends) if end > place)
        listed = {texts[index]: tokens[index]["logprob"]}
        listed |= {each["token"]: each["logprob"] for each in tokens[index]["top_logprobs"]}
    except (KeyError, TypeError, StopIteration, AttributeError):
        return None
    before = texts[index][: place - (ends[index] - len(texts[index]))]
    return _scores(listed, before, labels)


def _scores(listed: Mapping[Any, Any], before: str, labels: Sequence[str]) -> Scores | None:
    if not all(isinstance(token, str) and _number(value) for token, value in listed.items()):
        return None
    masses, unclear = [0.0] * len(labels), 0.0
    for token, value in listed.items():
        begun = _begun(token, before, labels)
        if len(begun) == 1:
            masses[begun[0]] += math.exp(value)
        elif begun:
            unclear += math.exp(value)
    chances = [math.exp(value) for value in listed.values()]
    total = math.fsum(chances)
    # A grade that is not listed is at most as likely as the last that is, and as what is left.
    hidden = min(min(chances), max(0.0, 1.0 - total)) if 0.0 in masses else 0.0
    if total > 1.001 or max(hidden, unclear) > NEGLIGIBLE or not any(masses):
        return None
    logs = tuple(math.log(mass) if mass else -math.inf for mass in masses)
    return Scores(logs, min(1.0, max(0.0, 1.0 - math.fsum(masses))))


def _begun(token: str, before: str, labels: Sequence[str]) -> list[int]:
    """Places of the grades that an alternative begins, where the token chosen has `before` in front of its grade."""
    if token.startswith(before):
        rest = token[len(before) :]
    elif not before.strip():
        rest = token.lstrip()
    else:
        return []
    whole = [i for i, label in enumerate(labels) if rest.startswith(label) and _AFTER.issuperset(rest[len(label) :])]
    longer = [i for i, label in enumerate(labels) if rest and label.startswith(rest) and label != rest]
    return [*whole, *longer]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value) and value < 1


def _one_line(text: str) -> str:
    """The head of foreign words on one printable line."""
    return "".join(c if c.isprintable() else " " for c in text[:SAID]).strip()


def shares_of(replies: Sequence[Reply], grades: int) -> Reply:
    """The distribution that several answers to one question make: their shares are the probabilities.

    What of the answers gave no grade is the mass outside the labels. If none did, the first of them says why.
    """
    places = [reply.place for reply in replies if isinstance(reply, Choice)]
    if not places:
        return next(reply for reply in replies if isinstance(reply, Unusable))
    counts = [places.count(place) for place in range(grades)]
    logs = tuple(math.log(count / len(replies)) if count else -math.inf for count in counts)
    return Scores(logs, 1.0 - len(places) / len(replies))
