"""What an endpoint can do, found out by asking it two small questions: one in words, and one of tokens."""

import os
import time
from collections.abc import Callable
from typing import Any

from judge.engines.chat.engine import ChatEngine
from judge.engines.endpoint import Endpoint, RefusedError, UnreachableError, patiently
from judge.engines.options import EngineOptions
from judge.engines.server import answers_of
from judge.errors import EngineError
from judge.records import Record, Scores

_LABELS = (1, 2, 3)
"""Tokens that every vocabulary has; what they mean does not matter."""


class Abilities(Record):
    """What was found out about an endpoint."""

    url: str
    models: tuple[str, ...]
    """What it says it serves; empty where it lists nothing."""
    model: str | None
    """Which of them was asked; null where there are several and none was named."""
    chat: bool = False
    """Whether it answers chat completions with the JSON that was asked for."""
    chat_missing: str | None = None
    """Why not."""
    answers: str | None = None
    """How answers are forced: `json_schema`, `json_object` or `plain`."""
    logprobs: int = 0
    """How many log-probabilities of a token it tells, in chat; 0 where it tells none."""
    seed: bool = False
    """Whether it takes a seed."""
    temperature: bool = False
    """Whether it takes a temperature."""
    token_ids: bool = False
    """Whether it takes prompts as token ids, and tells the log-probabilities of the tokens that are named."""
    token_ids_missing: str | None = None
    """Why not."""

    @property
    def advice(self) -> str:
        """The options of `judge label` that make the most of it."""
        named = f"--url {self.url}"
        if self.token_ids:
            return f"--engine server {named} --judge MODEL (the served model's directory or Hub id, for its tokenizer)"
        if not self.chat:
            return "none: it answers neither kind of question"
        found = f"--engine chat {named} --judge {self.model}"
        return found if self.logprobs else f"{found} --samples 5 (for probabilities; without, a grade comes alone)"


def find_abilities(
    url: str, model: str | None, options: EngineOptions, sleep: Callable[[float], None] = time.sleep
) -> Abilities:
    """Ask an endpoint what it can do.

    Args:
        url: The API's root.
        model: The model's name there; the only one that it lists unless given.
        options: How patiently, and with which keys.
        sleep: Waits for so many seconds.

    Raises:
        InputError: The address or the key is none.
        EngineError: It does not answer at all.
    """
    chat = options.chat
    endpoint = Endpoint(url, os.environ.get(chat.key_variable, ""), chat.timeout, chat.largest)
    try:
        listed = patiently(lambda: endpoint.get("/models"), chat.attempts, chat.pause, sleep)
        models = _names(listed)
    except RefusedError as error:
        if error.status in (401, 403):
            raise EngineError(*error.advice(chat.key_variable)) from None
        models = ()
    except UnreachableError as error:
        raise EngineError(f"{endpoint.url}: {error}", "start the endpoint, or correct --url") from None
    asked = model or (models[0] if len(models) == 1 else None)
    if asked is None:
        return Abilities(url=endpoint.url, models=models, model=None)
    found = _in_words(ChatEngine(url, asked, chat, sleep)) | _in_tokens(
        Endpoint(url, os.environ.get(options.server.key_variable, ""), chat.timeout, chat.largest), asked
    )
    return Abilities(url=endpoint.url, models=models, model=asked, **found)


def _names(listed: Any) -> tuple[str, ...]:
    entries = listed.get("data") if isinstance(listed, dict) else None
    names = (entry.get("id") for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()
    return tuple("".join(c for c in name if c.isprintable()) for name in names if isinstance(name, str))


def _in_words(engine: ChatEngine) -> dict[str, Any]:
    try:
        terms = engine.terms
    except EngineError as error:
        return {"chat_missing": error.message}
    return {
        "chat": True,
        "answers": terms.form,
        "logprobs": terms.top,
        "seed": terms.seed,
        "temperature": terms.temperature,
    }


def _in_tokens(endpoint: Endpoint, model: str) -> dict[str, Any]:
    body = {
        "model": model,
        "prompt": [list(_LABELS)],
        "max_tokens": 1,
        "temperature": 0,
        "return_tokens_as_token_ids": True,
        "logprobs": len(_LABELS),
        "logprob_token_ids": list(_LABELS),
    }
    try:
        answer = answers_of(endpoint.post("/completions", body), 1, _LABELS)[0]
    except (RefusedError, UnreachableError) as error:
        return {"token_ids_missing": str(error)}
    if isinstance(answer, Scores):
        return {"token_ids": True}
    return {"token_ids_missing": answer.reason}
