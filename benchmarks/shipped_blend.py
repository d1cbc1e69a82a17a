"""The shipped judge's blend: fitted on the queries of ESCI and Chorus that its training held out, and on nothing else.

    python -m benchmarks.shipped_blend ../shared/data runs/held-out
    judge label runs/held-out/esci.jsonl --calibration none --out runs/held-out/run-esci
    judge label runs/held-out/chorus.jsonl --calibration none --out runs/held-out/run-chorus
    python -m benchmarks.shipped_blend runs/held-out

The first command writes those queries' pairs, and `seen.json` into the shipped judge's directory: which queries it held
out, and which queries and products it learned from, as digests. The last one prints, of each set, what the judge says
alone, under a blend that was fitted on the other set, and under one that was fitted on both sets' other queries; then
it writes `blend.json` into the shipped judge's directory, fitted on all of them.
"""

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.blend import NAMES, RatedSet, interval, joined, read, resampled
from benchmarks.rated_sets import TEXTS
from benchmarks.rated_sets import read as read_set
from finetune.config import load_config
from finetune.training_set import split
from judge.calibration.calibrate import DECIDING, Calibration
from judge.calibration.features import Reading, blend_encoder
from judge.calibration.held_out import HeldOut, trust
from judge.calibration.ordinal import Evidence, Ordinal, fit_ordinal
from judge.fingerprint import digest, file_digest
from judge.labelling.blending import FILE
from judge.labelling.config import read_tuned
from judge.models.shipped import SHIPPED, shipped_directory
from judge.records import Pair
from judge.run.seen import NOTHING, product_key, query_keys, words_key, write_seen
from judge.run.store import Run
from judge.statistics.reliability import likeliest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST = {"esci": 20}
"""Pairs of a query at most: ESCI's have up to fifty, and would outweigh Chorus."""
FOLDS = 5
FOLDER = shipped_directory(SHIPPED) or Path()


def write_pairs(data: Path, out: Path) -> None:
    """Write the pairs of the queries that the shipped judge's training held out, a file a set."""
    items = [(name, item) for name in TEXTS for item in read_set(data, name)]
    keys = [words_key(item.query) for _, item in items]
    parts = split(keys, load_config(FOLDER / "lora.yaml"))
    held = [each for each, key in zip(items, keys, strict=True) if parts[key] != "train"]
    told = read_tuned(FOLDER).training["pairs"]
    assert len(held) == told["validation"] + told["calibration"], "the split is another than that of the training"
    learned = [item for (_, item), key in zip(items, keys, strict=True) if parts[key] == "train"]
    products = (product_key(Pair(0, "", item.query, item.candidate_id, item.texts)) for item in learned)
    by_part = ({k for item in some for k in query_keys(item.query)} for some in ([item for _, item in held], learned))
    write_seen(FOLDER, NOTHING.joined(*by_part, products))
    out.mkdir(parents=True, exist_ok=True)
    for name in TEXTS:
        rated = [item for at, item in held if at == name]
        if name in MOST:
            Random(3).shuffle(rated)
        counts: dict[str, int] = {}
        lines = []
        for item in rated:
            counts[item.query] = counts.get(item.query, 0) + 1
            if counts[item.query] <= MOST.get(name, len(rated)):
                mean = float(np.mean(list(item.raters.values()))) if item.raters else float(item.grade)
                lines.append(json.dumps({**item.row(), "grade": item.grade, "mean": mean}, ensure_ascii=False) + "\n")
        (out / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def fit(rated: RatedSet, rows: Ints) -> Ordinal:
    """The blend of some rows: weights shrunk to equal ones as strongly as their queries speak, since both shops are the
    judge's own, and it says less of others; cuts for quadratic kappa."""
    encoder = blend_encoder(NAMES)
    assert encoder is not None
    evidence = Evidence(Reading(NAMES), rated.values, rated.grades, "quadratic_kappa", encoder.digest)
    strength, shares = float(len(np.unique(rated.query[rows]))), np.eye(len(rated.grades))[rated.truth]
    return fit_ordinal(evidence, NAMES, shares, rated.query, rows, strength=strength)


def main(folder: Path) -> None:
    """Print what the blend does, and write it."""
    sets = {name: read(folder / f"run-{name}", folder / f"{name}.jsonl") for name in TEXTS}
    both = joined(*sets.values())
    bounds = np.cumsum([0, *(len(each.truth) for each in sets.values())])
    crossed, score = np.empty_like(both.own), np.empty(len(both.truth))
    fold = np.random.default_rng(0).permutation(np.arange(both.queries)) % FOLDS
    for number in range(FOLDS):
        inside = np.flatnonzero(fold[both.query] == number)
        found = fit(both, np.flatnonzero(fold[both.query] != number))
        crossed[inside], score[inside] = found.apply(both.values[inside]), found.score(both.values[inside])
    for at, (name, rated) in enumerate(sets.items()):
        (other,) = (each for each in sets if each != name)
        rows = np.arange(bounds[at], bounds[at + 1])
        elsewhere = fit(sets[other], np.arange(len(sets[other].truth)))
        print(f"{name}: {len(rows)} pairs of {rated.queries} queries, accuracy, quadratic kappa, rank correlation")
        _show("the judge alone", rated, rated.own.argmax(axis=1), rated.own @ np.array(rated.grades))
        _show(f"fitted on {other}", rated, elsewhere.apply(rated.values).argmax(axis=1), elsewhere.score(rated.values))
        _show("fitted on other queries", rated, crossed[rows].argmax(axis=1), score[rows])
    whole = fit(both, np.arange(len(both.truth)))
    print("\n".join(f"{f.name}: ({f.centre:.4f}, {f.spread:.4f}) weight {f.weight:.3f}" for f in whole.features))
    print("cuts", *(f"{cut:.3f}" for cut in whole.cuts))
    shares = np.eye(len(both.grades))[both.truth]
    missed = crossed.argmax(axis=1) != both.truth
    wrong = (likeliest(crossed).sum(axis=1) > 1) | missed
    calibration = Calibration(
        temperature=1.0,
        bias=(0.0,) * len(both.grades),
        before=trust(both.own, shares, both.query),
        after=trust(crossed, shares, both.query),
        held_out=HeldOut(
            confidence=tuple(np.round(crossed.max(axis=1), 6).tolist()),
            wrong=tuple(wrong.tolist()),
            query=tuple(both.query.tolist()),
        ),
        **whose([Run.open(folder / f"run-{name}") for name in TEXTS]),
        ratings=digest([file_digest(folder / f"{name}.jsonl") for name in TEXTS]),
        blend=whole,
    )
    (FOLDER / FILE).write_text(calibration.as_text() + "\n", encoding="utf-8")


def whose(runs: list[Run]) -> dict[str, Any]:
    """Whose probabilities were calibrated: one judge's in all runs."""
    made = {run.manifest.fingerprint: run.manifest.parts for run in runs}
    assert len(made) == 1, "the runs are of different judges"
    ((fingerprint, parts),) = made.items()
    return {"judge": fingerprint, "parts": {name: parts.get(name) for name in DECIDING}}


def _show(what: str, rated: RatedSet, given: Ints, score: Floats) -> None:
    found = rated.figures(given, score, resampled(rated.queries))
    print(f"  {what:24}", *(interval(found[:, at], ".3f") for at in range(3)))


if __name__ == "__main__":
    (write_pairs if len(sys.argv) == 3 else main)(*map(Path, sys.argv[1:]))
