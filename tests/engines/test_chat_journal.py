"""What a chat endpoint answered is kept: asked once, counted once."""

import json
import threading
import time

import pytest
from chat_asking import GRADED, ask

from judge.engines.chat.journal import Journal
from judge.errors import EngineError


def test_what_the_journal_holds_is_not_asked_again(server, chat_engine, guideline, tmp_path):
    path = tmp_path / "answers.jsonl"
    asking = chat_engine(per_request=2)
    assert asking.terms
    with asking.noting(Journal(path, "f")):
        first = ask(asking, guideline, GRADED, many=True)
    assert len(server.asked) == 3
    # A kill cut the last line short, and its two pairs with it.
    path.write_bytes(path.read_bytes()[:-20])
    server.requests.clear()
    with asking.noting(Journal(path, "f")):
        assert ask(asking, guideline, GRADED, many=True) == first
    assert len(server.asked) == 1
    server.requests.clear()
    with asking.noting(Journal(path, "f")):
        assert ask(asking, guideline, GRADED, many=True) == first
    assert server.asked == []
    with asking.noting(Journal(path, "another fingerprint")):
        ask(asking, guideline, GRADED, many=True)
    assert len(server.asked) == 3


def test_the_journal_is_written_before_the_answer_counts(server, chat_engine, guideline, tmp_path):
    """What is under way when the run ends with an error is paid for, and kept."""
    path = tmp_path / "answers.jsonl"
    asking = chat_engine(concurrency=3)
    assert asking.terms
    barrier = threading.Barrier(3)

    def mood(handler, body, turn):
        barrier.wait(5)
        if "no 0" in str(body):
            handler.reply(403, {"error": {"message": "no"}})
            return True
        time.sleep(0.1)
        return False

    server.mood = mood
    with pytest.raises(EngineError), asking.noting(Journal(path, "f")):
        ask(asking, guideline, GRADED[:3])
    rows = [row for line in map(json.loads, path.read_text().splitlines()) for row in line["rows"]]
    assert sorted(rows) == [1, 2]


def test_usage_counts_every_answer_once(server, chat_engine, guideline, tmp_path):
    asking = chat_engine()
    assert asking.terms
    journal = Journal(tmp_path / "answers.jsonl", "f")
    with asking.noting(journal):
        ask(asking, guideline, GRADED)
    # Seven answers: one to find out what the endpoint understands, and six. Four characters are a token here.
    sent = [sum(len(m["content"]) for m in body["messages"]) // 4 for body in server.requests]
    assert (journal.usage.requests, journal.usage.prompt_tokens) == (7, sum(sent))
    again = Journal(tmp_path / "answers.jsonl", "f")
    assert again.usage == journal.usage
    again.close()
