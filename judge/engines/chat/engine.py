"""A judge behind a chat-completions endpoint.

Candidates of one query go in a request, a bounded number of requests is under way, and every answer is in the run's
journal before it is used. What can succeed later is asked again; an answer that cannot be used is asked for once more
where that can help: an ill-formed one, and one about several candidates, each of which is then asked about alone.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from judge.engines.chat.answers import Reply, Unusable, replies_of, shares_of
from judge.engines.chat.journal import Journal
from judge.engines.chat.prompt import KEY, ChatPrompt, opaque_keys
from judge.engines.chat.terms import Terms, negotiate
from judge.engines.endpoint import NO_ANSWER, Endpoint, RefusedError, UnreachableError, patiently
from judge.engines.options import ChatOptions
from judge.errors import EngineError, InputError
from judge.records import Failure, Outcome
from judge.run.usage import Usage
from judge.watching import done

FILTERS = ("content_filter", "content_policy_violation")
"""Names of errors by which an endpoint refuses one text."""
TOO_LONG = ("context_length_exceeded", "string_above_max_length")
"""Names of errors by which it refuses one request for its length."""
SILENCE = 4
"""So many requests in a row without an answer, each tried as often as the options say, end the run."""
UNANSWERED = "the endpoint did not answer"


@dataclass(frozen=True, slots=True)
class Request:
    """Candidates of one query that are asked about together, in this order."""

    prompts: tuple[ChatPrompt, ...]
    sample: int
    attempt: int = 0
    """0 with its neighbours, 1 alone or once more."""


class ChatEngine:
    """A model at an endpoint.

    Args:
        url: The API's root, such as `https://api.openai.com/v1`.
        model: Its name there.
        options: How it is asked; `engines.yaml` says what each means.
        sleep: Waits for so many seconds.

    Raises:
        InputError: The address or the key is none.
    """

    def __init__(self, url: str, model: str, options: ChatOptions, sleep: Callable[[float], None] = time.sleep) -> None:
        self._options, self._model, self._sleep = options, model, sleep
        key = os.environ.get(options.key_variable, "")
        self._endpoint = Endpoint(url, key, options.timeout, options.largest)
        self._keys = opaque_keys(options.per_request, options.seed)
        self._lock, self._silent = threading.Lock(), 0
        self._ended: EngineError | None = None
        self._journal: Journal | None = None
        self.usage = Usage()
        """What this engine's answers took, those that told what the endpoint understands included."""
        self.block = max(64, 4 * options.concurrency * options.per_request)

    @cached_property
    def terms(self) -> Terms:
        """What the endpoint understands, found out by asking it.

        Raises:
            EngineError: It cannot be reached, refuses us, or does not answer as asked.
        """
        try:
            return negotiate(self._options, self._send)
        except RefusedError as error:
            raise self._fatal(error) from None
        except UnreachableError as error:
            raise self._gone(error) from None

    @contextmanager
    def noting(self, journal: Journal) -> Iterator[None]:
        """Note answers in a journal, and take from it what came before."""
        journal.add([], 0, 0, [], self.usage)
        self._journal = journal
        try:
            yield
        finally:
            self._journal = None
            journal.close()

    def score(self, prompts: Sequence[ChatPrompt]) -> list[Outcome]:
        """See `Engine.score`."""
        samples = range(self._options.samples)
        requests = [Request(group, sample) for group in self.groups(prompts) for sample in samples]
        found: dict[tuple[int, int], Reply] = {}
        self._ended = None
        assert self.terms  # by one thread, before the others ask
        with ThreadPoolExecutor(self._options.concurrency, "request") as pool:
            waiting = [pool.submit(self._replies, request) for request in requests]
            try:
                for request, future in zip(requests, waiting, strict=True):
                    for prompt, reply in zip(request.prompts, future.result(), strict=True):
                        found[prompt.row, request.sample] = reply
                    done(len(request.prompts) if request.sample == samples[-1] else 0)
            except BaseException:
                # What is under way is waited for, and noted: it is paid for.
                pool.shutdown(cancel_futures=True)
                raise
        if any(isinstance(reply, Unusable) and reply.reason.startswith(UNANSWERED) for reply in found.values()):
            self._check_there()
        return [self._outcome([found[prompt.row, sample] for sample in samples], prompt) for prompt in prompts]

    def check_tells(self) -> None:
        """Refuse an endpoint whose grades come without probabilities, where probabilities are needed.

        Raises:
            InputError: They do.
        """
        if not self.terms.top and self.samples == 1:
            raise InputError(
                f"{self._model}: its endpoint gives no probabilities, so there is nothing to calibrate",
                "sample them with --samples, or leave --calibration and --max-noise out",
            )

    @property
    def samples(self) -> int:
        """How many answers are drawn for each pair."""
        return self._options.samples

    def names(self, prompts: Sequence[ChatPrompt]) -> list[str]:
        """The keys under which candidates are asked about together."""
        return self._keys[: len(prompts)] if prompts[0].script.many else [KEY]

    def _check_there(self) -> None:
        """Stop where an endpoint is gone: what it did not answer is asked again when the run resumes."""
        try:
            with suppress(RefusedError):
                self._endpoint.get("/models")
        except UnreachableError as error:
            raise self._gone(error) from None

    def groups(self, prompts: Sequence[ChatPrompt]) -> list[tuple[ChatPrompt, ...]]:
        """Neighbouring prompts of one query, as many together as go in a request."""
        found: list[list[ChatPrompt]] = []
        for prompt in prompts:
            last = found[-1] if found else []
            if last and len(last) < self._options.per_request and last[0].query == prompt.query:
                last.append(prompt)
            else:
                found.append([prompt])
        return [tuple(group) for group in found]

    def _outcome(self, replies: Sequence[Reply], prompt: ChatPrompt) -> Outcome:
        reply = replies[0] if len(replies) == 1 else shares_of(replies, len(prompt.script.labels))
        return Failure(reply.reason) if isinstance(reply, Unusable) else reply

    def _replies(self, request: Request) -> list[Reply]:
        """What is said of each prompt of a request, each that has no grade asked for once more where that can help."""
        together = len(request.prompts) > 1
        replies = self._said(request)
        for at, reply in enumerate(replies):
            if isinstance(reply, Unusable) and (reply.again or together):
                replies[at] = self._said(Request((request.prompts[at],), request.sample, attempt=1))[0]
        return replies

    def _said(self, request: Request) -> list[Reply]:
        """What the journal holds of a request; what it does not is asked."""
        known = [self._noted(prompt, request) for prompt in request.prompts]
        lacking = tuple(p for p, reply in zip(request.prompts, known, strict=True) if reply is None)
        asked = iter(self._ask(Request(lacking, request.sample, request.attempt)) if lacking else ())
        return [next(asked) if reply is None else reply for reply in known]

    def _noted(self, prompt: ChatPrompt, request: Request) -> Reply | None:
        return self._journal.find((prompt.row, request.sample, request.attempt)) if self._journal else None

    def _ask(self, request: Request) -> list[Reply]:
        prompts, script = list(request.prompts), request.prompts[0].script
        draw = Random(f"{self._options.seed} {prompts[0].query_id} {prompts[0].row} {request.sample}")  # noqa: S311
        order = draw.sample(range(len(prompts)), len(prompts))
        keys = self.names(prompts)
        # Another seed where an ill-formed answer would otherwise come again.
        seed = self._options.seed + request.sample + request.attempt * self._options.samples
        settings = self.terms.settings(self._options, script.schema(keys), seed)
        try:
            answer = self._send(script.messages([prompts[at] for at in order], keys), settings)
            said = replies_of(answer, script, keys, scored=self.terms.top > 0)
            usage = Usage.of(answer)
        except RefusedError as error:
            reason = _of_one(error)
            if reason is None:
                raise self._fatal(error) from None
            said = [Unusable(reason, again=False)] * len(prompts)
            usage = Usage(requests=1, unmetered=1) if error.status == NO_ANSWER else Usage()
        except UnreachableError as error:
            return [self._unanswered(error)] * len(prompts)
        replies = [said[order.index(at)] for at in range(len(prompts))]
        if self._journal:
            self._journal.add([p.row for p in prompts], request.sample, request.attempt, replies, usage)
        return replies

    def _unanswered(self, error: UnreachableError) -> Reply:
        with self._lock:
            self._silent += 1
        if error.status in (429, 503) or self._silent >= SILENCE:
            # Not this pair's fault: the run continues when there is room again.
            raise self._gone(error)
        return Unusable(f"{UNANSWERED} ({error})", again=False)

    def _send(self, messages: list[dict[str, str]], settings: dict[str, Any]) -> Any:
        body = {"model": self._model, "messages": messages, **settings}
        options = self._options

        def once() -> Any:
            if self._ended:
                raise self._ended  # another request found that none will be answered
            return self._endpoint.post("/chat/completions", body)

        answer = patiently(once, options.attempts, options.pause, self._sleep)
        with self._lock:
            self.usage += Usage.of(answer)
            self._silent = 0
        return answer

    def _fatal(self, error: RefusedError) -> EngineError:
        said = error.advice(self._options.key_variable, "--judge, the model's name there")
        if 300 <= error.status < 400:
            said = (str(error), "give the address that it leads to as --url; redirects are not followed")
        self._ended = EngineError(*said)
        return self._ended

    def _gone(self, error: UnreachableError) -> EngineError:
        hint = "check the endpoint, or lower --concurrency; the same command then resumes"
        self._ended = EngineError(f"{self._endpoint.url}: {error}", hint)
        return self._ended


def _of_one(error: RefusedError) -> str | None:
    """Why one request is refused for what it says; null where every request would be."""
    if error.code in FILTERS:
        return f"the endpoint's content filter refused the text ({error})"
    return str(error) if error.code in TOO_LONG or error.status in (NO_ANSWER, 413) else None
