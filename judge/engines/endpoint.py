"""JSON over HTTP, with what can go wrong sorted in two: worth trying again, or not.

The standard library's client. Redirects are not followed, so that a key never travels to another host; and the key is
taken out of everything that an endpoint sends back before it can reach a message. An answer is bounded in bytes, and in
seconds from the connection to its last byte: one that comes a byte at a time is given up as well.
"""

import http.client
import json
import random
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from judge.engines.deadline import handlers, within
from judge.engines.waiting import asked_to_wait
from judge.errors import InputError

RETRYABLE = (408, 425, 429, 500, 502, 503, 504, 529)
LARGEST = 256 * 1024 * 1024
"""Bytes of an answer; more is not from a completions endpoint."""
LONGEST_PAUSE = 60.0
"""Seconds to wait before the next attempt, at most, whatever the endpoint asks for."""
NO_ANSWER = 200
"""The status of a `RefusedError` whose answer came and can never be used."""


class UnreachableError(Exception):
    """The endpoint did not answer, or not wholly: the same request may succeed later."""

    def __init__(self, reason: str, wait: float | None = None, status: int | None = None, code: str = "") -> None:
        super().__init__(reason)
        self.wait = wait
        """Seconds that the endpoint asks us to wait."""
        self.status = status
        """The HTTP status, where there was one."""
        self.code = code
        """The endpoint's own name of the error; empty where it gives none."""


class RefusedError(Exception):
    """The endpoint answered that it will not."""

    def __init__(self, status: int, reason: str, code: str = "") -> None:
        super().__init__(f"the endpoint answered {status}: {reason}")
        self.status = status
        self.code = code
        """The endpoint's own name of the error; empty where it gives none."""

    def advice(self, variable: str, name: str = "server.model in --engine-config") -> tuple[str, str]:
        """Message and hint for a user; `name` is where the model is named."""
        if self.status in (401, 403):
            return str(self), f"put a key that it accepts into the environment variable {variable}"
        return str(self), f"correct --url (it usually ends in /v1) or {name}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Endpoint:
    """The root of an API.

    Args:
        url: `http://` or `https://`, with the path of the API.
        key: Sent as a bearer token; empty for none.
        timeout: Seconds that a whole answer may take.
        largest: Bytes that it may have.

    Raises:
        InputError: The address is none, or holds a password; or the key cannot be sent.
    """

    def __init__(self, url: str, key: str, timeout: float, largest: int = LARGEST) -> None:
        parts = urlsplit(url)
        if parts.password or parts.username:
            raise InputError("--url holds a password", "put the key into the environment variable instead")
        if parts.query or parts.fragment:
            raise InputError("--url holds a query or a fragment", "give the API's root, as http://127.0.0.1:8000/v1")
        if parts.scheme not in ("http", "https") or not parts.hostname or not _port_is_one(parts):
            raise InputError(f"--url {url}: is not a valid address", "write it like http://127.0.0.1:8000/v1")
        self.url = url.rstrip("/")
        self._key = key.strip()
        if not self._key.isascii() or not (self._key + "x").isprintable():
            raise InputError("the endpoint's key has characters that no API key has", "copy it again, on one line")
        self._timeout, self._largest = timeout, largest
        self._opener = urllib.request.build_opener(_NoRedirect, *handlers())

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        return self._send(path, None)

    def post(self, path: str, body: Any) -> Any:
        """The JSON that answers a JSON body.

        Raises:
            UnreachableError: No whole answer came.
            RefusedError: The answer is a refusal.
        """
        return self._send(path, json.dumps(body).encode())

    def _send(self, path: str, data: bytes | None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self.url + path, data, headers)  # noqa: S310  checked above
        try:
            with within(self._timeout) as late:
                raw = self._read(request)
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            # URLError, timeouts, resets, and answers that end before their length; and what a connection that was
            # closed under its reader comes to.
            if late():
                raise UnreachableError(f"no whole answer came within {self._timeout:g} seconds") from None
            if not isinstance(error, OSError | http.client.HTTPException):
                raise
            raise UnreachableError(self._clean(_why(error))) from None
        if late():
            # A reader may take the end of a connection for the end of the answer.
            raise UnreachableError(f"no whole answer came within {self._timeout:g} seconds")
        if len(raw) > self._largest:
            raise RefusedError(NO_ANSWER, f"its answer has more than {self._largest:,} bytes")
        try:
            return json.loads(raw)
        except ValueError:
            raise UnreachableError("its answer is not whole JSON") from None
        except RecursionError:
            raise RefusedError(NO_ANSWER, "its answer is nested too deep") from None

    def _read(self, request: urllib.request.Request) -> bytes:
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return bytes(response.read(self._largest + 1))
        except urllib.error.HTTPError as error:
            with error:
                raise self._answered(error) from None

    def _answered(self, error: urllib.error.HTTPError) -> Exception:
        try:
            said = error.read(4096).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            said = ""
        message, code = _message(said)
        reason = self._clean(message or error.reason or "no reason given")
        if error.code not in RETRYABLE:
            return RefusedError(error.code, reason, self._clean(code))
        wait = asked_to_wait(dict(error.headers), time.time())
        return UnreachableError(f"{error.code}: {reason}", wait, error.code, self._clean(code))

    def _clean(self, text: str) -> str:
        """One printable line without the key: it ends up in labels and on terminals."""
        text = text.replace(self._key, "[key]") if self._key else text
        return "".join(c if c.isprintable() else " " for c in text)[:200].strip()


def _port_is_one(parts: SplitResult) -> bool:
    """Whether an address has no port, or one that there can be."""
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


_WHY: Mapping[type[BaseException], str] = {
    ConnectionRefusedError: "nothing listens there",
    socket.gaierror: "no address is known for that name",
    ssl.SSLCertVerificationError: "its certificate cannot be verified",
    ssl.SSLError: "no secure connection came about",
    TimeoutError: "no answer came in time",
    ConnectionError: "the connection was closed before the answer",
    http.client.HTTPException: "what came is no whole answer of HTTP",
}


def _why(error: BaseException) -> str:
    """In words why no answer came."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    told = (text for kind, text in _WHY.items() if isinstance(cause, kind))
    return next(told, getattr(cause, "strerror", None) or "no connection came about")


def _message(said: str) -> tuple[str, str]:
    """What an error says, and the name that it gives itself."""
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        return said, ""
    error = value.get("error", value) if isinstance(value, Mapping) else value
    if not isinstance(error, Mapping):
        return str(error or said), ""
    names = (error.get(name) for name in ("code", "type"))
    return str(error.get("message") or error.get("detail") or said), next((n for n in names if isinstance(n, str)), "")


def patiently(ask: Callable[[], Any], attempts: int, pause: float, sleep: Callable[[float], None]) -> Any:
    """What asking gives, tried again where it may succeed later.

    Args:
        ask: Asks once.
        attempts: How often, at most.
        pause: Seconds before the second attempt; each pause is twice the one before, or what the endpoint asks for.
        sleep: Waits for so many seconds.

    Raises:
        UnreachableError: No attempt succeeded.
        RefusedError: The endpoint will not.
    """
    for attempt in range(1, attempts + 1):
        try:
            return ask()
        except UnreachableError as error:
            if attempt == attempts or error.code in HOPELESS:
                raise
            wait = max(error.wait or 0.0, pause * 2 ** (attempt - 1))
            # Jitter, so that requests that failed together do not come back together.
            sleep(min(LONGEST_PAUSE, wait * random.uniform(0.75, 1.25)))  # noqa: S311
    raise AssertionError("attempts is at least 1")


HOPELESS = ("insufficient_quota", "billing_hard_limit_reached")
"""Names of errors that come as rate limits and that waiting does not end."""
