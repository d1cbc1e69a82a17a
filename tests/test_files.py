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
