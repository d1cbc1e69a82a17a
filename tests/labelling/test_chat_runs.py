"""Runs through a chat endpoint on the command line, and what every verb makes of grades without probabilities."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from chat_server import is_probe
from conftest import write_flags

from judge.errors import InputError
from judge.run.store import Run
from judge.run.usage import Usage, read_price

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"


def test_a_run_says_what_was_negotiated_and_what_it_cost(main, server, chat, pairs, tmp_path):
    found = main("label", pairs, *chat, "--out", "run", "--price", "in=2,out=10", "--json").json
    assert found["grades"] == {"0": 20, "1": 20, "2": 20}
    assert found["without_probabilities"] == 0
    assert found["mean_outside_mass"] == pytest.approx(0.1)
    manifest = Run(tmp_path / "run").manifest
    parts = {"judge": "acme/large", "endpoint": "chat completions", "answers": "json_schema", "logprobs": "20"}
    assert parts.items() <= manifest.parts.items()
    assert not any("127.0.0.1" in str(value) for value in manifest.parts.values())
    tokens_in = sum(sum(len(m["content"]) for m in body["messages"]) // 4 for body in server.requests)
    # {"grade": "2"} has 14 characters: 4 tokens out, of 60 pairs and a question before.
    assert manifest.usage["requests"] == 61
    assert (manifest.usage["prompt_tokens"], manifest.usage["completion_tokens"]) == (tokens_in, 61 * 4)
    assert manifest.usage["cost"] == pytest.approx((tokens_in * 2 + 61 * 4 * 10) / 1e6)
    assert found["usage"] == manifest.usage


@pytest.mark.parametrize("options", [(), ("--per-request", "3"), ("--samples", "2")])
def test_a_dry_run_foretells_the_bill(main, server, chat, options):
    shop = (SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--limit", "110", "--price", "in=2,out=10")
    foretold = main("label", *shop, *chat, *options, "--dry-run", "--json").json
    assert len(server.asked) <= 48 * 2, "a sample is asked about"
    counted = main("label", *shop, *chat, *options, "--out", "run", "--json").json
    assert foretold["usage"]["cost"] == pytest.approx(counted["usage"]["cost"], rel=0.1)
    assert foretold["usage"]["requests"] == counted["usage"]["requests"] - 1


def test_a_run_is_not_gone_on_with_where_the_endpoint_is_asked_otherwise(main, server, chat, pairs):
    main("label", pairs, *chat, "--out", "run")
    server.logprobs = False
    assert "logprobs: 20 → None" in main("label", pairs, *chat, "--out", "run", code=2).err
    server.logprobs = True
    assert "per_request: 1 → 4" in main("label", pairs, *chat, "--out", "run", "--per-request", "4", code=2).err
    assert main("label", pairs, *chat, "--out", "run", "--json").json["grades"] == {"0": 20, "1": 20, "2": 20}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--engine", "fake", "--samples", "2"), "does not use --samples"),
        (("--engine", "fake", "--price", "in=1,out=1"), "does not use --price"),
        (("--engine", "chat", "--judge", "m"), "needs the endpoint's address"),
        (("--engine", "chat", "--url", "http://127.0.0.1:9/v1"), "needs --judge"),
        (("--engine", "chat", "--url", "http://127.0.0.1:9/v1", "--judge", "m", "--samples", "0"), "--samples 0"),
        (("--engine", "chat", "--url", "http://127.0.0.1:9/v1", "--judge", "m", "--adapter", "x"), "no --adapter"),
    ],
)
def test_what_does_not_go_together_is_refused(main, pairs, options, said):
    assert said in main("label", pairs, *options, "--out", "run", code=2).err


@pytest.mark.parametrize("text", ["2", "in=2", "in=a,out=1", "in=-1,out=1", "in=nan,out=1", "in=1,out=1,x=1"])
def test_a_price_that_is_none_is_refused(text):
    with pytest.raises(InputError):
        read_price(text)
    assert read_price("in=2,out=8").cost(Usage(prompt_tokens=500_000, completion_tokens=250_000)) == 3


KILLS = int(os.environ.get("KILLS", "2"))
"""How often the run below is killed: twice, or as often as somebody likes to see."""


def test_a_run_that_is_killed_asks_nothing_twice_that_was_answered(pairs, tmp_path):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    environment.pop("OPENAI_API_KEY", None)
    port, asked, journal = tmp_path / "port", tmp_path / "asked", tmp_path / "run" / "answers.jsonl"
    program = [sys.executable, str(ROOT / "tests" / "chat_server.py"), str(port), str(asked)]
    chance = random.Random(KILLS)
    with subprocess.Popen(program, env=environment) as serving:
        try:
            while not (port.is_file() and port.read_text()):
                time.sleep(0.05)
            url = f"http://127.0.0.1:{port.read_text()}/v1"
            label = [
                sys.executable,
                "-m",
                "relevance_judge.cli.main",
                "label",
                str(pairs),
                "--out",
                str(tmp_path / "run"),
            ]
            label += ["--engine", "chat", "--url", url, "--judge", "m", "--concurrency", "2"]
            paid = []
            for _ in range(KILLS):
                # At any moment of what is left, from before the first answer on.
                answers = paid[-1][0] if paid else 0
                enough = answers + chance.randint(0, max(1, 2 * (58 - answers) // (KILLS - len(paid))))
                with subprocess.Popen(label, env=environment, stderr=subprocess.DEVNULL) as begun:
                    while len(lines := whole_lines(journal)) < min(enough, 58):
                        assert begun.poll() is None
                        time.sleep(0.002)
                    begun.send_signal(signal.SIGKILL)
                lines = whole_lines(journal)
                rows = {row for line in map(json.loads, lines) for row in line["rows"]}
                paid.append(
                    (len(lines), rows, Counter(asked.read_text().splitlines()) if asked.is_file() else Counter())
                )
            assert len(paid[-1][1]) < 60
            subprocess.run(label, env=environment, check=True, stdout=subprocess.DEVNULL)
        finally:
            serving.kill()
    run = Run(tmp_path / "run")
    run.check_whole()
    counts = Counter(asked.read_text().splitlines())
    titles = dict(run.query("SELECT row, candidate.title FROM pairs"))
    for _, rows, before in paid:
        assert all(counts[titles[row]] == before[titles[row]] for row in rows)
    # What was under way at a kill was not answered, and is asked again: at most two requests a kill.
    assert len(counts) == 60
    assert sum(counts.values()) <= 60 + 2 * KILLS
    assert run.query("SELECT count(*) FROM labels WHERE status = 'graded'") == [(60,)]


def whole_lines(path):
    return path.read_bytes().split(b"\n")[:-1] if path.is_file() else []


def test_the_example_shop_is_labelled_audited_adjudicated_and_probed(main, server, chat, tmp_path):
    server.logprobs = False
    # The judge calls everything 1; a second one, who knows better, calls it 2.
    shop = (SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv")
    main("label", *shop, *chat, "--out", "run", "--per-request", "5")
    flagged = main("audit", "run", SHOP / "engagement.csv", "--out", "audit", "--json").json
    assert "NaN" not in json.dumps(flagged)
    # Where one grade is given to everything, an audit holds its flags back: these are made by hand.
    rows = Run(tmp_path / "run").query("SELECT row, query_id, query, candidate_id FROM pairs ORDER BY row LIMIT 8")
    write_flags(Run(tmp_path / "run"), [(*row, 1, 2) for row in rows])
    server.answer = lambda body: {"grade": "1" if is_probe(body) else "2"}
    assert "repeat itself" in main("adjudicate", "run", "--with", "acme/large", *chat[:4], code=2).err
    done = main("adjudicate", "run", "--with", "acme/larger", *chat[:4], "--sure", "1", "--json").json
    assert done["opinions"] > 5
    assert Run(tmp_path / "run").query("SELECT count(*) FROM labels WHERE probabilities IS NOT NULL") == [(0,)]
    server.answer = lambda body: {"grade": str(len(str(body)) % 3 if not is_probe(body) else 1)}
    probed = main("probe", *shop, *chat, "--limit", "6", "--json").json["probes"]
    assert all(each["shift"] is None or abs(each["shift"]) <= 2 for each in probed)
    assert any(each["flips"]["value"] for each in probed)


def test_doctor_compares_no_endpoint_that_takes_words(main, server):
    said = main("doctor", "--parity", "--engine", "fake", "--engine", "chat", "--url", server.url, code=2).err
    assert "takes none" in said
