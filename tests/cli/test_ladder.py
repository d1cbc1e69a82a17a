"""What `judge doctor` says of larger judges and of endpoints, and an ensemble from the command line."""

import chat_server
import pytest

from judge.models.known import KNOWN


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with chat_server.Server() as found:
        yield found


def test_larger_judges_are_listed_with_what_they_need(main):
    found = main("doctor", "--judges", "--json").json
    assert {judge["name"] for judge in found["judges"]} == set(KNOWN)
    room = found["memory_gigabytes"]
    for judge in found["judges"]:
        assert judge["fits"] is (None if room is None else judge["gigabytes"] <= room + 0.05)
    shown = main("doctor", "--judges").out
    assert all(name in shown for name in KNOWN)
    assert all(len(line) <= 80 for line in shown.splitlines()[: len(KNOWN) + 1])


def test_an_endpoint_is_asked_what_it_can_do(main, server):
    found = main("doctor", "--url", server.url, "--json").json
    assert (found["answers"], found["logprobs"], found["model"]) == ("json_schema", 20, "the-model")
    assert "the-model" in main("doctor", "--url", server.url).out


def test_two_runs_are_averaged_into_a_third(main, tmp_path):
    (tmp_path / "pairs.csv").write_text("query,candidate_id,title\nwool scarf,a,scarf\nwool scarf,b,hat\n")
    guideline = main("guideline", "three-level").out
    (tmp_path / "other.yaml").write_text(guideline.replace("query_tokens", "query_tokens"))
    main("label", "pairs.csv", "--engine", "fake", "--out", "one")
    main("label", "pairs.csv", "--engine", "fake", "--out", "same")
    main("label", "--ensemble", "one", "same", "--out", "both", code=2)
    assert not (tmp_path / "both").exists()
    main("label", "--ensemble", "one", "--out", "both", code=2)
    main("label", "pairs.csv", "one", "--engine", "fake", "--out", "both", code=2)
