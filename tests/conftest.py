"""What many tests share: a dozen pairs, the command line, the real model."""

import csv
import gc
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from judge.labelling.label import read_pairs
from judge.pairs.stage import Source, stage
from judge.words.guideline import load_guideline

# Several processes test side by side on one machine: threads of one model would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Commands that tests start read our modules compiled, where the first of them left them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Nothing is timed: a busy machine takes as long as it takes. Examples are the same each time, but for `make fuzz`.
settings.register_profile(
    "steady",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
)
settings.load_profile("steady")

pytest_plugins = ["chat_asking", *sorted(path.stem for path in Path(__file__).parent.glob("*_fixtures.py"))]

ROOT = Path(__file__).parent.parent
DOZEN = ROOT / "tests" / "data" / "dozen.csv"
SHARED = ROOT.parent / "shared" / "data"
COMMAND = [sys.executable, "-m", "relevance_judge.cli.main"]


def pytest_configure(config):
    """Each worker reads the files of all tests beginning elsewhere, and finds what the others have compiled so far: in
    a fresh clone, both would else compile every file, and pytest's own compiling takes half of reading them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if worker.isdecimal() and [Path(each).resolve() for each in config.args] == [ROOT / "tests"]:
        files = sorted(map(str, (ROOT / "tests").rglob("test_*.py")))
        first = len(files) * int(worker) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        config.args = [*files[first:], *files[:first]]


def pytest_collection_finish():
    """What was imported by now stays: Python need not look through it for garbage, nor as often as it does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_unconfigure():
    """At its end Python takes everything apart: what holds to life then, DuckDB's binding lists."""
    gc.unfreeze()


def pytest_collection_modifyitems(items):
    """Files with slow tests go first: what begins last should not be what takes longest. All workers have one order."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.path))


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


def in_process(*arguments):
    """Run the command line in this process and this folder; for fixtures wider than a test, which `main` is not."""
    import contextlib
    from unittest.mock import patch

    from relevance_judge.cli.main import main as command

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in "oe")
    argv = patch.object(sys, "argv", ["judge", *map(str, arguments)])
    with argv, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
        command()
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    return Finished(end.value.code or 0, *texts)


@pytest.fixture
def main(tmp_path, monkeypatch, capsys):
    """Run the command line in this process, in an empty folder: a second faster than in a process of its own."""
    from relevance_judge.cli.main import main as command

    def run(*arguments, stdin=None, code=0):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["judge", *map(str, arguments)])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
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
def audited_shop(tmp_path_factory):
    """The example shop's grades with planted errors as `run`, audited into `audit`; copied, never changed.

    Returns the folder of both, and what the audit printed.
    """
    folder, shop = tmp_path_factory.mktemp("shop"), ROOT / "examples" / "shop"
    grades = (shop / "grades_with_errors.csv", "--catalogue", shop / "catalogue.csv")
    assert in_process("import", *grades, "--out", folder / "run").code == 0
    found = in_process("audit", folder / "run", shop / "engagement.csv", "--out", folder / "audit")
    assert found.code == 0, found.err
    return folder, found.out


def shared_data(name: str) -> Path:
    """A folder of development data; the test skips where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"development data {name} is not here")
    return folder


def write_flags(run, rows, **more):
    """Flags, and the evidence behind them, as an audit leaves them in a run.

    Rows are `(row, query_id, query, candidate_id, grade, suggested_grade)`, with p_wrong .9, the later the more seen;
    `more` is the same of all.
    """
    import pyarrow.parquet as pq

    from judge.records import Flag
    from judge.run.flags import Flags

    names = ("row", "query_id", "query", "candidate_id", "grade", "suggested_grade")
    counts = ("examined_impressions", "clicks", "examined_clicks", "carts", "purchases")
    said = {"candidate": {"title": "Lamp"}, "suggested_action": "ask people", "posterior": (0.1, 0.2, 0.7)}
    said |= (
        {"type": "likely_label_error", "strength": 1.0, "p_wrong": 0.9, "q_value": 0.1}
        | dict.fromkeys(counts, 1)
        | more
    )
    flags = Flags(run.path)
    found = [dict(zip(names, row, strict=True), impressions=100 * number) for number, row in enumerate(rows, 1)]
    flags.write([Flag(**{**said, **flag}) for flag in found])
    table = pq.read_table(flags.path)
    pq.write_table(table.select(["row", "query_id", "candidate_id", "posterior"]), run.path / "evidence.parquet")


@pytest.fixture
def run_of(tmp_path, guideline):
    """Make a finished run of rows `query, candidate_id, title` and what labels have; people's grades without
    probabilities."""
    from judge.labelling.begin import begin_run
    from judge.labelling.label import read_pairs
    from judge.labelling.table import skipped
    from judge.records import Label
    from judge.run.labels import label_table
    from judge.run.manifest import Tally
    from judge.run.store import Run

    def make(rows, name="run", policy=guideline, judge="hand"):
        path, run = tmp_path / f"{name}.jsonl", Run(tmp_path / name)
        said = ("grade", "probabilities", "status", "reason", "expected_grade")
        lines = ({key: value for key, value in row.items() if key not in said} for row in rows)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        with run.writing():
            maker = begin_run(run, Source(path, need_text=False), policy, lambda: {"judge": judge})
            labels = []
            for batch in read_pairs(run.pairs_path):
                for pair, row in batch:
                    if pair is None:
                        labels.append(skipped(row, maker.value))
                        continue
                    given = {key: value for key, value in rows[pair.row - 1].items() if key in said}
                    given.setdefault("status", "graded")
                    ids = {"row": pair.row, "query_id": pair.query_id, "candidate_id": pair.candidate_id}
                    labels.append(Label(**ids, fingerprint=maker.value, **given))
            run.append(0, label_table(labels), Tally())
        run.finish()
        return run

    return make
