"""Files and folders that are whole or absent: what a kill leaves is in nobody's way and costs nobody what was there."""

import os
import subprocess
import sys
import time

import pytest
from conftest import ROOT

from judge.errors import InputError
from judge.files import new_file, new_folder, write_whole

KILLED = """
import os, sys
from pathlib import Path
from judge import files

rename, remove = Path.replace, files.shutil.rmtree
os.getpid = lambda: 1  # as in a container

def replace(path, target):
    if sys.argv[1] == "between" and Path(target).name == "out":
        os._exit(9)
    return rename(path, target)

def rmtree(path, **more):
    if sys.argv[1] == "removing":
        os._exit(9)
    remove(path, **more)

Path.replace, files.shutil.rmtree = replace, rmtree
with files.new_folder(Path("out"), overwrite=True) as folder:
    (folder / "a").write_text("new")
    if sys.argv[1] == "writing":
        os._exit(9)
"""


def put(out, text, **more):
    with new_folder(out, **more) as folder:
        (folder / "a").write_text(text)


@pytest.mark.parametrize(("moment", "there"), [("writing", "old"), ("between", "old"), ("removing", "new")])
def test_a_kill_leaves_nothing_in_the_way_and_nothing_is_lost(tmp_path, monkeypatch, moment, there):
    out = tmp_path / "out"
    put(out, "old")
    for other in (".out.b.c.partial", ".output.b.partial"):
        (tmp_path / other).mkdir()
    command = [sys.executable, "-c", KILLED, moment]
    assert subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}).returncode == 9
    with pytest.raises(InputError, match="is already there"):
        put(out, "refused")
    assert (out / "a").read_text() == there
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.b.c.partial", ".output.b.partial", "out"]
    monkeypatch.setattr("os.getpid", lambda: 1)
    put(out, "next", overwrite=True)
    assert (out / "a").read_text() == "next"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.b.c.partial", ".output.b.partial", "out"]


def test_a_folder_is_written_by_one_process_at_a_time_and_others_may_read_it(tmp_path):
    (tmp_path / "plain").mkdir()
    with new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("first")
        with pytest.raises(InputError, match="another process is writing it"):
            put(tmp_path / "out", "second")
    assert (tmp_path / "out" / "a").read_text() == "first"
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_clears_what_a_killed_writer_left_and_a_second_writer_is_refused(tmp_path):
    out = tmp_path / "report.html"
    for other in (".report.html.99999.partial", ".report.html.b.c.partial", ".other.html.99999.partial"):
        (tmp_path / other).write_text("half")
    with new_file(out) as partial:
        partial.write_text("whole")
        with pytest.raises(InputError, match="another process"), new_file(out, overwrite=True):
            pass
    assert out.read_text() == "whole"
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".other.html.99999.partial", ".report.html.b.c.partial", "report.html"]


def test_a_file_that_could_not_be_written_leaves_nothing(tmp_path):
    def write():
        with new_file(tmp_path / "report.html") as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_digested_again_once_it_has_changed(tmp_path, monkeypatch):
    from judge import cache
    from judge.fingerprint import file_digest

    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    path, read = tmp_path / "weights", []
    monkeypatch.setattr(cache, "file_digest", lambda path: read.append(path) or file_digest(path))
    path.write_bytes(bytes(cache.LARGE))
    zeros = file_digest(path)
    # Just written: what would be written in the same moment would bear the same times.
    assert [cache.known_digest(path), cache.known_digest(path), len(read)] == [zeros, zeros, 2]
    monkeypatch.setattr(cache, "SETTLED", -1)
    assert [cache.known_digest(path), cache.known_digest(path), len(read)] == [zeros, zeros, 3]
    # Other bytes, as many, with the time of writing put back; then another file in its place.
    time.sleep(0.05)
    before = path.stat()
    path.write_bytes(b"\1" * cache.LARGE)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.known_digest(path) == file_digest(path) != zeros
    other = tmp_path / "other"
    other.write_bytes(b"\2" * cache.LARGE)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert cache.known_digest(path) == file_digest(path) != zeros
    assert len(read) == 5
    # A small one is as quickly read as looked up.
    path.write_bytes(b"few")
    assert [cache.known_digest(path), cache.known_digest(path), len(read)] == [file_digest(path)] * 2 + [7]


def test_what_could_not_be_written_takes_no_room(monkeypatch, tmp_path):
    def full(partial, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("judge.files.keep", full)
    with pytest.raises(OSError, match="No space") as found:
        write_whole(tmp_path / "report.html", b"half")
    assert found.value.filename == str(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []
