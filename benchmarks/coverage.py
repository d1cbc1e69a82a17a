"""How often 95% intervals of agreement hold the truth, by accuracy and number of queries, where it is known.

    python -m benchmarks.coverage [TRIALS]

Queries have ten pairs each, and rates of errors of their own, so that pairs of one query are alike (correlation .05 and
.2). Prints, for accuracy and for quadratic kappa, the share of TRIALS (1,000 unless given) whose interval holds the
truth, and the shares that lie above and below it.
"""

import sys
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from judge.statistics import measures
from judge.statistics.intervals import each_by_query

ACCURACIES = (0.5, 0.8, 0.97)
QUERIES = (15, 50)
CORRELATIONS = (0.05, 0.2)
PAIRS = 10
VALUES = (0, 1, 2)
MIX = (0.3, 0.3, 0.4)
"""Shares of the grades that people give."""

Floats = npt.NDArray[np.float64]


class Coverage(NamedTuple):
    """How the intervals of one measure in one world do."""

    measure: str
    accuracy: float
    queries: int
    correlation: float
    inside: float
    """Share of the intervals that hold the truth."""
    above: float
    """Share that lie above it altogether."""
    below: float
    none: float
    """Share of the trials without an interval; they count for none of the others."""


def confusions(rng: np.random.Generator, accuracy: float, queries: int, correlation: float) -> Floats:
    """Confusion matrices by query, shape (queries, 3, 3): where the judge errs, it gives one of the other grades."""
    spread = (1 - correlation) / correlation
    right = rng.random((queries, PAIRS)) < rng.beta(accuracy * spread, (1 - accuracy) * spread, (queries, 1))
    truth = rng.choice(3, size=(queries, PAIRS), p=MIX)
    given = np.where(right, truth, (truth + rng.integers(1, 3, truth.shape)) % 3)
    found = np.zeros((queries, 3, 3))
    np.add.at(found, (np.arange(queries)[:, None], truth, given), 1)
    return found


def true_kappa(accuracy: float) -> float:
    """The quadratic kappa of a judge that is right so often, over all queries there could be."""
    mix = np.array(MIX)
    errors = (np.ones((3, 3)) - np.eye(3)) / 2
    return float(measures.weighted_kappa(mix[:, None] * (accuracy * np.eye(3) + (1 - accuracy) * errors), VALUES))


def coverage(trials: int, accuracy: float, queries: int, correlation: float, seed: int = 0) -> Iterator[Coverage]:
    """What intervals of accuracy and of quadratic kappa hold in one world."""
    rng = np.random.default_rng(seed)
    wanted = {"accuracy": measures.accuracy, "weighted_kappa": partial(measures.weighted_kappa, values=VALUES)}
    truth = {"accuracy": accuracy, "weighted_kappa": true_kappa(accuracy)}
    drawn = [
        each_by_query(confusions(rng, accuracy, queries, correlation), wanted, resamples=500) for _ in range(trials)
    ]
    for name in wanted:
        ends = np.array([each[name].interval for each in drawn if each[name].interval]).reshape(-1, 2)
        above, below = (ends[:, 0] > truth[name]).mean(), (ends[:, 1] < truth[name]).mean()
        shares = float(1 - above - below), float(above), float(below), 1 - len(ends) / trials
        yield Coverage(name, accuracy, queries, correlation, *shares)


def main(trials: int) -> None:
    """Print a table."""
    print("measure         accuracy  queries  correlation  inside  above  below   none")
    for accuracy in ACCURACIES:
        for queries in QUERIES:
            for correlation in CORRELATIONS:
                for row in coverage(trials, accuracy, queries, correlation):
                    shares = "  ".join(f"{share:5.3f}" for share in row[4:])
                    print(f"{row.measure:15} {accuracy:8} {queries:8} {correlation:12}   {shares}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
