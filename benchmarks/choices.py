"""Blend or not: which rule, by the rated queries alone, comes nearest to the better of the two on other queries.

    judge label pairs.jsonl --calibration none --out RUN
    python -m benchmarks.choices RUN pairs.jsonl [--counts 5,10] [--present OTHER other.jsonl]

For each number of rated queries, 60 draws among the queries with several pairs: a blend is fitted to the drawn ones
for quadratic kappa, and by cross-fitting over them rules say whether it takes the place of the judge as it is: where
its kappa is higher, as `judge calibrate` does it with a run of the judge alone, or where it is higher by a standard
error (the jackknife's, over queries; Efron and Stein 1981). With a blended run `judge calibrate` compares with that
blend: here the shipped one, or, since that one knows ESCI and Chorus, one fitted like it to the set of `--present`. All
are measured on the queries that were not drawn. From fewer than 30 pairs nothing is fitted.
"""

import argparse
from functools import reduce
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.blend import NAMES, RatedSet, interval, joined, read, resampled, shipped
from benchmarks.shipped_blend import fit
from judge.calibration.crossing import BLEND, PRESENT, Present, RatedPairs, crossed
from judge.calibration.features import Reading
from judge.calibration.ordinal import Evidence, Ordinal
from judge.calibration.temperature import FORMS
from judge.models.encoder import EMBEDDED_ENCODER
from judge.statistics.measures import weighted_kappa

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DRAWS, LEAST, FOLDS = 60, 30, 5
NOTHING = FORMS[0]
RULES = (
    "the judge as it is",
    "the blend",
    "the one with the higher kappa",
    "the blend if by a standard error",
    "the present blend",
    "the present or the fitted blend, by kappa",
)


def main(paths: list[Path], counts: tuple[int, ...], elsewhere: list[Path] | None) -> None:
    """Print a table of some runs, each before its pairs."""
    rated, present = reduce(joined, map(read, paths[::2], paths[1::2])), shipped()
    if elsewhere:
        other = read(*elsewhere)
        present = fit(other, np.arange(len(other.truth)))
    times = resampled(rated.queries)
    several = np.flatnonzero(np.bincount(rated.query) > 1)
    print(f"{paths[0].name}: {len(rated.truth)} pairs of {rated.queries} queries; {DRAWS} draws")
    print("| rated queries | taken | blends | accuracy | quadratic kappa |\n|---|---|---|---|---|")
    for count in counts:
        told: dict[str, list[Floats]] = {rule: [] for rule in RULES}
        blends = dict.fromkeys(RULES, 0)
        for draw in range(DRAWS):
            drawn = several[np.random.default_rng(draw).permutation(len(several))[:count]]
            taken, forms = choose(rated, present, np.flatnonzero(np.isin(rated.query, drawn)))
            others = times.copy()
            others[:, drawn] = 0
            figures = [rated.figures(each, rated.values[:, 0], others) for each in forms]
            for rule, at in zip(RULES, taken, strict=True):
                told[rule].append(figures[at])
                blends[rule] += at == 1
        for rule, found in told.items():
            mean = np.asarray(np.nanmean(found, axis=0))
            print(
                f"| {count} | {rule} | {blends[rule]} | {interval(mean[:, 0], '.3f')} | {interval(mean[:, 1], '.3f')} |"
            )


def choose(rated: RatedSet, present: Ordinal, rows: Ints) -> tuple[tuple[int, ...], list[Ints]]:
    """Which form each rule takes (0: the judge, 1: a fitted blend, 2: the present one), and each form's grades of all
    pairs, fitted to some rows."""
    evidence = Evidence(Reading(NAMES), rated.values, rated.grades, "quadratic_kappa", EMBEDDED_ENCODER)
    scores = np.log(np.maximum(rated.own, 1e-12))
    there = Present(present, present.apply(evidence.columns(present.names)), rated.grades)
    everything = RatedPairs(scores, np.eye(len(rated.grades))[rated.truth], rated.query, evidence, there)
    every = np.arange(len(rated.truth))
    forms = [
        everything.applied(everything.fitted(rows, form), every).argmax(axis=1) for form in (NOTHING, BLEND, PRESENT)
    ]
    if len(rows) < LEAST:
        return (0, 1, 0, 0, 2, 2), forms
    names, query = np.unique(rated.query[rows], return_inverse=True)
    own = Evidence(Reading(NAMES), rated.values[rows], rated.grades, "quadratic_kappa", EMBEDDED_ENCODER)
    some = RatedPairs(scores[rows], everything.shares[rows], query, own)
    dealt = np.empty(len(names), dtype=np.int64)
    dealt[np.argsort(-np.bincount(query), kind="stable")] = np.arange(len(names)) % min(FOLDS, len(names))
    none, blend = (crossed(some, dealt[query], form).argmax(axis=1) for form in (NOTHING, BLEND))
    gain, error = kappa_gain(none, blend, rated.truth[rows], query, rated.grades)
    more, _ = kappa_gain(forms[2][rows], blend, rated.truth[rows], query, rated.grades)
    return (0, 1, int(gain > 0), int(gain > error), 2, 1 if more > 0 else 2), forms


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", metavar="RUN PAIRS", help="several are taken as one set")
    parser.add_argument("--counts", default="5,10", help="numbers of rated queries")
    parser.add_argument("--present", type=Path, nargs=2, metavar=("RUN", "PAIRS"), help="where a present blend is from")
    asked = parser.parse_args()
    if len(asked.sets) % 2:
        parser.error("a run stands before its pairs: name both")
    main(asked.sets, tuple(map(int, asked.counts.split(","))), asked.present)
