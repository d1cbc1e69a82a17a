"""What is compared on the learning curve: each method's grades and scores of unseen pairs, from what is in a folder."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.home_depot import Pairs, write
from benchmarks.lexical import probabilities
from benchmarks.rated_sets import VALUES, Item
from judge.calibration.calibrate import CALIBRATION, Calibration
from judge.calibration.features import Reading, blend_encoder, cosines, measure
from judge.calibration.ordinal import Evidence, Ordinal, fit_ordinal
from judge.documents import load
from judge.files import write_whole
from judge.labelling.blending import FILE
from judge.labelling.config import FILE as ADAPTER
from judge.labelling.config import read_tuned
from judge.labelling.label import read_pairs
from judge.models.shipped import SHIPPED, shipped_directory
from judge.records import Pair
from judge.run.store import Run

Floats = npt.NDArray[np.float64]
Given = tuple[Sequence[int] | None, Floats]
"""Grades, null where a score has no cut points, and scores, shape (N,)."""
ROOT = Path(__file__).parent.parent
NAMES = ("judge", "cosine", "overlap")
CONFIG = "epochs: 1\nvalidation: 0.1\ncalibration: 0.0\nleast_per_grade: 1\n"
BLEND = 500
"""The most pairs that a blend's five constants are fitted on: more would cost the judge's answers to all of them."""


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


def by_cosine(asked: Asked) -> Given:
    """MiniLM's cosine, with cut points where there are ratings."""
    values = features(asked.folder, asked.test)[:, :1]
    return _cut(asked, ("cosine",), features(asked.folder, asked.train)[:, :1], values)


def by_cosine_and_overlap(asked: Asked) -> Given:
    """The sum of both, each standardised as the shipped blend does it."""
    return None, _sum(NAMES[1:], features(asked.folder, asked.test))


def by_boosting(asked: Asked, more: bool = False) -> Given:
    """Gradient boosting over TF-IDF and overlap features."""
    train, test = (_items(asked.folder, name) for name in (asked.train, asked.test))
    further = None
    if more:
        further = features(asked.folder, asked.train)[: asked.size, :1], features(asked.folder, asked.test)[:, :1]
    grades, chances = probabilities(train[: asked.size], test, asked.seed, further)
    return [grades[at] for at in chances.argmax(axis=1)], chances @ np.array(grades)


def by_judge(asked: Asked) -> Given:
    """The shipped judge alone, or fine-tuned on the ratings where there are any."""
    chances = said(asked.folder, tuned(asked), asked.test)
    return chances.argmax(axis=1).tolist(), chances @ np.array(VALUES)


def by_shipped_blend(asked: Asked) -> Given:
    """The judge of `by_judge`, its expected grade blended with cosine and overlap by the shipped constants."""
    values, blend = _with_features(asked.folder, tuned(asked), asked.test), shipped_blend()
    return blend.apply(values).argmax(axis=1).tolist(), blend.score(values)


def by_fitted_blend(asked: Asked) -> Given:
    """The shipped judge, its blend fitted on the ratings: `judge calibrate --features cosine,overlap`."""
    first = f"first-{asked.seed}"
    if not (asked.folder / f"{first}.jsonl").is_file():
        write(asked.folder / f"{first}.jsonl", pairs(asked.folder, asked.train)[:BLEND])
    known, values = (_with_features(asked.folder, SHIPPED, name) for name in (first, asked.test))
    return _cut(asked, NAMES, known, values)


METHODS: dict[str, Callable[[Asked], Given]] = {
    "cosine": by_cosine,
    "cosine and overlap": by_cosine_and_overlap,
    "boosting": by_boosting,
    "boosting with cosine": lambda asked: by_boosting(asked, more=True),
    "judge": by_judge,
    "judge, shipped blend": by_shipped_blend,
    "judge, blend fitted": by_fitted_blend,
    "fine-tuned": by_judge,
    "fine-tuned, shipped blend": by_shipped_blend,
}


def _items(folder: Path, name: str) -> list[Item]:
    rows = pairs(folder, name)
    return [Item(row["query"], row["candidate_id"], {"title": row["title"]}, row["grade"], {}) for row in rows]


def _cut(asked: Asked, names: Sequence[str], known: Floats, values: Floats) -> Given:
    """Weights and cut points for quadratic kappa, from the first `size` pairs of what is known."""
    if not asked.size:
        return None, _sum(names, values)
    rated = pairs(asked.folder, asked.train)[: asked.size]
    encoder = blend_encoder(names)
    evidence = Evidence(names, known[: asked.size], VALUES, "quadratic_kappa", encoder.digest if encoder else None)
    query = np.unique([row["query"] for row in rated], return_inverse=True)[1]
    shares = np.eye(len(VALUES))[[row["grade"] for row in rated]]
    fitted = fit_ordinal(evidence, names, shares, query, np.arange(len(rated)))
    values = values[:, [names.index(name) for name in fitted.names]]
    return fitted.apply(values).argmax(axis=1).tolist(), fitted.score(values)


def _sum(names: Sequence[str], values: Floats) -> Floats:
    known = {feature.name: feature for feature in shipped_blend().features}
    standard = (values - [known[name].centre for name in names]) / [known[name].spread for name in names]
    return np.asarray(np.nan_to_num(standard).sum(axis=1))


def _with_features(folder: Path, judge: str, name: str) -> Floats:
    """The features of `NAMES`, shape (N, 3)."""
    return np.column_stack([said(folder, judge, name) @ np.array(VALUES), features(folder, name)])


def shipped_blend() -> Ordinal:
    """The shipped judge's."""
    directory = shipped_directory(SHIPPED)
    assert directory is not None
    blend = load(directory / FILE, Calibration, CALIBRATION).blend
    assert blend is not None
    assert blend.names == NAMES
    return blend


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
    """The shipped judge, or where it was fine-tuned on the ratings: one epoch, a tenth of the queries held out."""
    if not asked.size:
        return SHIPPED
    adapter = asked.folder / "adapters" / f"tuned-{asked.size}-{asked.seed}"
    ratings = asked.folder / f"ratings-{asked.seed}-{asked.size}.jsonl"
    rows = [{k: v for k, v in row.items() if k != "mean"} for row in pairs(asked.folder, asked.train)[: asked.size]]
    write(ratings, rows)
    config = asked.folder / "lora.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    if not (adapter / ADAPTER).is_file():
        command("finetune", ratings, "--from", SHIPPED, "--config", config, "--out", adapter)
    # Where the weights of no step were better than the first ones, it is the shipped judge.
    return str(adapter) if read_tuned(adapter).training["best_step"] else SHIPPED


def command(*arguments: object) -> None:
    """Run `judge` with some arguments; finished work is not repeated by it."""
    subprocess.run([sys.executable, "-m", "relevance_judge.cli.main", *map(str, arguments)], check=True, cwd=ROOT)
