"""Clearing the cache while something relies on it is refused: what is being written there could not be ended."""

import fcntl
import subprocess
import sys
import time
from threading import Thread

import pytest
from conftest import ROOT

from judge.cache import cache_folder, hold_cache, make_folder, only_user
from judge.clearing import sizes
from judge.errors import InputError

USERS = {
    "an encoding": """
from judge.models.fake_encoder import FakeEncoder
from judge.search.encoding import encoded

class Slow(FakeEncoder):
    def encode(self, texts, kind):
        wait()
        return super().encode(texts, kind)

print(encoded(["lamp", "scarf"], Slow(), "document").shape)
""",
    "a search": """
from judge.models.fake_encoder import FakeEncoder
from judge.search.encoding import encoded

vectors = encoded(["lamp", "scarf"], FakeEncoder(), "document")
wait()
print(vectors.shape)
""",
    "a model": """
from judge.cache import cache_folder
from judge.models.gguf import unpack

unpack(cache_folder() / ("tiny-" + "0a" * 6 + "-f32-v1"), None)
wait()
print((cache_folder() / ("tiny-" + "0a" * 6 + "-f32-v1") / "model.safetensors").read_text())
""",
}
WAITING = """
import sys

def wait():
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / f"tiny-{'0a' * 6}-f32-v1"
    make_folder(folder, lambda scratch: (scratch / "model.safetensors").write_text("weights") and None)
    return tmp_path / "cache"


@pytest.mark.parametrize("name", USERS)
def test_a_cache_in_use_is_not_cleared(cache, main, name):
    user = subprocess.Popen(
        [sys.executable, "-c", WAITING + USERS[name]],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert user.stdout.readline() == "ready\n"
    before = sizes()
    refused = main("doctor", "--clear-cache", code=2).err
    assert str(cache) in refused
    assert sizes() == before
    said, _ = user.communicate("\n")
    assert user.returncode == 0
    assert said
    main("doctor", "--clear-cache")
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_user_that_was_killed_is_none(cache, main):
    script = "from judge.cache import hold_cache; hold_cache(); print('ready', flush=True); input()"
    command = [sys.executable, "-c", script]
    user = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    user.stdout.readline()
    main("doctor", "--clear-cache", code=2)
    user.kill()
    user.communicate()
    main("doctor", "--clear-cache")
    assert not sizes()


def test_who_comes_while_it_is_cleared_shares_it_afterwards(cache):
    hold_cache()
    with only_user():  # this process is the only one
        pass
    hold_cache()
    script = "from judge.clearing import clear_cache; clear_cache()"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert InputError.__name__ in done.stderr
    assert cache_folder().is_dir()


def test_threads_that_begin_to_use_it_at_once_share_one_handle(cache, monkeypatch):
    lock = fcntl.flock
    with monkeypatch.context() as slowly:
        slowly.setattr(fcntl, "flock", lambda *given: (time.sleep(0.05), lock(*given)))
        threads = [Thread(target=hold_cache) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with only_user():  # a second handle would be of another user
        pass


def test_a_cache_that_is_not_there_is_not_made(tmp_path, monkeypatch, main):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "none"))
    assert main("doctor", "--clear-cache", "--json").json["removed_bytes"] == {}
    assert not (tmp_path / "none").exists()
