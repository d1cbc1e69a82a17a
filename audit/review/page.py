"""A local page where a person decides on flagged labels with the keyboard.

Loopback only; the address holds a token, and requests without it, or under another host name, get nothing. A decision
is on disk before the page hears that it was taken, so a tab or a server that dies loses none.
"""

import json
import re
import secrets
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import BoundedSemaphore, Lock, Timer
from typing import Any
from urllib.parse import parse_qs

from audit.review.queue import Item, Stance, read_queue
from audit.review.sheet import parse_decision
from judge.documents import read_json
from judge.errors import InputError, JudgeError
from judge.files import now
from judge.run.decisions import Decision, Decisions, settling
from judge.run.flag_types import flag_types
from judge.run.store import Run
from judge.words.pages import page

_PLACE = re.compile(r"[0-9]{1,12}")
MOST = 32
"""Connections at a time; a page needs two."""
SECONDS = 30.0
"""Of a connection, from its first byte to its last."""
LONGEST = 100_000
"""Bytes of a request's body, at most."""


class Review:
    """The queue of a run as one person goes through it.

    Args:
        run: A run that has been audited.
        author: Who decides.
    """

    def __init__(self, run: Run, author: str) -> None:
        self.author = author
        self.guideline = run.manifest.policy
        self.items = read_queue(run, everything=True)
        self.places = {item.key: index for index, item in enumerate(self.items)}
        self.report = run.path / "audit.html"
        self._decisions = Decisions(run.path)
        self._lock = Lock()

    def state(self, wanted: int | None = None) -> dict[str, Any]:
        """The item at a place of the queue, or the first that nobody has settled; `item` is null when all are."""
        latest = self._decisions.latest()
        settled = settling(latest)
        left = [i for i, item in enumerate(self.items) if item.key not in settled]
        fresh = [i for i in left if self.items[i].key not in latest]
        place = wanted if wanted is not None and 0 <= wanted < len(self.items) else next(iter(fresh or left), None)
        item = None if place is None else self._shown(place, latest.get(self.items[place].key))
        return {"total": len(self.items), "settled": len(self.items) - len(left), "place": place, "item": item}

    def decide(self, body: Mapping[str, Any]) -> None:
        """Append one decision.

        Raises:
            InputError: The body names no pair of the queue, or no decision.
        """
        key = str(body.get("query_id")), str(body.get("candidate_id"))
        if key not in self.places:
            raise InputError("the pair is not in the queue", "load the page again")
        item = self.items[self.places[key]]
        verdict, grade = parse_decision(str(body.get("decision", "")), self.guideline.values, "the page", item.grade)
        decision = Decision(
            query_id=item.query_id,
            candidate_id=item.candidate_id,
            verdict=verdict,
            grade=grade,
            label=item.grade,
            author=self.author,
            reason=str(body.get("reason", ""))[:10_000],
            time=now(),
            source="review",
        )
        with self._lock:
            self._decisions.append([decision])

    def _shown(self, place: int, decision: Decision | None) -> dict[str, Any]:
        item: Item = self.items[place]
        return {
            "query_id": item.query_id,
            "candidate_id": item.candidate_id,
            "query": item.query,
            "candidate": dict(item.candidate),
            "grade": item.grade,
            "likeliest": item.suggested_grade,
            "suggested": item.suggestion,
            "seconded": item.stance is Stance.SUGGESTED_CHANGE,
            "types": [
                {"name": kind.words, "meaning": kind.meaning} for kind in (flag_types()[name] for name in item.types)
            ],
            "p_wrong": item.p_wrong,
            "probabilities": item.probabilities,
            "evidence": item.evidence,
            "decided": None if decision is None else decision.model_dump(mode="json"),
        }


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
            self._json(HTTPStatus.OK, self.review.state(self._place(query)))
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
            self.review.decide(body)
        except (ValueError, JudgeError) as error:
            self._json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        self._json(HTTPStatus.OK, self.review.state())

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

    def _place(self, query: str) -> int | None:
        """The place that is asked for, by its number or by its pair."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        if {"query_id", "candidate_id"} <= set(given):
            return self.review.places.get((given["query_id"], given["candidate_id"]))
        place = given.get("place", "")
        return int(place) if _PLACE.fullmatch(place) else None

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
