"""Soft labels: the grade that a judge's probabilities expect, in place of the one that is likeliest."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from judge.errors import InputError
from judge.export.chosen import Chosen
from judge.export.joined_run import called
from judge.export.query_batches import Window

Floats = npt.NDArray[np.float64]
SOFT = ("expected_grade", "grade")
"""Columns of the labels that a window needs for them."""


def expected_grades(window: Window) -> Floats:
    """The grade that each row's judge expects; NaN where it has no probabilities of its own."""
    expected = window.table.column("expected_grade").to_numpy().astype(np.float64)
    # What people graded or decided has none, nor has what another judge decided.
    changed = window.table.column("grade").to_numpy() != window.grade
    return np.where(changed | np.isnan(window.confidence), np.nan, expected)


def soft_grades(window: Window) -> Floats:
    """The same; the grade itself where a row has none."""
    expected = expected_grades(window)
    return np.where(np.isnan(expected), window.grade, expected)


def scaled(grades: npt.ArrayLike, values: Sequence[int]) -> Floats:
    """Grades of a scale as scores in [0, 1]."""
    given = np.asarray(grades, dtype=np.float64)
    return np.clip((given - values[0]) / (values[-1] - values[0]), 0, 1)


def check_soft(chosen: Chosen, form: str) -> None:
    """Refuse a run without any probability.

    Raises:
        InputError: It has none.
    """
    if not chosen.run.query("SELECT 1 FROM labels WHERE expected_grade IS NOT NULL LIMIT 1"):
        raise InputError(
            f"{called(chosen.run)}: has no probabilities, and --to {form} writes what they expect",
            "label with a judge that gives probabilities, or export to triplets or n-tuples",
        )
