"""JSON over HTTP, with what can go wrong sorted in two: worth trying again, or not.

The standard library's client. Redirects are not followed, so that a key never travels to another host; and the key is
taken out of everything that an endpoint sends back before it can reach a message.
"""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from judge.errors import InputError

RETRYABLE = (408, 425, 429, 500, 502, 503, 504, 529)
LARGEST = 256 * 1024 * 1024
"""Bytes of an answer; more is not from a completions endpoint."""


class UnreachableError(Exception):
    """The endpoint did not answer, or not wholly: the same request may succeed later."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait
        """Seconds that the endpoint asks us to wait."""


class RefusedError(Exception):
    """The endpoint answered that it will not."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the endpoint answered {status}: {reason}")
        self.status = status

    def advice(self, variable: str) -> tuple[str, str]:
        """Message and hint for a user."""
        if self.status in (401, 403):
            return str(self), f"put a key that it accepts into the environment variable {variable}"
        return str(self), "correct --url (it usually ends in /v1) or server.model in --engine-config"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Endpoint:
    """The root of an API.

    Args:
        url: `http://` or `https://`, with the path of the API.
        key: Sent as a bearer token; empty for none.
        timeout: Seconds without a byte after which a request is given up.

    Raises:
        InputError: The address is none, or holds a password.
    """

    def __init__(self, url: str, key: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"--url {url}: is no address", "write it like http://127.0.0.1:8000/v1")
        if parts.password or parts.username:
            raise InputError("--url holds a password", "put the key into the environment variable instead")
        self.url = url.rstrip("/")
        self._key = key.strip()
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_NoRedirect)

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
            with self._opener.open(request, timeout=self._timeout) as response:
                raw = response.read(LARGEST)
        except urllib.error.HTTPError as error:
            with error:
                raise self._answered(error) from None
        except (OSError, http.client.HTTPException) as error:
            # URLError, timeouts, resets, and answers that end before their length.
            reason = getattr(error, "reason", None) or error
            raise UnreachableError(self._clean(f"{type(error).__name__}: {reason}")) from None
        try:
            return json.loads(raw)
        except ValueError:
            raise UnreachableError("its answer is not whole JSON") from None

    def _answered(self, error: urllib.error.HTTPError) -> Exception:
        try:
            said = error.read(4096).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            said = ""
        reason = self._clean(_message(said) or error.reason or "no reason given")
        if error.code not in RETRYABLE:
            return RefusedError(error.code, reason)
        return UnreachableError(f"{error.code}: {reason}", _seconds(error.headers.get("Retry-After")))

    def _clean(self, text: str) -> str:
        """One printable line without the key: it ends up in labels and on terminals."""
        text = text.replace(self._key, "[key]") if self._key else text
        return "".join(c if c.isprintable() else " " for c in text)[:200].strip()


def _message(said: str) -> str:
    try:
        value = json.loads(said)
    except ValueError:
        return said
    error = value.get("error", value) if isinstance(value, dict) else value
    found = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    return str(found or said)


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.strip().isdigit() else None
