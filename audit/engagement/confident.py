"""Confident learning: labels that out-of-sample probabilities contradict.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels". A class's
threshold is the mean probability of that class among the pairs labelled so; a label is suspect where the likeliest of
the classes that reach their threshold is another one.
"""

import numpy as np

from audit.engagement.counts import Floats, Ints


def thresholds(labels: Ints, probabilities: Floats) -> Floats:
    """Mean self-confidence of each of K classes, shape (K,); infinite for a class without labels.

    `labels` has shape (N,) with values 0..K-1, `probabilities` (N, K) must not have been fitted on the pair's label.
    """
    grades = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    count = np.bincount(labels, minlength=grades)
    mean = np.full(grades, np.inf)
    np.divide(np.bincount(labels, own, minlength=grades), count, out=mean, where=count > 0)
    return mean


def suspects(labels: Ints, probabilities: Floats) -> tuple[np.ndarray, Ints]:
    """(is suspect, the class it seems to be), both of shape (N,); the label itself where nothing contradicts it."""
    reach = np.where(probabilities >= thresholds(labels, probabilities), probabilities, -1.0)
    best = np.where(reach.max(axis=1) >= 0, reach.argmax(axis=1), labels)
    return best != labels, best
