"""The figures behind the reliability and the risk-coverage chart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audit.agreement.comparison import GradedSide
from judge.statistics import reliability
from judge.statistics.intervals import Estimate

BINS = 10
POINTS = 120
"""Points of a curve that are kept: more cannot be told apart on a page."""


@dataclass(frozen=True)
class Bin:
    """Pairs of like confidence."""

    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True)
class Charts:
    """Points to draw."""

    reliability: Sequence[Bin]
    """Bins of equal mass, confidence rising."""
    risk_coverage: Sequence[tuple[float, float]]
    """(share of pairs kept, error rate among them), the surest pairs first."""
    thresholds: Sequence[float]
    """The confidence that each point of the curve asks for."""
    area: float
    """Under the risk-coverage curve: lower is better."""
    brier: Estimate
    log_loss: Estimate


def charts(reference: GradedSide, judged: GradedSide, values: Sequence[int]) -> Charts | None:
    """What to draw of a judge's confidence; null where its labels carry no probabilities, or nothing is compared."""
    if judged.probabilities is None:
        return None
    told = ~np.isnan(judged.probabilities).any(axis=1)
    both = ~np.isnan(reference.grades) & ~np.isnan(judged.grades) & told
    if not both.any():
        return None
    shares = judged.probabilities[both]
    truth = np.searchsorted(values, reference.grades[both])
    sure, right = reliability.top_label(shares, truth)
    bins = reliability.reliability_bins(sure, right, bins=BINS, equal_mass=True)
    curve = reliability.risk_coverage(sure, right)
    kept = np.unique(np.linspace(0, len(curve.coverage) - 1, POINTS).round().astype(int))
    return Charts(
        reliability=[
            Bin(float(c), float(a), int(n)) for c, a, n in zip(bins.confidence, bins.accuracy, bins.n, strict=True) if n
        ],
        risk_coverage=[(float(curve.coverage[i]), float(curve.error_rate[i])) for i in kept],
        thresholds=[float(curve.threshold[i]) for i in kept],
        area=curve.area,
        brier=Estimate(reliability.brier_score(shares, truth), None, None, "no interval is computed"),
        log_loss=Estimate(reliability.log_loss(shares, truth), None, None, "no interval is computed"),
    )
