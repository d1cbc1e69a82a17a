"""What an endpoint understands, found out by asking it: how answers are forced, and which settings it takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from judge.engines.chat.answers import Unusable, replies_of
from judge.engines.chat.prompt import KEY, ChatPrompt, Script
from judge.engines.endpoint import RefusedError
from judge.engines.options import ChatOptions
from judge.errors import EngineError
from judge.records import Scores

FORMS = ("json_schema", "json_object", "plain")
FEWER = 5
"""Log-probabilities that endpoints give which refuse to give 20."""
NOT_UNDERSTOOD = (400, 422)
"""How endpoints refuse a setting that they do not know."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How requests to an endpoint are made."""

    form: str
    """How answers are forced: one of `FORMS`."""
    top: int
    """Log-probabilities that are asked for; 0: none are."""
    limit: str = "max_tokens"
    """The name of the setting that bounds an answer."""
    seed: bool = True
    temperature: bool = True
    """Whether a seed, and a temperature, are sent: some endpoints take neither."""

    def settings(self, options: ChatOptions, schema: dict[str, Any], seed: int) -> dict[str, Any]:
        """The part of a request that is not model and messages."""
        found: dict[str, Any] = {self.limit: options.wanted_tokens}
        if self.temperature:
            found["temperature"] = options.wanted_temperature
        if self.seed:
            found["seed"] = seed
        if self.form == "json_schema":
            found["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "grades", "strict": True, "schema": schema},
            }
        elif self.form == "json_object":
            found["response_format"] = {"type": "json_object"}
        if self.top:
            found |= {"logprobs": True, "top_logprobs": self.top}
        return found

    def parts(self, options: ChatOptions) -> dict[str, str | None]:
        """What they add to a fingerprint."""
        return {
            "answers": self.form,
            "logprobs": str(self.top) if self.top else None,
            "samples": str(options.samples),
            "per_request": str(options.per_request),
            "seed": f"{options.seed}, sent" if self.seed else str(options.seed),
            "temperature": f"{options.wanted_temperature:g}" if self.temperature else "as served",
            "max_tokens": str(options.wanted_tokens),
        }

    def weaker(self, said: str) -> Iterator["Terms"]:
        """Terms that ask for less, the likeliest first, after a refusal that said this."""
        said = said.lower()
        named = {
            "logprob": self._fewer_logprobs(),
            "max_completion_tokens": self._other_limit(),
            "max_tokens": self._other_limit(),
            "seed": replace(self, seed=False) if self.seed else None,
            "temperature": replace(self, temperature=False) if self.temperature else None,
            "response_format": self.next_form(),
            "schema": self.next_form(),
            "json": self.next_form(),
        }
        for name, terms in named.items():
            if name in said and terms:
                yield terms
        # It does not say what it minds.
        yield from (terms for terms in (self.next_form(), *named.values()) if terms)

    def _fewer_logprobs(self) -> "Terms | None":
        return replace(self, top=FEWER if self.top > FEWER else 0) if self.top else None

    def _other_limit(self) -> "Terms | None":
        return replace(self, limit="max_completion_tokens") if self.limit == "max_tokens" else None

    def next_form(self) -> "Terms | None":
        """The terms that force answers less; null where nothing is forced already."""
        later = FORMS[FORMS.index(self.form) + 1 :]
        return replace(self, form=later[0]) if later else None


# Only whether the endpoint obeys is looked at, never what it grades.
_SCRIPT = Script(
    'You grade products for shoppers\' queries. Answer with one JSON object and nothing else: {"grade": G}, where G is '
    'one of "0" (not what was looked for), "1" (what was looked for).',
    "",
    "",
    ("0", "1"),
    many=False,
)
QUESTION = ChatPrompt(0, "", _SCRIPT, (("query", "wool scarf"),), (("title", "Merino wool scarf"),))


def negotiate(options: ChatOptions, ask: Callable[[list[dict[str, str]], dict[str, Any]], Any]) -> Terms:
    """The most that an endpoint understands and obeys, by asking it a small question.

    Args:
        options: What is wanted; a form of answers that is named is not replaced by another.
        ask: Sends messages and settings, and returns the answer.

    Raises:
        EngineError: It refuses every way of asking, or answers none as asked.
        RefusedError: It refuses to be asked at all.
    """
    top = options.top if options.logprobs == "auto" and options.samples == 1 else 0
    terms: Terms | None = Terms(FORMS[0] if options.answers == "auto" else options.answers, top)
    tried, last = set[Terms](), ""
    while terms:
        tried.add(terms)
        settings = terms.settings(options, _SCRIPT.schema([KEY]), options.seed)
        try:
            answer = ask(_SCRIPT.messages([QUESTION], [KEY]), settings)
        except RefusedError as error:
            if error.status not in NOT_UNDERSTOOD:
                raise
            last, following = str(error), [*terms.weaker(str(error))]
        else:
            reply = replies_of(answer, _SCRIPT, [KEY], scored=terms.top > 0)[0]
            if not isinstance(reply, Unusable):
                # Log-probabilities that were asked for and not given are not asked for again.
                return terms if isinstance(reply, Scores) else replace(terms, top=0)
            last, form = reply.reason, terms.next_form()
            following = [form] if form else []
        allowed = (each for each in following if each not in tried and options.answers in ("auto", each.form))
        terms = next(allowed, None)
    raise EngineError(
        f"the endpoint does not answer as asked: {last}",
        "name a model that answers in JSON, allow longer answers (chat.max_tokens), or set chat.answers",
    )
