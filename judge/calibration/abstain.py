"""When to leave a pair to people: a threshold on confidence that keeps the error among graded labels under a budget.

The threshold is chosen on held-out pairs by testing, as in Angelopoulos et al. 2021, "Learn then Test": coverages fixed
beforehand are walked upwards from a few starts, and a walk ends at the first whose bound is above the budget (their
fixed-sequence testing; the confidence is shared among the starts). With probability `CONFIDENCE` over the held-out
queries, the error rate among graded labels of new pairs of the same kind is then at most the budget.

The bound takes queries, not pairs, as independent, and assumes nothing of how errors gather in a query: a judge that
misreads one query in twenty as a whole is bounded as surely as one that errs here and there. It comes from bets on
each query's errors, as in Waudby-Smith and Ramdas 2023, "Estimating means of bounded random variables by betting".
"""

import numpy as np
import numpy.typing as npt

from judge.calibration.calibrate import HeldOut
from judge.errors import InputError
from judge.records import Record

CONFIDENCE = 0.9
"""The probability with which the promise is to hold."""
WALKS = ((0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0), (0.5, 0.6, 0.7, 0.8, 0.9, 1.0))
"""The coverages that are tried, in order. Fixed beforehand; each walk more would cost of the confidence."""
STAKES = ((1.0, 0.5), (0.5, 0.25), (0.25, 0.125), (0.125, 0.0625), (0.0625, 0.0625))
"""Shares of the largest bet that cannot lose more than there is, and how the capital is divided among them. Small ones
win where whole queries are wrong."""

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
    sure, query = np.array(held_out.confidence), np.array(held_out.query, dtype=np.int64)
    wrong = np.array(held_out.wrong, dtype=np.float64)
    chosen, lowest = walk(sure, wrong, query, budget, confidence)
    if chosen is not None:
        return chosen
    allowed = float(np.ceil(lowest * 100) / 100)
    raise InputError(
        f"--max-noise {budget}: no confidence is high enough to promise it on {len(sure)} held-out pairs of "
        f"{len(set(held_out.query))} queries; the least that can be promised is {lowest:.3f}",
        (f"allow --max-noise {allowed:.2f}, " if allowed < 1 else "") + "hold out more queries, or use a better judge",
    )


def walk(
    sure: Floats, wrong: Floats, query: npt.NDArray[np.int64], budget: float, confidence: float = CONFIDENCE
) -> tuple[Threshold | None, float]:
    """(the threshold on `sure` that keeps most while the share of `wrong` stays within the budget, the least bound).

    Fixed-sequence testing over pairs of shape (N,); null where no threshold can promise it.
    """
    chosen, lowest = None, 1.0
    for steps in WALKS:
        for coverage in steps:
            # "lower" keeps every pair of the same confidence together: a threshold cannot part them.
            least = (
                float(np.quantile(sure, 1 - coverage, method="lower")) if coverage < 1 else float(min(0, sure.min()))
            )
            kept = sure >= least
            bound = upper_bound(wrong[kept], query[kept], (1 - confidence) / len(WALKS))
            lowest = min(lowest, bound) if coverage == steps[0] else lowest
            if bound > budget:
                break
            if chosen is None or least < chosen.least:
                chosen = Threshold(
                    budget=budget,
                    confidence=confidence,
                    least=least,
                    coverage=float(kept.mean()),
                    error=float(wrong[kept].mean()),
                    bound=bound,
                    pairs=len(sure),
                )
    return chosen, lowest


def check_budget(budget: float) -> None:
    """Refuse a budget that is no share, whatever judge it is for.

    Raises:
        InputError: It is not between 0 and 1.
    """
    if not 0 < budget < 1:
        raise InputError(f"--max-noise {budget}: is not between 0 and 1", "give a share, such as 0.05")


def upper_bound(wrong: Floats, query: npt.NDArray[np.int64], risk: float) -> float:
    """What the true error rate of pairs exceeds with probability `risk` at most. Both have shape (N,).

    It is the least rate that a gambler who bets against it on every query makes 1 / `risk` of the capital with, which
    no gambler does with more than that probability where the rate is higher. Without any error in Q queries of one size
    it is nearly 1 - risk ** (1 / Q), Clopper and Pearson's for Q trials.
    """
    from scipy.optimize import brentq  # type: ignore[import-untyped, unused-ignore]

    sizes, errors = np.bincount(query), np.bincount(query, wrong)
    sizes, errors = sizes[sizes > 0], errors[sizes > 0]
    stakes, shares = np.array(STAKES).T

    def gained(rate: float) -> float:
        # Every factor grows with the rate, so the capital crosses 1 / risk once. A stake can be lost whole: log 0.
        won = np.maximum((rate * sizes - errors) / ((1 - rate) * sizes.max()), -1)
        with np.errstate(divide="ignore"):
            logs = np.log1p(stakes[:, None] * won).sum(axis=1)
        top = logs.max()
        return float(top + np.log(shares @ np.exp(logs - top)) + np.log(risk))

    low, high = float(errors.sum() / sizes.sum()), 1 - 1e-9
    return 1.0 if low >= high or gained(high) < 0 else float(brentq(gained, low, high, xtol=1e-9))
