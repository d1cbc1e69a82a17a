"""Blend or not: which rule, by the rated queries alone, comes nearest to the better of the two on other queries.

    judge label pairs.jsonl --calibration none --out RUN
    python -m benchmarks.choices RUN pairs.jsonl [COUNT …]

For each number of rated queries, 60 draws among the queries with several pairs: a blend is fitted to the drawn ones
for quadratic kappa, and by cross-fitting over them two rules say whether it takes the place of the judge as it is:
where its kappa is higher, as `judge calibrate` does it, or where it is higher by a standard error (the jackknife's,
over queries; Efron and Stein 1981). All are measured on the queries that were not drawn. From fewer than 30 pairs the
judge stays as it is.
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.blend import NAMES, RatedSet, interval, read, resampled
from judge.calibration.crossing import BLEND, RatedPairs, crossed
from judge.calibration.features import Reading
from judge.calibration.ordinal import Evidence
from judge.models.encoder import EMBEDDED_ENCODER
from judge.statistics.measures import weighted_kappa

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
COUNTS, DRAWS, LEAST, FOLDS = (5, 10), 60, 30, 5
RULES = ("the judge as it is", "the blend", "the one with the higher kappa", "the blend if by a standard error")


def main(folder: Path, ratings: Path, counts: tuple[int, ...]) -> None:
    """Print a table of one run."""
    rated = read(folder, ratings)
    times = resampled(rated.queries)
    several = np.flatnonzero(np.bincount(rated.query) > 1)
    print(f"{folder.name}: {len(rated.truth)} pairs of {rated.queries} queries; {DRAWS} draws")
    print("| rated queries | taken | blends | accuracy | quadratic kappa |\n|---|---|---|---|---|")
    for count in counts:
        told: dict[str, list[Floats]] = {rule: [] for rule in RULES}
        blends = dict.fromkeys(RULES, 0)
        for draw in range(DRAWS):
            drawn = several[np.random.default_rng(draw).permutation(len(several))[:count]]
            taken, forms = choose(rated, np.flatnonzero(np.isin(rated.query, drawn)))
            others = times.copy()
            others[:, drawn] = 0
            figures = [rated.figures(each, rated.values[:, 0], others) for each in forms]
            for rule, at in zip(RULES, taken, strict=True):
                told[rule].append(figures[at])
                blends[rule] += at
        for rule, found in told.items():
            mean = np.asarray(np.nanmean(found, axis=0))
            print(
                f"| {count} | {rule} | {blends[rule]} | {interval(mean[:, 0], '.3f')} | {interval(mean[:, 1], '.3f')} |"
            )


def choose(rated: RatedSet, rows: Ints) -> tuple[tuple[int, ...], list[Ints]]:
    """Which of both forms each rule takes (1: the blend), and each form's grades of all pairs, fitted to some rows."""
    evidence = Evidence(Reading(NAMES), rated.values, rated.grades, "quadratic_kappa", EMBEDDED_ENCODER)
    scores = np.log(np.maximum(rated.own, 1e-12))
    everything = RatedPairs(scores, np.eye(len(rated.grades))[rated.truth], rated.query, evidence)
    every = np.arange(len(rated.truth))
    forms = [
        everything.applied(everything.fitted(rows, form), every).argmax(axis=1) for form in (everything.forms[0], BLEND)
    ]
    if len(rows) < LEAST:
        return (0, 1, 0, 0), forms
    names, query = np.unique(rated.query[rows], return_inverse=True)
    own = Evidence(Reading(NAMES), rated.values[rows], rated.grades, "quadratic_kappa", EMBEDDED_ENCODER)
    some = RatedPairs(scores[rows], everything.shares[rows], query, own)
    dealt = np.empty(len(names), dtype=np.int64)
    dealt[np.argsort(-np.bincount(query), kind="stable")] = np.arange(len(names)) % min(FOLDS, len(names))
    none, blend = (crossed(some, dealt[query], form).argmax(axis=1) for form in (some.forms[0], BLEND))
    gain, error = kappa_gain(none, blend, rated.truth[rows], query, rated.grades)
    return (0, 1, int(gain > 0), int(gain > error)), forms


def kappa_gain(first: Ints, second: Ints, truth: Ints, query: Ints, grades: tuple[int, ...]) -> tuple[float, float]:
    """How much higher the second grades' quadratic kappa is, and its standard error over queries."""
    count, queries = len(grades), int(query.max()) + 1
    kappas = []
    for given in (first, second):
        cells = np.bincount((query * count + truth) * count + given, minlength=queries * count**2)
        by_query = cells.reshape(queries, count, count)
        whole = by_query.sum(axis=0)
        kappas.append(np.nan_to_num(weighted_kappa(np.concatenate([whole[None], whole - by_query]), grades)))
    gain, without = kappas[1][0] - kappas[0][0], kappas[1][1:] - kappas[0][1:]
    return float(gain), float(np.sqrt(((without - without.mean()) ** 2).sum() * (queries - 1) / queries))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), tuple(map(int, sys.argv[3:])) or COUNTS)
