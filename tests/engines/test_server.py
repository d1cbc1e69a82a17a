"""The server engine against a local server that misbehaves in every way a real one does."""

import json
import re
import time

import pytest
from completions import LABELS, LOGPROBS, Server

from judge.engines.options import default_options
from judge.engines.server import ENOUGH, ServerEngine
from judge.errors import EngineError, InputError
from judge.records import Prompt, Scores
from judge.watching import listening


def prompt(number: int) -> Prompt:
    return Prompt((1, 2), (3,), (number,), LABELS)


@pytest.fixture
def server():
    with Server() as found:
        yield found


@pytest.fixture
def engine(server):
    def make(**changes):
        pauses = []
        options = {"prompts": 4, "concurrency": 2, "attempts": 3, "timeout": 5.0, **changes}
        made = ServerEngine(server.url, default_options().changed(server=options).server, pauses.append)
        made.pauses = pauses
        return made

    return make


def graded(answers):
    return [isinstance(answer, Scores) for answer in answers]


def test_prompts_go_as_token_ids_many_in_a_request_and_few_requests_at_once(server, engine):
    server.mood = lambda handler, body, turn: time.sleep(0.02)
    answers = engine().score([prompt(i) for i in range(30)])
    assert all(graded(answers))
    assert answers[0].logprobs == pytest.approx(LOGPROBS)
    assert answers[0].outside_mass == pytest.approx(0.1)
    assert sorted(len(body["prompt"]) for body in server.requests) == [2, *[4] * 7]
    assert sorted(ids[-1] for body in server.requests for ids in body["prompt"]) == list(range(30))
    assert server.most <= 2
    body = server.requests[0]
    assert body["prompt"][0][:3] == [1, 2, 3]
    assert (body["model"], body["max_tokens"], body["logprob_token_ids"]) == ("the-model", 1, list(LABELS))


def test_every_request_moves_the_progress(server, engine):
    told = []
    with listening(told.append, 30):
        engine().score([prompt(i) for i in range(30)])
    assert told == [*[4] * 7, 2]


def test_answers_stand_at_their_prompt_whatever_their_order(server, engine):
    server.choice = lambda ids: {f"token_id:{label}": -1.5 - ids[-1] - i for i, label in enumerate(LABELS)}
    answers = engine().score([prompt(i) for i in range(6)])
    assert [answer.logprobs[0] for answer in answers] == [-1.5 - i for i in range(6)]


def drop(handler, body, turn):
    handler.connection.close()
    return True


def truncated(handler, body, turn):
    handler.reply(200, handler.good(body), cut=20)
    handler.connection.close()
    return True


def half(handler, body, turn):
    handler.reply(200, json.dumps(handler.good(body)).encode()[:-9])
    return True


def status(code, headers=()):
    def mood(handler, body, turn):
        handler.reply(code, {"error": {"message": f"sorry, {code}"}}, headers)
        return True

    return mood


def stall(handler, body, turn):
    time.sleep(0.6)
    return True


def first(mood, turns=1):
    return lambda handler, body, turn: turn <= turns and mood(handler, body, turn)


TRANSIENT = {
    "429": status(429),
    "500": status(500),
    "503": status(503),
    "a timeout": stall,
    "a dropped connection": drop,
    "an answer that ends early": truncated,
    "truncated JSON": half,
}


@pytest.mark.parametrize("mood", TRANSIENT.values(), ids=TRANSIENT)
def test_what_can_succeed_later_is_tried_again(server, engine, mood):
    server.mood = first(mood, 2)
    asking = engine(timeout=0.3, concurrency=1)
    assert all(graded(asking.score([prompt(1), prompt(2)])))
    assert len(server.requests) == 3
    one, two = asking.pauses
    assert 0.375 <= one <= 0.625
    assert 0.75 <= two <= 1.25


@pytest.mark.parametrize("mood", TRANSIENT.values(), ids=TRANSIENT)
def test_what_never_succeeds_ends_as_failed_with_the_reason(server, engine, mood):
    server.mood = lambda handler, body, turn: body["prompt"][0][-1] == 2 and mood(handler, body, turn)
    asking = engine(timeout=0.3, prompts=1, attempts=2)
    answers = asking.score([prompt(1), prompt(2)])
    assert graded(answers) == [True, False]
    assert answers[1].reason.startswith("the endpoint did not answer (")
    assert len(server.requests) == 1 + 2 + 1, "once more alone; then it is the prompt's fault"


def test_the_endpoint_says_how_long_to_wait(server, engine):
    server.mood = first(status(429, [("Retry-After", "7")]))
    asking = engine()
    assert all(graded(asking.score([prompt(1)])))
    assert 5.25 <= asking.pauses[0] <= 8.75


@pytest.mark.parametrize("code", [401, 403, 404])
def test_what_can_never_succeed_is_not_tried_again_and_ends_the_run(server, engine, code):
    server.mood = status(code)
    with pytest.raises(EngineError, match=str(code)):
        engine(concurrency=1).score([prompt(1)])
    assert len(server.requests) == 1


def test_one_prompt_that_is_refused_fails_alone(server, engine):
    def mood(handler, body, turn):
        return any(ids[-1] == 5 for ids in body["prompt"]) and status(400)(handler, body, turn)

    server.mood = mood
    asking = engine()
    answers = asking.score([prompt(i) for i in range(8)])
    assert graded(answers) == [i != 5 for i in range(8)]
    assert answers[5].reason == "the endpoint answered 400: sorry, 400"
    assert asking.pauses == []


def test_a_label_missing_from_the_log_probabilities_fails_that_pair(server, engine):
    whole = server.choice
    server.choice = lambda ids: {k: v for k, v in whole(ids).items() if ids[-1] != 2 or k != "token_id:11"}
    answers = engine().score([prompt(i) for i in range(4)])
    assert graded(answers) == [True, True, False, True]
    assert answers[2].reason == "the endpoint gave no log-probability for label token 11"


@pytest.mark.parametrize(
    "choice", [None, {"token_id:10": "high"}, {f"token_id:{label}": 0.0 for label in LABELS}, [1], {}]
)
def test_nonsense_in_the_log_probabilities_fails_the_pair(server, engine, choice):
    server.choice = lambda ids: choice
    assert graded(engine().score([prompt(1)])) == [False]


def test_an_answer_without_a_prompt_fails_that_prompt(server, engine):
    def mood(handler, body, turn):
        handler.reply(200, {"choices": [*handler.good(body)["choices"][1:], "?", {"index": 99}, {"index": True}]})
        return True

    server.mood = mood
    assert graded(engine().score([prompt(i) for i in range(3)])) == [True, True, False]


def test_the_key_is_sent_and_shown_nowhere(server, engine, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_API_KEY", "sk-very-secret")
    server.mood = lambda handler, body, turn: (
        handler.reply(400, {"error": {"message": "bad key sk-very-secret\x1b[2J"}}) or True
    )
    answer = engine().score([prompt(1)])[0]
    assert server.headers_seen[0]["Authorization"] == "Bearer sk-very-secret"
    assert answer.reason == "the endpoint answered 400: bad key [key] [2J"


def test_a_redirect_is_not_followed_with_the_key(server, engine, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_API_KEY", "sk-very-secret")
    server.mood = status(307, [("Location", f"{server.url}/elsewhere")])
    answers = engine().score([prompt(1)])
    assert len(server.requests) == 1
    assert answers[0].reason.startswith("the endpoint answered 307")


def test_an_endpoint_that_answers_nothing_more_ends_the_run_to_be_gone_on_with(server, engine):
    asking = engine()
    assert graded(asking.score([prompt(1)])) == [True]
    server.mood = status(500)
    # A few can be what breaks it, and a run that ends with them must end.
    assert not any(graded(asking.score([prompt(1), prompt(2)])))
    with pytest.raises(EngineError, match=f"all of {ENOUGH + 2} prompts"):
        asking.score([prompt(i) for i in range(ENOUGH)])


def test_one_prompt_that_breaks_the_endpoint_costs_no_other(server, engine):
    server.mood = lambda handler, body, turn: (
        any(ids[-1] == 70 for ids in body["prompt"]) and status(500)(handler, body, turn)
    )
    answers = engine(prompts=64, attempts=2).score([prompt(i) for i in range(200)])
    assert [at for at, good in enumerate(graded(answers)) if not good] == [70]
    # Four requests, one of them twice; its 64 by eights; the eight that hold it one by one.
    assert len(server.requests) == 5 + 8 + 8


def test_an_endpoint_that_goes_away_amid_a_block_costs_no_row_of_it(server, engine):
    asking = engine(concurrency=1)
    server.mood = lambda handler, body, turn: turn > 1 and status(503)(handler, body, turn)
    server.lists = status(503)
    with pytest.raises(EngineError, match="503"):
        asking.score([prompt(i) for i in range(12)])


def test_what_was_not_answered_is_asked_again_when_the_endpoint_is_back(server, engine):
    asking = engine(concurrency=1)
    # Three attempts at the second of three requests, and then it is there again.
    server.mood = lambda handler, body, turn: turn in (2, 3, 4) and status(503)(handler, body, turn)
    assert all(graded(asking.score([prompt(i) for i in range(12)])))


@pytest.mark.parametrize("mood", [status(400), status(307), None], ids=["400", "307", "no log-probabilities"])
def test_an_endpoint_that_can_answer_nothing_ends_the_run(server, engine, mood):
    server.choice = (lambda ids: {}) if mood is None else server.choice
    server.mood = mood or server.mood
    asking = engine(prompts=32)
    assert not any(graded(asking.score([prompt(1)]))), "a few may be refused for what they say"
    with pytest.raises(EngineError, match=f"all of {ENOUGH + 1} prompts"):
        asking.score([prompt(i) for i in range(ENOUGH)])


def test_an_endpoint_that_is_not_there_is_said_before_anything_is_labelled():
    options = default_options().changed(server={"attempts": 1}).server
    with pytest.raises(EngineError) as caught:
        ServerEngine("http://127.0.0.1:9/v1", options)
    assert not re.search("Error|Errno", caught.value.message)  # in our words, and no library's


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:8000", "http://user:secret@host/v1", ""])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(InputError) as caught:
        ServerEngine(url)
    assert "secret" not in caught.value.message


def test_failed_rows_stand_in_the_run_with_their_reason(server, tmp_path, guideline):
    from judge.engines import Serving
    from judge.engines.fake import FakeTokenizer
    from judge.labelling.job import Labelling
    from judge.labelling.label import label_run
    from judge.pairs.stage import Source
    from judge.run.store import Run
    from judge.words.prompt import PromptBuilder

    pairs = tmp_path / "pairs.csv"
    pairs.write_text("query,candidate_id,title\n" + "".join(f"q,{i},thing {i}\n" for i in range(6)))
    server.choice = lambda ids: (
        {f"token_id:{ord(d)}": -1.2 - int(d) for d in "012"} if bytes(ids).count(b"thing 3") == 0 else {}
    )
    run = Run(tmp_path / "run")
    options = default_options().changed(server={"prompts": 2}).server
    with run.writing():
        Labelling(Source(pairs), guideline, "fake", Serving("fake")).begin(run)
        label_run(run, PromptBuilder(guideline, FakeTokenizer()), ServerEngine(server.url, options))
    run.check_whole()
    rows = run.query("SELECT status, grade, reason FROM labels ORDER BY row")
    assert [row[0] for row in rows] == ["graded"] * 3 + ["failed"] + ["graded"] * 2
    assert rows[3][1:] == (None, "the endpoint gave no log-probability for label token 48, 49, 50")
