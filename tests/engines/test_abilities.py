"""What an endpoint can do, asked of local servers that can more or less."""

from contextlib import ExitStack

import chat_server
import completions
import pytest

from judge.engines.abilities import find_abilities
from judge.engines.options import default_options
from judge.errors import EngineError


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ExitStack() as begun:
        yield begun.enter_context


def look(server, model=None):
    options = default_options().changed(chat={"attempts": 2, "timeout": 5.0})
    return find_abilities(server.url, model, options, sleep=lambda seconds: None)


def no_tokens(handler, body, turn):
    if "prompt" in body:
        handler.reply(404, {"error": {"message": "no such path"}})
        return True
    return False


def test_an_endpoint_with_schema_and_log_probabilities(serve):
    server = serve(chat_server.Server())
    server.mood = no_tokens
    found = look(server)
    assert (found.models, found.model) == (("the-model",), "the-model")
    assert (found.chat, found.answers, found.logprobs, found.seed) == (True, "json_schema", 20, True)
    assert not found.token_ids
    assert "404" in found.token_ids_missing
    assert "--engine chat" in found.advice
    assert "--samples" not in found.advice


def test_an_endpoint_that_answers_in_json_and_tells_no_probabilities(serve):
    server = serve(chat_server.Server())
    server.mood, server.forms, server.logprobs = no_tokens, ("json_object", None), False
    server.refuses = {"seed": "unknown parameter: seed"}
    found = look(server)
    assert (found.answers, found.logprobs, found.seed) == ("json_object", 0, False)
    assert "--samples" in found.advice


def test_an_endpoint_that_takes_token_ids_and_no_chat(serve):
    server = serve(completions.Server())
    server.choice = lambda ids: {f"token_id:{n}": -2.0 for n in (1, 2, 3)}

    def no_chat(handler, body, turn):
        if "messages" in body:
            handler.reply(404, {"error": {"message": "no chat here"}})
            return True
        return False

    server.mood = no_chat
    found = look(server)
    assert (found.token_ids, found.chat) == (True, False)
    assert "404" in found.chat_missing
    assert "--engine server" in found.advice


def test_of_several_models_one_has_to_be_named(serve):
    server = serve(chat_server.Server())
    server.mood = no_tokens
    server.lists = lambda handler, body, turn: handler.reply(200, {"data": [{"id": "a"}, {"id": "b\x1b[2J"}]}) or True
    found = look(server)
    assert (found.model, found.chat, server.requests) == (None, False, [])
    assert "\x1b" not in "".join(found.models)
    assert look(server, "a").chat


def test_who_does_not_answer_or_wants_a_key_is_an_error(serve):
    server = serve(chat_server.Server())
    server.lists = lambda handler, body, turn: handler.reply(401, {"error": {"message": "no key"}}) or True
    with pytest.raises(EngineError) as refused:
        look(server)
    assert "OPENAI_API_KEY" in refused.value.hint
    gone = chat_server.Server()
    gone.server_close()
    with pytest.raises(EngineError):
        look(gone)
