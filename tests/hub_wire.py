"""The wire of the local Hub: requests in, answers out, and failures where a test put them."""

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from hub_store import RefusedError

JSON = "application/json"


@dataclass
class Failure:
    """What becomes of requests whose `METHOD path` matches."""

    pattern: str
    status: int | None = None
    message: str = "injected"
    times: int = 1_000_000
    after: int = 0
    """So many matching requests go well first."""
    cut: bool = False
    wait: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)


class Wire(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    hub: object
    routes: list  # of methods, a path's pattern, and what answers

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):  # a client that was killed, or a cut of ours
            self.close_connection = True

    def _serve(self):
        path = urlsplit(self.path).path
        line = f"{self.command} {unquote(path)}"
        with self.hub.lock:
            self.hub.log.append(line)
            failure = next((f for f in self.hub.failures if f.times > 0 and re.search(f.pattern, line)), None)
            if failure and failure.after > 0:
                failure.after, failure = failure.after - 1, None
            elif failure:
                failure.times -= 1
        if failure:
            failure.reached.set()
            if failure.wait:
                failure.wait.wait(60)
            if failure.cut:
                self.rfile.read(min(100, int(self.headers.get("Content-Length", 0))))
                self.close_connection = True
                self.connection.close()
                return
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if failure and failure.status:
                raise RefusedError(failure.status, failure.message)
            with self.hub.lock:
                for method, pattern, act in self.routes:
                    if (found := re.fullmatch(pattern, path)) and self.command in method:
                        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
                        self.person = self.hub.who(token)
                        return act(self, **{key: unquote(value or "") for key, value in found.groupdict().items()})
            raise RefusedError(404, "Not Found")
        except RefusedError as refused:
            headers = {"X-Error-Message": refused.message, "X-Error-Code": refused.code}
            self.answer({"error": refused.message}, refused.status, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def answer(self, content, status=200, headers=None):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
            headers = {"Content-Type": JSON, **(headers or {})}
        self.send_response(status)
        for key, value in {"Content-Length": len(content), **(headers or {})}.items():
            if value is not None:
                self.send_header(key, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    @property
    def json(self):
        return json.loads(self.body)

    def ranged(self, content, headers):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            return self.answer(content, 200, headers)
        start, end = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
        headers = {**headers, "Content-Range": f"bytes {start}-{end}/{len(content)}"}
        return self.answer(content[start : end + 1], 206, headers)
