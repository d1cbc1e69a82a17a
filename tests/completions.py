"""A local completions endpoint that tests make misbehave."""

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LABELS = (10, 11, 12)
LOGPROBS = tuple(math.log(p) for p in (0.2, 0.3, 0.4))


class Server(ThreadingHTTPServer):
    """Answers completions well, unless `mood` (handler, request, turn) does something else first."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.headers_seen, self.under_way, self.most = [], [], 0, 0
        self.mood = lambda handler, body, turn: False
        self.lists = lambda handler, body, turn: False
        self.choice = lambda ids: dict(zip((f"token_id:{label}" for label in LABELS), LOGPROBS, strict=True))
        self.lock = threading.Lock()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address):
        """Dropped connections are what is tested."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def reply(self, status, body, headers=(), cut=0):
        raw = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw[: len(raw) - cut])

    def do_GET(self):
        if not self.server.lists(self, None, 0):
            self.reply(200, {"data": [{"id": "the-model"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(body)
            self.server.headers_seen.append(dict(self.headers))
            turn = len(self.server.requests)
            self.server.under_way += 1
            self.server.most = max(self.server.most, self.server.under_way)
        try:
            answered = self.server.mood(self, body, turn)
        finally:
            # Before the answer goes out: whoever has it may ask again at once.
            with self.server.lock:
                self.server.under_way -= 1
        if not answered:
            self.reply(200, self.good(body))

    def good(self, body):
        choices = [
            {"index": i, "logprobs": {"top_logprobs": [self.server.choice(ids)]}}
            for i, ids in enumerate(body["prompt"])
        ]
        return {"choices": choices[::-1]}  # the order is not promised
