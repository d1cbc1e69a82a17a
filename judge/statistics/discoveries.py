"""False discovery control: of all that is reported as found, the expected share that is nothing stays under a rate."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def corrected(p_values: Sequence[float | None], *, any_dependence: bool = False) -> list[float | None]:
    """The q-value of each of several tests: the least rate at which it counts as a discovery among them.

    A null stands for a test that could not be made: it stays null, and the others are corrected for one test less.
    Holds for independent or positively dependent tests (Benjamini and Hochberg 1995, "Controlling the False Discovery
    Rate"), with `any_dependence` for all (Benjamini and Yekutieli 2001). Library: scipy.stats.false_discovery_control.
    """
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    made = [p for p in p_values if p is not None]
    found = iter(stats.false_discovery_control(made, method="by" if any_dependence else "bh") if made else [])
    return [None if p is None else float(next(found)) for p in p_values]


def posterior_q_values(chance: Floats) -> Floats:
    """The q-value of each finding, of the posterior chances that they are true, shape (N,).

    It is the mean posterior error, 1 - `chance`, of a finding and of all that are as sure or surer. Equal findings have
    equal q-values, whatever their order: they are reported together or not at all. Those of at most a rate are thus the
    longest such list whose mean error is within the rate, and that is their false discovery rate as far as the
    posteriors hold. Source: Newton et al. 2004, "Detecting
    differential gene expression with a semiparametric hierarchical mixture method".
    """
    # What rounding leaves of two equal chances makes no difference.
    errors, group, count = np.unique(np.round(1 - chance, 12), return_inverse=True, return_counts=True)
    means: Floats = np.cumsum(errors * count) / np.cumsum(count)
    return means[group]
