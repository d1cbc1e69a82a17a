"""What a few rated queries are worth: the judge, word overlap, cosine and their blend, on queries not fitted on.

    judge label pairs.jsonl --calibration none --out RUN
    python -m benchmarks.blend RUN pairs.jsonl      # RUN pairs.jsonl RUN pairs.jsonl: several as one set

`pairs.jsonl` is what the run was made from, with the columns `grade` and, where there is one, `mean`. The first rows
are of no rated query: the judge as it is, its shipped blend, and the sum of standardised features, which has no grades.
Then, for each number of rated queries, 20 draws: everything is fitted on the drawn queries and measured on all others.
Rank correlation is Spearman's of the score with the mean grade. Intervals are 95%, by resampling the queries of the
set, of the mean over draws. Nothing that is fitted is kept.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.calibration.calibrate import CALIBRATION, Calibration
from judge.calibration.features import Reading, blend_encoder, cosines, measure
from judge.calibration.ordinal import Evidence, Ordinal, fit_ordinal
from judge.documents import load
from judge.labelling.blending import FILE
from judge.labelling.label import read_pairs
from judge.labelling.recalibrate import own_column, own_probabilities
from judge.models.encoder import EMBEDDED_ENCODER
from judge.models.shipped import SHIPPED, shipped_directory
from judge.records import Pair
from judge.run.store import Run
from judge.statistics.measures import weighted_kappa
from judge.statistics.ranks import spearman

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NAMES = ("judge", "cosine", "overlap")
SETS = {
    "judge": ("judge",),
    "overlap": ("overlap",),
    "cosine + overlap": ("cosine", "overlap"),
    "blend": NAMES,
}
COUNTS, DRAWS, RESAMPLES = (3, 5, 10), 20, 300


@dataclass(frozen=True)
class RatedSet:
    """Pairs with people's grades and their features."""

    own: Floats
    """The judge's own probabilities, shape (N, K)."""
    values: Floats
    """Shape (N, 3), in the order of `NAMES`."""
    truth: Ints
    """Places of grades, shape (N,)."""
    mean: Floats
    query: Ints
    grades: tuple[int, ...]

    @property
    def queries(self) -> int:
        """How many."""
        return int(self.query.max()) + 1

    def figures(self, given: Ints | None, score: Floats, times: Floats) -> Floats:
        """Accuracy, quadratic kappa and rank correlation, shape (R, 3), of queries that count `times`, (R, queries)."""
        kappa = accuracy = np.full(len(times), np.nan)
        if given is not None:
            count = len(self.grades)
            cells = (self.query * count + self.truth) * count + given
            tables = np.bincount(cells, minlength=self.queries * count**2).reshape(self.queries, count, count)
            summed = np.einsum("rq,qij->rij", times, tables)
            kappa = np.nan_to_num(np.asarray(weighted_kappa(summed, self.grades)))
            accuracy = np.trace(summed, axis1=1, axis2=2) / np.maximum(summed.sum(axis=(1, 2)), 1)
        rank = np.nan_to_num(spearman(score, self.mean, times[:, self.query]))
        # A resample may hold drawn queries alone: nothing is left to measure on.
        found = np.stack([accuracy, kappa, rank], axis=1)
        return np.where(times.sum(axis=1, keepdims=True) > 0, found, np.nan)


def main(*paths: Path) -> None:
    """Print a table of some runs, each before its pairs."""
    show(paths[0].name, reduce(joined, map(read, paths[::2], paths[1::2])))


def show(title: str, rated: RatedSet) -> None:
    """Print a table of some rated pairs."""
    times = resampled(rated.queries)
    majority = np.bincount(rated.truth).max() / len(rated.truth)
    print(f"{title}: {len(rated.truth)} pairs of {rated.queries} queries; the commonest grade {majority:.3f}")
    print("| rated queries | | accuracy | quadratic kappa | rank correlation | above cosine + overlap |")
    print("|---|---|---|---|---|---|")
    plain = unrated(rated, times)
    for name, found in plain.items():
        _show("0", name, found, plain["cosine + overlap"])
    for count in COUNTS:
        each = {name: _drawn(rated, names, count, times) for name, names in SETS.items()}
        for name, found in each.items():
            _show(str(count), name, found, each["cosine + overlap"])


def resampled(queries: int) -> Floats:
    """How often each query counts, shape (1 + RESAMPLES, queries): first each once, then as resampling draws them."""
    counts = np.random.default_rng(5).multinomial(queries, [1 / queries] * queries, RESAMPLES)
    return np.vstack([np.ones(queries), counts])


def read(folder: Path, ratings: Path) -> RatedSet:
    """What a run and a file of grades say of the same pairs."""
    with ratings.open(encoding="utf-8") as stream:
        rows_of = {(row["query"], row["candidate_id"]): row for row in map(json.loads, stream)}
    run = Run.open(folder)
    pairs, own, values = scored(run)
    rows: list[Mapping[str, Any]] = [rows_of[pair.query, pair.candidate_id] for pair in pairs]
    grades = run.manifest.values
    return RatedSet(
        own,
        values,
        np.array([grades.index(row["grade"]) for row in rows]),
        np.array([float(row.get("mean", row["grade"])) for row in rows]),
        np.unique([pair.query_id for pair in pairs], return_inverse=True)[1],
        grades,
    )


def scored(run: Run) -> tuple[list[Pair], Floats, Floats]:
    """A run's pairs with probabilities, the judge's own ones, (N, K), and features in the order of `NAMES`, (N, 3)."""
    labels = dict(run.query(f"SELECT row, {own_column(run.manifest)} FROM labels WHERE probabilities IS NOT NULL"))
    pairs = [pair for batch in read_pairs(run.pairs_path) for pair, _ in batch if pair and pair.row in labels]
    own = own_probabilities(run.manifest, np.array([labels[pair.row] for pair in pairs]))
    encoder = blend_encoder(NAMES)
    assert encoder is not None
    cosine = partial(cosines, encoder=encoder)
    return pairs, own, measure(Reading(NAMES), pairs, own, run.manifest.values, cosine)


def joined(one: RatedSet, other: RatedSet) -> RatedSet:
    """Two sets as one; no query is in both."""
    columns = {
        name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in ("own", "values", "truth", "mean")
    }
    return replace(one, **columns, query=np.concatenate([one.query, other.query + one.queries]))


def unrated(rated: RatedSet, times: Floats) -> dict[str, Floats]:
    """Figures without any rated query, each of shape (R, 3)."""
    values = rated.values
    standard = standardised(values)
    found = {
        "judge": rated.figures(rated.own.argmax(axis=1), rated.own @ np.array(rated.grades), times),
        "overlap": rated.figures(None, standard[:, 2], times),
        "cosine + overlap": rated.figures(None, standard[:, 1:].sum(axis=1), times),
        "sum of all three": rated.figures(None, standard.sum(axis=1), times),
    }
    blend = shipped()
    columns = values[:, [NAMES.index(name) for name in blend.names]]
    found["shipped blend"] = rated.figures(blend.apply(columns).argmax(axis=1), blend.score(columns), times)
    return found


def shipped() -> Ordinal:
    """The shipped judge's blend."""
    directory = shipped_directory(SHIPPED)
    assert directory is not None
    blend = load(directory / FILE, Calibration, CALIBRATION).blend
    assert blend is not None
    assert blend.reading == Reading(blend.names)
    return blend


def standardised(values: Floats) -> Floats:
    """Features of shape (N, F) with mean 0 and deviation 1; NaN is the mean."""
    filled = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    return np.asarray((filled - filled.mean(axis=0)) / filled.std(axis=0))


def _drawn(rated: RatedSet, names: Sequence[str], count: int, times: Floats) -> Floats:
    """Mean figures over draws of `count` rated queries, on the others, shape (R, 3)."""
    evidence = Evidence(Reading(NAMES), rated.values, rated.grades, "quadratic_kappa", EMBEDDED_ENCODER)
    shares, found = np.eye(len(rated.grades))[rated.truth], []
    for draw in range(DRAWS):
        drawn = np.random.default_rng(draw).permutation(rated.queries)[:count]
        fitted = fit_ordinal(evidence, names, shares, rated.query, np.flatnonzero(np.isin(rated.query, drawn)))
        columns, others = evidence.columns(fitted.names), times.copy()
        others[:, drawn] = 0
        found.append(rated.figures(fitted.apply(columns).argmax(axis=1), fitted.score(columns), others))
    return np.asarray(np.nanmean(found, axis=0))


def _show(rated: str, name: str, found: Floats, baseline: Floats) -> None:
    cells = [interval(found[:, at], ".3f") for at in range(3)]
    print(f"| {rated} | {name} | {' | '.join(cells)} | {interval(found[:, 2] - baseline[:, 2], '+.3f')} |", flush=True)


def interval(column: Floats, form: str) -> str:
    """A figure and its 95% interval, of what `resampled` has in its order."""
    if np.isnan(column[0]):  # features have no grades
        return ""
    low, high = np.nanquantile(column[1:], (0.025, 0.975))
    return f"{column[0]:{form}} ({low:{form}} to {high:{form}})"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
