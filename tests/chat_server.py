"""A local chat-completions endpoint that tests make misbehave.

It grades what it finds in the JSON of the user's turn: a product whose title holds "grade N" gets N, others 1. As a
program, it serves until it is killed and writes every row's title that it was asked about into a file.
"""

import json
import math
import sys
import threading
from pathlib import Path

from completions import Handler as Base
from completions import Server as BaseServer


def products(body):
    """The data of a request, and its products by key."""
    data = json.loads(body["messages"][-1]["content"])
    return data, data.get("products") or {"grade": data["product"]}


def grade_of(product):
    title = product.get("title", "")
    return next((str(n) for n in range(3) if f"grade {n}" in title), "1")


def chances(grade):
    """0.7 for the grade, and 0.15 and 0.05 for the others, ascending; 0.1 is left for other words."""
    rest = iter((0.15, 0.05))
    return {str(n): 0.7 if str(n) == grade else next(rest) for n in range(3)}


class Server(BaseServer):
    """Answers well, unless `mood` does something else first. Probing requests are not counted in `asked`."""

    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = Handler
        self.forms = ("json_schema", "json_object", None)
        self.logprobs = True
        self.refuses = {}
        self.answer = lambda body: {key: grade_of(product) for key, product in products(body)[1].items()}
        self.finish, self.refusal, self.usage = "stop", None, True
        self.text = lambda body, grades: json.dumps(grades)

    @property
    def asked(self):
        """Requests about pairs, without those that find out what the endpoint understands."""
        return [body for body in self.requests if not is_probe(body)]


def is_probe(body):
    return "products for shoppers" in body["messages"][0]["content"]


class Handler(Base):
    def good(self, body):
        server = self.server
        form = (body.get("response_format") or {}).get("type")
        obeys = form in server.forms
        text = server.text(body, server.answer(body)) if obeys else "Sure! The grade is 2."
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        if not is_probe(body):
            choice["finish_reason"] = server.finish
            message["refusal"] = server.refusal
        if body.get("logprobs") and server.logprobs:
            choice["logprobs"] = {"content": tokens_of(text)}
        usage = {
            "prompt_tokens": sum(len(m["content"]) for m in body["messages"]) // 4,
            "completion_tokens": max(1, len(text or "") // 3),
        }
        return {"choices": [choice], **({"usage": usage} if server.usage else {})}

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        raw = self.rfile.read(length)
        body = json.loads(raw)
        for name, words in self.server.refuses.items():
            if name in body:
                with self.server.lock:
                    self.server.requests.append(body)
                return self.reply(400, {"error": {"message": words, "code": "invalid_request"}})
        self.rfile = __import__("io").BytesIO(raw)
        super().do_POST()


def tokens_of(text):
    """A text as tokens: each grade between quotes one token, with its alternatives, and single characters."""
    tokens, at = [], 0
    while at < len(text):
        token, top = text[at], []
        if token in "012" and text[at - 1 : at] == '"' and text[at + 1 : at + 2] == '"':
            found = chances(token)
            top = [{"token": t, "logprob": math.log(p)} for t, p in found.items()]
            top += [{"token": "grade", "logprob": math.log(0.06)}, {"token": " ", "logprob": math.log(0.004)}]
            logprob = math.log(found[token])
        else:
            logprob, top = -0.01, [{"token": token, "logprob": -0.01}]
        tokens.append({"token": token, "logprob": logprob, "bytes": None, "top_logprobs": top})
        at += 1
    return tokens


def serve(port_file, asked_file):
    """Serve until killed; each pair that is asked about is noted before it is answered."""
    server = Server()
    server.logprobs = False

    def note(handler, body, turn):
        if not is_probe(body):
            with server.lock:
                titles = [product["title"] for product in products(body)[1].values()]
                with Path(asked_file).open("a", encoding="utf-8") as stream:
                    stream.writelines(f"{title}\n" for title in titles)
        threading.Event().wait(0.01)
        return False

    server.mood = note
    Path(port_file).write_text(str(server.server_port))
    server.serve_forever()


if __name__ == "__main__":
    serve(*sys.argv[1:])
