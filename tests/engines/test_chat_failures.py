"""The chat engine against a local server that misbehaves in every way a real one does."""

import time

import pytest
from chat_asking import GRADED, ask, pair
from chat_server import Server, is_probe

from judge.engines.chat.engine import ChatEngine
from judge.engines.options import default_options
from judge.errors import EngineError, InputError
from judge.records import Choice, Failure, Scores

# answers that cannot be used


@pytest.mark.parametrize(
    ("spoil", "reason", "requests"),
    [
        ({"refusal": "I will not.\x1b[2J"}, "the judge refused: I will not. [2J", 1),
        ({"finish": "content_filter"}, "the endpoint's content filter stopped the answer", 1),
        ({"finish": "length"}, "the answer was cut off", 1),
        ({"text": lambda b, g: "2"}, "the answer is no JSON object: 2", 2),
        ({"text": lambda b, g: 'The grade: {"grade": "2"}'}, "the answer is not one JSON object: The grade", 2),
        ({"text": lambda b, g: '{"grade": "2"} {"grade": "1"}'}, "the answer is not one JSON object", 2),
        ({"text": lambda b, g: "[" * 100_000}, "the answer is nested too deep", 2),
        ({"text": lambda b, g: '{"a": ' * 100_000}, "the answer is nested too deep", 2),
        ({"text": lambda b, g: '{"grade": {"grade": "2"}}'}, "the answer's grade is none of the guideline's", 2),
        ({"text": lambda b, g: '{"grade": true}'}, "the answer's grade is none of the guideline's", 2),
        ({"text": lambda b, g: ""}, "the answer has no text", 2),
        ({"text": lambda b, g: None}, "the answer has no text", 2),
    ],
)
def test_an_answer_that_cannot_be_used_fails_its_row(server, chat_engine, guideline, spoil, reason, requests):
    asking = chat_engine(logprobs="never")
    assert asking.terms
    for name, value in spoil.items():
        setattr(server, name, value)
    [found] = ask(asking, guideline, [pair(1)])
    assert found.reason.startswith(reason)
    assert "\x1b" not in found.reason
    assert len(server.asked) == requests, "asked again only where that can help"


@pytest.mark.parametrize("choices", [None, [], [None], [{}], [{"message": 3}], "x", [{"message": {"content": 3}}]])
def test_an_answer_of_another_shape_fails_its_row(server, chat_engine, guideline, choices):
    server.mood = lambda handler, body, turn: not is_probe(body) and (handler.reply(200, {"choices": choices}) or True)
    [found] = ask(chat_engine(), guideline, [pair(1)])
    assert found.reason == "the answer has no text"


@pytest.mark.parametrize(
    "tokens",
    [
        None,
        [],
        [{"token": "x"}],
        [{"token": '{"grade": "1"}', "logprob": "high", "top_logprobs": []}],
        [{"token": '{"grade": "1"}', "logprob": 0.0, "top_logprobs": None}],
        [{"token": 3, "logprob": 0.0, "top_logprobs": []}],
    ],
)
def test_log_probabilities_that_make_no_sense_leave_the_grade_alone(server, chat_engine, guideline, tokens):
    asking = chat_engine()
    assert asking.terms.top == 20

    def mood(handler, body, turn):
        answer = handler.good(body)
        answer["choices"][0]["logprobs"] = {"content": tokens}
        handler.reply(200, answer)
        return True

    server.mood = mood
    assert ask(asking, guideline, [pair(1)]) == [Choice(1)]


def refuse(code, body, headers=()):
    return lambda handler, asked, turn: not is_probe(asked) and (handler.reply(code, body, headers) or True)


def test_a_filter_that_answers_400_fails_the_row_alone(server, chat_engine, guideline):
    error = {"error": {"message": "filtered", "code": "content_filter"}}
    server.mood = lambda handler, body, turn: "no 2" in str(body) and (handler.reply(400, error) or True)
    found = ask(chat_engine(), guideline, GRADED)
    assert [isinstance(each, Failure) for each in found] == [row == 2 for row in range(6)]
    assert "content filter" in found[2].reason


@pytest.mark.parametrize("code", [400, 401, 403, 404, 307])
def test_a_refusal_of_every_request_ends_the_run_at_once(server, chat_engine, guideline, code):
    headers = [("Location", "http://127.0.0.1:9/v1/chat/completions")] if code == 307 else []
    server.mood = refuse(code, {"error": {"message": "no"}}, headers)
    with pytest.raises(EngineError, match=str(code)):
        ask(chat_engine(concurrency=1), guideline, GRADED)
    assert len(server.asked) == 1
    server.mood = lambda handler, body, turn: handler.reply(code, {"error": {"message": "no"}}, headers) or True
    with pytest.raises(EngineError):
        assert chat_engine(answers="plain", logprobs="never").terms


# waiting, bounds, keys


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([("Retry-After", "7")], 7),
        ([("retry-after-ms", "7000")], 7),
        ([("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "7s")], 7),
        ([("Retry-After", "10000")], 60),
        ([("Retry-After", "soon")], 0.5),
        ([("x-ratelimit-remaining-requests", "9"), ("x-ratelimit-reset-requests", "7s")], 0.5),
    ],
)
def test_rate_limits_are_waited_for_as_the_endpoint_says(server, chat_engine, guideline, headers, seconds):
    asking = chat_engine()
    assert asking.terms
    turns = iter([True])
    server.mood = lambda handler, body, turn: next(turns, False) and (handler.reply(429, {}, headers) or True)
    assert isinstance(ask(asking, guideline, [pair(1)])[0], Scores)
    assert 0.75 * seconds <= asking.pauses[0] <= 1.25 * seconds


def test_a_rate_limit_that_stays_ends_the_run_to_be_gone_on_with(server, chat_engine, guideline):
    server.mood = refuse(429, {"error": {"message": "slow down"}})
    asking = chat_engine(concurrency=1)
    with pytest.raises(EngineError, match="slow down"):
        ask(asking, guideline, [pair(1)])
    assert len(asking.pauses) == 2
    server.mood = refuse(429, {"error": {"message": "no money", "code": "insufficient_quota"}})
    asking = chat_engine(concurrency=1)
    with pytest.raises(EngineError, match="no money"):
        ask(asking, guideline, [pair(1)])
    assert asking.pauses == [], "waiting does not end it"


def test_one_pair_that_breaks_the_endpoint_costs_no_other_row(server, chat_engine, guideline):
    server.mood = lambda handler, body, turn: "no 2" in str(body) and (handler.reply(500, {}) or True)
    found = ask(chat_engine(), guideline, GRADED)
    assert [isinstance(each, Failure) for each in found] == [row == 2 for row in range(6)]
    assert found[2].reason.startswith("the endpoint did not answer (500")


def test_an_endpoint_that_is_gone_ends_the_run(server, chat_engine, guideline):
    server.mood = refuse(500, {})
    server.lists = lambda handler, body, turn: handler.reply(500, {}) or True
    with pytest.raises(EngineError):
        ask(chat_engine(), guideline, GRADED[:2])


def test_an_answer_that_drips_is_given_up_at_the_deadline(server, chat_engine, guideline):
    def drip(handler, body, turn):
        if is_probe(body):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)
        return True

    server.mood = drip
    [found] = ask(chat_engine(timeout=0.3, attempts=1), guideline, [pair(1)])
    assert "within 0.3 seconds" in found.reason


def test_an_answer_of_endless_bytes_is_not_read(server, chat_engine, guideline):
    server.mood = lambda handler, body, turn: not is_probe(body) and (handler.reply(200, b" " * 200_000) or True)
    [found] = ask(chat_engine(largest=100_000), guideline, [pair(1)])
    assert "more than 100,000 bytes" in found.reason
    assert len(server.asked) == 1


def test_a_deeply_nested_answer_fails_its_row(server, chat_engine, guideline):
    server.mood = lambda handler, body, turn: not is_probe(body) and (handler.reply(200, b"[" * 100_000) or True)
    [found] = ask(chat_engine(), guideline, [pair(1)])
    assert "nested too deep" in found.reason


def test_the_key_goes_to_the_endpoint_alone(server, chat_engine, guideline, monkeypatch):
    asking = chat_engine()
    assert asking.terms
    assert "Authorization" not in server.headers_seen[0]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    asking = chat_engine()
    with Server() as other:
        server.mood = refuse(307, {"sk-very-secret": 1}, [("Location", f"{other.url}/chat/completions")])
        with pytest.raises(EngineError) as caught:
            ask(asking, guideline, [pair(1)])
        assert other.requests == []
    assert server.headers_seen[-1]["Authorization"] == "Bearer sk-very-secret"
    assert "secret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-ä", "sk-a\x00"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(chat_engine, monkeypatch, key):
    asked = dict.fromkeys(["OPENAI_API_KEY"], key)
    monkeypatch.setattr("judge.engines.chat.engine.os.environ", asked)
    options = default_options().chat
    with pytest.raises(InputError) as caught:
        ChatEngine("http://127.0.0.1:9/v1", "m", options)
    assert "sk-" not in caught.value.message


@pytest.mark.parametrize("url", ["http://me:secret@host/v1", "ftp://me:secret@host", "http://host/v1?key=secret", ""])
def test_an_address_that_is_none_is_refused_without_its_secrets(url):
    with pytest.raises(InputError) as caught:
        ChatEngine(url, "m", default_options().chat)
    assert "secret" not in caught.value.message
