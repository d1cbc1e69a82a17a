"""How likely each grade of a pair is, by label and engagement, another judge, and the product's category together.

By Bayes' rule, each piece of evidence taken as independent of the others where the grade is known. Engagement comes as
the audit's posterior; a judge as how often it gives this grade to pairs that people give another (Dawid and Skene's
confusion matrix, smoothed by a Dirichlet prior); the category as stated odds. No single piece can settle a label.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ACCURACY = 0.6
"""How often a judge of which nothing is known gives people's grade; errors halve with each grade of distance."""
PRIOR = 10.0
"""Pairs of each grade that this assumption weighs as many as."""
MISFIT = 0.1
"""Share of an audit's posterior that is spread evenly over the grades: its model can be wrong, in ways it cannot know.
Evidence alone therefore never passes 1 - MISFIT + MISFIT / grades."""
CATEGORY_ODDS = 3.0
"""Odds of the highest against the lowest grade where the category fits all of what a query's pairs have; the inverse
where it fits nothing, and 1 where it fits half."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """How far a judge can be trusted."""

    confusion: Floats
    """Shape (grades, grades): the chance of each given grade, by people's grade in rows, both ascending."""
    rated: int
    """Pairs with people's ratings that it was measured on."""
    decided: int
    """Further pairs, on which people decided; with none of either, the confusion is the assumed one."""


def assumed(grades: int) -> Floats:
    """The confusion of a judge of which nothing is known, shape (grades, grades)."""
    far = np.abs(np.subtract.outer(np.arange(grades), np.arange(grades)))
    errors = np.where(far > 0, 0.5**far, 0.0)
    return np.asarray(ACCURACY * np.eye(grades) + (1 - ACCURACY) * errors / errors.sum(axis=1, keepdims=True))


def measured(seen: Iterable[tuple[int, int, float]], grades: int) -> Floats:
    """A judge's confusion from pairs that people graded too, shape (grades, grades).

    Args:
        seen: (people's grade, the judge's, weight) by their places among the grades; the weights of a pair add up to 1.
        grades: How many there are.
    """
    counts = PRIOR * assumed(grades)
    for people, given, weight in seen:
        counts[people, given] += weight
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def judge_likelihood(confusion: Floats, given: int, probabilities: Sequence[float] | None) -> Floats:
    """How likely a judge's answer is at each grade, shape (grades,): of its probabilities, each grade as far as it
    gives it; without them, of the grade it gave."""
    if probabilities is None:
        return confusion[:, given]
    return np.asarray(confusion @ np.asarray(probabilities))


def category_likelihood(fit: float | None, grades: int) -> Floats:
    """How likely it is at each grade that a category fits so far, shape (grades,); flat where nothing is known."""
    height = np.linspace(-0.5, 0.5, grades)
    return np.asarray(CATEGORY_ODDS ** ((0.0 if fit is None else 2 * fit - 1) * height))


def corrected_evidence(posterior: Sequence[float], label: int, wrong: float) -> Floats:
    """An audit's posterior with another chance that the label is wrong, the other grades in proportion.

    Args:
        posterior: Of each grade.
        label: The label's place among the grades.
        wrong: In [0, 1].
    """
    found = np.array(posterior)
    others = np.arange(len(found)) != label
    rest = found[others].sum()
    found[others] = found[others] * (wrong / rest) if rest else wrong / others.sum()
    found[label] = 1 - wrong
    return found


def combine(evidence: Floats, *likelihoods: Floats) -> Floats:
    """The chance of each grade, shape (grades,): `evidence` with `MISFIT`, times all likelihoods."""
    found = (1 - MISFIT) * evidence + MISFIT / len(evidence)
    for likelihood in likelihoods:
        found = found * likelihood
    return np.asarray(found / found.sum())
