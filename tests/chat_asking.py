"""The chat engine as its tests ask it, quickly and with pauses that are noted, and runs through its server."""

import csv
from functools import partial

import pytest
from chat_server import Server

from judge.engines.chat.engine import ChatEngine
from judge.engines.chat.prompt import ChatBuilder
from judge.engines.options import default_options
from judge.records import Pair


def engine_of(server, **changes):
    pauses = []
    options = {"concurrency": 2, "attempts": 3, "timeout": 5.0, **changes}
    made = ChatEngine(server.url, "the-model", default_options().changed(chat=options).chat, pauses.append)
    made.pauses = pauses
    return made


@pytest.fixture
def server():
    """A local chat server."""
    with Server() as found:
        yield found


@pytest.fixture
def chat_engine(server, monkeypatch):
    """Makes a chat engine that asks `server`, with changed options."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return partial(engine_of, server)


def pair(row, title="thing", query="lamp"):
    return Pair(row, query, query, f"c{row}", {"title": title})


def ask(engine, guideline, pairs, many=False):
    return engine.score(ChatBuilder(guideline, many=many).build(pairs))


GRADED = [pair(row, f"no {row}, grade {row % 3}") for row in range(6)]


@pytest.fixture
def chat(server, monkeypatch):
    """The options of a run through that server."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return ("--engine", "chat", "--url", server.url, "--judge", "acme/large")


@pytest.fixture
def pairs(tmp_path):
    """Twenty queries of three products, whose titles say the grade that the server gives."""
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query", "candidate_id", "title"])
        writer.writerows([f"query {q}", f"c{q}-{g}", f"product {q} of grade {g}"] for q in range(20) for g in range(3))
    return path
