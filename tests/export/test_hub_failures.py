"""Publishing that fails: one message with the fix, nothing half-published, and the same command resumes."""

import signal
import subprocess
import threading
import time

import pytest
from conftest import COMMAND, ROOT
from hub_fixtures import REPO, TOKEN, VIEWS, commit_card, environment


@pytest.mark.parametrize("name", ["relevance", "ann/a/b", "ann/what now", "ann/.x", "ann/a--b"])
def test_a_name_that_cannot_be_is_refused_before_anything(online, run, main, name):
    assert "owner/name" in main("push", "run", name, code=2).err.lower()
    assert online.log == []


def test_a_split_that_datasets_cannot_load_is_refused_before_anything(online, push):
    error = push("--splits", "train=0.5,all=0.5", code=2).err
    assert "--splits: `datasets` takes 'all' for all splits together" in error
    assert not online.log


def test_nobody_logged_in(online, push, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    refused = push(code=2)
    assert "hf auth login" in refused.err
    assert online.log == []


def test_an_expired_token(online, push):
    del online.people[TOKEN]
    refused = push(code=2)
    assert "expired, revoked or mistyped (401); nothing was published" in refused.err
    assert f"{online.url}/settings/tokens" in refused.err
    assert online.repos == {}


def test_a_token_that_may_only_read(online, push):
    online.people[TOKEN]["write"] = False
    assert f"may not write to {REPO} (403); nothing was published" in push(code=2).err
    assert online.repos == {}


def test_a_commit_that_came_between_is_noticed_and_merged_the_next_time(online, push):
    push()
    before = online.repos[REPO].branches["main"]
    gate = online.fail("POST .*/commit/main", times=1, wait=threading.Event())

    def edit():
        assert gate.reached.wait(60)
        text = online.read(REPO, "README.md").decode()
        commit_card(online, text.replace("<!-- relevance-judge begin", "Ann was here.\n\n<!-- relevance-judge begin"))
        gate.wait.set()

    beside = threading.Thread(target=edit)
    beside.start()
    failed = push("--per-query", "1", code=1)
    beside.join()
    assert f"{REPO} was changed meanwhile (412); nothing was published" in failed.err
    assert online.repos[REPO].at("main").parent == before
    sent = len(online.asked("PUT /lfs"))
    done = push("--per-query", "1", "--json").json
    assert len(online.asked("PUT /lfs")) == sent, "the files were there"
    assert online.repos[REPO].at("main").oid == done["commit"]
    assert "Ann was here." in online.read(REPO, "README.md").decode()


def test_a_commit_that_fails_leaves_main_as_it_was(online, push):
    for how, said in (
        ({"status": 409}, "was changed meanwhile (409)"),
        ({"status": 400, "message": "bad"}, "(400: bad)"),
        ({"cut": True}, "the connection to the Hub broke off"),
    ):
        online.fail("POST .*/commit/main", times=1, **how)
        assert said in push(code=1).err
        assert len(list(online.repos[REPO].history())) == 1
        assert online.repos[REPO].tags == {}
    sent = len(online.asked("PUT /lfs"))
    assert sent == len(VIEWS)
    push()
    assert len(online.asked("PUT /lfs")) == sent


@pytest.mark.parametrize("how", [{"cut": True}, {"status": 503}])
def test_an_upload_that_breaks_off_goes_on(online, push, monkeypatch, how):
    """Three files arrive, then the connection is cut for good: nothing shows, and only the others are sent again."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    failure = online.fail("PUT /lfs", after=3, **how)
    assert "nothing was published" in push(code=1).err
    assert len(list(online.repos[REPO].history())) == 1
    assert len(online.large) == 3
    failure.times = 0
    before = len(online.asked("PUT /lfs"))
    push()
    assert len(online.asked("PUT /lfs")) - before == len(VIEWS) - 3


def test_no_way_to_the_hub(online, push, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    failed = push(code=1)
    assert "http://127.0.0.1:9: cannot be reached; nothing was published" in failed.err


def test_what_loads_otherwise_than_it_was_sent_gets_no_tag(online, push):
    """The card's classes are not those that were sent: noticed before the version has a name."""
    import judge.export.hub.remote as remote

    real = remote.Remote.commit

    def swapped(self, adds, card, stale, parent, message):
        return real(self, adds, card.replace("'1': moderately", "'1': hardly"), stale, parent, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote.Remote, "commit", swapped)
        failed = push(code=1)
    assert "judgments, train: loads with other columns or classes" in failed.err
    assert online.repos[REPO].tags == {}


def test_damaged_marks_are_refused(online, push):
    push()
    commit_card(online, online.read(REPO, "README.md").decode().replace("<!-- relevance-judge end -->", ""))
    before = online.repos[REPO].at("main")
    assert "the marks around our part are damaged" in push("--per-query", "1", code=2).err
    assert online.repos[REPO].at("main") == before


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on(hub, push, tmp_path):
    gate = hub.fail("PUT /lfs", after=2, times=1, wait=threading.Event())
    command = [*COMMAND, "push", "run", REPO]
    here = {**environment(hub, tmp_path), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        assert gate.reached.wait(120), "it never sent the third file"
        first.send_signal(signal.SIGKILL)
    assert len(list(hub.repos[REPO].history())) == 1
    gate.wait.set()
    before = len(hub.asked("PUT /lfs"))
    assert push().err == "", "nothing but results when piped"
    assert len(hub.asked("PUT /lfs")) - before <= len(VIEWS) - 2
    assert len(list(hub.repos[REPO].history())) == 2
