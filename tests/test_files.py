"""Folders that are whole or absent: what a kill leaves stands in nobody's way, and costs nobody what was there."""

import subprocess
import sys

import pytest
from conftest import ROOT

from judge.errors import InputError
from judge.files import new_folder

KILLED = """
import os, sys
from pathlib import Path
from judge import files

rename = Path.replace
os.getpid = lambda: 1  # as in a container

def replace(path, target):
    if sys.argv[1] == "between" and Path(target).name == "out":
        os._exit(9)
    return rename(path, target)

Path.replace = replace
with files.new_folder(Path("out")) as folder:
    (folder / "a").write_text("new")
    if sys.argv[1] == "writing":
        os._exit(9)
"""


def put(out, text):
    with new_folder(out) as folder:
        (folder / "a").write_text(text)


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("moment", ["writing", "between"])
def test_a_kill_leaves_nothing_in_the_way_and_nothing_half(tmp_path, monkeypatch, moment, empty):
    out = tmp_path / "out"
    if empty:
        out.mkdir()
    for other in (".out.b.c.partial", ".output.b.partial"):
        (tmp_path / other).mkdir()
    command = [sys.executable, "-c", KILLED, moment]
    assert subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}).returncode == 9
    assert not out.exists() or (empty and not any(out.iterdir()))
    monkeypatch.setattr("os.getpid", lambda: 1)
    put(out, "next")
    with pytest.raises(InputError, match="is already there"):
        put(out, "refused")
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
