"""`judge mine` under SIGKILL, at each stage in turn: the same command ends with the file of a mining that lived."""

import os
import signal
import subprocess
import sys

from mining_fixtures import rows_of

from judge.models.encoder import FakeEncoder
from judge.search import encoding, exact

COMMAND = ("mine", "seen", "--catalogue", "catalogue.csv", "--encoder", "fake", "--out", "mined.parquet")
DYING = """
import os, signal, sys
from importlib import import_module
from judge.search import encoding, exact
encoding.BLOCK, exact.QUERIES = 4, 2
place, name, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
owner = import_module(place)
owner = owner.FakeEncoder if name == "encode" else owner
real = getattr(owner, name)
def dying(*given, **more):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **more)
setattr(owner, name, dying)
sys.argv = ["judge", *sys.argv[4:]]
from relevance_judge.cli.main import main
main()
"""


def test_a_mining_that_is_killed_at_every_stage_ends_whole(main, mining, tmp_path, monkeypatch):
    # Thirteen titles in blocks of four: two of them are on disk when the third is not encoded. Four queries in blocks
    # of two: one is on disk when the second is not kept. Last of all, while the files are being written.
    stages = (("judge.models.fake_encoder", "encode", 3), ("judge.search.nearest", "_keep", 2))
    for place, name, call in (*stages, ("mine.writing", "write_whole", 1)):
        words = [sys.executable, "-c", DYING, place, name, str(call), *COMMAND]
        env = {**os.environ, "RELEVANCE_JUDGE_CACHE": str(tmp_path / "cache")}
        killed = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert not (tmp_path / "mined.parquet").exists()
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(encoding, "BLOCK", 4)
    monkeypatch.setattr(exact, "QUERIES", 2)
    with monkeypatch.context() as patch:
        patch.setattr(FakeEncoder, "encode", None)  # all vectors are on disk
        assert main(*COMMAND, "--json").json["kept"] > 0
    mining("whole.parquet", cache=tmp_path / "other").run()
    assert rows_of(tmp_path / "mined.parquet") == rows_of(tmp_path / "whole.parquet")
    for name in ("sample.csv", "understood.csv"):
        assert (tmp_path / f"mined.{name}").read_bytes() == (tmp_path / f"whole.{name}").read_bytes()
    assert not list(tmp_path.glob(".*partial*"))
