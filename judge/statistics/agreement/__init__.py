"""Measures of agreement by name: a module for each family, which holds `Measure`s. Reports are made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from judge.registry import registered
from judge.statistics.intervals import NO_PAIRS, Estimate

Floats = npt.NDArray[np.float64]
OfConfusion = Callable[[Floats], npt.ArrayLike]
Place = Literal["table", "chart", "card", "people", "headline"]
"""Where a measure is shown besides the page's full list and JSON: the first table, the page's chart, a dataset's card
and a notebook, the card's figures of people among themselves; and the one that others point to."""
SLOW_RESAMPLES = 500
"""Replicates for measures that are no function of a confusion matrix: each costs a pass over the pairs."""


@dataclass(frozen=True)
class GradedPairs:
    """Pairs that both sides graded: arrays of shape (N,)."""

    query: npt.NDArray[np.str_]
    reference: Floats
    """The reference's grades."""
    means: Floats
    """The means that the reference gave where its grades were cut from such; else its grades."""
    expected: Floats
    """The judge's expected grades."""
    probabilities: Floats | None
    """The judge's, shape (N, K); rows of NaN for grades that came alone. Null where it told none."""
    values: Sequence[int]
    """The scale's K grades, ascending."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measure of how two sides agree, or several raters."""

    name: str
    """As in JSON; a measure of each grade has `NAME_GRADE` there."""
    label: str
    """As in tables."""
    source: str
    """The paper or library."""
    range: str
    """The values that it can have."""
    undefined: str
    """Why it has no value where there are pairs; empty where that cannot be."""
    order: int
    """Its place in lists."""
    places: frozenset[Place] = frozenset()
    confusion: Callable[[Floats, Sequence[int]], npt.ArrayLike] | None = None
    """Of confusions (..., K, K) and the K grades; shape (...), and (..., K) where `by_grade`."""
    by_grade: bool = False
    coincidence: Callable[[Floats, Sequence[int]], npt.ArrayLike] | None = None
    """Of Krippendorff's coincidences of any number of raters, where it is not the same as of a confusion."""
    ratings: Callable[[Floats, Sequence[int], Floats], npt.ArrayLike] | None = None
    """Of ratings (raters, pairs) with NaN for missing, the K grades, and how often each pair counts (..., pairs); shape
    (...). Where it is no function of coincidences."""
    pairs: Callable[[GradedPairs], Estimate] | None = None
    """Of what a judge says of each pair, with an interval of its own, where it is no function of a confusion."""

    def of_confusion(self, values: Sequence[int]) -> dict[str, OfConfusion]:
        """Functions of a confusion by their names in JSON: one, or one a grade."""
        if self.confusion is None:
            return {}
        function = partial(_of_values, self.confusion, values)
        if not self.by_grade:
            return {self.name: function}
        return {f"{self.name}_{value}": partial(_at, function, place) for place, value in enumerate(values)}

    def reason(self, total: npt.ArrayLike) -> str:
        """Why it has no value for a confusion for which it is undefined."""
        return self.undefined if np.asarray(total).any() else NO_PAIRS

    def labels(self, grades: Sequence[int], names: Sequence[str]) -> dict[str, str]:
        """Names in JSON to labels: one, or one a grade."""
        if not self.by_grade:
            return {self.name: self.label}
        return {f"{self.name}_{g}": f"{self.label} of {g} {name}" for g, name in zip(grades, names, strict=True)}


def _of_values(
    function: Callable[[Floats, Sequence[int]], npt.ArrayLike], values: Sequence[int], confusion: Floats
) -> npt.ArrayLike:
    return function(confusion, values)


def _at(function: OfConfusion, place: int, confusion: Floats) -> npt.ArrayLike:
    return np.asarray(function(confusion))[..., place]


def agreement_measures() -> Mapping[str, Measure]:
    """Every measure by name, in the order of lists."""
    return registered(__name__, Measure)


def shown_in(place: Place) -> dict[str, str]:
    """Labels by name of the measures that are shown in a place."""
    return {name: measure.label for name, measure in agreement_measures().items() if place in measure.places}


def headline() -> Measure:
    """The one figure that stands for all."""
    return next(measure for measure in agreement_measures().values() if "headline" in measure.places)
