"""What many tests share: a dozen pairs, the command line, the real model."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from judge.guideline import load_guideline
from judge.label import read_pairs
from judge.pairs import Source, stage

ROOT = Path(__file__).parent.parent
DOZEN = ROOT / "tests" / "data" / "dozen.csv"
SHARED = ROOT.parent / "shared" / "data"
COMMAND = [sys.executable, "-m", "cli.main"]


@dataclass
class Finished:
    """What a run of the command line left."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def judge(tmp_path):
    """Run the command line in a process of its own, in an empty folder."""

    def run(*arguments, stdin=None, code=0):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
        command = [*COMMAND, *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, cwd=tmp_path, env=environment)
        finished = Finished(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert finished.code == code, f"exit code {finished.code}\n{finished.out}\n{finished.err}"
        assert "Traceback" not in finished.err
        return finished

    return run


@pytest.fixture
def main(tmp_path, monkeypatch, capsys):
    """Run the command line in this process, in an empty folder: a second faster than in a process of its own."""
    from cli.main import main as command

    def run(*arguments, code=0):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["judge", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            command()
        captured = capsys.readouterr()
        finished = Finished(end.value.code or 0, captured.out, captured.err)
        assert finished.code == code, f"exit code {finished.code}\n{finished.out}\n{finished.err}"
        return finished

    return run


@pytest.fixture(scope="session")
def guideline():
    return load_guideline()


@pytest.fixture(scope="session")
def dozen(guideline, tmp_path_factory):
    """The pairs of the dozen that have a text, in judging order."""
    staged = stage(Source(DOZEN), guideline, tmp_path_factory.mktemp("dozen"))
    return [pair for batch in read_pairs(staged.path) for pair, _ in batch if pair]


@pytest.fixture(scope="session")
def dozen_rows():
    with DOZEN.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="session")
def embedded():
    """The embedded judge, found and unpacked; tests that load it are slow."""
    from judge.engines import Judge

    return Judge("smollm2-135m")


@pytest.fixture(scope="session")
def engine(embedded):
    """The embedded judge's weights, in fp32 on the processor."""
    from judge.engines.transformers import TransformersEngine

    return TransformersEngine(embedded.model.directory, device="cpu", dtype="float32")


def shared_data(name: str) -> Path:
    """A folder of development data; the test skips where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"development data {name} is not beside the project")
    return folder
