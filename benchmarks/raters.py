"""Labels with planted errors, and the probabilities of the judge that gave them."""

import numpy as np

from judge.statistics.reliability import softmax

SHAPES = ("uniform", "adjacent", "confusions", "whole queries")


def plant(grade: np.ndarray, shape: str, share: float, rng: np.random.Generator, grades: int = 3) -> np.ndarray:
    """Labels of shape (Q, C): the true grades with about `share` of them wrong in one of `SHAPES`."""
    label = grade.copy()
    if shape == "whole queries":
        queries = rng.random(len(grade)) < share / 0.66
        # Of a misread query every label is drawn anew: a third of them hits the truth by chance.
        label[queries] = rng.integers(grades, size=grade.shape)[queries]
        return label
    wrong = rng.random(grade.shape) < share
    if shape == "uniform":
        other = (grade + rng.integers(1, grades, size=grade.shape)) % grades
    elif shape == "adjacent":
        step = np.where(rng.random(grade.shape) < 0.5, 1, -1)
        other = np.where((grade + step < 0) | (grade + step >= grades), grade - step, grade + step)
    elif shape == "confusions":
        # A judge is lenient: it lifts more often than it lowers, mostly by one.
        chances = np.array([[0, 0.8, 0.2], [0.25, 0, 0.75], [0.1, 0.9, 0]])
        cut = np.cumsum(chances, axis=1)[grade]
        other = (rng.random(grade.shape)[..., None] > cut).sum(axis=-1)
    else:
        raise ValueError(shape)
    return np.where(wrong, other, label)


def judge_says(label: np.ndarray, grade: np.ndarray, rng: np.random.Generator, grades: int = 3) -> np.ndarray:
    """Probabilities of shape (Q, C, K) whose largest is the label: a little less sure where the label is wrong."""
    sure = rng.gamma(4.0, 0.6, size=label.shape)
    sure = np.where(label != grade, 0.7 * sure, sure)
    logits = rng.normal(0, 0.7, size=(*label.shape, grades)) - 0.4 * np.abs(
        np.arange(grades) - label[..., None].astype(float)
    )
    top = np.where(np.arange(grades) == label[..., None], -np.inf, logits).max(axis=-1)
    np.put_along_axis(logits, label[..., None], (top + sure)[..., None], axis=-1)
    return softmax(logits)
