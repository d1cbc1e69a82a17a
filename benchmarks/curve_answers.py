"""What the learning curve's methods ask of models: cosines, a judge's probabilities, trainings; kept in a folder."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.home_depot import Pairs, write
from benchmarks.rated_sets import VALUES
from judge.calibration.calibrate import LEAST, Calibration, cross_fitted
from judge.calibration.crossing import Present
from judge.calibration.features import Reading, blend_encoder, cosines, log_odds, measure
from judge.calibration.ordinal import Evidence, Ordinal
from judge.files import write_whole
from judge.labelling.config import FILE as ADAPTER
from judge.labelling.config import read_tuned
from judge.labelling.label import read_pairs
from judge.models.shipped import SHIPPED
from judge.records import Pair
from judge.run.seen import read_seen, words_key
from judge.run.store import Run

Floats = npt.NDArray[np.float64]
ROOT = Path(__file__).parent.parent
NAMES = ("judge", "cosine", "overlap")
CONFIG = "epochs: 1\nleast_per_grade: 1\n"


@dataclass(frozen=True)
class Asked:
    """A method is asked for its answers to a part of the test."""

    folder: Path
    size: int
    """How many pairs it learns from; 0: none."""
    seed: int
    part: int

    @property
    def test(self) -> str:
        """The name of the file to answer."""
        return f"test-{self.part}"

    @property
    def train(self) -> str:
        """The name of the file to learn from: its first `size` pairs."""
        return f"train-{self.seed}"


def pairs(folder: Path, name: str) -> Pairs:
    """The rows of a file."""
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def features(folder: Path, name: str) -> Floats:
    """Cosine and overlap of a file's pairs, shape (N, 2); kept."""
    path = folder / f"features-{name}.jsonl"
    if not path.is_file():
        rows = [Pair(0, "", r["query"], r["candidate_id"], {"title": r["title"]}) for r in pairs(folder, name)]
        encoder = blend_encoder(NAMES)
        assert encoder is not None
        own = np.empty((len(rows), len(VALUES)))
        found = measure(Reading(NAMES[1:]), rows, own, VALUES, lambda some: cosines(some, encoder))
        write_whole(path, "".join(f"{json.dumps(each)}\n" for each in found.tolist()).encode())
    return np.array([json.loads(line) for line in path.read_text("utf-8").splitlines()], dtype=np.float64)


def said(folder: Path, judge: str, name: str) -> Floats:
    """A judge's own probabilities of a file's pairs, shape (N, K); kept, and its run resumed."""
    path, run = (folder / kind / f"{Path(judge).name}-{name}" for kind in ("said", "runs"))
    if path.is_file():
        return np.array(json.loads(path.read_text("utf-8")), dtype=np.float64)
    command("label", folder / f"{name}.jsonl", "--judge", judge, "--calibration", "none", "--out", run)
    opened = Run.open(run)
    labels = dict(opened.query("SELECT row, probabilities FROM labels"))
    found = {
        (pair.query, pair.candidate_id): labels[pair.row]
        for batch in read_pairs(opened.pairs_path)
        for pair, _ in batch
        if pair
    }
    told = [found[row["query"], row["candidate_id"]] for row in pairs(folder, name)]
    path.parent.mkdir(exist_ok=True)
    write_whole(path, json.dumps(told).encode())
    return np.array(told, dtype=np.float64)


def tuned(asked: Asked) -> str:
    """The shipped judge, fine-tuned on the ratings for one epoch."""
    folder = adapter(asked)
    if not (folder / ADAPTER).is_file():
        config = asked.folder / "lora.yaml"
        config.write_text(CONFIG, encoding="utf-8")
        command("finetune", _ratings(asked), "--from", SHIPPED, "--config", config, "--out", folder)
    # Where the weights of no step were better than the first ones, it is the shipped judge.
    return str(folder) if read_tuned(folder).training["best_step"] else SHIPPED


def adapter(asked: Asked) -> Path:
    """Where the judge lies that was fine-tuned on the ratings."""
    return asked.folder / "adapters" / f"fine-tuned-{asked.size}-{asked.seed}"


def _ratings(asked: Asked) -> Path:
    path = asked.folder / f"ratings-{asked.seed}-{asked.size}.jsonl"
    rows = [{k: v for k, v in row.items() if k != "mean"} for row in pairs(asked.folder, asked.train)[: asked.size]]
    write(path, rows)
    return path


def command(*arguments: object) -> None:
    """Run `judge` with some arguments; finished work is not repeated by it."""
    subprocess.run([sys.executable, "-m", "relevance_judge.cli.main", *map(str, arguments)], check=True, cwd=ROOT)


def own_calibration(asked: Asked) -> Calibration | None:
    """What `judge finetune` fitted to the queries that it held out for it."""
    return read_tuned(adapter(asked)).calibration


def fitted_blend(asked: Asked, start: Ordinal) -> Ordinal | None:
    """A blend fitted to all queries that it held out, where it is better there than that of the judge that it went on
    from: chosen as `judge finetune` does it, which fits to half of them. Of too few none is fitted: that one stays.
    """
    held_out = read_tuned(adapter(asked)).training["pairs"]
    if held_out["validation"] + held_out["calibration"] < LEAST[0]:
        return start
    name = _held_out(asked)
    chances, rows = said(asked.folder, tuned(asked), name), pairs(asked.folder, name)
    values = np.column_stack([log_odds(chances), features(asked.folder, name)])
    evidence = Evidence(Reading(NAMES), values, VALUES, "quadratic_kappa", start.encoder)
    shares, present = np.eye(len(VALUES))[[row["grade"] for row in rows]], Present(start, start.apply(values), VALUES)
    logprobs = np.log(np.maximum(chances, 1e-12))
    return cross_fitted(logprobs, shares, [row["query"] for row in rows], "", evidence, present)[0].blend


def _held_out(asked: Asked) -> str:
    """The name of the ratings of the queries that the judge's training held out."""
    ratings, seen, name = _ratings(asked), read_seen(adapter(asked)), f"held-{adapter(asked).name}"
    assert seen is not None
    rows = [row for row in pairs(asked.folder, ratings.stem) if words_key(row["query"]) in {*seen.held_out}]
    write(asked.folder / f"{name}.jsonl", rows)
    return name
