"""What a few rated queries are worth: the judge, word overlap, cosine and their blend, on queries not fitted on.

    judge label pairs.jsonl --calibration none --out RUN
    python benchmarks/blend.py RUN pairs.jsonl

`pairs.jsonl` is what the run was made from, with the columns `grade` and, where there is one, `mean`. For each number
of rated queries 20 draws: everything is fitted on the drawn queries and measured on all others. Rank correlation is
Spearman's of the score with the mean grade. Intervals are 95%, by resampling the queries of the set, of the mean over
draws. Nothing that is fitted is kept.
"""

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from judge.calibration.features import blend_encoder, measure
from judge.calibration.ordinal import Evidence, fit_ordinal
from judge.labelling.label import read_pairs
from judge.labelling.recalibrate import own_probabilities
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
COUNTS, DRAWS, RESAMPLES = (3, 5, 10), 20, 100


def main(folder: Path, ratings: Path) -> None:
    """Print a table of one run."""
    run = Run.open(folder)
    grades = run.manifest.values
    with ratings.open(encoding="utf-8") as stream:
        rated = {(row["query"], row["candidate_id"]): row for row in map(json.loads, stream)}
    labels = dict(run.query("SELECT row, probabilities FROM labels WHERE probabilities IS NOT NULL"))
    pairs = [pair for batch in read_pairs(run.pairs_path) for pair, _ in batch if pair and pair.row in labels]
    rows = [rated[pair.query, pair.candidate_id] for pair in pairs]
    truth = np.array([grades.index(row["grade"]) for row in rows])
    mean = np.array([float(row.get("mean", row["grade"])) for row in rows])
    own = own_probabilities(run.manifest, np.array([labels[pair.row] for pair in pairs]))
    values = measure(NAMES, pairs, own, grades, blend_encoder(NAMES))
    query = np.unique([pair.query_id for pair in pairs], return_inverse=True)[1]
    print(f"{folder.name}: {len(pairs)} pairs of {query.max() + 1} queries")
    shipped = [_figures(own.argmax(axis=1), values[:, 0], truth, mean, np.arange(len(pairs)), grades)]
    print(f"  judge as labelled: quadratic kappa {shipped[0][0]:.3f}, rank correlation {shipped[0][1]:.3f}")
    for objective in ("log_loss", "quadratic_kappa"):
        evidence = Evidence(NAMES, values, grades, objective)
        for count in COUNTS:
            drawn = [np.random.default_rng(draw).permutation(query.max() + 1)[:count] for draw in range(DRAWS)]
            fits = {name: [_fitted(evidence, names, truth, query, d) for d in drawn] for name, names in SETS.items()}
            point = _means(fits, drawn, truth, mean, query, grades)
            spread = _resampled(fits, drawn, truth, mean, query, grades)
            for at, name in enumerate(SETS):
                low, high = np.quantile(spread[:, at], (0.025, 0.975), axis=0)
                more = spread[:, at] - spread[:, 0]
                gain = np.quantile(more, (0.025, 0.975), axis=0)
                print(
                    f"  {objective} {count:2} queries, {name:17}"
                    f" kappa {point[at, 0]:.3f} ({low[0]:.2f} to {high[0]:.2f}),"
                    f" rank {point[at, 1]:.3f} ({low[1]:.2f} to {high[1]:.2f});"
                    f" above the judge {point[at, 0] - point[0, 0]:+.3f} ({gain[0, 0]:+.2f} to {gain[1, 0]:+.2f}),"
                    f" {point[at, 1] - point[0, 1]:+.3f} ({gain[0, 1]:+.2f} to {gain[1, 1]:+.2f})"
                )


def _fitted(evidence: Evidence, names: tuple[str, ...], truth: Ints, query: Ints, drawn: Ints) -> tuple[Ints, Floats]:
    """Places of grades and scores of all pairs, shape (N,), fitted on the drawn queries."""
    shares = np.eye(len(evidence.grades))[truth]
    found = fit_ordinal(evidence, names, shares, query, np.flatnonzero(np.isin(query, drawn)))
    columns = evidence.columns(found.names)
    return found.apply(columns).argmax(axis=1), found.score(columns)


def _figures(given: Ints, score: Floats, truth: Ints, mean: Floats, rows: Ints, grades: tuple[int, ...]) -> Floats:
    count = len(grades)
    table = np.bincount(truth[rows] * count + given[rows], minlength=count**2).reshape(count, count)
    return np.nan_to_num(np.array([float(weighted_kappa(table, grades)), spearman(score[rows], mean[rows])]))


def _means(fits, drawn, truth, mean, query, grades, chosen=None):  # type: ignore[no-untyped-def]
    """Mean figures over draws, shape (sets, 2), on the queries not drawn (of `chosen`, with repeats)."""
    found = np.zeros((len(fits), 2))
    members = [np.flatnonzero(query == at) for at in range(query.max() + 1)]
    for at, each in enumerate(fits.values()):
        figures = []
        for (given, score), out in zip(each, drawn, strict=True):
            kept = np.setdiff1d(np.arange(len(members)), out) if chosen is None else chosen[~np.isin(chosen, out)]
            rows = np.concatenate([members[number] for number in kept])
            figures.append(_figures(given, score, truth, mean, rows, grades))
        found[at] = np.mean(figures, axis=0)
    return found


def _resampled(fits, drawn, truth, mean, query, grades):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(5)
    count = query.max() + 1
    some = [rng.integers(0, count, count) for _ in range(RESAMPLES)]
    return np.array([_means(fits, drawn, truth, mean, query, grades, chosen) for chosen in some])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
