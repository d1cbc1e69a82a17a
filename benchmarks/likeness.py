"""From which similarity on should a word count for another? Word overlap and its sum with the cosine, without a judge.

    python -m benchmarks.likeness ../shared/data

All pairs of ESCI and Chorus: Spearman's rank correlation with people's mean grade, and the gain over overlap by which
words are there or not, with 95% intervals by resampling queries. The last column is of the sum within queries: the mean
over those of five pairs or more. No rating is fitted on.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.blend import interval, resampled, standardised
from benchmarks.rated_sets import TEXTS, VALUES, read
from judge.calibration.features import Reading, blend_encoder, cosines, measure
from judge.records import Pair
from judge.statistics.ranks import spearman

Floats = npt.NDArray[np.float64]
TRIED = (None, 0.4, 0.5, 0.6, 0.9)
NAMES = ("cosine", "overlap")
MANY = 5
"""Pairs of a query, for a rank correlation within it."""


def main(data: Path) -> None:
    """Print a table of both sets."""
    encoder = blend_encoder(NAMES)
    assert encoder is not None
    print(
        "| set | alike from | overlap | gain | with the cosine | gain | within queries |\n|---|---|---|---|---|---|---|"
    )
    for name in TEXTS:
        items = read(data, name)
        pairs = [Pair(0, "", item.query, item.candidate_id, item.texts) for item in items]
        mean = np.array([np.mean(list(item.raters.values()) or [item.grade]) for item in items])
        query = np.unique([item.query for item in items], return_inverse=True)[1]
        times, first = resampled(int(query.max()) + 1), []
        cosine: Floats | None = None
        for alike in TRIED:
            how, own = Reading(NAMES, alike=alike), np.empty((len(pairs), len(VALUES)))
            values = measure(how, pairs, own, VALUES, partial(cosines, encoder=encoder) if cosine is None else cosine)
            cosine = values[:, 0]
            standard = standardised(values)
            summed = standard.sum(axis=1)
            found = [spearman(score, mean, times[:, query]) for score in (standard[:, 1], summed)]
            first = first or found
            cells = [c for one, other in zip(found, first, strict=True) for c in _told(one, one - other)]
            print(f"| {name} | {alike} | {' | '.join(cells)} | {_within(summed, mean, query):.3f} |", flush=True)


def _told(figure: Floats, gain: Floats) -> tuple[str, str]:
    return f"{figure[0]:.3f}", interval(gain, "+.3f")


def _within(score: Floats, mean: Floats, query: npt.NDArray[np.int64]) -> float:
    groups = [np.flatnonzero(query == at) for at in range(int(query.max()) + 1)]
    return float(np.nanmean([spearman(score[rows], mean[rows]) for rows in groups if len(rows) >= MANY]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
