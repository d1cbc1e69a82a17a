"""A temperature and a bias for each grade, by maximum likelihood.

A judge's log-probabilities z over K grades become softmax(z / temperature + bias). Sources: temperature, Guo et al.
2017, "On Calibration of Modern Neural Networks"; with biases, Alexandari et al. 2020, "Maximum Likelihood with
Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation".
"""

import numpy as np
import numpy.typing as npt

from judge.statistics import reliability

Floats = npt.NDArray[np.float64]

PULL = 1e-3
"""Ridge towards "change nothing", a rating's worth in a thousand: separable ratings would drive the fit to infinity."""
FORMS = ("none", "temperature", "biases")
"""What is fitted: nothing, a temperature, or a temperature and a bias for each grade. Biases follow the mix of grades,
which few queries tell badly."""
SLOPES = (0.02, 50.0)
"""The range of the inverse temperature."""


def fit(scores: Floats, shares: Floats, form: str = "biases") -> tuple[float, Floats]:
    """Temperature, and biases of shape (K,), of the highest likelihood for scores and shares of shape (N, K).

    `form` is one of `FORMS`: what it does not name stays 1 or 0.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped, unused-ignore]

    centred = scores - scores.max(axis=1, keepdims=True)

    def loss(point: Floats) -> tuple[float, Floats]:
        # In the inverse temperature and the biases the likelihood is concave: there is one maximum.
        chances = reliability.softmax(centred * point[0] + point[1:])
        gap = (chances - shares) / len(shares)
        pull = PULL * np.array([point[0] - 1, *point[1:]])
        value = float(reliability.cross_entropy(chances, shares).mean()) + float(pull @ pull) / PULL / 2
        return value, np.array([(gap * centred).sum(), *gap.sum(axis=0)]) + pull

    start = np.zeros(1 + scores.shape[1])
    start[0] = 1.0
    slope = (1.0, 1.0) if form == "none" else SLOPES
    shift = (-20.0, 20.0) if form == "biases" else (0.0, 0.0)
    bounds = [slope] + [shift] * scores.shape[1]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(1 / found[0]), np.asarray(found[1:] - found[1:].mean())


def undo(probabilities: npt.ArrayLike, temperature: float, bias: npt.ArrayLike) -> Floats:
    """The judge's own probabilities, shape (..., K), of those that a temperature and biases made of them.

    `softmax(z / T + b)` is undone up to a constant by `z = T (log p - b)`; the constant falls out of the softmax.
    """
    with np.errstate(divide="ignore"):
        logs = np.log(np.asarray(probabilities, dtype=np.float64))
    return reliability.softmax(temperature * (logs - np.asarray(bias, dtype=np.float64)))
