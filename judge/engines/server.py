"""Any OpenAI-compatible completions endpoint that takes prompts as token ids; `vllm serve` first.

Many prompts go in one request, a bounded number of requests is under way, and what can succeed later is tried again
after a growing, random pause. What cannot is not: rows whose request is refused end as failed, with the reason, and an
endpoint that refuses everything (a wrong key, no such model, no log-probabilities) ends the run at once. So does one
that is gone: what it did not answer is asked again when it is back, or when the run resumes.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from judge.engines.endpoint import Endpoint, RefusedError, UnreachableError, patiently
from judge.engines.options import ServerOptions, default_options
from judge.errors import EngineError, InputError
from judge.records import Failure, Prompt, Scores
from judge.watching import done

FATAL = (401, 403, 404, 405)
"""Refusals that concern every request: nothing is gained by asking with other prompts."""
DIVISIBLE = (400, 413, 422)
"""Refusals that one prompt of many can cause."""
ENOUGH = 64
"""So many prompts in a row without one answer are not the prompts' fault."""


class ServerEngine:
    """A model behind an HTTP endpoint.

    Args:
        url: The API's root, such as `http://127.0.0.1:8000/v1`.
        options: Batches, patience and the key's variable; `engines.yaml` unless given.
        sleep: Waits for so many seconds.

    Raises:
        InputError: The address is none.
        EngineError: The endpoint cannot be reached, refuses us, or has not exactly the one model we want.
    """

    def __init__(
        self, url: str | None, options: ServerOptions | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._options = options or default_options().server
        if not url:
            raise InputError("--engine server needs an address", "give the API's root: --url http://127.0.0.1:8000/v1")
        key = os.environ.get(self._options.key_variable, "")
        self._endpoint = Endpoint(url, key, self._options.timeout)
        self._sleep = sleep
        self._pool = ThreadPoolExecutor(self._options.concurrency, "request")
        self.block = max(ENOUGH, 4 * self._options.prompts * self._options.concurrency)
        self._works, self._barren = False, 0
        self._model = self._options.model or self._only_model()

    def score(self, prompts: Sequence[Prompt]) -> list[Scores | Failure]:
        """See `Engine.score`."""
        size = self._options.prompts
        results = found = self._answers(prompts, size, self._options.attempts)
        for smaller in (max(1, size // 8), 1):
            lost = [at for at, answer in enumerate(results) if _unanswered(answer)]
            if not lost:
                break
            # One that is gone stops the run, which asks again when it resumes.
            with suppress(RefusedError):
                self._list()
            if not any(isinstance(answer, Scores) for answer in found):
                break
            # One that is there answers all but what breaks it: fewer in a request, until that stands alone.
            found = self._answers([prompts[at] for at in lost], smaller, 1)
            for at, answer in zip(lost, found, strict=True):
                results[at] = answer
        self._refuse_silence(results)
        return results

    def _refuse_silence(self, results: Sequence[Scores | Failure]) -> None:
        """End the run where so many prompts had no answer that the endpoint must be fixed first."""
        some = any(isinstance(answer, Scores) for answer in results)
        self._works, self._barren = self._works or some, 0 if some else self._barren + len(results)
        silent = all(map(_unanswered, results))
        if self._barren >= ENOUGH and (silent or not self._works):
            first = next(answer.reason for answer in results if isinstance(answer, Failure))
            raise EngineError(
                f"{first}; the same happened to all of {self._barren:,} prompts",
                "check the endpoint, server.model and labels_by in --engine-config; the same command then resumes",
            )

    def _answers(self, prompts: Sequence[Prompt], size: int, attempts: int) -> list[Scores | Failure]:
        parts = [prompts[start : start + size] for start in range(0, len(prompts), size)]
        found: list[Scores | Failure] = []
        for answers in self._pool.map(lambda part: self._ask(part, attempts), parts):
            found += answers
            done(len(answers))
        return found

    def _ask(self, prompts: Sequence[Prompt], attempts: int) -> list[Scores | Failure]:
        labels = prompts[0].labels
        body = {
            "model": self._model,
            "prompt": [prompt.ids for prompt in prompts],
            "max_tokens": 1,
            "temperature": 0,
            "return_tokens_as_token_ids": True,
            **self._labels_by(labels),
        }
        try:
            answer = self._patiently(lambda: self._endpoint.post("/completions", body), attempts)
        except UnreachableError as error:
            return [Failure(f"{UNANSWERED} ({error})")] * len(prompts)
        except RefusedError as error:
            if error.status in FATAL:
                raise EngineError(*error.advice(self._options.key_variable)) from None
            if error.status in DIVISIBLE and len(prompts) > 1:
                half = len(prompts) // 2
                return [*self._ask(prompts[:half], attempts), *self._ask(prompts[half:], attempts)]
            return [Failure(str(error))] * len(prompts)
        return answers_of(answer, len(prompts), labels)

    def _labels_by(self, labels: tuple[int, ...]) -> Mapping[str, Any]:
        # One kind of request for the whole run: vLLM (0.32) mixes up batches that hold both.
        if self._options.labels_by == "logprob_token_ids":
            return {"logprobs": len(labels), "logprob_token_ids": list(labels)}
        return {"logprobs": self._options.top}

    def _patiently(self, ask: Callable[[], Any], attempts: int) -> Any:
        return patiently(ask, attempts, self._options.pause, self._sleep)

    def _list(self) -> Any:
        """What the endpoint says it serves."""
        try:
            return self._patiently(lambda: self._endpoint.get("/models"), self._options.attempts)
        except UnreachableError as error:
            raise EngineError(
                f"{self._endpoint.url}: {error}",
                "start the endpoint, or correct --url; the same command then resumes",
            ) from None

    def _only_model(self) -> str:
        try:
            names = [str(model["id"]) for model in self._list()["data"]]
        except RefusedError as error:
            raise EngineError(*error.advice(self._options.key_variable)) from None
        except (KeyError, TypeError):
            names = []
        if len(names) != 1:
            shown = f"lists {len(names)} models" + (f" ({', '.join(names[:5])})" if names else "")
            raise EngineError(f"{self._endpoint.url}: {shown}", "name one: server.model in --engine-config")
        return names[0]


UNANSWERED = "the endpoint did not answer"


def _unanswered(answer: Scores | Failure) -> bool:
    return isinstance(answer, Failure) and answer.reason.startswith(UNANSWERED)


def answers_of(answer: Any, count: int, labels: tuple[int, ...]) -> list[Scores | Failure]:
    """What a completions answer says of each of `count` prompts, by its `index`; `Failure` where it says nothing."""
    results: list[Scores | Failure] = [Failure("the endpoint's answer leaves this prompt out")] * count
    choices = answer.get("choices") if isinstance(answer, dict) else None
    for choice in choices if isinstance(choices, list) else []:
        index = choice.get("index") if isinstance(choice, dict) else None
        if type(index) is int and 0 <= index < count:
            results[index] = _scores(choice, labels)
    return results


def _scores(choice: Any, labels: tuple[int, ...]) -> Scores | Failure:
    try:
        found = choice["logprobs"]["top_logprobs"][0]
        logprobs = [found.get(f"token_id:{label}") for label in labels]
    except (KeyError, IndexError, TypeError, AttributeError):
        return Failure("the endpoint's answer has no log-probabilities")
    missing = [str(label) for label, value in zip(labels, logprobs, strict=True) if not _number(value)]
    if missing:
        return Failure(f"the endpoint gave no log-probability for label token {', '.join(missing)}")
    mass = math.fsum(map(math.exp, logprobs))
    if mass > 1.001:
        return Failure(f"the endpoint's log-probabilities add up to a probability of {mass:.3g}")
    return Scores(tuple(logprobs), max(0.0, 1.0 - mass))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value < 1
