"""Krippendorff's alphas: observed over expected disagreement, of any number of raters."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from judge.statistics import multi_rater
from judge.statistics.agreement import Floats, Measure, Place


def _alpha(metric: multi_rater.Metric, order: int, places: frozenset[Place] = frozenset()) -> Measure:
    def of_two(counts: Floats, values: Sequence[int]) -> npt.ArrayLike:
        """Of two raters neither of whom is the reference."""
        return multi_rater.alpha_of(counts + np.swapaxes(counts, -1, -2), values, metric)

    def of_many(coincidences: Floats, values: Sequence[int]) -> npt.ArrayLike:
        return multi_rater.alpha_of(coincidences, values, metric)

    return Measure(
        name=f"alpha_{metric}",
        label="Krippendorff's alpha" if metric == "ordinal" else f"Krippendorff's alpha, {metric}",
        source='Krippendorff 2011, "Computing Krippendorff\'s Alpha-Reliability"',
        range="at most 1, 0 at chance",
        undefined="all ratings are one single grade, so there is nothing to agree about",
        order=order,
        places=places,
        confusion=of_two,
        coincidence=of_many,
    )


NOMINAL = _alpha("nominal", 71)
ORDINAL = _alpha("ordinal", 70, frozenset({"table", "chart", "card", "people"}))
INTERVAL = _alpha("interval", 72)
