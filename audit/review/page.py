"""A local page where a person decides on flagged labels with the keyboard.

Loopback only; the address holds a token, and requests without it, or under another host name, get nothing. A decision
is on disk before the page hears that it was taken, so a tab or a server that dies loses none.
"""

import json
import re
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import BoundedSemaphore, Timer
from typing import Any
from urllib.parse import parse_qs

from audit.review.reviewing import Review
from judge.documents import read_json
from judge.errors import InputError, JudgeError
from judge.words.pages import page

_PLACE = re.compile(r"[0-9]{1,12}")
MOST = 32
"""Connections at a time; a page needs two."""
SECONDS = 30.0
"""Of a connection, from its first byte to its last."""
LONGEST = 100_000
"""Bytes of a request's body, at most."""


def serve(review: Review, port: int = 0) -> tuple[ThreadingHTTPServer, str]:
    """A server bound to the loopback, and the address of its page. The caller runs and closes it.

    Raises:
        InputError: The port is taken.
    """
    token = secrets.token_urlsafe(24)

    class Handler(_Handler):
        pass

    Handler.review, Handler.token = review, token
    try:
        server = _Server(("127.0.0.1", port), Handler)
    except OSError as error:
        raise InputError(f"--port {port}: cannot be used ({error.strerror})", "leave it out, or name another") from None
    return server, f"http://127.0.0.1:{server.server_port}/{token}/"


class _Server(ThreadingHTTPServer):
    """At most `MOST` connections at a time, each closed when its time is over, whatever it still has to say."""

    daemon_threads = True

    def __init__(self, *given: Any) -> None:
        self._room = BoundedSemaphore(MOST)
        super().__init__(*given)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, or close it where there is no room for one."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer it, in a thread of its own."""
        timer = Timer(SECONDS, self.shutdown_request, [request])
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a connection that breaks off is not an error of the page."""
        if not isinstance(sys.exception(), OSError | ValueError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    review: Review
    token: str
    timeout = SECONDS
    """Of each wait for a byte."""

    def do_GET(self) -> None:
        """The page, its script, and what to decide next."""
        path, _, query = self.path.partition("?")
        name = self._name(path)
        if name == "":
            self._answer(HTTPStatus.OK, _page(self.review), "text/html; charset=utf-8")
        elif name == "review.js":
            script = files("audit.review").joinpath("page.js").read_text(encoding="utf-8")
            self._answer(HTTPStatus.OK, script, "text/javascript; charset=utf-8")
        elif name == "state":
            self._state(query)
        elif name == "report" and self.review.report.is_file():
            # The report allows its own script alone, by its hash.
            report = self.review.report.read_text(encoding="utf-8")
            self._answer(HTTPStatus.OK, report, "text/html; charset=utf-8", scripts="'unsafe-inline'")
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": "there is nothing here"})

    def do_POST(self) -> None:
        """A decision; the answer is what to decide next."""
        length = self.headers.get("Content-Length", "")
        json_body = self.headers.get("Content-Type", "").startswith("application/json")
        if self._name(self.path) != "decide" or not json_body:
            self._json(HTTPStatus.NOT_FOUND, {"error": "there is nothing here"})
            return
        if not (length.isascii() and length.isdecimal() and len(length) < 9) or int(length) > LONGEST:
            self._json(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "the request is too long"})
            return
        try:
            body = read_json(self.rfile.read(int(length)))
            if not isinstance(body, dict):
                raise InputError("the request is not a JSON object")
            state = self.review.decide(body)
        except (ValueError, JudgeError) as error:
            self._json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        self._json(HTTPStatus.OK, state)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: the token stands in every address."""

    def _name(self, path: str) -> str | None:
        """What is asked for behind the token; null for strangers and for other host names (DNS rebinding)."""
        assert isinstance(self.server, ThreadingHTTPServer)
        port = self.server.server_port
        if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return None
        token, _, name = path.removeprefix("/").partition("/")
        return name if secrets.compare_digest(token.encode(), self.token.encode()) else None

    def _state(self, query: str) -> None:
        """The pair that is asked for, by its place or by its ids, or the first that is open."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        place = given.get("place", "")
        wanted = int(place) if _PLACE.fullmatch(place) else None
        try:
            if {"query_id", "candidate_id"} <= set(given):
                wanted = self.review.find(given["query_id"], given["candidate_id"])
        except JudgeError as error:
            self._json(HTTPStatus.NOT_FOUND, {"error": str(error)})
            return
        self._json(HTTPStatus.OK, self.review.state(wanted))

    def _json(self, status: HTTPStatus, value: Any) -> None:
        self._answer(status, json.dumps(value), "application/json")

    def _answer(self, status: HTTPStatus, text: str, kind: str, scripts: str = "'self'") -> None:
        data = text.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src {scripts}; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _page(review: Review) -> str:
    values = {"guideline": review.guideline, "author": review.author}
    return page(files("audit.review"), "page.html.j2", values)
