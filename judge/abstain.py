"""When to leave a pair to people: a threshold on confidence that keeps the error among graded labels under a budget.

The threshold is chosen on held-out pairs by testing, as in Angelopoulos et al. 2021, "Learn then Test": for each of a
few coverages fixed beforehand, an exact upper bound on the error rate of the pairs above (Clopper and Pearson 1934) at
a confidence shared among the coverages (Bonferroni), and of those that pass the largest. With probability `CONFIDENCE`
over the held-out ratings, the error rate among graded labels of new pairs of the same kind is then at most the budget.

The bound is exact for independent pairs. Pairs of one query err together, so the number of pairs is first divided by
the design effect, as in Korn and Graubard 1998, "Confidence intervals for proportions with small expected number of
positive counts estimated from survey data"; the effect is Kish's, from the intraclass correlation of errors.
"""

import numpy as np
import numpy.typing as npt

from judge.calibrate import HeldOut
from judge.errors import InputError
from judge.records import Record

CONFIDENCE = 0.9
"""The probability with which the promise is to hold."""
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""What is tried, largest first. Fixed beforehand: a finer choice would cost more of the confidence."""

Floats = npt.NDArray[np.float64]


class Threshold(Record):
    """A threshold, what it promises, and what it rests on."""

    budget: float
    """The error rate among graded labels that was asked for."""
    confidence: float
    """The probability that it holds."""
    least: float
    """Pairs whose likeliest grade has a calibrated probability below this are left to people."""
    coverage: float
    """Share of the held-out pairs that would be graded."""
    error: float
    """Error rate among those."""
    bound: float
    """The upper bound on that error rate; at most the budget."""
    pairs: int
    """Held-out pairs in all."""


def choose(held_out: HeldOut, budget: float, confidence: float = CONFIDENCE) -> Threshold:
    """The threshold that grades most pairs while the error rate among them stays within the budget.

    Raises:
        InputError: The budget is no share between 0 and 1, or no threshold can promise it.
    """
    check_budget(budget)
    sure, wrong = np.array(held_out.confidence), np.array(held_out.wrong, dtype=np.float64)
    query = np.array(held_out.query)
    together = correlation(wrong, query)
    risk = (1 - confidence) / len(COVERAGES)
    lowest = 1.0
    for coverage in COVERAGES:
        # "lower" keeps every pair of the same confidence together: a threshold cannot part them.
        least = float(np.quantile(sure, 1 - coverage, method="lower")) if coverage < 1 else 0.0
        kept = sure >= least
        found = upper_bound(wrong[kept], query[kept], together, risk)
        lowest = min(lowest, found)
        if found <= budget:
            return Threshold(
                budget=budget,
                confidence=confidence,
                least=least,
                coverage=float(kept.mean()),
                error=float(wrong[kept].mean()),
                bound=found,
                pairs=len(sure),
            )
    allowed = float(np.ceil(lowest * 100) / 100)
    raise InputError(
        f"--max-noise {budget}: no confidence is high enough to promise it on {len(sure)} held-out pairs; "
        f"the least that can be promised is {lowest:.3f}",
        (f"allow --max-noise {allowed:.2f}, " if allowed < 1 else "") + "hold out more ratings, or use a better judge",
    )


def check_budget(budget: float) -> None:
    """Refuse a budget that is no share, whatever judge it is for.

    Raises:
        InputError: It is not between 0 and 1.
    """
    if not 0 < budget < 1:
        raise InputError(f"--max-noise {budget}: is not between 0 and 1", "give a share, such as 0.05")


def upper_bound(wrong: Floats, query: npt.NDArray[np.int64], together: float, risk: float) -> float:
    """What the true error rate exceeds with probability `risk` at most; `together` is the intraclass correlation."""
    from scipy.stats import beta  # type: ignore[import-untyped, unused-ignore]

    sizes = np.bincount(query)
    effect = 1 + max(0.0, float((sizes**2).sum() / sizes.sum()) - 1) * together
    n, errors = len(wrong) / effect, float(wrong.sum()) / effect
    return 1.0 if errors >= n else float(beta.ppf(1 - risk, errors + 1, n - errors))


def correlation(wrong: Floats, query: npt.NDArray[np.int64]) -> float:
    """How much errors of one query are alike: intraclass correlation by analysis of variance, in [0, 1].

    0 where it cannot be told: one query, one pair a query, or no errors at all. Source: Donner 1986, "A Review of
    Inference Procedures for the Intraclass Correlation Coefficient in the One-Way Random Effects Model".
    """
    sizes = np.bincount(query)
    sizes = sizes[sizes > 0]
    groups, total = len(sizes), len(wrong)
    if groups < 2 or groups == total:
        return 0.0
    means = np.bincount(query, wrong)[np.unique(query)] / sizes
    between = float((sizes * (means - wrong.mean()) ** 2).sum()) / (groups - 1)
    within = float((wrong**2).sum() - (sizes * means**2).sum()) / (total - groups)
    typical = (total - float((sizes**2).sum()) / total) / (groups - 1)
    spread = between + (typical - 1) * within
    return min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 0.0
