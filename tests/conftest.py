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

pytest_plugins = ["browser_fixtures", "chat_asking", "hub_fixtures", "mining_fixtures", "retriever_fixtures"]

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


def labelled_pair(pair, answer, values=(0, 1, 2), fingerprint="f", **judge_config):
    """One pair's label as a record, under a `JudgeConfig` of these."""
    from judge.labelling.config import JudgeConfig
    from judge.labelling.table import Block, ScoredBlock, table
    from judge.records import Label

    row = {"row": pair.row, "query_id": pair.query_id, "candidate_id": pair.candidate_id, "skip": None}
    judged = ScoredBlock(Block([(pair, row)], []), [answer])
    return Label(**table(judged, values, fingerprint, JudgeConfig(**judge_config)).to_pylist()[0])


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


@pytest.fixture(scope="session")
def embedded():
    """The embedded base model, found and unpacked; tests that load it are slow."""
    from judge.engines import Judge

    return Judge("smollm2-135m")


@pytest.fixture(scope="session")
def engine(embedded):
    """The embedded base model's weights, in fp32 on the processor."""
    from judge.engines.transformers import TransformersEngine

    return TransformersEngine(embedded.model.directory, device="cpu", dtype="float32")


_OPENED = {}


@pytest.fixture
def opened_once(monkeypatch):
    """A model is loaded once in a worker, however many commands of these tests open it."""
    from judge.engines import Judge

    load = Judge.open

    def open_once(self):
        if self.serving.engine != "transformers":
            return load(self)
        key = (self.model.directory, self.serving.adapter, repr(self.options))
        if key not in _OPENED:
            _OPENED[key] = load(self)
        return _OPENED[key]

    monkeypatch.setattr(Judge, "open", open_once)


@pytest.fixture(scope="session")
def gpu():
    """Only where there is a GPU that torch can use."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")


def shared_data(name: str) -> Path:
    """A folder of development data; the test skips where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"development data {name} is not here")
    return folder


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """A random Llama small enough to be fine-tuned in seconds, without pad token and chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator([DOZEN.read_text(encoding="utf-8")], trainer)
    PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 128}
    config = LlamaConfig(
        vocab_size=backend.get_vocab_size(), max_position_embeddings=2048, initializer_range=0.06, **shape
    )
    model = LlamaForCausalLM(config)
    model.lm_head.weight.data *= 8  # an adapter that leaves the head alone could not be sure of anything otherwise
    model.save_pretrained(folder)
    return folder


def rated_rows(queries=12, seed=0):
    """Ratings of made-up pairs that can be learnt: 2 where kind and material match, 1 where the kind does, else 0."""
    import random

    draw = random.Random(seed)
    kinds, materials = ("scarf", "kettle", "lamp", "chair"), ("wool", "steel", "glass", "wood")
    wanted = [(material, kind) for material in materials for kind in kinds][:queries]
    for material, kind in wanted:
        pairs = [(material, kind)] * 2 + [(m, kind) for m in materials if m != material][:2]
        pairs += [(draw.choice(materials), k) for k in kinds if k != kind][:2]
        for number, (m, k) in enumerate(pairs):
            grade = 2 * (m == material and k == kind) + (m != material and k == kind)
            key = f"{material}-{kind}-{number}"
            yield {
                "query": f"{material} {kind}",
                "candidate_id": key,
                "title": f"A {m} {k} no. {number}",
                "grade": grade,
            }


@pytest.fixture
def rated_file(tmp_path):
    """Those ratings as a CSV file."""
    return write_rated(tmp_path / "ratings.csv")


def write_rated(path):
    rows = list(rated_rows())
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def quick(tmp_path):
    """A configuration for trainings of seconds."""

    def write(**keys):
        return write_quick(tmp_path / "quick.yaml", **keys)

    return write


def write_quick(path, **keys):
    base = {"epochs": 2, "batch_pairs": 8, "rank": 8, "learning_rate": 0.01, "calibration": 0.2, "device": "cpu"}
    base["adversarial"] = 0  # ratings are learned unchanged
    path.write_text(json.dumps({**base, "least_per_grade": 1, "checkpoint_every": 2, **keys}))
    return path


COMPACT = "judge-compact.v1"


@pytest.fixture
def tuned(guideline):
    """What a judge of the three-level guideline with one short field says of itself."""
    import numpy as np

    from judge.calibration.calibrate import calibrate
    from judge.files import now
    from judge.labelling.config import AdapterManifest, Base, LabelToken
    from judge.words.templates import template_digest

    rng = np.random.default_rng(0)
    logprobs = np.log(rng.dirichlet((1, 1, 1), 60))
    # People give the lowest grade far more often than this judge thinks: calibrating has something to correct.
    lenient = np.exp(logprobs) * (8, 1, 1 / 8)
    shares = np.eye(3)[[int(rng.choice(3, p=row / row.sum())) for row in lenient]]
    fields = [{**guideline.fields[0].model_dump(), "tokens": 20}]
    return AdapterManifest(
        base=Base(name="smollm2-135m", revision=None, weights="w"),
        adapter=None,
        labels=tuple(LabelToken(grade=g.value, text=g.token, id=48 + g.value) for g in guideline.grades),
        guideline={**guideline.model_dump(mode="json"), "fields": fields},
        guideline_digest=guideline.digest,
        template=COMPACT,
        template_digest=template_digest(COMPACT),
        calibration=calibrate(logprobs, shares, [f"q{i % 12}" for i in range(60)], "data"),
        training={},
        validation={},
        created=now(),
    )


@pytest.fixture
def directory(tuned, tmp_path):
    """A fine-tuned judge's directory, with files that stand for peft's."""
    from judge.fingerprint import adapter_digest

    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter_config.json").write_text("{}")
    return write_tuned(folder, tuned.model_copy(update={"adapter": adapter_digest(folder)}))


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


def write_tuned(folder, tuned):
    (folder / "judge.json").write_text(tuned.model_dump_json())
    return folder


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
