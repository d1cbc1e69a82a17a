"""When to leave a pair to people: a threshold on confidence that keeps the error among graded labels under a budget.

The threshold is chosen on held-out pairs by testing, as in Angelopoulos et al. 2021, "Learn then Test": coverages fixed
beforehand are walked upwards from a few starts, and a walk ends at the first whose bound is above the budget (their
fixed-sequence testing; the confidence is shared among the starts). With probability `CONFIDENCE` over the held-out
queries, the error rate among graded labels of new pairs of the same kind is then at most the budget.

The bound takes queries, not pairs, as independent, and assumes nothing of how errors gather in a query: a judge that
misreads one query in twenty as a whole is bounded as surely as one that errs here and there. It comes from bets on
each query's errors, as in Waudby-Smith and Ramdas 2023, "Estimating means of bounded random variables by betting".

Bets are scaled by the largest query, so one that is far larger than the rest would leave nothing to bet with. A query
therefore counts as at most as many pairs as the median query has: a larger one by its share of errors, times that many.
The rate that is bounded is of pairs weighed so, and no bound is below the share of errors that was found in all pairs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.calibration.held_out import HeldOut
from judge.errors import InputError
from judge.records import Record, counted

CONFIDENCE = 0.9
"""The probability with which the promise is to hold."""
WALKS = ((0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0), (0.5, 0.6, 0.7, 0.8, 0.9, 1.0))
"""The coverages that are tried, in order. Fixed beforehand; each walk more would cost of the confidence."""
STAKES = ((1.0, 0.5), (0.5, 0.25), (0.25, 0.125), (0.125, 0.0625), (0.0625, 0.0625))
"""Shares of the largest bet that cannot lose more than there is, and how the capital is divided among them. Small ones
win where whole queries are wrong."""

BUDGETS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
"""Rates that are tried where it is asked which are within reach."""
MOST_TIMES = 1000.0
"""How many times the held-out queries are tried, where it is asked how many a promise takes."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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
    per_query: int | None = None
    """In the bound a query counts as at most so many pairs; null in what earlier versions chose, where all count."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What some held-out pairs can promise."""

    pairs: int
    queries: int
    promises: tuple[Threshold, ...]
    """One for each of `BUDGETS` that can be promised; a larger one that grades no more is left out."""
    tighter: float | None
    """The largest of `BUDGETS` that is below all of these; null where there is none."""
    more_queries: int | None
    """How many more queries like these it takes; null where no number would do, since too many pairs are wrong."""

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        promises = [{name: getattr(p, name) for name in ("budget", "coverage", "bound")} for p in self.promises]
        return {"within_reach": promises, "tighter": self.tighter, "more_queries": self.more_queries}

    @property
    def words(self) -> str:
        """What is within reach, for people."""
        of = f"with these {self.pairs:,} pairs of {counted(self.queries, 'query')}"
        if not self.promises:
            return f"nothing is within reach {of}"
        return f"within reach {of}: " + ", ".join(f"{p.budget:g} at {p.coverage:.0%} coverage" for p in self.promises)

    @property
    def needs(self) -> str | None:
        """What a tighter promise takes, for people."""
        if self.tighter is None:
            return None
        if self.more_queries is None:
            return f"no number of queries like these promises {self.tighter:g}: it takes a better judge"
        return f"{self.tighter:g} takes about {counted(self.more_queries, 'more rated query')}"


def within_reach(held_out: HeldOut) -> Reach:
    """What may be promised of a judge, by its held-out pairs. Each promise holds by itself, with `CONFIDENCE`."""
    sure, wrong, query = _arrays(held_out)
    found: list[Threshold] = []
    for budget in BUDGETS:
        chosen, _ = walk(sure, wrong, query, budget)
        if chosen and (not found or chosen.coverage > found[-1].coverage):
            found.append(chosen)
    least = found[0].budget if found else 1.0
    tighter = max((budget for budget in BUDGETS if budget < least), default=None)
    more = None if tighter is None else more_queries(held_out, tighter)
    return Reach(len(sure), len(set(held_out.query)), tuple(found), tighter, more)


def more_queries(held_out: HeldOut, budget: float) -> int | None:
    """How many more queries like the held-out ones a promise takes; null where `MOST_TIMES` as many would not do."""
    sure, wrong, query = _arrays(held_out)
    queries, risk, fewest = len(set(held_out.query)), (1 - CONFIDENCE) / len(WALKS), None
    for coverage, *_ in WALKS:
        kept = sure >= _least(sure, coverage)
        sizes, errors = by_query(wrong[kept], query[kept])
        low, high = 1.0, MOST_TIMES
        # The share of errors in all pairs, which no promise is below, is that of any number of queries like these.
        if max(betting_bound(sizes, errors, risk, high), float(wrong[kept].mean())) > budget:
            continue
        while high - low > 0.5 / queries:
            times = (low + high) / 2
            low, high = (low, times) if betting_bound(sizes, errors, risk, times) <= budget else (times, high)
        fewest = min(high, fewest or high)
    return None if fewest is None else max(int(np.ceil((fewest - 1) * queries)), 0)


def choose(held_out: HeldOut, budget: float, confidence: float = CONFIDENCE) -> Threshold:
    """The threshold that grades most pairs while the error rate among them stays within the budget.

    Raises:
        InputError: The budget is no share between 0 and 1, nothing was held out, or no threshold can promise it.
    """
    check_budget(budget)
    if not held_out.confidence:
        raise InputError(
            "--max-noise needs held-out ratings, and this judge's calibration was fitted for other weights",
            "make one with `judge calibrate RUN RATINGS --out FILE`, and give it with --calibration FILE",
        )
    sure, wrong, query = _arrays(held_out)
    chosen, lowest = walk(sure, wrong, query, budget, confidence)
    if chosen is not None:
        return chosen
    allowed, more = float(np.ceil(lowest * 100) / 100), more_queries(held_out, budget)
    queries = len(set(held_out.query))
    fixes = [f"allow --max-noise {allowed:.2f}"] if allowed < 1 else []
    if more is not None:
        fixes.append(f"hold out about {counted(more, 'more rated query')} like these")
    raise InputError(
        f"--max-noise {budget}: no confidence is high enough to promise it on {len(sure)} held-out pairs of "
        f"{counted(queries, 'query')}; the least that can be promised is {lowest:.3f}; " + within_reach(held_out).words,
        ", ".join([*fixes, "or use a better judge" if fixes else "use a better judge"]),
    )


def _arrays(held_out: HeldOut) -> tuple[Floats, Floats, Ints]:
    wrong = np.array(held_out.wrong, dtype=np.float64)
    return np.array(held_out.confidence), wrong, np.array(held_out.query, dtype=np.int64)


def walk(
    sure: Floats, wrong: Floats, query: npt.NDArray[np.int64], budget: float, confidence: float = CONFIDENCE
) -> tuple[Threshold | None, float]:
    """(the threshold on `sure` that keeps most while the share of `wrong` stays within the budget, the least bound).

    Fixed-sequence testing over pairs of shape (N,); null where no threshold can promise it.
    """
    chosen, lowest = None, 1.0
    for steps in WALKS:
        for coverage in steps:
            least = _least(sure, coverage)
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
                    per_query=int(by_query(wrong[kept], query[kept])[0].max()),
                )
    return chosen, lowest


def _least(sure: Floats, coverage: float) -> float:
    # "lower" keeps every pair of the same confidence together: a threshold cannot part them.
    return float(np.quantile(sure, 1 - coverage, method="lower")) if coverage < 1 else float(min(0, sure.min()))


def check_budget(budget: float) -> None:
    """Refuse a budget that is no share, whatever judge it is for.

    Raises:
        InputError: It is not between 0 and 1.
    """
    if not 0 < budget < 1:
        raise InputError(f"--max-noise {budget}: is not between 0 and 1", "give a share, such as 0.05")


def by_query(wrong: Floats, query: Ints) -> tuple[Floats, Floats]:
    """(pairs, errors) of each query that has pairs, as they count: at most as many pairs as the median query has.

    `wrong` and `query` have shape (N,). A larger query counts by its share of errors.
    """
    sizes, errors = np.bincount(query).astype(np.float64), np.bincount(query, wrong)
    sizes, errors = sizes[sizes > 0], errors[sizes > 0]
    capped = np.minimum(sizes, max(np.floor(np.median(sizes)), 1))
    return capped, errors * capped / sizes


def upper_bound(wrong: Floats, query: Ints, risk: float) -> float:
    """What the true error rate of pairs exceeds with probability `risk` at most. Both have shape (N,).

    The rate is of pairs as `by_query` weighs them.
    """
    return max(betting_bound(*by_query(wrong, query), risk), float(wrong.mean()))


def betting_bound(sizes: Floats, errors: Floats, risk: float, times: float = 1.0) -> float:
    """The bound by queries of `sizes` pairs with `errors` among them, each of shape (Q,), or by `times` as many.

    It is the least rate that a gambler who bets against it on every query makes 1 / `risk` of the capital with, which
    no gambler does with more than that probability where the rate is higher. Without any error in Q queries of one size
    it is nearly 1 - risk ** (1 / Q), Clopper and Pearson's for Q trials.
    """
    from scipy.optimize import brentq  # type: ignore[import-untyped, unused-ignore]

    stakes, shares = np.array(STAKES).T

    def gained(rate: float) -> float:
        # Every factor grows with the rate, so the capital crosses 1 / risk once. A stake can be lost whole: log 0.
        won = np.maximum((rate * sizes - errors) / ((1 - rate) * sizes.max()), -1)
        with np.errstate(divide="ignore"):
            logs = times * np.log1p(stakes[:, None] * won).sum(axis=1)
        top = logs.max()
        return float(top + np.log(shares @ np.exp(logs - top)) + np.log(risk))

    low, high = float(errors.sum() / sizes.sum()), 1 - 1e-9
    return 1.0 if low >= high or gained(high) < 0 else float(brentq(gained, low, high, xtol=1e-9))
